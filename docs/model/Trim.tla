-------------------------------- MODULE Trim --------------------------------
(* In `dual` this has the PREVIOUS rule, of whole items; the rule of today is in Delta.tla.

   Trimming the ledger, for ONE old item with two possible v2 keys under the ledger rule.

   Modelled: entries made where there is none, with put = seen = 0 of the epoch that the
   lane acts by; the bump of the epoch; lanes that change their epoch right after a
   checkpoint and acknowledge; an entry marked when all records of its item are read and
   checkpointed, and dropped later if it has not changed since; application writes at any
   time in between and after, on both sides: put, update, delete, and writes that bring
   an earlier stamp of their side back; replay after a crash; superseded owners of either
   lane, which keep the epoch they had and act on any record past the checkpoint that they
   had; two live keys.
   Rule constants are TRUE in the protocol as designed; FALSE is a seeded bug.

   Left out: merge (an image has one content), repair and quarantine (Redrive.tla), the
   first move into dual (Enter.tla), the reading and the write of a reverse step apart
   (MoveRead).
   A count is 10 * epoch + number; 0: no stamp. A stamp on v2 is version and base, -1: none.

   Run: make model MODEL=Trim *)
EXTENDS Integers, Sequences, FiniteSets

CONSTANTS
  OldWrites, V2Writes,
  Ops,           \* of the application: "put","upd","del","stamp" (fresh content, earlier stamp)
  Trims, Crashes,
  Zombies,       \* takeovers that leave a superseded owner behind
  (* rules *)
  Epochs,        \* counts of a new entry begin above those of earlier epochs
  AckFirst,      \* both lanes have acknowledged the epoch before an entry is dropped
  AllRead,       \* ... and every record of the item was read and checkpointed
  Unchanged,     \* ... and the entry is as it was then
  Horizon,       \* ... and no superseded owner is left
  AtHome         \* ... and the entry is not held, and its keys are that of the old item

Keys == {1, 2}
None == -1
NoStamp == [v |-> None, b |-> None]
O(x, k, c, n) == [x |-> x, k |-> k, c |-> c, n |-> n]
V(x, c, v, b) == [x |-> x, c |-> c, st |-> [v |-> v, b |-> b]]
Gone == V("none", None, None, None)
Live(i) == i.x = "live"
KeyOf(i) == IF Live(i) THEN {i.k} ELSE {}
New(e) == [x |-> TRUE, epoch |-> IF Epochs THEN e ELSE 0, done |-> 0, seen |-> IF Epochs THEN 10 * e ELSE 0,
           put |-> IF Epochs THEN 10 * e ELSE 0, vdone |-> [k \in Keys |-> 0], vseen |-> [k \in Keys |-> None],
           keys |-> {}, held |-> FALSE]
NoOwner == [e |-> 0, at |-> [k \in Keys |-> 0]]
Nothing == [New(0) EXCEPT !.x = FALSE]

VARIABLES
  old, olog, pos, ck,    \* old item; its stream: [old, new, by, w]; read by forward; checkpointed
  v2, vlog, vpos,        \* v2 key -> image; stream: [old, new, by]; read by reverse (and checkpointed)
  hist, ohist,           \* stamps that live images have had: by v2 key; on old
  led, mark,             \* the entry; as it was when it was marked (Nothing: it is not)
  ep, fe, re,            \* the epoch; those by which forward and reverse act
  zf, zr,                \* superseded owners: the epoch they act by (0: none), and the checkpoint when they lost the shard
  left, over, kept, carried, wrong
vars == <<old, olog, pos, ck, v2, vlog, vpos, hist, ohist, led, mark, ep, fe, re, zf, zr, left, over, kept, carried, wrong>>
tables == <<old, olog, v2, vlog, hist, ohist>>
trim == <<mark, ep, fe, re, zf, zr, left>>

Init ==
  /\ old = O("live", 1, 0, 0) /\ olog = <<>> /\ pos = 0 /\ ck = 0
  /\ v2 = [k \in Keys |-> IF k = 1 THEN V("live", 0, 0, None) ELSE Gone]
  /\ vlog = [k \in Keys |-> <<>>] /\ vpos = [k \in Keys |-> 0]
  /\ hist = [k \in Keys |-> {}] /\ ohist = {}
  /\ led = Nothing /\ mark = Nothing /\ ep = 1 /\ fe = 1 /\ re = 1 /\ zf = NoOwner /\ zr = NoOwner
  /\ left = [old |-> OldWrites, v2 |-> V2Writes, t |-> Trims, c |-> Crashes, z |-> Zombies]
  /\ over = <<>> /\ kept = {} /\ carried = {} /\ wrong = FALSE

