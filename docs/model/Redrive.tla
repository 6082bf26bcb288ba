------------------------------- MODULE Redrive -------------------------------
(* In `dual` this has the PREVIOUS rule, of whole items; the rule of today is in Delta.tla.

   What else writes once `dual` has been entered, for ONE item at one v2 key under the
   ledger rule: repair, quarantine with its replay, and application writes against the
   phase.

   Modelled: repair as re-drive (read v2; later replace its stamp by zeros without a base
   if the item is unchanged: reverse takes that for the application's and carries v2 to
   old), also of an item that differs at the start (Defect); an old change that cannot be
   mapped, kept in quarantine, later records of the old key behind it, ours included;
   the mapping fixed at any time; the replay in order by the ledger rule, which may stop
   and begin anew, while reverse goes on with the same item; replays of the old stream;
   the phase moving between dual, reverse and forward, and applications that write on
   either side in any phase, counted as intruders where the phase has the side quiet;
   put, update, delete, and writes that bring an earlier stamp back.
   Rule constants are TRUE in the protocol as designed; FALSE is a seeded bug.

   Left out: key moves (Enter.tla), merge (an image has one content), replays of
   the v2 stream, v2 items that reverse cannot map.
   A stamp on v2 is version and base; base -1: none. A count on old begins at 1; 0: no stamp.

   Run: make model MODEL=Redrive *)
EXTENDS Integers, Sequences, FiniteSets

CONSTANTS
  OldWrites, V2Writes,
  Ops,           \* of the application: "put","upd","del","stamp" (fresh content, earlier stamp)
  Bads,          \* old writes that cannot be mapped until the mapping is fixed
  Redrives, Replays,
  Moves,         \* phase moves
  Defect,        \* the sides differ at the start, with nothing unread
  (* rules *)
  IfUnchanged,   \* a re-drive writes only if v2 is as it was read
  FromV2,        \* a repair re-drives v2 (FALSE: it writes v2 from old, as the guarded repair does)
  NoBase,        \* a re-drive's stamp has no base
  Zeros,         \* ... and zeros for a version (FALSE: it keeps the version)
  AppsWait,      \* later changes of the application wait behind one in quarantine
  OursWait,      \* our own records on old wait too
  InOrder,       \* the replay goes from the oldest on
  Stragglers,    \* forward carries an old change in `reverse` as in any phase
  Rogues         \* reverse carries a v2 change in `forward` as in any phase

None == -1
O(x, c, n, bad) == [x |-> x, c |-> c, n |-> n, bad |-> bad]
V(x, c, v, b) == [x |-> x, c |-> c, st |-> [v |-> v, b |-> b]]
Gone == V("none", None, None, None)
Live(i) == i.x = "live"
Same(i, j) == Live(i) = Live(j) /\ (Live(i) => i.c = j.c)
NoRep == [st |-> "idle", was |-> Gone, c |-> None]

VARIABLES
  old, olog, pos,   \* old item; its stream: [old, new, by, w]; what forward has read
  v2, q, hist,      \* v2 item; its unread records: [old, new, by, w]; live images it has held
  led,              \* done, seen (old), vseen, put
  wait, at,         \* old records in quarantine; how many of them the replay has applied
  fixed, rep, ph, left,
  over,             \* ghost: write -> side, whether a delete, content it saw
  kept,             \* ghost: writes in the conflict log
  wrong,            \* ghost: a record was attributed to the wrong author
  healed,           \* ghost: a re-drive was made, or v2 was written
  against, told     \* ghosts: writes against the phase, unless it moved before they were read; those noticed
vars == <<old, olog, pos, v2, q, hist, led, wait, at, fixed, rep, ph, left, over, kept, wrong, healed, against, told>>

Init ==
  /\ old = O("live", 0, 0, FALSE) /\ olog = <<>> /\ pos = 0
  /\ v2 = V("live", IF Defect THEN 100 ELSE 0, 0, None) /\ q = <<>> /\ hist = {v2}
  /\ led = [done |-> 0, seen |-> 0, vseen |-> None, put |-> 0]
  /\ wait = <<>> /\ at = 0 /\ fixed = FALSE /\ rep = NoRep /\ ph = "dual"
  /\ left = [old |-> OldWrites, v2 |-> V2Writes, bad |-> Bads, r |-> Redrives, p |-> Replays, m |-> Moves]
  /\ over = <<>> /\ kept = {} /\ wrong = FALSE /\ healed = FALSE /\ against = {} /\ told = {}

