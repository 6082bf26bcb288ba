-------------------------------- MODULE Trim --------------------------------
(* Trimming the ledger, for ONE item in `dual`, by the rule of fields (Atomic.tla).

   Modelled: entries made where there is none, with counts of the epoch that the direction
   acts by; the bump of the epoch; directions that change their epoch right after a
   checkpoint and acknowledge; an entry read, and dropped later: when what was in the
   streams at the reading is read and saved, if it has not changed since; application
   writes at any time in between and after, on both sides; replay after a crash;
   superseded owners of either direction, which keep the epoch that they had and act on any
   record past the position that was saved when they lost the shard.
   Rule constants are TRUE in the protocol as designed; FALSE is a seeded bug.

   Left out: two v2 places and held items, quarantine (a key in it keeps its entry).
   A count is 10 * epoch + number.

   Run: make model MODEL=Trim *)
EXTENDS Atomic

CONSTANTS
  Trims, Crashes,
  Zombies,       \* takeovers that leave a superseded owner behind
  (* rules *)
  Epochs,        \* counts of a new entry begin above those of earlier epochs
  AckFirst,      \* both directions have acknowledged the epoch before an entry is dropped
  ReadFirst,     \* ... and every record that was in a stream at the reading was read, and the position saved
  Unchanged,     \* ... and the entry is as it was then
  Horizon        \* ... and no superseded owner is left

VARIABLES
  ck,            \* by side, the position that was saved
  mark,          \* an entry as it was read to be dropped, with the ends of the streams then
  ep, acting,    \* the epoch; by side, the one that its direction acts by
  zom,           \* by side, a superseded owner: the epoch it acts by (0: none), and the saved position then
  spare          \* trimmings, crashes and takeovers that are left
vars == <<atomic, ck, mark, ep, acting, zom, spare>>
trim == <<ck, mark, ep, acting, zom, spare>>

NoEntry == [NewEntry(0, 0) EXCEPT !.x = FALSE]
Entry(e) == IF led.x THEN led ELSE IF Epochs THEN NewEntry(e, 10 * e) ELSE NewEntry(0, 0)
NoMark == [led |-> NoEntry, ends |-> [s \in Side |-> 0]]
NoOwner == [e |-> 0, at |-> 0]

Init ==
  /\ InitAtomic(Img("live", 0, 0, NoStamp), Img("live", 0, 0, NoStamp), NoEntry)
  /\ ck = [s \in Side |-> 0] /\ mark = NoMark /\ ep = 1 /\ acting = [s \in Side |-> 1]
  /\ zom = [s \in Side |-> NoOwner] /\ spare = [t |-> Trims, c |-> Crashes, z |-> Zombies]

----------------------------------------------------------------------------
(* a direction, or a superseded owner of it, applies a record by an epoch *)
Skip == UNCHANGED <<tbl, log, led, kept, dlv, dup, wrong, brk>>
Apply(s, n, e) ==
  LET r == log[s][n] l == Entry(e) IN
  /\ IF SaysNothing(r) \/ n <= (IF s = Old THEN l.done ELSE l.vdone) THEN Skip
     ELSE IF s = Old THEN ApplyF(r, n, l) ELSE ApplyR(r, n, l)
  /\ UNCHANGED <<left, over>>
Step(s) ==
  /\ pos[s] < Len(log[s]) /\ pos' = [pos EXCEPT ![s] = @ + 1]
  /\ Apply(s, pos[s] + 1, acting[s]) /\ UNCHANGED trim
Same0 == UNCHANGED <<tbl, log, led, left, kept, over, dlv, dup, wrong, brk>>
Save(s) ==
  /\ ck[s] < pos[s] /\ ck' = [ck EXCEPT ![s] = pos[s]]
  /\ Same0 /\ UNCHANGED <<pos, mark, ep, acting, zom, spare>>
Crash(s) ==
  /\ spare.c > 0 /\ ck[s] < pos[s] /\ pos' = [pos EXCEPT ![s] = ck[s]] /\ spare' = [spare EXCEPT !.c = @ - 1]
  /\ Same0 /\ UNCHANGED <<ck, mark, ep, acting, zom>>
TakeOver(s) ==
  /\ spare.z > 0 /\ zom[s] = NoOwner /\ spare' = [spare EXCEPT !.z = @ - 1]
  /\ zom' = [zom EXCEPT ![s] = [e |-> acting[s], at |-> ck[s]]] /\ pos' = [pos EXCEPT ![s] = ck[s]]
  /\ Same0 /\ UNCHANGED <<ck, mark, ep, acting>>
ZombieStep(s) ==
  /\ zom[s] # NoOwner
  /\ \E n \in zom[s].at + 1..Len(log[s]) :
       /\ n <= Max(pos[s], IF s = Old THEN led.done ELSE led.vdone) + 1
       /\ Apply(s, n, zom[s].e) /\ zom' = [zom EXCEPT ![s].at = n]
  /\ UNCHANGED <<pos, ck, mark, ep, acting, spare>>
ZombieEnds(s) ==
  /\ zom[s] # NoOwner /\ zom' = [zom EXCEPT ![s] = NoOwner]
  /\ Same0 /\ UNCHANGED <<pos, ck, mark, ep, acting, spare>>

----------------------------------------------------------------------------
(* trimming *)
Bump ==
  /\ spare.t > 0 /\ spare' = [spare EXCEPT !.t = @ - 1] /\ ep' = ep + 1 /\ mark = NoMark
  /\ Same0 /\ UNCHANGED <<pos, ck, mark, acting, zom>>
Ack(s) ==
  /\ acting[s] # ep /\ pos[s] = ck[s] /\ acting' = [acting EXCEPT ![s] = ep]
  /\ Same0 /\ UNCHANGED <<pos, ck, mark, ep, zom, spare>>
Acked == AckFirst => \A s \in Side : acting[s] = ep
Mark ==
  /\ ep > 1 /\ led.x /\ led.e < ep /\ mark.led # led /\ Acked
  /\ mark' = [led |-> led, ends |-> [s \in Side |-> Len(log[s])]]
  /\ Same0 /\ UNCHANGED <<pos, ck, ep, acting, zom, spare>>
Drop ==
  /\ mark # NoMark /\ mark' = NoMark
  /\ ReadFirst => \A s \in Side : ck[s] >= mark.ends[s]
  /\ Horizon => \A s \in Side : zom[s] = NoOwner
  /\ led' = IF led = mark.led \/ ~Unchanged THEN NoEntry ELSE led
  /\ UNCHANGED <<pos, ck, ep, acting, zom, spare, tbl, log, left, kept, over, dlv, dup, wrong, brk>>

Next == \/ \E s \in Side : \/ (AppWrite(s) \/ PurgeOf(s)) /\ UNCHANGED trim
                           \/ Step(s) \/ Save(s) \/ Crash(s) \/ TakeOver(s) \/ ZombieStep(s) \/ ZombieEnds(s) \/ Ack(s)
        \/ Bump \/ Mark \/ Drop
Spec == Init /\ [][Next]_vars

----------------------------------------------------------------------------
Lag0 == AllRead /\ \A s \in Side : zom[s] = NoOwner
Converged == Lag0 => Same(tbl[Old], tbl[V2])
NoLostWrite == Lag0 => AllKept
V2Wins == Lag0 => AllV2Survive
=============================================================================
