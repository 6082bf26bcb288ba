------------------------------ MODULE Forward ------------------------------
(* The `forward` phase for ONE old item that may move between v2 keys.

   Modelled: old table and its stream; backfill (consistent read, later an
   insert-if-absent, possibly by a superseded worker that holds an old copy);
   the shard's owner with checkpoint and crash; a superseded owner that goes on
   applying from where it stood and may stop anywhere; guarded puts, tombstones,
   key moves in two writes, coalescing of a batch; the tombstone purger; repair
   by the validator racing all of them.
   Left out: application writes on v2 (a rogue write is an alert), fields, stream
   generations, several items, quarantine.

   Run: make model MODEL=Forward *)
EXTENDS Integers, Sequences, FiniteSets

CONSTANTS
  Keys,          \* v2 keys the item can live at
  Writes,        \* application writes on the old table
  Crashes,       \* crashes of the shard's owner
  Zombies,       \* takeovers that leave a superseded owner behind
  Repairs,       \* repairs the validator starts
  Rereads,       \* backfill restarts that leave an old copy in somebody's hands
  Batch,         \* most records coalesced into one
  (* rules: TRUE in the protocol as designed; FALSE is a seeded bug *)
  Guard,         \* apply only if `_sync` is absent or older
  Padded,        \* versions compare as padded strings
  Tombs,         \* a removal leaves a tombstone
  Vacate,        \* a coalesced batch also clears every key it vacated
  EffectFirst,   \* checkpoint only after the effects
  IfAbsent,      \* backfill inserts only where the key is absent
  PurgeBackfill, \* purge waits for backfill, superseded workers included
  PurgeOwner,    \* purge waits until no superseded owner can still write
  PurgeCkpt,     \* purge waits until the checkpoint has passed the tombstone
  PurgeRepair,   \* purge waits for repairs under way
  V2First        \* repair reads v2 before it reads old

None == [k |-> 0, x |-> 0]                   \* no item; otherwise [k: v2 key, x: content]
Gone == [s |-> "none", x |-> 0, v |-> 0]      \* v2 key absent
Tomb(v) == [s |-> "tomb", x |-> 0, v |-> v]
Item(x, v) == [s |-> "live", x |-> x, v |-> v]

VARIABLES old, log, v2, bf, late, own, ck, zom, rep, left, crashes, zombies, repairs, rereads,
  dead     \* ghost: v2 key -> highest version that removed an item there

vars == <<old, log, v2, bf, late, own, ck, zom, rep, left, crashes, zombies, repairs, rereads, dead>>

\* numbers as the stream gives them: the first record is 9, the second 10
Less(u, w) == IF Padded THEN u < w
              ELSE LET d(n) == IF n < 2 THEN 10 * (n + 8) ELSE n + 8
                   IN IF u = 0 THEN TRUE ELSE d(u) < d(w)

Idle == [at |-> 0, to |-> 0, todo |-> {}]     \* a batch in hand: records at+1..to, keys to write
NoRep == [st |-> "idle", k |-> 0, was |-> Gone, o |-> None]

Init ==
  /\ old \in {None, [k |-> 1, x |-> 0]}
  /\ log = <<>> /\ v2 = [k \in Keys |-> Gone]
  /\ bf = [st |-> "todo", o |-> None] /\ late = {}
  /\ own = Idle /\ ck = 0 /\ zom = Idle
  /\ rep = NoRep
  /\ left = Writes /\ crashes = Crashes /\ zombies = Zombies
  /\ repairs = Repairs /\ rereads = Rereads /\ dead = [k \in Keys |-> 0]

App ==
  /\ left > 0 /\ left' = left - 1
  /\ \E new \in {None} \cup {[k |-> k, x |-> Writes - left + 1] : k \in Keys} :
       /\ new # old
       /\ old' = new /\ log' = Append(log, [old |-> old, new |-> new])
  /\ UNCHANGED <<v2, bf, late, own, ck, zom, rep, crashes, zombies, repairs, rereads, dead>>

----------------------------------------------------------------------------
(* Backfill *)

Insert(o) == v2' = IF o = None \/ (IfAbsent /\ v2[o.k].s # "none") THEN v2
                   ELSE [v2 EXCEPT ![o.k] = Item(o.x, 0)]

BackfillRead ==
  /\ bf.st = "todo" /\ bf' = [st |-> "held", o |-> old]
  /\ UNCHANGED <<old, log, v2, late, own, ck, zom, rep, left, crashes, zombies, repairs, rereads, dead>>