WriteOld(img, by, w) ==
  IF img = old THEN UNCHANGED <<old, olog>>
  ELSE old' = img /\ olog' = Append(olog, [old |-> old, new |-> img, by |-> by, w |-> w])
WriteV2(img, by, w) ==
  IF img = v2 THEN UNCHANGED <<v2, q, hist>>
  ELSE /\ v2' = img /\ q' = Append(q, [old |-> v2, new |-> img, by |-> by, w |-> w])
       /\ hist' = IF "stamp" \in Ops /\ Live(img) THEN hist \cup {img} ELSE hist

----------------------------------------------------------------------------
(* The application, and the phase *)

W == Len(over) + 1
Quiet(p) == CASE p = "forward" -> "v2" [] p = "reverse" -> "old" [] OTHER -> "none"
Ghost(side, img, now) ==
  /\ over' = Append(over, [side |-> side, del |-> ~Live(img), was |-> IF Live(now) THEN now.c ELSE None])
  /\ against' = IF Quiet(ph) = side THEN against \cup {W} ELSE against

AppOld ==
  /\ left.old > 0
  /\ \E bad \in (IF left.bad > 0 /\ ~fixed THEN BOOLEAN ELSE {FALSE}) :
     \E img \in {O("live", W, 0, bad)}
             \cup (IF "upd" \in Ops /\ Live(old) THEN {[old EXCEPT !.c = W, !.bad = bad]} ELSE {})
             \cup (IF "del" \in Ops /\ Live(old) /\ ~bad THEN {O("none", None, 0, FALSE)} ELSE {}) :
       /\ WriteOld(img, "app", W) /\ Ghost("old", img, old)
       /\ left' = [left EXCEPT !.old = @ - 1, !.bad = IF bad THEN @ - 1 ELSE @]
  /\ UNCHANGED <<pos, v2, q, hist, led, wait, at, fixed, rep, ph, kept, wrong, healed, told>>
AppV2 ==
  /\ left.v2 > 0 /\ left' = [left EXCEPT !.v2 = @ - 1]
  /\ \E img \in {V("live", W, None, None)}
             \cup (IF "upd" \in Ops /\ Live(v2) THEN {[v2 EXCEPT !.c = W]} ELSE {})
             \cup (IF "del" \in Ops /\ Live(v2) THEN {Gone} ELSE {})
             \cup (IF "stamp" \in Ops THEN {[i EXCEPT !.c = W] : i \in hist} ELSE {}) :
       WriteV2(img, "app", W) /\ Ghost("v2", img, v2)
  /\ healed' = TRUE
  /\ UNCHANGED <<old, olog, pos, led, wait, at, fixed, rep, ph, kept, wrong, told>>
Move ==
  /\ left.m > 0 /\ left' = [left EXCEPT !.m = @ - 1]
  /\ ph' \in (IF ph = "dual" THEN {"reverse", "forward"} ELSE {"dual"})
  /\ against' = against \cap told
  /\ UNCHANGED <<old, olog, pos, v2, q, hist, led, wait, at, fixed, rep, over, kept, wrong, healed, told>>
Fix ==
  /\ ~fixed /\ fixed' = TRUE
  /\ UNCHANGED <<old, olog, pos, v2, q, hist, led, wait, at, rep, ph, left, over, kept, wrong, healed, against, told>>

----------------------------------------------------------------------------
(* Forward by the ledger rule; i: a record of old, read by the lane or by the replay *)

Max(a, b) == IF a > b THEN a ELSE b
OursOld(r) == \/ r.old.x = "tomb" /\ r.new.x = "none"
              \/ r.new.n > 0 /\ r.new.n # r.old.n /\ r.new.n > Max(led.seen, r.old.n)
Unmapped(r) == ~OursOld(r) /\ Live(r.new) /\ r.new.bad /\ ~fixed

