------------------------------ MODULE EnterKeys ------------------------------
(* The first move into `dual` for ONE old item that may move between v2 keys, until the
   application may write v2. There v2 has only what tablesplit wrote, so an image has one
   content: whether fields or whole items are carried makes no difference. What follows
   with fields and with v2's application: Enter.tla, Places.tla.

   Modelled: guarded puts of a shard's owner, a batch coalesced to its last record, the
   new key first and the vacated keys after it; a superseded owner that goes on with the
   batch in its hands and may stop between two writes; saved positions and replay; the steps
   of the move in their order up to `observe`; forward by the ledger rule from `switch` on,
   with the rule for what the guarded rule has covered already; purges; application writes
   on old at any time: put, update, delete.
   Rule constants are TRUE in the protocol as designed; FALSE is a seeded bug.

   A stamp on v2: version v, and base b (FALSE: the guarded rule wrote it).

   Run: make model MODEL=EnterKeys *)
EXTENDS Integers, Sequences, FiniteSets

CONSTANTS
  Keys, OldWrites,
  Ops,           \* of the application: "put","upd","del"
  Zombies,       \* takeovers that leave a superseded owner behind
  Batch,         \* most records coalesced into one
  (* rules *)
  Horizon,       \* no superseded owner is left before the drain
  Drain,         \* forward is caught up under the ledger rule before `dual`
  Covered,       \* what the guarded rule has applied is not applied again
  FinishMove     \* ... and what a crash left of a move is buried

None == -1
O(x, k, c) == [x |-> x, k |-> k, c |-> c]
V(x, c, v, b) == [x |-> x, c |-> c, v |-> v, b |-> b]
Gone == V("none", None, None, FALSE)
Live(i) == i.x = "live"
Idle == [at |-> 0, to |-> 0, todo |-> {}]     \* a batch in hand: records at+1..to, keys to write

VARIABLES
  old, olog,        \* old item, its stream: [old, new]
  v2,               \* v2 key -> image
  step, own, ck, zom,
  done, keys,       \* the ledger entry: last record done, keys that are live
  left,
  kept              \* the conflict log
vars == <<old, olog, v2, step, own, ck, zom, done, keys, left, kept>>

Init ==
  /\ old = O("live", 1, 0) /\ olog = <<>>
  /\ v2 = [k \in Keys |-> IF k = 1 THEN V("live", 0, 0, FALSE) ELSE Gone]     \* the backfill's copy
  /\ step = "forward" /\ own = Idle /\ ck = 0 /\ zom = Idle /\ done = 0 /\ keys = {}
  /\ left = [old |-> OldWrites, z |-> Zombies] /\ kept = {}

ByGuarded == step \in {"forward", "settled"}
W == Len(olog) + 1
AppOld ==
  /\ left.old > 0 /\ left' = [left EXCEPT !.old = @ - 1]
  /\ \E img \in {O("live", k, W) : k \in Keys}
             \cup (IF "upd" \in Ops /\ Live(old) THEN {[old EXCEPT !.c = W]} ELSE {})
             \cup (IF "del" \in Ops /\ Live(old) THEN {O("none", old.k, None)} ELSE {}) :
       old' = img /\ olog' = Append(olog, [old |-> old, new |-> img])
  /\ UNCHANGED <<v2, step, own, ck, zom, done, keys, kept>>

----------------------------------------------------------------------------
(* forward by the guarded rule *)
Last(c) == olog[c.to].new
Vacated(c) == ({olog[i].old.k : i \in {i \in c.at + 1..c.to : Live(olog[i].old)}}
               \cup (IF Live(Last(c)) THEN {} ELSE {olog[c.to].old.k}))
              \ (IF Live(Last(c)) THEN {Last(c).k} ELSE {})
Taken(c, to) == LET n == [at |-> c.at, to |-> to, todo |-> {}]
                IN [n EXCEPT !.todo = Vacated(n) \cup (IF Live(Last(n)) THEN {Last(n).k} ELSE {})]
Batches(c) == {Taken(c, to) : to \in {t \in c.at + 1..Len(olog) : t - c.at <= Batch}}
NextKeys(c) == IF Live(Last(c)) /\ Last(c).k \in c.todo THEN {Last(c).k} ELSE c.todo
Guarded(c, k) ==
  LET img == IF Live(Last(c)) /\ Last(c).k = k THEN V("live", Last(c).c, c.to, FALSE) ELSE V("tomb", None, c.to, FALSE) IN
  v2' = IF v2[k].x = "none" \/ v2[k].v < c.to THEN [v2 EXCEPT ![k] = img] ELSE v2

OwnTake == /\ ByGuarded /\ own.to = own.at /\ own' \in Batches(own)
           /\ UNCHANGED <<old, olog, v2, step, ck, zom, done, keys, left, kept>>
OwnWrite ==
  /\ ByGuarded /\ own.to > own.at
  /\ IF own.todo = {} THEN own' = [own EXCEPT !.at = own.to] /\ UNCHANGED v2
     ELSE \E k \in NextKeys(own) : Guarded(own, k) /\ own' = [own EXCEPT !.todo = @ \ {k}]
  /\ UNCHANGED <<old, olog, step, ck, zom, done, keys, left, kept>>
