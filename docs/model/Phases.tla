------------------------------- MODULE Phases -------------------------------
(* In `dual` this has the PREVIOUS rule, of whole items; the rule of today is in Delta.tla.

   Cutover and rollback for ONE item with one field:
     1 forward -> 2 dual -> 3 reverse -> 4 dual -> 5 forward -> 6 dual.
   Two rules exist: GUARDED (put if `_sync` is absent or older; one direction, no
   ledger) and LEDGER (the rule of whole items that `dual` had before Delta.tla, without merge).

   Modelled: requests and gates; workers that change their rule only right after a
   checkpoint and acknowledge; crash and replay; superseded owners that keep the
   rule and the position they had; lag across a change; application writes where
   and when the phase allows them; deletes.
   Left out: writes against the phase (rogue writes, stragglers: alerts), merge,
   put-back of old images, backfill (finished before phase 2).

   Run: make model MODEL=Phases *)
EXTENDS Integers, Sequences, FiniteSets

CONSTANTS
  OldWrites, V2Writes, Crashes, Zombies, LastPhase,
  Unique,        \* every write its own value; else values 0,1
  Puts,          \* TRUE: application puts (drop the stamp); FALSE: updates (keep it)
  (* rules: TRUE in the protocol as designed; FALSE is a seeded bug *)
  RevLedger,     \* in reverse both directions keep the LEDGER rule (FALSE: reverse
                 \*   sync goes to GUARDED and forward only observes, as first drafted)
  ApplyAll,      \* GUARDED forward applies every old record (FALSE: skips "ours")
  LagGate,       \* a side is closed only when nothing of it is unread
  Fence,         \* a phase is entered only when no superseded owner is left
  AckFirst,      \* a phase is entered only when every worker has acknowledged
  PurgeLate,     \* immediate purge only after the phase is entered
  OneWay,        \* after the first dual the LEDGER rule stays (FALSE: 5 is GUARDED)
  DrainFirst,    \* a phase is entered only when forward has passed, under LEDGER, all
                 \*   that was applied under GUARDED
  StampFirst,    \* LEDGER forward also refuses what the v2 stamp already covers
  AtCheckpoint   \* a worker changes its rule only right after a checkpoint

Old == "old"  V2 == "v2"  F == "F"  R == "R"
Src(d) == IF d = F THEN Old ELSE V2
Dst(d) == IF d = F THEN V2 ELSE Old
None == [pos |-> 0, mode |-> 0]

VARIABLES tbl, log, ph, req, pos, ck, mode, zom, led, left, crashes, zombies, wid,
          over, kept, dup,
          touched,   \* highest old record handled under GUARDED
          done2      \* ghost: old-side writes that were put on v2
vars == <<tbl, log, ph, req, pos, ck, mode, zom, led, left, crashes, zombies, wid,
          over, kept, dup, touched, done2>>

Img(x, c, v, b) == [x |-> x, c |-> c, v |-> v, base |-> b]     \* v = 0: no stamp
Live(i) == i.x = "live"
Same(i, j) == Live(i) = Live(j) /\ (Live(i) => i.c = j.c)

Init ==
  /\ tbl = [s \in {Old, V2} |-> Img("live", 0, 0, 0)]
  /\ log = [s \in {Old, V2} |-> <<>>]
  /\ ph = 1 /\ req = 1
  /\ pos = [d \in {F, R} |-> 0] /\ ck = pos
  /\ mode = [d \in {F, R} |-> 1] /\ zom = [d \in {F, R} |-> None]
  /\ led = [d \in {F, R} |-> [done |-> 0, seen |-> 0, put |-> 0]]
  /\ left = [s \in {Old, V2} |-> IF s = Old THEN OldWrites ELSE V2Writes]
  /\ crashes = Crashes /\ zombies = Zombies
  /\ wid = 0 /\ over = <<>> /\ kept = {} /\ dup = {} /\ touched = 0 /\ done2 = {}

----------------------------------------------------------------------------
(* Who may write when: a side opens when the phase is entered, and closes when the
   next phase is requested. *)
Open(s, p) == IF s = Old THEN p \in {1, 2, 4, 5, 6} ELSE p \in {2, 3, 4, 6}
MayWrite(s) == Open(s, ph) /\ Open(s, req)

AppWrite(s) ==
  /\ MayWrite(s) /\ left[s] > 0
  /\ \E new \in {Img("live", c, IF Puts THEN 0 ELSE tbl[s].v, IF Puts THEN 0 ELSE tbl[s].base)
                   : c \in IF Unique THEN {wid + 1} ELSE {0, 1}}
              \cup (IF Live(tbl[s]) THEN {Img("none", IF Unique THEN wid + 1 ELSE 0, 0, 0)} ELSE {}) :
       /\ new # tbl[s]
       /\ tbl' = [tbl EXCEPT ![s] = new]
       /\ log' = [log EXCEPT ![s] = Append(@, [old |-> tbl[s], new |-> new, w |-> wid + 1])]
       /\ over' = Append(over, [side |-> s, was |-> tbl[s].c])
  /\ left' = [left EXCEPT ![s] = @ - 1] /\ wid' = wid + 1
  /\ UNCHANGED <<ph, req, pos, ck, mode, zom, led, crashes, zombies, kept, dup, touched, done2>>

