-------------------------------- MODULE Enter --------------------------------
(* In `dual` this has the PREVIOUS rule, of whole items; the rule of today is in Delta.tla.

   The first move into `dual`, for ONE old item that carries stamps of the guarded rule
   and may move between v2 keys.

   Modelled: guarded puts of a shard's owner, a batch coalesced to its last record, the
   new key first and the vacated keys after it; a superseded owner that goes on with the
   batch in its hands and may stop between two writes; checkpoint and replay; a guarded
   repair; the steps of the move in their order (settle, switch, horizon, drain, observe,
   arm, fence, enter); forward by the ledger rule from `switch` on, with the rule for what
   the guarded rule has covered already; reverse, which observes until `arm` and carries
   from then on; a superseded observer that still saves positions; purges; application
   writes on old at any time, on v2 once `dual` is entered: put, update, delete, and a
   write that brings an earlier stamp of its place back, with other content or the same.
   Each v2 key is a table and a shard of its own. Rule constants are TRUE in the protocol
   as designed; FALSE is a seeded bug.

   Left out: merge (an image has one content), backfill (finished), replays of reverse and
   of forward once entered, later phase moves (Phases.tla), upserts of tombstones.
   A stamp on v2 is version and base; base -1: the guarded rule wrote it. A count on old
   begins at 1; 0: no stamp.

   Run: make model MODEL=Enter *)
EXTENDS Integers, Sequences, FiniteSets

CONSTANTS
  Keys, OldWrites, V2Writes,
  Ops,           \* of the application: "put","upd","del","stamp" (fresh content, earlier stamp),
                 \*   "back" (a whole earlier image)
  Zombies,       \* takeovers that leave a superseded owner behind
  Repairs,       \* guarded repairs
  Observers,     \* takeovers that leave a superseded observer behind
  Batch,         \* most records coalesced into one
  (* rules *)
  SettleFirst,   \* repairs are over, and forward is caught up since, before the rule changes
  Horizon,       \* no superseded owner is left before the drain
  Drain,         \* forward is caught up under the ledger rule before `dual`
  Observed,      \* reverse has read all that the guarded rule wrote before it carries
  Notes,         \* an observing reverse notes in the ledger what forward wrote by the ledger rule
  Fence,         \* no superseded observer is left before `dual`
  Covered,       \* what the guarded rule has applied is not applied again
  FinishMove,    \* ... and what a crash left of a move is buried
  BaseRule,      \* a stamp without a base is no new write of ours
  FwdHolds,      \* forward, too, holds an item that it finds at two live keys
  KeepTombs      \* tombstones keep their grace until reverse carries

None == -1
NoStamp == [v |-> None, b |-> None]
O(x, k, c, n) == [x |-> x, k |-> k, c |-> c, n |-> n]            \* old image; n: reverse count
V(x, c, v, b) == [x |-> x, c |-> c, st |-> [v |-> v, b |-> b]]   \* v2 image
Gone == V("none", None, None, None)
Live(i) == i.x = "live"
Idle == [at |-> 0, to |-> 0, todo |-> {}]     \* a batch in hand: records at+1..to, keys to write
NoRep == [st |-> "idle", k |-> 0, was |-> Gone, o |-> O("none", 0, None, 0)]

VARIABLES
  old, olog,   \* old item, its stream: [old, new, by, w]
  v2, q,       \* v2 key -> image; its unread records: [old, new, by]
  hist,        \* v2 key -> live images that it has held (what an application may still have)
  step, own, ck, zom, obs, rep,
  led,         \* done, seen (old), vseen (v2 key -> version), put, held, keys
  left,
  over,        \* ghost: write -> side, whether a delete, content it saw
  kept,        \* ghost: writes in the conflict log
  carried,     \* ghost: writes that sync has put on v2
  wrong        \* ghost: a record was attributed to the wrong author
vars == <<old, olog, v2, q, hist, step, own, ck, zom, obs, rep, led, left, over, kept, carried, wrong>>

Init ==
  /\ old = O("live", 1, 0, 0) /\ olog = <<>>
  /\ v2 = [k \in Keys |-> IF k = 1 THEN V("live", 0, 0, None) ELSE Gone]     \* the backfill's copy
  /\ q = [k \in Keys |-> <<>>]
  /\ hist = [k \in Keys |-> IF k = 1 THEN {V("live", 0, 0, None)} ELSE {}]
  /\ step = "forward" /\ own = Idle /\ ck = 0 /\ zom = Idle /\ obs = FALSE /\ rep = NoRep
  /\ led = [done |-> 0, seen |-> 0, vseen |-> [k \in Keys |-> None], put |-> 0, held |-> FALSE, keys |-> {}]
  /\ left = [old |-> OldWrites, v2 |-> V2Writes, z |-> Zombies, r |-> Repairs, o |-> Observers]
  /\ over = <<>> /\ kept = {} /\ carried = {} /\ wrong = FALSE