WriteV2(nt, by) ==
  /\ v2' = nt
  /\ vlog' = [k \in Keys |-> IF nt[k] # v2[k] THEN Append(vlog[k], [old |-> v2[k], new |-> nt[k], by |-> by]) ELSE vlog[k]]
  /\ hist' = IF "stamp" \in Ops THEN [k \in Keys |-> IF Live(nt[k]) /\ nt[k].st # NoStamp THEN hist[k] \cup {nt[k].st} ELSE hist[k]]
             ELSE hist
WriteOld(img, by, w) ==
  IF img = old THEN UNCHANGED <<old, olog, ohist>>
  ELSE /\ old' = img /\ olog' = Append(olog, [old |-> old, new |-> img, by |-> by, w |-> w])
       /\ ohist' = IF "stamp" \in Ops /\ Live(img) /\ img.n > 0 THEN ohist \cup {img.n} ELSE ohist

----------------------------------------------------------------------------
(* The application *)

W == Len(over) + 1
Ghost(side, del, was) == over' = Append(over, [side |-> side, del |-> del, was |-> was])
AppOld ==
  /\ left.old > 0 /\ left' = [left EXCEPT !.old = @ - 1]
  /\ \E img \in {O("live", k, W, 0) : k \in Keys}
             \cup (IF "upd" \in Ops /\ Live(old) THEN {[old EXCEPT !.c = W]} ELSE {})
             \cup (IF "del" \in Ops /\ Live(old) THEN {O("none", old.k, None, 0)} ELSE {})
             \cup (IF "stamp" \in Ops THEN {O("live", old.k, W, n) : n \in ohist} ELSE {}) :
       /\ WriteOld(img, "app", W) /\ Ghost("old", ~Live(img), IF Live(old) THEN old.c ELSE None)
  /\ UNCHANGED <<pos, ck, v2, vlog, vpos, hist, led, mark, ep, fe, re, zf, zr, kept, carried, wrong>>
AppV2 ==
  /\ left.v2 > 0 /\ left' = [left EXCEPT !.v2 = @ - 1]
  /\ \E k \in Keys :
     \E img \in {V("live", W, None, None)}
             \cup (IF "upd" \in Ops /\ Live(v2[k]) THEN {[v2[k] EXCEPT !.c = W]} ELSE {})
             \cup (IF "del" \in Ops /\ Live(v2[k]) THEN {Gone} ELSE {})
             \cup (IF "stamp" \in Ops THEN {V("live", W, s.v, s.b) : s \in hist[k]} ELSE {}) :
       /\ WriteV2([v2 EXCEPT ![k] = img], "app")
       /\ Ghost("v2", ~Live(img), IF Live(v2[k]) THEN v2[k].c ELSE None)
  /\ UNCHANGED <<old, olog, ohist, pos, ck, vpos, led, mark, ep, fe, re, zf, zr, kept, carried, wrong>>

----------------------------------------------------------------------------
(* Forward; e: the epoch that the actor acts by *)

Max(a, b) == IF a > b THEN a ELSE b
Entry(e) == IF led.x THEN led ELSE New(e)
OursOld(r, n) == \/ r.old.x = "tomb" /\ r.new.x = "none"
                 \/ r.new.n > 0 /\ r.new.n # r.old.n /\ r.new.n > Max(n.seen, r.old.n)
SameOld(now, k, i) == Live(now) = Live(i) /\ (Live(now) => now.c = i.c /\ k = i.k)

ApplyForward(i, e) ==
  LET r    == olog[i]
      n    == Entry(e)
      K    == n.keys \cup KeyOf(r.old) \cup KeyOf(r.new)
      L    == {k \in K : Live(v2[k])}
      one  == IF L = {} THEN 0 ELSE CHOOSE k \in L : TRUE
      now  == IF L = {} THEN Gone ELSE v2[one]
      to   == KeyOf(r.new)
      next == [n EXCEPT !.done = i]
      log  == kept' = kept \cup {r.w} /\ UNCHANGED <<v2, vlog, hist, carried>>
  IN
  IF i <= n.done THEN UNCHANGED <<v2, vlog, hist, led, kept, carried, wrong>>
  ELSE
  /\ wrong' = (wrong \/ OursOld(r, n) # (r.by = "sync"))
  /\ IF OursOld(r, n)
     THEN led' = [next EXCEPT !.seen = Max(@, r.new.n)] /\ UNCHANGED <<v2, vlog, hist, kept, carried>>
     ELSE IF Cardinality(L) > 1 THEN led' = [next EXCEPT !.keys = L, !.held = TRUE] /\ log
     ELSE IF SameOld(now, one, r.new)
     THEN led' = [next EXCEPT !.keys = L] /\ UNCHANGED <<v2, vlog, hist, kept, carried>>
     ELSE IF SameOld(now, one, r.old)
     THEN /\ WriteV2([k \in Keys |-> IF k \in to THEN V("live", r.new.c, i, n.seen)
                                     ELSE IF k \in L THEN V("tomb", None, i, n.seen) ELSE v2[k]], "sync")
          /\ led' = [next EXCEPT !.keys = to] /\ carried' = carried \cup {r.w} /\ UNCHANGED kept
     ELSE led' = [next EXCEPT !.keys = L] /\ log

