------------------------------- MODULE Redrive -------------------------------
(* What else writes once `dual` has been entered, for ONE item, by the rule of fields
   (Atomic.tla): repair, and application writes against the phase.

   Modelled: the repair as re-drive: it reads both sides once the sync has caught up; then the
   ledger entry; then it puts v2 as it is, with a stamp that names the fields that differ (a
   restore record), if v2 is as it was read. Reverse gives old those fields. Field a may
   differ at the start (Defect), with nothing unread. The phase moves between dual, reverse
   and forward, and applications write on either side in any phase, counted as intruders
   where the phase has the side quiet.
   Rule constants are TRUE in the protocol as designed; FALSE is a seeded bug.

   Left out: quarantine (Waiting.tla), two v2 places, an operator's resolution of a conflict
   (a v2 write like the application's). A version is 10 * record + number; the number is that of a re-drive.

   Run: make model MODEL=Redrive *)
EXTENDS Atomic

CONSTANTS
  Redrives,
  Moves,         \* phase moves
  Defect,        \* field a differs at the start
  (* rules *)
  Settled,       \* the sides are compared once the sync has caught up
  IfUnchanged,   \* a re-drive writes only if v2 is as it was read
  FromV2,        \* a repair re-drives v2 (FALSE: it writes v2 from old, as the guarded repair does)
  OnlyDiffering, \* it names the fields that differ (FALSE: all)
  NewVersion,    \* its version is above all that reverse has seen (FALSE: it keeps the version)
  Stragglers,    \* forward carries an old change in `reverse` as in any phase
  Rogues         \* reverse carries a v2 change in `forward` as in any phase

VARIABLES
  rep,           \* a repair: what it has read
  ph, spare,
  healed,        \* ghost: a re-drive was made
  against, told  \* ghosts: writes against the phase, unless it moved before they were read; those noticed
vars == <<atomic, rep, ph, spare, healed, against, told>>
repair == <<rep, ph, spare, healed, against, told>>

NoRep == [st |-> "idle", v2 |-> NoImg, old |-> NoImg, led |-> NewEntry(0, 0)]
Init ==
  /\ InitAtomic(Img("live", 0, 0, NoStamp), Img("live", IF Defect THEN 100 ELSE 0, 0, NoStamp), NewEntry(1, 10))
  /\ rep = NoRep /\ ph = "dual" /\ spare = [r |-> Redrives, m |-> Moves]
  /\ healed = FALSE /\ against = {} /\ told = {}

Quiet(p) == CASE p = "forward" -> V2 [] p = "reverse" -> Old [] OTHER -> "none"
App(s) ==
  /\ AppWrite(s) /\ against' = IF Quiet(ph) = s THEN against \cup {W} ELSE against
  /\ UNCHANGED <<rep, ph, spare, healed, told>>
Same0 == UNCHANGED <<tbl, log, led, left, kept, over, dlv, dup, wrong, brk>>
Move ==
  /\ spare.m > 0 /\ spare' = [spare EXCEPT !.m = @ - 1]
  /\ ph' \in (IF ph = "dual" THEN {"reverse", "forward"} ELSE {"dual"})
  /\ against' = against \cap told
  /\ Same0 /\ UNCHANGED <<pos, rep, healed, told>>

----------------------------------------------------------------------------
(* the two directions, one record at a time *)
Passed(ours, s) == (IF s = Old THEN ~Stragglers ELSE ~Rogues) /\ ~ours /\ Quiet(ph) = s
Step(s) ==
  /\ pos[s] < Len(log[s]) /\ pos' = [pos EXCEPT ![s] = @ + 1]
  /\ LET r == log[s][pos[s] + 1]
         n == IF s = Old THEN 10 * (pos[s] + 1) ELSE pos[s] + 1
         ours == IF s = Old THEN OursOld(r, led) ELSE OursV2(r, led) IN
     IF SaysNothing(r) THEN UNCHANGED <<tbl, log, led, kept, dlv, dup, wrong, brk, told>>
     ELSE /\ told' = IF ~ours /\ Quiet(ph) = s THEN told \cup {r.w} ELSE told
          /\ IF Passed(ours, s) THEN UNCHANGED <<tbl, log, led, kept, dlv, dup, wrong, brk>>
             ELSE IF s = Old THEN ApplyF(r, n, led) ELSE ApplyR(r, n, led)
  /\ UNCHANGED <<left, over, rep, ph, spare, healed, against>>

----------------------------------------------------------------------------
(* repair *)
RepairReads ==
  /\ \/ /\ rep.st = "idle" /\ spare.r > 0 /\ spare' = [spare EXCEPT !.r = @ - 1] /\ (Settled => AllRead)
        /\ Live(tbl[V2]) /\ ~Same(tbl[Old], tbl[V2])
        /\ rep' = [rep EXCEPT !.st = "sides", !.v2 = tbl[V2], !.old = tbl[Old]]
     \/ rep.st = "sides" /\ rep' = [rep EXCEPT !.st = "entry", !.led = led] /\ UNCHANGED spare
  /\ Same0 /\ UNCHANGED <<pos, ph, healed, against, told>>
Top(l, i) == Max(Max(l.done, l.vseen), Max(i.st.v, 0))
RepairWrites ==
  /\ rep.st = "entry" /\ rep' = NoRep
  /\ LET fs == IF Live(rep.old) /\ OnlyDiffering THEN Diff(rep.old, rep.v2) ELSE Fields
         st == Stamp(IF NewVersion THEN Top(rep.led, rep.v2) + 1 ELSE Max(rep.v2.st.v, 0),
                     rep.led.count, fs) IN
     IF IfUnchanged /\ tbl[V2] # rep.v2 THEN PutNothing /\ UNCHANGED healed
     ELSE PutOurs(V2, IF FromV2 THEN Written(rep.v2, st) ELSE Written(rep.old, [st EXCEPT !.g = {}]), "redrive") /\ healed' = TRUE
  /\ UNCHANGED <<pos, led, left, kept, over, dlv, dup, wrong, ph, spare, against, told>>

Next == \/ \E s \in Side : App(s) \/ Step(s) \/ (PurgeOf(s) /\ UNCHANGED repair)
        \/ Move \/ RepairReads \/ RepairWrites
Spec == Init /\ [][Next]_vars

----------------------------------------------------------------------------
Lag0 == AllRead /\ rep = NoRep
\* sides that differed at first: once a re-drive was made, or both deleted the item
Converged == (Lag0 /\ (Defect => healed)) => Same(tbl[Old], tbl[V2])
NoLostWrite == (Lag0 /\ (Defect => healed)) => AllKept
V2Wins == Lag0 => AllV2Survive
IntrudersTold == AllRead => against \subseteq told
=============================================================================