----------------------------------------------------------------------------
(* Gate, request, acknowledgement *)
Unread(d) == pos[d] < Len(log[Src(d)])
Request ==
  /\ req = ph /\ ph < LastPhase
  /\ LagGate => /\ (Open(Old, ph) /\ ~Open(Old, ph + 1) => ~Unread(F))
                /\ (Open(V2, ph) /\ ~Open(V2, ph + 1) => ~Unread(R))
  /\ \A s \in {Old, V2} : tbl[s].x # "tomb"
  /\ req' = ph + 1
  /\ UNCHANGED <<tbl, log, ph, pos, ck, mode, zom, led, left, crashes, zombies, wid, over, kept, dup, touched, done2>>
Switch(d) ==
  /\ mode[d] # req /\ (AtCheckpoint => pos[d] = ck[d])
  /\ mode' = [mode EXCEPT ![d] = req]
  /\ UNCHANGED <<tbl, log, ph, req, pos, ck, zom, led, left, crashes, zombies, wid, over, kept, dup, touched, done2>>
Enter ==
  /\ req # ph
  /\ AckFirst => \A d \in {F, R} : mode[d] = req
  /\ Fence => \A d \in {F, R} : zom[d] = None
  /\ DrainFirst => pos[F] >= touched
  /\ ph' = req
  /\ UNCHANGED <<tbl, log, req, pos, ck, mode, zom, led, left, crashes, zombies, wid, over, kept, dup, touched, done2>>

----------------------------------------------------------------------------
(* Applying one record under the rule of mode m *)
Rule(d, m) ==
  CASE d = F -> (CASE m = 1 \/ (m = 5 /\ ~OneWay) -> "guarded"
                   [] m = 3 /\ ~RevLedger -> "observe"
                   [] OTHER -> "ledger")
    [] d = R -> (CASE m = 1 \/ (m = 5 /\ ~OneWay) -> "observe"
                   [] m = 3 /\ ~RevLedger -> "guarded"
                   [] OTHER -> "ledger")

Max(a, b) == IF a > b THEN a ELSE b
Ours(d, r) == \/ r.old.x = "tomb" /\ r.new.x = "none"
              \/ r.new.v > Max(led[d].seen, r.old.v)

Put(s, img) ==
  IF img = tbl[s] THEN UNCHANGED <<tbl, log>>
  ELSE /\ tbl' = [tbl EXCEPT ![s] = img]
       /\ log' = [log EXCEPT ![s] = Append(@, [old |-> tbl[s], new |-> img, w |-> 0])]
Written(to, v, b) == IF Live(to) THEN Img("live", to.c, v, b) ELSE Img("tomb", to.c, v, b)
Nothing == UNCHANGED <<tbl, log, kept, dup>>

Handle(d, i, m) ==
  LET r == log[Src(d)][i]
      now == tbl[Dst(d)]
      ours == Ours(d, r)
      bare == r.old.x = "tomb" /\ r.new.x = "none"
      carry == d = R /\ ours /\ ~bare /\ led[R].put > r.new.base
  IN
  /\ CASE Rule(d, m) = "observe" -> Nothing /\ UNCHANGED led
    [] Rule(d, m) = "guarded" ->
         /\ IF bare \/ (ours /\ ~(ApplyAll /\ d = F)) \/ ~(now.v = 0 \/ now.v < i) THEN Nothing
            ELSE Put(Dst(d), Written(r.new, i, 0)) /\ UNCHANGED <<kept, dup>>
         /\ UNCHANGED led
    [] OTHER ->
         IF i <= led[d].done THEN Nothing /\ UNCHANGED led
         ELSE
         /\ led' = [led EXCEPT ![d] =
              [done |-> i,
               seen |-> Max(@.seen, Max(r.old.v, IF ours THEN r.new.v ELSE 0)),
               put  |-> IF d = R /\ (~ours \/ carry) THEN i ELSE @.put]]
         /\ IF ours /\ ~carry THEN Nothing
            ELSE IF d = R THEN Put(Old, Written(r.new, i, 0)) /\ UNCHANGED <<kept, dup>>
            ELSE IF StampFirst /\ now.v >= i THEN Nothing
            ELSE IF Same(now, r.new)
                 THEN UNCHANGED <<tbl, log, kept>> /\ dup' = dup \cup {<<r.w, now.c>>}
            ELSE IF Same(now, r.old)
                 THEN /\ Put(V2, Written(r.new, i, led[F].seen)) /\ UNCHANGED kept
                      /\ dup' = IF Live(now) THEN dup ELSE dup \cup {<<r.old.c, now.c>>}
            ELSE UNCHANGED <<tbl, log, dup>> /\ kept' = kept \cup {r.w}
  /\ touched' = IF d = F /\ Rule(d, m) = "guarded" THEN Max(touched, i) ELSE touched
  /\ done2' = IF d = F /\ tbl'[V2] # tbl[V2] THEN done2 \cup {r.w} ELSE done2