Apply(i) ==
  LET r == olog[i] IN
  IF i <= led.done THEN UNCHANGED <<v2, q, hist, led, kept, wrong, told>>
  ELSE
  /\ wrong' = (wrong \/ OursOld(r) # (r.by = "sync"))
  /\ led' = [led EXCEPT !.done = i, !.seen = Max(@, IF OursOld(r) THEN r.new.n ELSE 0)]
  /\ told' = IF ~OursOld(r) /\ Quiet(ph) = "old" THEN told \cup {r.w} ELSE told
  /\ IF OursOld(r) \/ (~Stragglers /\ Quiet(ph) = "old") \/ Same(v2, r.new)
     THEN UNCHANGED <<v2, q, hist, kept>>
     ELSE IF Same(v2, r.old)
     THEN /\ WriteV2(IF Live(r.new) THEN V("live", r.new.c, i, led.seen) ELSE V("tomb", None, i, led.seen), "sync", 0)
          /\ UNCHANGED kept
     ELSE kept' = kept \cup {r.w} /\ UNCHANGED <<v2, q, hist>>

Waits(r) == wait # <<>> /\ (IF OursOld(r) THEN OursWait ELSE AppsWait)
InWait(i) == wait # <<>> /\ i <= wait[Len(wait)]
Forward ==
  /\ pos < Len(olog) /\ pos' = pos + 1
  /\ LET i == pos + 1  r == olog[i] IN
     IF InWait(i) THEN UNCHANGED <<v2, q, hist, led, wait, kept, wrong, told>>
     ELSE IF i > led.done /\ (Waits(r) \/ Unmapped(r))
     THEN wait' = Append(wait, i) /\ UNCHANGED <<v2, q, hist, led, kept, wrong, told>>
     ELSE Apply(i) /\ UNCHANGED wait
  /\ UNCHANGED <<old, olog, at, fixed, rep, ph, left, over, healed, against>>
Replay ==
  /\ left.p > 0 /\ left' = [left EXCEPT !.p = @ - 1] /\ pos' \in 0..pos - 1
  /\ UNCHANGED <<old, olog, v2, q, hist, led, wait, at, fixed, rep, ph, over, kept, wrong, healed, against, told>>

\* an operator's retry: in order; it may die and begin anew; the head goes when nothing is left
Retry ==
  /\ at < Len(wait)
  /\ LET n == IF InOrder THEN at + 1 ELSE Len(wait) - at IN
     ~Unmapped(olog[wait[n]]) /\ Apply(wait[n])
  /\ at' = at + 1
  /\ UNCHANGED <<old, olog, pos, wait, fixed, rep, ph, left, over, healed, against>>
RetryDies ==
  /\ at > 0 /\ at' = 0
  /\ UNCHANGED <<old, olog, pos, v2, q, hist, led, wait, fixed, rep, ph, left, over, kept, wrong, healed, against, told>>
Settle ==
  /\ wait # <<>> /\ at = Len(wait) /\ wait' = <<>> /\ at' = 0
  /\ UNCHANGED <<old, olog, pos, v2, q, hist, led, fixed, rep, ph, left, over, kept, wrong, healed, against, told>>

----------------------------------------------------------------------------
(* Reverse *)

Genuine(st) == st.v # None /\ st.b # None
Known(r) == Max(led.vseen, IF Genuine(r.old.st) THEN r.old.st.v ELSE None)
OursV2(r) == Genuine(r.new.st) /\ r.new.st # r.old.st /\ r.new.st.v > Known(r)
SaysNothing(r) == ~Live(r.old) /\ ~Live(r.new)

