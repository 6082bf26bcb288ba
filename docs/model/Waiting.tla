------------------------------- MODULE Waiting -------------------------------
(* Fields in quarantine, for ONE item in `dual`, by the rule of fields (Atomic.tla).

   A value of old's that v2 cannot have waits in quarantine, with its change; the other
   fields of the change, and later changes of other fields, are carried. A later change of
   a field that waits is judged from the value before the first change that waits with it.
   If a create cannot be written, the whole item waits. What is wrong may be mended at any
   time. A retry tries what waits, beside the lane: both write forward's half, with claims.

   Each of the two, the lane and the retry: reads the ledger (the claim that it finds is
   folded if its put was made, else dropped, or it waits), then what waits, then v2; decides;
   saves the claim, if forward's half is as read, and puts what waits in quarantine; puts v2, if
   that is as read; and takes out of quarantine what waits no longer. Each may die in between.
   Rule constants are TRUE in the protocol as designed; FALSE is a seeded bug.

   Left out: v2 items that reverse cannot map, the backfill's heads, two retries at once,
   two v2 places. A version is 10 * record + number; the number is that of a retry.

   Run: make model MODEL=Waiting *)
EXTENDS Atomic

CONSTANTS
  Bads,          \* how many values of old's v2 cannot have at first
  Retries, Crashes,
  (* rules *)
  Bases,         \* a later change of a field that waits is judged from before the first change that waits
  OthersGoOn,    \* later changes of other fields are carried
  LedgerFirst,   \* a retry reads the ledger before it reads what waits
  RetryYields,   \* a retry does nothing while the lane's claim is open
  LaneWaits,     \* the lane waits for the claim of a retry that goes on
  HealsKnown,    \* only changes that were known are taken out of quarantine
  HealedIsOut,   \* a field that waits no longer takes its part of the changes with it
  HealsByClaim,  \* a decision that puts nothing has a claim too, if it takes anything out of quarantine
  RefusedIsBase, \* of a create after a refused delete, what was deleted counts as the value before
  OursEndIt      \* a write of reverse's over a field that waits takes it out: it is lost

Actor == {"lane", "retry"}
NoWait == [units |-> {}, whole |-> FALSE, ch |-> <<>>]
NoClaim == [n |-> 0, none |-> FALSE, ref |-> NoImg, heal |-> {}, stay |-> {}, last |-> 0, lost |-> {}]
Idle == [st |-> "idle", w |-> NoWait, half |-> <<>>, n |-> 0, pre |-> NoImg, plan |-> Nothing({}), r |-> 0, heal |-> {}, stay |-> {}, last |-> 0]

VARIABLES
  claim,         \* forward's claim
  mem,           \* what an actor has in memory
  wait,          \* quarantine: the fields, whether the whole item, the changes; each has the fields that wait of it
  bad, mended,   \* values that v2 could not have at first; those that it can have now
  spare
vars == <<atomic, claim, mem, wait, bad, mended, spare>>
waiting == <<claim, mem, wait, bad, mended, spare>>

Init ==
  /\ InitAtomic(Img("live", 0, 0, NoStamp), Img("live", 0, 0, NoStamp), NewEntry(1, 10))
  /\ claim = NoClaim /\ mem = [a \in Actor |-> Idle] /\ wait = NoWait /\ bad = {} /\ mended = {}
  /\ spare = [b |-> Bads, r |-> Retries, c |-> Crashes]