WriteV2(nt, by) ==
  /\ v2' = nt
  /\ q' = [k \in Keys |-> IF nt[k] # v2[k] THEN Append(q[k], [old |-> v2[k], new |-> nt[k], by |-> by]) ELSE q[k]]
  /\ hist' = IF V2Writes > 0 /\ Ops \cap {"stamp", "back"} # {}
             THEN [k \in Keys |-> IF Live(nt[k]) THEN hist[k] \cup {nt[k]} ELSE hist[k]] ELSE hist
WriteOld(img, by, w) ==
  IF img = old THEN UNCHANGED <<old, olog>>
  ELSE old' = img /\ olog' = Append(olog, [old |-> old, new |-> img, by |-> by, w |-> w])
ByGuarded == step \in {"forward", "move", "settled"}
Carries == step \in {"armed", "dual"}

----------------------------------------------------------------------------
(* The application *)

W == Len(over) + 1
Ghost(side, del, was) == over' = Append(over, [side |-> side, del |-> del, was |-> was])

AppOld ==
  /\ left.old > 0 /\ left' = [left EXCEPT !.old = @ - 1]
  /\ \E img \in {O("live", k, W, 0) : k \in Keys}
             \cup (IF "upd" \in Ops /\ Live(old) THEN {[old EXCEPT !.c = W]} ELSE {})
             \cup (IF "del" \in Ops /\ Live(old) THEN {O("none", old.k, None, 0)} ELSE {}) :
       /\ img # old /\ WriteOld(img, "app", W) /\ Ghost("old", ~Live(img), IF Live(old) THEN old.c ELSE None)
  /\ UNCHANGED <<v2, q, hist, step, own, ck, zom, obs, rep, led, kept, carried, wrong>>

AppV2 ==
  /\ step = "dual" /\ left.v2 > 0 /\ left' = [left EXCEPT !.v2 = @ - 1]
  /\ \E k \in Keys :
     \E img \in {V("live", W, None, None)}
             \cup (IF "upd" \in Ops /\ Live(v2[k]) THEN {[v2[k] EXCEPT !.c = W]} ELSE {})
             \cup (IF "del" \in Ops /\ Live(v2[k]) THEN {Gone} ELSE {})
             \cup (IF "stamp" \in Ops THEN {[i EXCEPT !.c = W] : i \in hist[k]} ELSE {})
             \cup (IF "back" \in Ops THEN hist[k] ELSE {}) :
       /\ img # v2[k] /\ WriteV2([v2 EXCEPT ![k] = img], "app")
       /\ Ghost("v2", ~Live(img), IF Live(v2[k]) THEN v2[k].c ELSE None)
  /\ UNCHANGED <<old, olog, step, own, ck, zom, obs, rep, led, kept, carried, wrong>>

----------------------------------------------------------------------------
(* Forward by the guarded rule *)

Last(c) == olog[c.to].new
Vacated(c) == ({olog[i].old.k : i \in {i \in c.at + 1..c.to : Live(olog[i].old)}}
               \cup (IF Live(Last(c)) THEN {} ELSE {olog[c.to].old.k}))
              \ (IF Live(Last(c)) THEN {Last(c).k} ELSE {})
Taken(c, to) == LET n == [at |-> c.at, to |-> to, todo |-> {}]
                IN [n EXCEPT !.todo = Vacated(n) \cup (IF Live(Last(n)) THEN {Last(n).k} ELSE {})]
Batches(c) == {Taken(c, to) : to \in {t \in c.at + 1..Len(olog) : t - c.at <= Batch}}
NextKeys(c) == IF Live(Last(c)) /\ Last(c).k \in c.todo THEN {Last(c).k} ELSE c.todo

Guarded(c, k) ==
  LET img == IF Live(Last(c)) /\ Last(c).k = k THEN V("live", Last(c).c, c.to, None)
             ELSE V("tomb", None, c.to, None)
      ok == v2[k].x = "none" \/ v2[k].st.v < c.to
  IN /\ WriteV2(IF ok THEN [v2 EXCEPT ![k] = img] ELSE v2, "guarded")
     /\ carried' = IF ok THEN carried \cup {olog[c.to].w} ELSE carried