BackfillWrite ==
  /\ bf.st = "held" /\ Insert(bf.o) /\ bf' = [st |-> "done", o |-> None]
  /\ UNCHANGED <<old, log, late, own, ck, zom, rep, left, crashes, zombies, repairs, rereads, dead>>
BackfillRestart ==                           \* the old worker still has its copy
  /\ bf.st = "held" /\ rereads > 0 /\ rereads' = rereads - 1
  /\ late' = late \cup {bf.o} /\ bf' = [st |-> "todo", o |-> None]
  /\ UNCHANGED <<old, log, v2, own, ck, zom, rep, left, crashes, zombies, repairs, dead>>
LateWrite ==
  /\ \E o \in late : late' = late \ {o} /\ (Insert(o) \/ v2' = v2)
  /\ UNCHANGED <<old, log, bf, own, ck, zom, rep, left, crashes, zombies, repairs, rereads, dead>>

----------------------------------------------------------------------------
(* Forward sync. c takes a batch, then writes its keys one at a time: the key the
   item has now first, vacated keys after it. *)

Now(to)      == log[to].new
Target(to)   == IF Now(to) # None THEN Now(to).k ELSE log[to].old.k
Vacated(a, to) == ({log[i].old.k : i \in (IF Vacate THEN a + 1 ELSE to)..to}
                   \cup (IF Now(to) = None THEN {Target(to)} ELSE {}))
                  \ ({0} \cup (IF Now(to) # None THEN {Now(to).k} ELSE {}))
Todo(a, to)  == Vacated(a, to) \cup (IF Now(to) # None THEN {Now(to).k} ELSE {})

Ok(k, v) == ~Guard \/ v2[k].s = "none" \/ Less(v2[k].v, v)
Apply(k, to) ==
  /\ v2' = IF ~Ok(k, to) THEN v2
        ELSE [v2 EXCEPT ![k] = IF Now(to) # None /\ Now(to).k = k THEN Item(Now(to).x, to)
                               ELSE IF Tombs THEN Tomb(to) ELSE Gone]
  /\ dead' = IF Ok(k, to) /\ ~(Now(to) # None /\ Now(to).k = k) /\ dead[k] < to
             THEN [dead EXCEPT ![k] = to] ELSE dead

Take(c) == \E to \in c.at + 1..Len(log) :
             to - c.at <= Batch /\ c.todo = {} /\ c.to = c.at
             /\ \E c2 \in {[at |-> c.at, to |-> to, todo |-> Todo(c.at, to)]} : own' = c2
FirstKey(c) == IF Now(c.to) # None /\ Now(c.to).k \in c.todo THEN {Now(c.to).k} ELSE c.todo

OwnTake == /\ Take(own)
           /\ ck' = IF EffectFirst THEN ck ELSE own'.to
           /\ UNCHANGED <<old, log, v2, bf, late, zom, rep, left, crashes, zombies, repairs, rereads, dead>>
OwnWrite ==
  /\ own.to > own.at
  /\ IF own.todo = {} THEN own' = [own EXCEPT !.at = own.to] /\ UNCHANGED <<v2, dead>>
     ELSE \E k \in FirstKey(own) : Apply(k, own.to) /\ own' = [own EXCEPT !.todo = @ \ {k}]
  /\ UNCHANGED <<old, log, bf, late, ck, zom, rep, left, crashes, zombies, repairs, rereads>>
Checkpoint ==
  /\ own.to = own.at /\ ck < own.at /\ ck' = own.at
  /\ UNCHANGED <<old, log, v2, bf, late, own, zom, rep, left, crashes, zombies, repairs, rereads, dead>>
Crash ==
  /\ crashes > 0 /\ crashes' = crashes - 1
  /\ own' = [at |-> ck, to |-> ck, todo |-> {}]
  /\ UNCHANGED <<old, log, v2, bf, late, ck, zom, rep, left, zombies, repairs, rereads, dead>>
TakeOver ==                                   \* the old owner does not notice
  /\ zombies > 0 /\ zombies' = zombies - 1
  /\ zom = Idle /\ zom' = own
  /\ own' = [at |-> ck, to |-> ck, todo |-> {}]
  /\ UNCHANGED <<old, log, v2, bf, late, ck, rep, left, crashes, repairs, rereads, dead>>
ZombieStep ==
  /\ zombies < Zombies
  /\ \/ /\ zom.to > zom.at
        /\ IF zom.todo = {} THEN zom' = [zom EXCEPT !.at = zom.to] /\ UNCHANGED <<v2, dead>>
           ELSE \E k \in FirstKey(zom) : Apply(k, zom.to) /\ zom' = [zom EXCEPT !.todo = @ \ {k}]
     \/ /\ zom.to = zom.at /\ zom # Idle /\ zom.at < Len(log)
        /\ \E to \in zom.at + 1..Len(log) : to - zom.at <= Batch
             /\ zom' = [at |-> zom.at, to |-> to, todo |-> Todo(zom.at, to)]
        /\ UNCHANGED <<v2, dead>>
     \/ zom # Idle /\ zom' = Idle /\ UNCHANGED <<v2, dead>>     \* it notices, or dies
  /\ UNCHANGED <<old, log, bf, late, own, ck, rep, left, crashes, zombies, repairs, rereads>>

----------------------------------------------------------------------------
(* Purger and validator *)

Purge ==
  /\ \E k \in Keys :
       /\ v2[k].s = "tomb"
       /\ PurgeBackfill => bf.st = "done" /\ late = {}
       /\ PurgeOwner => zom = Idle
       /\ PurgeCkpt => v2[k].v <= ck
       /\ PurgeRepair => rep = NoRep
       /\ v2' = [v2 EXCEPT ![k] = Gone]
  /\ UNCHANGED <<old, log, bf, late, own, ck, zom, rep, left, crashes, zombies, repairs, rereads, dead>>

\* two reads, then one write on condition that the v2 item is as it was read
RepairRead1 ==
  /\ rep.st = "idle" /\ repairs > 0 /\ repairs' = repairs - 1
  /\ bf.st = "done"
  /\ \E k \in Keys :
       rep' = IF V2First THEN [st |-> "v2", k |-> k, was |-> v2[k], o |-> None]
                         ELSE [st |-> "old", k |-> k, was |-> Gone, o |-> old]
  /\ UNCHANGED <<old, log, v2, bf, late, own, ck, zom, left, crashes, zombies, rereads, dead>>
RepairRead2 ==
  /\ rep.st \in {"v2", "old"}
  /\ rep' = [rep EXCEPT !.st = "both", !.o = IF V2First THEN old ELSE @,
                        !.was = IF V2First THEN @ ELSE v2[rep.k]]
  /\ UNCHANGED <<old, log, v2, bf, late, own, ck, zom, left, crashes, zombies, repairs, rereads, dead>>
RepairWrite ==
  /\ rep.st = "both" /\ rep' = NoRep
  /\ LET want == rep.o # None /\ rep.o.k = rep.k IN
     v2' = IF v2[rep.k] # rep.was THEN v2
           ELSE IF want THEN [v2 EXCEPT ![rep.k] = Item(rep.o.x, rep.was.v)]
           ELSE IF rep.was.s = "live" THEN [v2 EXCEPT ![rep.k] = Tomb(rep.was.v)]
           ELSE v2
  /\ UNCHANGED <<old, log, bf, late, own, ck, zom, left, crashes, zombies, repairs, rereads, dead>>

Next == App \/ BackfillRead \/ BackfillWrite \/ BackfillRestart \/ LateWrite
        \/ OwnTake \/ OwnWrite \/ Checkpoint \/ Crash \/ TakeOver \/ ZombieStep
        \/ Purge \/ RepairRead1 \/ RepairRead2 \/ RepairWrite
Spec == Init /\ [][Next]_vars

----------------------------------------------------------------------------
Quiet == /\ own.at = Len(log) /\ own.to = own.at /\ ck = own.at /\ zom = Idle
         /\ bf.st = "done" /\ late = {} /\ rep = NoRep
Right == \A k \in Keys : IF old # None /\ old.k = k
                         THEN v2[k].s = "live" /\ v2[k].x = old.x
                         ELSE v2[k].s # "live"
Converged == Quiet => Right

\* what was removed from a key does not live there again, not even for a while
\* (a repair or a backfill may show a content early that a later record brings)
NoResurrection ==
  \A k \in Keys : v2[k].s = "live" /\ v2[k].v < dead[k] =>
    \E j \in dead[k] + 1..Len(log) : log[j].new.k = k /\ v2[k].x = log[j].new.x
=============================================================================
