-------------------------------- MODULE Enter --------------------------------
(* The first move into `dual`, for ONE item that carries stamps of the guarded rule, by the
   rule of fields from `switch` on (Atomic.tla). Key moves: EnterKeys.tla.

   Modelled: guarded puts of a shard's owner, a batch coalesced to its last record; a
   superseded owner that goes on from where it was; saved positions and replay; a guarded
   repair; the steps of the move in their order (settle, switch, horizon, drain, observe,
   arm, fence, enter); forward by the rule of fields from `switch` on, where updates that
   follow one another are carried as one, with the rule for what the guarded rule has
   applied already; reverse, which observes until `arm` and carries from then on; a
   superseded observer that still saves positions; purges; application writes on old at
   any time, on v2 once `dual` is entered.
   Rule constants are TRUE in the protocol as designed; FALSE is a seeded bug.

   Left out: backfill (finished), reverse's records taken together, quarantine.
   A stamp on v2 without a base: the guarded rule wrote it.

   Run: make model MODEL=Enter *)
EXTENDS Atomic

CONSTANTS
  Zombies,       \* takeovers of forward that leave a superseded owner behind, which may stop at once (a crash)
  Repairs,       \* guarded repairs
  Observers,     \* takeovers that leave a superseded observer behind
  Batch,         \* most records taken together
  (* rules *)
  SettleFirst,   \* repairs are over, and forward is caught up since, before the rule changes
  Horizon,       \* no superseded owner is left before the drain
  Drain,         \* forward is caught up by the new rule before `dual`
  Observed,      \* reverse has read all that the guarded rule wrote before it carries
  Notes,         \* an observing reverse notes in the ledger what forward wrote by the new rule
  Fence,         \* no superseded observer is left before `dual`
  Covered,       \* what the guarded rule has applied is not applied again
  Apart,         \* records are carried one by one if the guarded rule has applied the first of them
  KeepTombs      \* tombstones keep their grace until reverse carries

VARIABLES
  step,          \* of the move
  ck,            \* the position that forward has saved
  zom,           \* the position of a superseded owner; None: there is none
  obs,           \* a superseded observer goes on
  rep,           \* a guarded repair: what it has read
  spare          \* takeovers and repairs that are left
vars == <<atomic, step, ck, zom, obs, rep, spare>>
enter == <<step, ck, zom, obs, rep, spare>>

NoRep == [st |-> "idle", was |-> NoImg, o |-> NoImg]
ByGuarded == step \in {"forward", "move", "settled"}
Carries == step \in {"armed", "dual"}

Init ==
  /\ InitAtomic(Img("live", 0, 0, NoStamp), Img("live", 0, 0, Stamp(0, None, {})), NewEntry(1, 10))   \* v2: the backfill's copy
  /\ step = "forward" /\ ck = 0 /\ zom = None /\ obs = FALSE /\ rep = NoRep
  /\ spare = [z |-> Zombies, r |-> Repairs, o |-> Observers]

App(s) == (s = V2 => step = "dual") /\ AppWrite(s) /\ UNCHANGED enter

----------------------------------------------------------------------------
(* forward by the guarded rule: the last record of a batch, whole, if v2 has nothing newer *)
Rest == UNCHANGED <<led, left, kept, over, dup, wrong>>
PutGuarded(i) ==
  LET r == log[Old][i] IN
  /\ IF tbl[V2].st.v < i THEN PutOurs(V2, Written(r.new, Stamp(i, None, {})), "guarded") ELSE PutNothing
  /\ Reached(V2, {r.w}, Fields)
Batches(p) == {i \in p + 1..Len(log[Old]) : i - p <= Batch}
Guarded ==
  /\ ByGuarded
  /\ \E i \in Batches(pos[Old]) : PutGuarded(i) /\ pos' = [pos EXCEPT ![Old] = i]
  /\ Rest /\ UNCHANGED enter
ZombieStep ==
  /\ zom # None
  /\ \/ \E i \in Batches(zom) : PutGuarded(i) /\ zom' = i
     \/ zom' = None /\ PutNothing /\ UNCHANGED dlv
  /\ Rest /\ UNCHANGED <<pos, step, ck, obs, rep, spare>>
Same0 == UNCHANGED <<tbl, log, led, left, kept, over, dlv, dup, wrong, brk>>
Save == /\ ck < pos[Old] /\ ck' = pos[Old] /\ Same0 /\ UNCHANGED <<pos, step, zom, obs, rep, spare>>
\* by the new rule it is a replay
TakeOver ==
  /\ spare.z > 0 /\ spare' = [spare EXCEPT !.z = @ - 1] /\ zom = None
  /\ zom' = (IF ByGuarded THEN pos[Old] ELSE None) /\ pos' = [pos EXCEPT ![Old] = ck]
  /\ Same0 /\ UNCHANGED <<step, ck, obs, rep>>

\* a repair reads v2, then old, then writes on condition that v2 is as it was; it keeps the version
RepairRead ==
  /\ \/ /\ rep.st = "idle" /\ spare.r > 0 /\ step = "forward" /\ spare' = [spare EXCEPT !.r = @ - 1]
        /\ rep' = [rep EXCEPT !.st = "v2", !.was = tbl[V2]]
     \/ rep.st = "v2" /\ rep' = [rep EXCEPT !.st = "both", !.o = tbl[Old]] /\ UNCHANGED spare
  /\ Same0 /\ UNCHANGED <<pos, step, ck, zom, obs>>