OwnTake == /\ ByGuarded /\ own.to = own.at /\ own' \in Batches(own)
           /\ UNCHANGED <<old, olog, v2, q, hist, step, ck, zom, obs, rep, led, left, over, kept, carried, wrong>>
OwnWrite ==
  /\ ByGuarded /\ own.to > own.at
  /\ IF own.todo = {} THEN own' = [own EXCEPT !.at = own.to] /\ UNCHANGED <<v2, q, hist, carried>>
     ELSE \E k \in NextKeys(own) : Guarded(own, k) /\ own' = [own EXCEPT !.todo = @ \ {k}]
  /\ UNCHANGED <<old, olog, step, ck, zom, obs, rep, led, left, over, kept, wrong>>
Checkpoint ==
  /\ own.to = own.at /\ ck < own.at /\ ck' = own.at
  /\ UNCHANGED <<old, olog, v2, q, hist, step, own, zom, obs, rep, led, left, over, kept, carried, wrong>>
\* a crash is a takeover whose superseded owner stops at once; under the ledger rule it is a replay
TakeOver ==
  /\ left.z > 0 /\ left' = [left EXCEPT !.z = @ - 1] /\ zom = Idle
  /\ zom' = (IF ByGuarded THEN own ELSE Idle) /\ own' = [at |-> ck, to |-> ck, todo |-> {}]
  /\ UNCHANGED <<old, olog, v2, q, hist, step, ck, obs, rep, led, over, kept, carried, wrong>>
ZombieStep ==
  /\ zom # Idle
  /\ \/ /\ zom.to > zom.at
        /\ IF zom.todo = {} THEN zom' = [zom EXCEPT !.at = zom.to] /\ UNCHANGED <<v2, q, hist, carried>>
           ELSE \E k \in NextKeys(zom) : Guarded(zom, k) /\ zom' = [zom EXCEPT !.todo = @ \ {k}]
     \/ zom.to = zom.at /\ zom' \in Batches(zom) /\ UNCHANGED <<v2, q, hist, carried>>
     \/ zom' = Idle /\ UNCHANGED <<v2, q, hist, carried>>
  /\ UNCHANGED <<old, olog, step, own, ck, obs, rep, led, left, over, kept, wrong>>

\* reads v2, then old, then writes on condition that v2 is as it was; it keeps the version
RepairRead ==
  /\ \/ /\ rep.st = "idle" /\ left.r > 0 /\ step = "forward" /\ left' = [left EXCEPT !.r = @ - 1]
        /\ \E k \in Keys : rep' = [NoRep EXCEPT !.st = "v2", !.k = k, !.was = v2[k]]
     \/ rep.st = "v2" /\ rep' = [rep EXCEPT !.st = "both", !.o = old] /\ UNCHANGED left
  /\ UNCHANGED <<old, olog, v2, q, hist, step, own, ck, zom, obs, led, over, kept, carried, wrong>>
RepairWrite ==
  /\ rep.st = "both" /\ rep' = NoRep
  /\ LET ver == IF rep.was.st.v = None THEN 0 ELSE rep.was.st.v
         to == IF Live(rep.o) /\ rep.o.k = rep.k
               THEN (IF Live(rep.was) /\ rep.was.c = rep.o.c THEN rep.was ELSE V("live", rep.o.c, ver, None))
               ELSE IF Live(rep.was) THEN V("tomb", None, ver, None) ELSE rep.was
     IN WriteV2(IF v2[rep.k] = rep.was THEN [v2 EXCEPT ![rep.k] = to] ELSE v2, "guarded")
  /\ UNCHANGED <<old, olog, step, own, ck, zom, obs, led, left, over, kept, carried, wrong>>

----------------------------------------------------------------------------
(* The steps of the move *)

To(from, cond, to) ==
  /\ step = from /\ cond /\ step' = to
  /\ UNCHANGED <<old, olog, v2, q, hist, own, ck, zom, obs, rep, led, left, over, kept, carried, wrong>>
CaughtUp == own.at = Len(olog) /\ own.to = own.at
GuardedRead == \A k \in Keys : \A i \in 1..Len(q[k]) : q[k][i].by # "guarded"
Steps == \/ To("forward", TRUE, "move")
         \/ To("move", SettleFirst => rep = NoRep /\ CaughtUp, "settled")
         \/ To("settled", own.to = own.at /\ own.at = ck, "entering")
         \/ To("entering", Horizon => zom = Idle, "drain")
         \/ To("drain", Drain => CaughtUp, "observe")
         \/ To("observe", Observed => GuardedRead, "armed")
         \/ To("armed", Fence => ~obs, "dual")

----------------------------------------------------------------------------
(* Forward by the ledger rule *)