Save ==
  /\ own.to = own.at /\ ck < own.at /\ ck' = own.at
  /\ UNCHANGED <<old, olog, v2, step, own, zom, done, keys, left, kept>>
\* a crash is a takeover whose superseded owner stops at once; under the ledger rule it is a replay
TakeOver ==
  /\ left.z > 0 /\ left' = [left EXCEPT !.z = @ - 1] /\ zom = Idle
  /\ zom' = (IF ByGuarded THEN own ELSE Idle) /\ own' = [at |-> ck, to |-> ck, todo |-> {}]
  /\ UNCHANGED <<old, olog, v2, step, ck, done, keys, kept>>
ZombieStep ==
  /\ zom # Idle
  /\ \/ /\ zom.to > zom.at
        /\ IF zom.todo = {} THEN zom' = [zom EXCEPT !.at = zom.to] /\ UNCHANGED v2
           ELSE \E k \in NextKeys(zom) : Guarded(zom, k) /\ zom' = [zom EXCEPT !.todo = @ \ {k}]
     \/ zom.to = zom.at /\ zom' \in Batches(zom) /\ UNCHANGED v2
     \/ zom' = Idle /\ UNCHANGED v2
  /\ UNCHANGED <<old, olog, step, own, ck, done, keys, left, kept>>

----------------------------------------------------------------------------
(* the steps of the move *)
To(from, cond, to) ==
  /\ step = from /\ cond /\ step' = to
  /\ UNCHANGED <<old, olog, v2, own, ck, zom, done, keys, left, kept>>
CaughtUp == own.at = Len(olog) /\ own.to = own.at
Steps == \/ To("forward", CaughtUp, "settled")
         \/ To("settled", own.to = own.at /\ own.at = ck, "entering")
         \/ To("entering", Horizon => zom = Idle, "drain")
         \/ To("drain", Drain => CaughtUp, "dual")

----------------------------------------------------------------------------
(* forward by the ledger rule *)
SameOld(now, k, i) == Live(now) = Live(i) /\ (Live(now) => now.c = i.c /\ k = i.k)
Ledger(r, i) ==
  LET K    == keys \cup (IF Live(r.old) THEN {r.old.k} ELSE {}) \cup (IF Live(r.new) THEN {r.new.k} ELSE {})
      L    == {k \in K : Live(v2[k])}
      cov  == {k \in K : ~v2[k].b /\ v2[k].v >= i}
      half == {k \in L \ cov : v2[k].v < i}
      one  == IF L = {} THEN 0 ELSE CHOOSE k \in L : TRUE
      now  == IF L = {} THEN Gone ELSE v2[one]
      bury(ks) == [k \in Keys |-> IF k \in ks THEN V("tomb", None, i, TRUE) ELSE v2[k]]
      to == IF Live(r.new) THEN {r.new.k} ELSE {}
      none == UNCHANGED <<v2, kept>> IN
  /\ done' = i
  /\ IF Covered /\ cov # {}
     THEN /\ v2' = (IF FinishMove THEN bury(half) ELSE v2)
          /\ keys' = (IF FinishMove THEN L \ half ELSE L) /\ UNCHANGED kept
     ELSE IF Cardinality(L) > 1 THEN keys' = L /\ kept' = kept \cup {i} /\ UNCHANGED v2
     ELSE IF SameOld(now, one, r.new) THEN none /\ keys' = L
     ELSE IF SameOld(now, one, r.old)
     THEN /\ v2' = [k \in Keys |-> IF k \in to THEN V("live", r.new.c, i, TRUE) ELSE bury(L)[k]]
          /\ keys' = to /\ UNCHANGED kept
     ELSE keys' = L /\ kept' = kept \cup {i} /\ UNCHANGED v2
Forward ==
  /\ ~ByGuarded /\ own.at < Len(olog)
  /\ LET i == own.at + 1 IN
     /\ own' = [own EXCEPT !.at = i, !.to = i]
     /\ IF i <= done THEN UNCHANGED <<v2, done, keys, kept>> ELSE Ledger(olog[i], i)
  /\ UNCHANGED <<old, olog, step, ck, zom, left>>

\* until reverse carries, a tombstone keeps its grace
Purge ==
  /\ \E k \in Keys : v2[k].x = "tomb" /\ v2[k].v <= ck /\ zom = Idle /\ v2' = [v2 EXCEPT ![k] = Gone]
  /\ UNCHANGED <<old, olog, step, own, ck, zom, done, keys, left, kept>>

Next == AppOld \/ OwnTake \/ OwnWrite \/ Save \/ TakeOver \/ ZombieStep \/ Steps \/ Forward \/ Purge
Spec == Init /\ [][Next]_vars

----------------------------------------------------------------------------
Alive == {k \in Keys : Live(v2[k])}
\* once quiet, v2 holds exactly forward(old)
Converged == (CaughtUp /\ zom = Idle) =>
  Alive = (IF Live(old) THEN {old.k} ELSE {}) /\ \A k \in Alive : old.c = v2[k].c
\* nothing is logged before the application has written v2
NothingLogged == kept = {}
\* when `dual` is entered the item lives at one key at most
OneKey == step = "dual" => Cardinality(Alive) <= 1
=============================================================================