RepairWrite ==
  /\ rep.st = "both" /\ rep' = NoRep
  /\ IF tbl[V2] = rep.was /\ ~Same(rep.was, rep.o)
     THEN PutOurs(V2, Written(rep.o, Stamp(Max(rep.was.st.v, 0), None, {})), "guarded") ELSE PutNothing
  /\ Reached(V2, {u \in {rep.o.a, rep.o.b} : u \in Ids}, Fields)
  /\ Rest /\ UNCHANGED <<pos, step, ck, zom, obs, spare>>

----------------------------------------------------------------------------
(* the steps of the move *)
To(from, cond, to) ==
  /\ step = from /\ cond /\ step' = to
  /\ Same0 /\ UNCHANGED <<pos, ck, zom, obs, rep, spare>>
CaughtUp == pos[Old] = Len(log[Old])
GuardedRead == \A k \in pos[V2] + 1..Len(log[V2]) : log[V2][k].by # "guarded"
Steps == \/ To("forward", TRUE, "move")
         \/ To("move", SettleFirst => rep = NoRep /\ CaughtUp, "settled")
         \/ To("settled", pos[Old] = ck, "entering")
         \/ To("entering", Horizon => zom = None, "drain")
         \/ To("drain", Drain => CaughtUp, "observe")
         \/ To("observe", Observed => GuardedRead, "armed")
         \/ To("armed", Fence => ~obs, "dual")

----------------------------------------------------------------------------
(* forward by the rule of fields; a run: records i..j as one *)
IsCovered(n) == Covered /\ tbl[V2].st.b = None /\ tbl[V2].st.v >= n
Run(i, j) == LET l == log[Old] IN [old |-> l[i].old, new |-> l[j].new, by |-> l[j].by, w |-> l[j].w]
Runs(i) ==
  {i} \cup {j \in i + 1..Len(log[Old]) : /\ j < i + Batch
                                         /\ \A n \in i..j : K(log[Old][n]) = "u" /\ ~OursOld(log[Old][n], led)
                                         /\ Apart => ~IsCovered(i)}
Forward ==
  /\ ~ByGuarded /\ pos[Old] < Len(log[Old])
  /\ LET i == pos[Old] + 1 IN
     IF i <= led.done \/ SaysNothing(log[Old][i])
     THEN pos' = [pos EXCEPT ![Old] = i] /\ PutNothing /\ UNCHANGED <<led, kept, dlv, dup, wrong>>
     ELSE \E j \in Runs(i) :
            /\ pos' = [pos EXCEPT ![Old] = j]
            /\ IF IsCovered(j) /\ ~OursOld(Run(i, j), led) THEN CarryF(Run(i, j), j, led, Nothing({})) ELSE ApplyF(Run(i, j), j, led)
  /\ UNCHANGED <<left, over>> /\ UNCHANGED enter

----------------------------------------------------------------------------
(* reverse *)
Reverse ==
  /\ pos[V2] < Len(log[V2]) /\ pos' = [pos EXCEPT ![V2] = @ + 1]
  /\ LET n == pos[V2] + 1 r == log[V2][n] IN
     IF Carries /\ ~SaysNothing(r) THEN ApplyR(r, n, led)
     ELSE /\ led' = IF Notes /\ ~Carries /\ ~SaysNothing(r) /\ r.new.st.b # None /\ OursV2(r, led) THEN [led EXCEPT !.vseen = r.new.st.v] ELSE led
          /\ PutNothing /\ UNCHANGED <<kept, dlv, dup, wrong>>
  /\ UNCHANGED <<left, over>> /\ UNCHANGED enter
\* a superseded observer: it goes on reading, and its position is saved
ObserverTakeOver ==
  /\ spare.o > 0 /\ ~Carries /\ ~obs /\ obs' = TRUE /\ spare' = [spare EXCEPT !.o = @ - 1]
  /\ Same0 /\ UNCHANGED <<pos, step, ck, zom, rep>>
ObserverStep ==
  /\ obs
  /\ \/ obs' = FALSE /\ UNCHANGED pos
     \/ /\ pos[V2] < Len(log[V2]) /\ log[V2][pos[V2] + 1].by = "app"
        /\ pos' = [pos EXCEPT ![V2] = @ + 1] /\ UNCHANGED obs
  /\ Same0 /\ UNCHANGED <<step, ck, zom, rep, spare>>

\* a mutant: a stamp without a base counts too (Genuine <- AnyStamp)
AnyStamp(st, l) == st.v # None

Purge(s) ==
  /\ (s = V2 /\ (IF KeepTombs THEN ~Carries ELSE ByGuarded)) => tbl[V2].st.v <= ck /\ zom = None /\ rep = NoRep
  /\ PurgeOf(s) /\ UNCHANGED enter

Next == \/ \E s \in Side : App(s) \/ Purge(s)
        \/ Guarded \/ ZombieStep \/ Save \/ TakeOver \/ RepairRead \/ RepairWrite \/ Steps
        \/ Forward \/ Reverse \/ ObserverTakeOver \/ ObserverStep
Spec == Init /\ [][Next]_vars

----------------------------------------------------------------------------
Lag0 == AllRead /\ zom = None /\ ~obs /\ rep = NoRep
Converged == Lag0 => Same(tbl[Old], tbl[V2])
NoLostWrite == Lag0 => AllKept
V2Wins == Lag0 => AllV2Survive
\* nothing is logged before the application has written v2
NothingLoggedBefore == left[V2] = V2Writes => kept = {}
=============================================================================