Max(a, b) == IF a > b THEN a ELSE b
OursOld(r) == \/ r.old.x = "tomb" /\ r.new.x = "none"
              \/ r.new.n > 0 /\ r.new.n # r.old.n /\ r.new.n > Max(led.seen, r.old.n)
SameOld(now, k, i) == Live(now) = Live(i) /\ (Live(now) => now.c = i.c /\ k = i.k)

Ledger(r, i) ==
  LET K    == led.keys \cup (IF Live(r.old) THEN {r.old.k} ELSE {}) \cup (IF Live(r.new) THEN {r.new.k} ELSE {})
      L    == {k \in K : Live(v2[k])}
      cov  == {k \in K : v2[k].st.b = None /\ v2[k].st.v >= i}
      half == {k \in L \ cov : v2[k].st.v # None /\ v2[k].st.v < i}
      one  == IF L = {} THEN 0 ELSE CHOOSE k \in L : TRUE
      now  == IF L = {} THEN Gone ELSE v2[one]
      tomb == V("tomb", None, i, led.seen)
      bury(ks) == [k \in Keys |-> IF k \in ks THEN tomb ELSE v2[k]]
      next(ks) == led' = [led EXCEPT !.done = i, !.keys = ks]
      nothing == UNCHANGED <<v2, q, hist>>
  IN
  IF Covered /\ cov # {}
  THEN /\ (IF FinishMove THEN WriteV2(bury(half), "sync") ELSE nothing)
       /\ next(IF FinishMove THEN L \ half ELSE L) /\ UNCHANGED <<kept, carried>>
  ELSE IF Cardinality(L) > 1 
  THEN /\ led' = [led EXCEPT !.done = i, !.keys = L, !.held = FwdHolds \/ @]
       /\ nothing /\ kept' = kept \cup {r.w} /\ UNCHANGED carried
  ELSE IF SameOld(now, one, r.new) THEN nothing /\ next(L) /\ UNCHANGED <<kept, carried>>
  ELSE IF SameOld(now, one, r.old)
  THEN LET to == IF Live(r.new) THEN {r.new.k} ELSE {} IN
       /\ WriteV2([k \in Keys |-> IF k \in to THEN V("live", r.new.c, i, led.seen) ELSE bury(L)[k]], "sync")
       /\ next(to) /\ carried' = carried \cup {r.w} /\ UNCHANGED kept
  ELSE nothing /\ next(L) /\ kept' = kept \cup {r.w} /\ UNCHANGED carried

Forward ==
  /\ ~ByGuarded /\ own.at < Len(olog)
  /\ LET i == own.at + 1  r == olog[i] IN
     /\ own' = [own EXCEPT !.at = i, !.to = i]
     /\ IF i <= led.done THEN UNCHANGED <<v2, q, hist, led, kept, carried, wrong>>
        ELSE /\ wrong' = (wrong \/ OursOld(r) # (r.by = "sync"))
             /\ IF OursOld(r)
                THEN /\ led' = [led EXCEPT !.done = i, !.seen = Max(@, r.new.n)]
                     /\ UNCHANGED <<v2, q, hist, kept, carried>>
                ELSE Ledger(r, i)
  /\ UNCHANGED <<old, olog, step, ck, zom, obs, rep, left, over>>

----------------------------------------------------------------------------
(* Reverse *)

Genuine(st) == st.v # None /\ (BaseRule => st.b # None)
Known(r, k) == Max(led.vseen[k], IF Genuine(r.old.st) THEN r.old.st.v ELSE None)
OursV2(r, k) == Genuine(r.new.st) /\ r.new.st # r.old.st /\ r.new.st.v > Known(r, k)
SaysNothing(r) == ~Live(r.old) /\ ~Live(r.new)
Drop(k) == q' = [q EXCEPT ![k] = Tail(@)]

Observe(k) ==
  /\ ~Carries /\ q[k] # <<>> /\ Drop(k)
  /\ LET r == Head(q[k]) IN
     led' = IF Notes /\ ~ByGuarded /\ ~SaysNothing(r) /\ OursV2(r, k)
            THEN [led EXCEPT !.vseen[k] = r.new.st.v] ELSE led
  /\ UNCHANGED <<old, olog, v2, hist, step, own, ck, zom, obs, rep, left, over, kept, carried, wrong>>

\* a superseded observer: it goes on reading, and its position is saved
ObserverTakeOver ==
  /\ left.o > 0 /\ ~Carries /\ ~obs /\ obs' = TRUE /\ left' = [left EXCEPT !.o = @ - 1]
  /\ UNCHANGED <<old, olog, v2, q, hist, step, own, ck, zom, rep, led, over, kept, carried, wrong>>
ObserverStep ==
  /\ obs
  /\ \/ obs' = FALSE /\ UNCHANGED q
     \/ UNCHANGED obs /\ \E k \in Keys : q[k] # <<>> /\ Head(q[k]).by = "app" /\ Drop(k)
  /\ UNCHANGED <<old, olog, v2, hist, step, own, ck, zom, rep, led, left, over, kept, carried, wrong>>

Reverse(k) ==
  /\ Carries /\ q[k] # <<>> /\ Drop(k)
  /\ LET r == Head(q[k])
         ours == OursV2(r, k)
         K == {k} \cup led.keys \cup (IF Live(old) THEN {old.k} ELSE {})
         L == {x \in K : Live(v2[x])}
         one == CHOOSE x \in L : TRUE
         carry == ours /\ led.put > r.new.st.b
         n == led.put + 1
         seen == [led EXCEPT !.vseen[k] = IF ours THEN r.new.st.v ELSE Known(r, k), !.keys = L]
     IN
     IF SaysNothing(r) THEN UNCHANGED <<old, olog, led, wrong>>
     ELSE
     /\ wrong' = (wrong \/ ours # (r.by # "app"))
     /\ IF Cardinality(L) > 1 THEN led' = [seen EXCEPT !.held = TRUE] /\ UNCHANGED <<old, olog>>
        ELSE IF ours /\ ~carry /\ ~led.held THEN led' = seen /\ UNCHANGED <<old, olog>>
        ELSE /\ led' = [seen EXCEPT !.put = n, !.held = FALSE]
             /\ WriteOld(IF L = {} THEN O("tomb", old.k, None, n) ELSE O("live", one, v2[one].c, n), "sync", 0)
  /\ UNCHANGED <<v2, hist, step, own, ck, zom, obs, rep, left, over, kept, carried>>

----------------------------------------------------------------------------
(* Tombstones *)

PurgeV2 ==
  /\ \E k \in Keys :
       /\ v2[k].x = "tomb"
       /\ (IF KeepTombs THEN ~Carries ELSE ByGuarded) => v2[k].st.v <= ck /\ zom = Idle /\ rep = NoRep
       /\ WriteV2([v2 EXCEPT ![k] = Gone], "purge")
  /\ UNCHANGED <<old, olog, step, own, ck, zom, obs, rep, led, left, over, kept, carried, wrong>>
PurgeOld ==
  /\ old.x = "tomb" /\ WriteOld(O("none", old.k, None, 0), "sync", 0)
  /\ UNCHANGED <<v2, q, hist, step, own, ck, zom, obs, rep, led, left, over, kept, carried, wrong>>

Next == \/ AppOld \/ AppV2 \/ OwnTake \/ OwnWrite \/ Checkpoint \/ TakeOver \/ ZombieStep
        \/ RepairRead \/ RepairWrite \/ Steps \/ Forward \/ ObserverTakeOver \/ ObserverStep
        \/ \E k \in Keys : Observe(k) \/ Reverse(k)
        \/ PurgeV2 \/ PurgeOld
Spec == Init /\ [][Next]_vars

----------------------------------------------------------------------------
Lag0 == /\ step = "dual" /\ CaughtUp /\ zom = Idle /\ ~obs /\ rep = NoRep
        /\ \A k \in Keys : q[k] = <<>> /\ v2[k].x # "tomb"
        /\ old.x # "tomb"
Alive == {k \in Keys : Live(v2[k])}

\* quiet: v2 holds exactly forward(old), or two live keys, which are held
Converged == Lag0 =>
  IF Cardinality(Alive) > 1 THEN led.held
  ELSE ~led.held /\ (Alive = {} <=> ~Live(old)) /\ \A k \in Alive : old.k = k /\ old.c = v2[k].c

There(c) == \E k \in Alive : v2[k].c = c
Unique == "back" \notin Ops
NoLostWrite == (Lag0 /\ Unique) => \A w \in 1..Len(over) :
  \/ over[w].side = "old" /\ w \in kept
  \/ IF over[w].del THEN ~There(over[w].was)
     ELSE There(w) \/ \E u \in 1..Len(over) : over[u].was = w
\* the conflict log holds only writes that v2 never had, and only where the application has written v2
LogIsTrue == /\ kept \cap carried = {}
             /\ left.v2 = V2Writes => kept = {}
RightAuthor == ~wrong
\* two live keys in `dual` are the application's doing
OneKey == (step = "dual" /\ left.v2 = V2Writes) => Cardinality(Alive) <= 1
=============================================================================