App(s) ==
  /\ AppWrite(s)
  /\ \/ UNCHANGED <<bad, spare>>
     \/ s = Old /\ spare.b > 0 /\ Live(tbl'[Old]) /\ bad' = bad \cup {W} /\ spare' = [spare EXCEPT !.b = @ - 1]
  /\ UNCHANGED <<claim, mem, wait, mended>>
Same0 == UNCHANGED <<tbl, log, led, left, kept, over, dlv, dup, wrong, brk>>
Mend == /\ \E w \in bad \ mended : mended' = mended \cup {w}
        /\ Same0 /\ UNCHANGED <<pos, claim, mem, wait, bad, spare>>

----------------------------------------------------------------------------
(* what waits *)
LastOf(w) == IF w.ch = <<>> THEN 0 ELSE w.ch[Len(w.ch)].n
Waits(w) == w.whole \/ w.units # {}
First(w, f) == LET S == {k \in 1..Len(w.ch) : f \in w.ch[k].fs} IN CHOOSE k \in S : \A j \in S : k <= j
\* the image from which a change is judged whose own old image is i
Before(w, i) ==
  IF ~Bases THEN i
  ELSE IF w.whole THEN w.ch[1].old
  ELSE [f \in DOMAIN i |-> IF f \in w.units THEN w.ch[First(w, f)].old[f] ELSE i[f]]
\* a change of which fs wait comes behind the others
Behind(w, r, n, fs, whole) ==
  IF fs = {} \/ n <= LastOf(w) \/ (~w.whole /\ ~whole /\ fs \subseteq w.units /\ fs \cap Diff(r.old, r.new) = {}) THEN w
  ELSE [units |-> IF whole \/ w.whole THEN {} ELSE w.units \cup fs, whole |-> whole \/ w.whole,
        ch |-> Append(w.ch, [old |-> r.old, new |-> r.new, w |-> r.w, n |-> n, fs |-> fs \cap (Diff(r.old, r.new) \cup (fs \ w.units))])]
\* fields fs wait no longer ("*": the whole item, of which stay still wait), as far as the changes up to version n say
Healed(w, fs, stay, n) ==
  LET new == IF HealsKnown THEN UNION {w.ch[k].fs : k \in {k \in 1..Len(w.ch) : w.ch[k].n > n}} ELSE {}
      units == IF w.whole THEN IF "*" \in fs THEN stay ELSE {} ELSE w.units \ (fs \ new)
      out(c) == IF HealedIsOut /\ c.n <= n THEN [c EXCEPT !.fs = @ \cap units] ELSE c IN
  IF (w.whole /\ "*" \notin fs) \/ fs = {} THEN w
  ELSE IF w.whole /\ new # {} THEN [w EXCEPT !.ch = SelectSeq(@, LAMBDA c : c.n > n)]
  ELSE IF units = {} THEN NoWait
  ELSE [units |-> units, whole |-> FALSE, ch |-> [k \in 1..Len(w.ch) |-> out(w.ch[k])]]
Names(w) == IF w.whole THEN {"*"} ELSE w.units

----------------------------------------------------------------------------
(* the claim *)
IsRepeat(n) == n % 10 # 0
Made(c) == \E k \in 1..Len(log[V2]) : log[V2][k].new.st.v = c.n
\* may the claim that is found still be made, by the other actor
Goes(a) == mem[a].st = "claimed" /\ mem[a].n = claim.n
\* the entry and what waits, once the claim that is found is folded or dropped
Folded == claim.n # 0 /\ (claim.none \/ Made(claim))
Fold == [led EXCEPT !.done = claim.n, !.ref = claim.ref]
Found == IF Folded THEN Fold ELSE led
FoundWait == IF Folded THEN Healed(wait, claim.heal, claim.stay, claim.last) ELSE wait
Half == <<led.done, led.seen, led.ref, claim>>

\* decide the record r at version n: l the entry, w what waits
Decide(a, r, n, l, w, ref) ==
  LET before == Before(w, r.old)
      p == PlanF(r, before, tbl[V2], Stamp(n, l.seen, {}), ref, bad \ mended)
      c == IF ~OthersGoOn /\ a = "lane" /\ Waits(w) /\ K(r) = "u" THEN [Nothing({}) EXCEPT !.stuck = Diff(before, r.new)] ELSE p
      whole == Kind(before, r.new) = "c" /\ c.stuck # {} /\ ~Live(tbl[V2])
      heal == Names(w) \ (IF whole THEN {"*"} ELSE c.stuck)
      \* a create that is judged from a refused delete waits from what was deleted
      held == IF RefusedIsBase /\ Kind(before, r.new) = "c" /\ Live(tbl[V2]) /\ ref # NoImg THEN [r EXCEPT !.old = ref] ELSE r
      after == IF a = "lane" THEN Behind(w, held, n, c.stuck, whole) ELSE w
      m == [Idle EXCEPT !.heal = heal, !.stay = IF w.whole THEN c.stuck ELSE {}, !.last = LastOf(after)]
      lost == {<<By(r, f), f>> : f \in c.lost} IN
  /\ kept' = (IF claim.n = n THEN kept \ claim.lost ELSE kept) \cup lost
  /\ wait' = after
  /\ IF c.put
     THEN /\ claim' = [n |-> n, none |-> FALSE, ref |-> c.ref, heal |-> m.heal, stay |-> m.stay, last |-> m.last, lost |-> lost]
          /\ led' = l
          /\ mem' = [mem EXCEPT ![a] = [m EXCEPT !.st = "claimed", !.n = n, !.pre = tbl[V2], !.plan = c, !.r = r.w]]
          /\ UNCHANGED <<dup, dlv>>
     ELSE /\ IF heal # {} /\ HealsByClaim
             THEN /\ claim' = [n |-> n, none |-> TRUE, ref |-> c.ref, heal |-> m.heal, stay |-> m.stay, last |-> m.last, lost |-> lost]
                  /\ led' = l
             ELSE claim' = NoClaim /\ led' = [l EXCEPT !.done = n, !.ref = c.ref]
          /\ mem' = [mem EXCEPT ![a] = IF heal = {} THEN Idle ELSE [m EXCEPT !.st = "heal"]]
          \* the fields that wait are not delivered
          /\ dup' = dup \cup c.dup /\ Reached(V2, {r.w}, Fields \ c.stuck)
  /\ PutNothing

----------------------------------------------------------------------------
(* the lane *)
AtLane == pos[Old] + 1
LaneStep ==
  /\ mem["lane"].st = "idle" /\ pos[Old] < Len(log[Old])
  /\ LaneWaits => ~(claim.n # 0 /\ Goes("retry"))
  /\ LET r == log[Old][AtLane] n == 10 * AtLane
         l == IF claim.n # 0 /\ ~IsRepeat(claim.n) /\ n > claim.n
              THEN Fold ELSE Found IN
     IF n <= l.done \/ SaysNothing(r)
     THEN /\ pos' = [pos EXCEPT ![Old] = AtLane]
          /\ wait' = FoundWait
          /\ UNCHANGED <<claim, mem>> /\ UNCHANGED <<tbl, log, led, kept, dlv, dup, wrong, brk>>
     ELSE IF OursOld(r, l)
     THEN LET w == FoundWait
              ends == OursEndIt /\ Waits(w)
              \* what reverse has written over
              fs == IF ~ends THEN {} ELSE IF w.whole THEN Diff(w.ch[Len(w.ch)].new, r.new) ELSE w.units \cap Diff(r.old, r.new)
              last == w.ch[Len(w.ch)] IN
          /\ led' = [l EXCEPT !.done = n, !.seen = Max(@, r.new.st.v), !.ref = NoImg] /\ claim' = NoClaim
          /\ Author(TRUE, r) /\ PutNothing /\ UNCHANGED <<dlv, dup>>
          /\ kept' = kept \cup {<<By(last, f), f>> : f \in {f \in fs : By(last, f) # 0}}
          /\ wait' = IF ends /\ w.whole THEN NoWait ELSE Healed(w, fs, {}, n)
          /\ pos' = [pos EXCEPT ![Old] = AtLane] /\ UNCHANGED mem
     ELSE /\ Decide("lane", r, n, l, FoundWait, l.ref) /\ Author(FALSE, r)
          /\ UNCHANGED pos
  /\ UNCHANGED <<left, over, bad, mended, spare>>
(* the retry *)
RetryRead ==
  /\ mem["retry"].st = "idle" /\ spare.r > 0 /\ Waits(wait) /\ spare' = [spare EXCEPT !.r = @ - 1]
  /\ mem' = [mem EXCEPT !["retry"] = [Idle EXCEPT !.st = "read", !.w = IF LedgerFirst THEN NoWait ELSE wait, !.half = IF LedgerFirst THEN Half ELSE <<>>]]
  /\ Same0 /\ UNCHANGED <<pos, claim, wait, bad, mended>>
GiveUp == mem' = [mem EXCEPT !["retry"] = Idle] /\ Same0 /\ UNCHANGED <<pos, claim, wait, bad, mended, spare>>
RetryStep ==
  /\ mem["retry"].st = "read"
  /\ LET m == mem["retry"]
         w == IF LedgerFirst THEN FoundWait ELSE m.w
         open == claim.n # 0 /\ ~Folded IN
     IF \/ ~Waits(w)
        \/ LedgerFirst /\ m.half # Half
        \/ RetryYields /\ open /\ ~IsRepeat(claim.n)
     THEN GiveUp
     ELSE LET last == w.ch[Len(w.ch)]
              r == [old |-> IF w.whole THEN w.ch[1].old ELSE last.new, new |-> last.new, w |-> last.w, by |-> "app"]
              n == Max(Found.done, last.n) + 1 IN
          /\ Decide("retry", r, n, Found, w, NoImg)
          /\ UNCHANGED <<pos, left, over, bad, mended, spare, wrong>>

(* both *)
PutV2(a) ==
  /\ mem[a].st = "claimed"
  /\ IF tbl[V2] # mem[a].pre
     THEN mem' = [mem EXCEPT ![a] = Idle] /\ PutNothing
          /\ UNCHANGED <<dup, dlv>>
     ELSE /\ PutOurs(V2, mem[a].plan.img, "sync")
          /\ dup' = dup \cup mem[a].plan.dup /\ Reached(V2, {mem[a].r}, Fields \ mem[a].plan.stuck)
          /\ LET m == mem[a] IN
             mem' = [mem EXCEPT ![a] = IF m.heal = {} THEN Idle ELSE [Idle EXCEPT !.st = "heal", !.heal = m.heal, !.stay = m.stay, !.last = m.last]]
  /\ UNCHANGED <<pos, led, left, kept, over, wrong, claim, wait, bad, mended, spare>>
Heal(a) ==
  /\ mem[a].st = "heal" /\ mem' = [mem EXCEPT ![a] = Idle]
  /\ wait' = Healed(wait, mem[a].heal, mem[a].stay, mem[a].last)
  /\ Same0 /\ UNCHANGED <<pos, claim, bad, mended, spare>>
Dies(a) ==
  /\ spare.c > 0 /\ spare' = [spare EXCEPT !.c = @ - 1] /\ mem[a].st # "idle"
  /\ mem' = [mem EXCEPT ![a] = Idle]
  /\ \E p \in 0..pos[Old] : pos' = IF a = "lane" THEN [pos EXCEPT ![Old] = p] ELSE pos
  /\ Same0 /\ UNCHANGED <<claim, wait, bad, mended>>

Reverse ==
  /\ pos[V2] < Len(log[V2]) /\ pos' = [pos EXCEPT ![V2] = @ + 1]
  /\ LET n == pos[V2] + 1 r == log[V2][n] IN
     IF SaysNothing(r) THEN UNCHANGED <<tbl, log, led, kept, dlv, dup, wrong, brk>> ELSE ApplyR(r, n, led)
  /\ UNCHANGED <<left, over>> /\ UNCHANGED waiting

Next == \/ \E s \in Side : App(s) \/ (PurgeOf(s) /\ UNCHANGED waiting)
        \/ \E a \in Actor : PutV2(a) \/ Heal(a) \/ Dies(a)
        \/ Mend \/ LaneStep \/ RetryRead \/ RetryStep \/ Reverse
Spec == Init /\ [][Next]_vars

----------------------------------------------------------------------------
Quiet == AllRead /\ \A a \in Actor : mem[a].st = "idle"
Lag0 == Quiet /\ ~Waits(wait)
Converged == Lag0 => Same(tbl[Old], tbl[V2])
NoLostWrite == Lag0 => AllKept
V2Wins == Lag0 => AllV2Survive
\* what is not present yet waits
NothingDropped == Quiet => \A w \in Ids : \A f \in over[w].f :
  \/ Kept(w, f)
  \/ \E k \in 1..Len(wait.ch) : wait.ch[k].new[f] = w /\ (wait.whole \/ f \in wait.units)
\* a field that waits holds up no other field
GoesOn == (Quiet /\ ~wait.whole /\ Live(tbl[Old]) /\ Live(tbl[V2])) => \A f \in Fields :
  tbl[Old][f] = tbl[V2][f] \/ \E k \in 1..Len(wait.ch) : wait.ch[k].new[f] \in bad
=============================================================================