Reverse ==
  /\ q # <<>> /\ q' = Tail(q)
  /\ LET r == Head(q)
         ours == OursV2(r)
         seen == [led EXCEPT !.vseen = IF ours THEN r.new.st.v ELSE Known(r)]
     IN
     IF SaysNothing(r) THEN UNCHANGED <<old, olog, led, wrong, told>>
     ELSE
     /\ wrong' = (wrong \/ ours # (r.by = "sync"))
     /\ told' = IF r.by = "app" /\ ~ours /\ Quiet(ph) = "v2" THEN told \cup {r.w} ELSE told
     /\ IF (ours /\ led.put <= r.new.st.b) \/ (~Rogues /\ ~ours /\ Quiet(ph) = "v2")
        THEN led' = seen /\ UNCHANGED <<old, olog>>
        ELSE /\ led' = [seen EXCEPT !.put = @ + 1]
             /\ WriteOld(IF Live(v2) THEN O("live", v2.c, led.put + 1, FALSE) ELSE O("tomb", None, led.put + 1, FALSE), "sync", 0)
  /\ UNCHANGED <<pos, v2, hist, wait, at, fixed, rep, ph, left, over, kept, healed, against>>

----------------------------------------------------------------------------
(* Repair, and tombstones, which go at once *)

RepairRead ==
  /\ rep.st = "idle" /\ left.r > 0 /\ left' = [left EXCEPT !.r = @ - 1]
  /\ Live(v2) /\ ~Same(v2, old) /\ rep' = [st |-> "read", was |-> v2, c |-> IF Live(old) THEN old.c ELSE None]
  /\ UNCHANGED <<old, olog, pos, v2, q, hist, led, wait, at, fixed, ph, over, kept, wrong, healed, against, told>>
RepairWrite ==
  /\ rep.st = "read" /\ rep' = NoRep
  /\ LET base == IF NoBase THEN None ELSE led.put
         drive == V("live", rep.was.c, IF Zeros THEN (IF rep.was.st = [v |-> 0, b |-> None] THEN -2 ELSE 0) ELSE rep.was.st.v, base)
         fromold == IF rep.c = None THEN V("tomb", None, rep.was.st.v, rep.was.st.b)
                    ELSE V("live", rep.c, rep.was.st.v, rep.was.st.b)
     IN IF IfUnchanged /\ v2 # rep.was THEN UNCHANGED <<v2, q, hist, healed>>
        ELSE WriteV2(IF FromV2 THEN drive ELSE fromold, "redrive", 0) /\ healed' = TRUE
  /\ UNCHANGED <<old, olog, pos, led, wait, at, fixed, ph, left, over, kept, wrong, against, told>>
PurgeV2 ==
  /\ v2.x = "tomb" /\ WriteV2(Gone, "sync", 0)
  /\ UNCHANGED <<old, olog, pos, led, wait, at, fixed, rep, ph, left, over, kept, wrong, healed, against, told>>
PurgeOld ==
  /\ old.x = "tomb" /\ WriteOld(O("none", None, 0, FALSE), "sync", 0)
  /\ UNCHANGED <<pos, v2, q, hist, led, wait, at, fixed, rep, ph, left, over, kept, wrong, healed, against, told>>

Next == \/ AppOld \/ AppV2 \/ Move \/ Fix \/ Forward \/ Replay \/ Retry \/ RetryDies \/ Settle
        \/ Reverse \/ RepairRead \/ RepairWrite \/ PurgeV2 \/ PurgeOld
Spec == Init /\ [][Next]_vars

----------------------------------------------------------------------------
Read == /\ pos = Len(olog) /\ q = <<>> /\ rep = NoRep /\ v2.x # "tomb" /\ old.x # "tomb"
Lag0 == Read /\ wait = <<>>

Converged == (Lag0 /\ (Defect => healed)) => Same(old, v2)
Stands(w) ==
  \/ over[w].side = "old" /\ w \in kept
  \/ IF over[w].del THEN ~(Live(v2) /\ v2.c = over[w].was)
     ELSE (Live(v2) /\ v2.c = w) \/ \E u \in 1..Len(over) : over[u].was = w
NoLostWrite == Lag0 => \A w \in 1..Len(over) : Stands(w)
\* with a key in quarantine too: what is not present yet waits
NothingDropped == Read => \A w \in 1..Len(over) :
  Stands(w) \/ \E n \in 1..Len(wait) : olog[wait[n]].w = w
RightAuthor == ~wrong
IntrudersTold == Read => \A w \in against : w \in told \/ \E n \in 1..Len(wait) : olog[wait[n]].w = w
=============================================================================