Forward ==
  /\ pos < Len(olog) /\ pos' = pos + 1 /\ ApplyForward(pos + 1, fe)
  /\ UNCHANGED <<old, olog, ohist, ck, vpos, over>> /\ UNCHANGED trim
Checkpoint ==
  /\ ck < pos /\ ck' = pos
  /\ UNCHANGED <<pos, vpos, led, over, kept, carried, wrong>> /\ UNCHANGED tables /\ UNCHANGED trim
Crash ==
  /\ left.c > 0 /\ ck < pos /\ pos' = ck /\ left' = [left EXCEPT !.c = @ - 1]
  /\ UNCHANGED <<ck, vpos, led, mark, ep, fe, re, zf, zr, over, kept, carried, wrong>> /\ UNCHANGED tables

----------------------------------------------------------------------------
(* Reverse *)

Genuine(st, n) == st.v # None /\ st.b # None /\ st.b >= (IF Epochs THEN 10 * n.epoch ELSE 0)
SaysNothing(r) == ~Live(r.old) /\ ~Live(r.new)

ApplyReverse(k, i, e) ==
  LET r == vlog[k][i]
      n == Entry(e)
      known == Max(n.vseen[k], IF Genuine(r.old.st, n) THEN r.old.st.v ELSE None)
      ours == Genuine(r.new.st, n) /\ r.new.st # r.old.st /\ r.new.st.v > known
      K == {k} \cup n.keys \cup KeyOf(old)
      L == {x \in K : Live(v2[x])}
      one == CHOOSE x \in L : TRUE
      next == [n EXCEPT !.vdone[k] = i, !.vseen[k] = IF ours THEN r.new.st.v ELSE known, !.keys = L]
  IN
  IF SaysNothing(r) \/ i <= n.vdone[k] THEN UNCHANGED <<old, olog, ohist, led, wrong>>
  ELSE
  /\ wrong' = (wrong \/ ours # (r.by = "sync"))
  /\ IF Cardinality(L) > 1 THEN led' = [next EXCEPT !.held = TRUE] /\ UNCHANGED <<old, olog, ohist>>
     ELSE IF ours /\ n.put <= r.new.st.b /\ ~n.held THEN led' = next /\ UNCHANGED <<old, olog, ohist>>
     ELSE /\ led' = [next EXCEPT !.put = @ + 1, !.held = FALSE]
          /\ WriteOld(IF L = {} THEN O("tomb", old.k, None, n.put + 1) ELSE O("live", one, v2[one].c, n.put + 1), "sync", 0)

Reverse(k) ==
  /\ vpos[k] < Len(vlog[k]) /\ vpos' = [vpos EXCEPT ![k] = @ + 1] /\ ApplyReverse(k, vpos[k] + 1, re)
  /\ UNCHANGED <<v2, vlog, hist, pos, ck, over, kept, carried>> /\ UNCHANGED trim

----------------------------------------------------------------------------
(* Superseded owners *)

TakeOver ==
  /\ left.z > 0 /\ left' = [left EXCEPT !.z = @ - 1]
  /\ \/ zf = NoOwner /\ zf' = [e |-> fe, at |-> [k \in Keys |-> ck]] /\ pos' = ck /\ UNCHANGED zr
     \/ zr = NoOwner /\ zr' = [e |-> re, at |-> vpos] /\ UNCHANGED <<pos, zf>>
  /\ UNCHANGED <<ck, vpos, led, mark, ep, fe, re, over, kept, carried, wrong>> /\ UNCHANGED tables