Process(d) ==
  /\ Unread(d) /\ Handle(d, pos[d] + 1, mode[d])
  /\ pos' = [pos EXCEPT ![d] = @ + 1]
  /\ UNCHANGED <<ph, req, ck, mode, zom, left, crashes, zombies, wid, over>>
Checkpoint(d) ==
  /\ ck[d] < pos[d] /\ ck' = [ck EXCEPT ![d] = pos[d]]
  /\ UNCHANGED <<tbl, log, ph, req, pos, mode, zom, led, left, crashes, zombies, wid, over, kept, dup, touched, done2>>
Crash(d) ==
  /\ crashes > 0 /\ ck[d] < pos[d] /\ crashes' = crashes - 1
  /\ pos' = [pos EXCEPT ![d] = ck[d]]
  /\ UNCHANGED <<tbl, log, ph, req, ck, mode, zom, led, left, zombies, wid, over, kept, dup, touched, done2>>
TakeOver(d) ==
  /\ zombies > 0 /\ zom[d] = None /\ zombies' = zombies - 1
  \* it stands where the owner stands, or (paused for long) at the checkpoint
  /\ \E p \in {ck[d], pos[d]} : zom' = [zom EXCEPT ![d] = [pos |-> p, mode |-> mode[d]]]
  /\ pos' = [pos EXCEPT ![d] = ck[d]]
  /\ UNCHANGED <<tbl, log, ph, req, ck, mode, led, left, crashes, wid, over, kept, dup, touched, done2>>
ZombieStep(d) ==
  /\ zom[d] # None
  /\ \/ /\ zom[d].pos < Len(log[Src(d)])
        /\ Handle(d, zom[d].pos + 1, zom[d].mode)
        /\ zom' = [zom EXCEPT ![d].pos = @ + 1]
     \/ zom' = [zom EXCEPT ![d] = None] /\ Nothing /\ UNCHANGED <<led, touched, done2>>
  /\ UNCHANGED <<ph, req, pos, ck, mode, left, crashes, zombies, wid, over>>
\* LEDGER deletes purge at once, once the phase is entered; before that, and under
\* GUARDED, a tombstone stays until nobody can replay behind it
Purge(s) ==
  /\ tbl[s].x = "tomb"
  /\ LET d == IF s = V2 THEN F ELSE R IN
       (PurgeLate => Rule(d, mode[d]) = "guarded" \/ Rule(d, ph) = "guarded")
         /\ (~PurgeLate => Rule(d, mode[d]) = "guarded")
       => tbl[s].v <= ck[d] /\ zom[d] = None
  /\ Put(s, Img("none", tbl[s].c, 0, 0))
  /\ UNCHANGED <<ph, req, pos, ck, mode, zom, led, left, crashes, zombies, wid, over, kept, dup, touched, done2>>

Next == \/ Request \/ Enter
        \/ \E s \in {Old, V2} : AppWrite(s) \/ Purge(s)
        \/ \E d \in {F, R} : Switch(d) \/ Process(d) \/ Checkpoint(d) \/ Crash(d)
                             \/ TakeOver(d) \/ ZombieStep(d)
Spec == Init /\ [][Next]_vars

----------------------------------------------------------------------------
Quiet == /\ \A d \in {F, R} : ~Unread(d) /\ ck[d] = pos[d] /\ zom[d] = None
         /\ req = ph /\ \A d \in {F, R} : mode[d] = ph
         /\ \A s \in {Old, V2} : tbl[s].x # "tomb"
Converged == Quiet => Same(tbl[Old], tbl[V2])
Replaced(w) == \E u \in 1..Len(over) : over[u].was = w
Survives(w) == \/ tbl[V2].c = w \/ Replaced(w)
               \/ \E p \in dup : p[1] = w \/ (p[2] = w /\ Replaced(p[1]))
NoLostWrite == (Quiet /\ Unique) =>
  \A w \in 1..Len(over) : Survives(w) \/ (over[w].side = Old /\ w \in kept)
\* the conflict log holds only writes that never reached v2
LogIsTrue == kept \cap done2 = {}
=============================================================================