ZombieStep ==
  /\ \/ /\ zf # NoOwner /\ UNCHANGED <<old, olog, ohist>>
        /\ \E i \in zf.at[1] + 1..Len(olog) : i <= Max(led.done, pos) + 1 /\ ApplyForward(i, zf.e)
     \/ /\ zr # NoOwner /\ UNCHANGED <<v2, vlog, hist, kept, carried>>
        /\ \E k \in Keys : \E i \in zr.at[k] + 1..Len(vlog[k]) : i <= vpos[k] + 1 /\ ApplyReverse(k, i, zr.e)
  /\ UNCHANGED <<pos, ck, vpos, over>> /\ UNCHANGED trim
ZombieEnds ==
  /\ \/ zf # NoOwner /\ zf' = NoOwner /\ UNCHANGED zr
     \/ zr # NoOwner /\ zr' = NoOwner /\ UNCHANGED zf
  /\ UNCHANGED <<pos, ck, vpos, led, mark, ep, fe, re, left, over, kept, carried, wrong>> /\ UNCHANGED tables

----------------------------------------------------------------------------
(* Trimming *)

Bump ==
  /\ left.t > 0 /\ ep' = ep + 1 /\ mark = Nothing /\ left' = [left EXCEPT !.t = @ - 1]
  /\ UNCHANGED <<pos, ck, vpos, led, mark, fe, re, zf, zr, over, kept, carried, wrong>> /\ UNCHANGED tables
Ack ==
  /\ \/ fe # ep /\ pos = ck /\ fe' = ep /\ UNCHANGED re
     \/ re # ep /\ re' = ep /\ UNCHANGED fe
  /\ UNCHANGED <<pos, ck, vpos, led, mark, ep, zf, zr, left, over, kept, carried, wrong>> /\ UNCHANGED tables
Mark ==
  /\ ep > 1 /\ led.x /\ led.epoch < ep /\ mark # led
  /\ AllRead => pos = Len(olog) /\ ck = pos /\ \A k \in Keys : vpos[k] = Len(vlog[k])
  /\ AtHome => ~led.held /\ led.keys = KeyOf(old)
  /\ mark' = led
  /\ UNCHANGED <<pos, ck, vpos, led, ep, fe, re, zf, zr, left, over, kept, carried, wrong>> /\ UNCHANGED tables
Drop ==
  /\ mark # Nothing /\ mark' = Nothing
  /\ AckFirst => fe = ep /\ re = ep
  /\ Horizon => zf = NoOwner /\ zr = NoOwner
  /\ led' = IF led = mark \/ ~Unchanged THEN Nothing ELSE led
  /\ UNCHANGED <<pos, ck, vpos, ep, fe, re, zf, zr, left, over, kept, carried, wrong>> /\ UNCHANGED tables

----------------------------------------------------------------------------
PurgeV2 ==
  /\ \E k \in Keys : v2[k].x = "tomb" /\ WriteV2([v2 EXCEPT ![k] = Gone], "sync")
  /\ UNCHANGED <<old, olog, ohist, pos, ck, vpos, led, over, kept, carried, wrong>> /\ UNCHANGED trim
PurgeOld ==
  /\ old.x = "tomb" /\ WriteOld(O("none", old.k, None, 0), "sync", 0)
  /\ UNCHANGED <<v2, vlog, hist, pos, ck, vpos, led, over, kept, carried, wrong>> /\ UNCHANGED trim

Next == \/ AppOld \/ AppV2 \/ Forward \/ Checkpoint \/ Crash \/ TakeOver \/ ZombieStep \/ ZombieEnds
        \/ Bump \/ Ack \/ Mark \/ Drop \/ PurgeV2 \/ PurgeOld \/ \E k \in Keys : Reverse(k)
Spec == Init /\ [][Next]_vars

----------------------------------------------------------------------------
Lag0 == /\ pos = Len(olog) /\ zf = NoOwner /\ zr = NoOwner /\ old.x # "tomb"
        /\ \A k \in Keys : vpos[k] = Len(vlog[k]) /\ v2[k].x # "tomb"
Alive == {k \in Keys : Live(v2[k])}
Converged == Lag0 =>
  IF Cardinality(Alive) > 1 THEN led.held
  ELSE ~led.held /\ (Alive = {} <=> ~Live(old)) /\ \A k \in Alive : old.k = k /\ old.c = v2[k].c
There(c) == \E k \in Alive : v2[k].c = c
NoLostWrite == Lag0 => \A w \in 1..Len(over) :
  \/ over[w].side = "old" /\ w \in kept
  \/ IF over[w].del THEN ~There(over[w].was)
     ELSE There(w) \/ \E u \in 1..Len(over) : over[u].was = w
LogIsTrue == kept \cap carried = {}
RightAuthor == ~wrong
=============================================================================
