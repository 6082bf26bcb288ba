-------------------------------- MODULE Move --------------------------------
(* Key moves under the ledger rule (`dual`), for ONE old item with two possible v2
   keys 1 and 2, which lie in different shards. Field c decides the key (created_at:
   <<key, value>>), field a is content. Both applications write: the old one puts,
   updates c or a, deletes; the v2 one puts, updates, deletes at either key, so a move
   there is two writes in either order. Streams: one of the old item (0), one of each v2
   key (1, 2), read in any interleaving; sequence numbers of 1 and 2 are not compared.

   Rules as found: forward is one transaction over all known keys; reverse takes a
   record of any key as a hint and writes the inverse of what v2 holds NOW at all known
   keys; the stamp on old is a count of reverse writes kept in the item's ledger, not a
   sequence number; `seen` for v2 is per key; the ledger lists the live keys; two live
   known keys hold reverse (quarantine) until a record finds one, which then is written.
   Rule constants are as designed in Move.cfg; another value is a seeded bug or an
   alternative (SeenPerKey, HoldWrites, KeysByState, CarryBase, ReadFirst: see README).

   Left out: mapping and residue, more than two keys, other phases, conditional updates
   of absent items (upsert), repair, refused transactions, an operator other than one
   who deletes one of two live v2 keys (the same as an application's delete), forward
   acting on a stale list of keys (Know = "pair" is the extreme of that: refuted).
   ReadFirst: reverse reads, and commits later if the ledger has not changed; the read
   of all keys is one atomic step (TransactGetItems).
   Ghosts take "absent" as one value, as Dual.tla does.
   A finished run has no next step, so deadlock checking is off in the .cfg files.

   Run: make model MODEL=Move *)
EXTENDS Integers, Sequences, FiniteSets

CONSTANTS
  OldWrites, V2Writes,   \* how many application writes each side gets
  Ops,                   \* subset of {"put","upd","del","back"}
  Unique,                \* TRUE: every write has its own value; FALSE: values 0,1
  Replays,               \* how many replays of processed records
  StartLive,             \* TRUE: the item exists on both sides (at k1) at the start
  (* rules *)
  ReadState,             \* reverse writes what v2 holds now (FALSE: the record's image)
  Counter,               \* stamp on old = count of reverse writes of the old item
                         \*   (FALSE: sequence number of whichever v2 stream)
  SeenPerKey,            \* reverse keeps `seen` per v2 key (FALSE: one per old item)
  Know,                  \* which keys are looked at: "all", "led" (images + ledger), "pair"
  CarryBase,             \* TRUE: carry back by base; FALSE: always carry back
  Hold,                  \* two live keys: hold, and the next record that finds one writes
  HoldWrites,            \* ... the record that ends a hold writes old, whoever made it
  ReadFirst,             \* reverse reads v2, later commits on condition of the ledger alone
  OneTx,                 \* a move is one transaction (FALSE: put, later the tombstone)
  FwdKeys,               \* forward registers the key that it makes live
  KeysByState,           \* a key is forgotten when it is seen gone (FALSE: on a removal record)
  ForwardMoves           \* FALSE: fail-safe: an old change that moves the key goes to the log

O == 0                                     \* streams and tables: 0 = old, 1, 2 = v2 keys
KS == {1, 2}
S == {0, 1, 2}
NoStamp == [v |-> 0]
Fields  == {"c", "a"}

VARIABLES
  tbl, log, seq, pos, done, seen,
  put,      \* reverse ledger of the old item: number of its last write to old
  held,     \* reverse ledger of the old item: two live keys were found (quarantine)
  keys,     \* ledger of the old item, both directions: v2 keys live when last looked at
  pend,     \* forward, if ~OneTx: tombstone still to be written
  left, replays, wid,
  over, kept, dup, wrong, syncs,
  buf,      \* reverse, if ReadFirst: what each stream's worker has read
  dbl       \* ghost: who made two keys live: "no", "app", "sync", "race"

vars == <<tbl, log, seq, pos, done, seen, put, held, keys, pend, left, replays, wid,
          over, kept, dup, wrong, syncs, dbl, buf>>

\* c = <<key, value>>: the field that decides the key (created_at); g (ghost): who deleted it
Img(x, c, a, st, g) == [x |-> x, c |-> c, a |-> a, st |-> st, g |-> g]
Gone(k, g) == Img("none", <<k, 0>>, 0, NoStamp, g)
Live(i) == i.x = "live"
Same(i, j) == (Live(i) = Live(j)) /\ (Live(i) => (i.c = j.c /\ i.a = j.a))
Key(i) == i.c[1]
KeyOf(i) == IF Live(i) THEN {Key(i)} ELSE {}

Init ==
  /\ tbl = [s \in S |-> IF StartLive /\ s # 2 THEN Img("live", <<1, 0>>, 0, NoStamp, {})
                        ELSE Gone(IF s = 0 THEN 1 ELSE s, {})]
  /\ log = [s \in S |-> <<>>]
  /\ seq = [s \in S |-> 0] /\ pos = [s \in S |-> 0]
  /\ done = [s \in S |-> 0] /\ seen = [s \in S |-> 0]
  /\ put = 0 /\ held = FALSE /\ keys = (IF StartLive THEN {1} ELSE {}) /\ pend = <<>>
  /\ left = [old |-> OldWrites, v2 |-> V2Writes]
  /\ replays = Replays
  /\ wid = 0 /\ over = <<>> /\ kept = {} /\ dup = {} /\ wrong = FALSE /\ syncs = 0
  /\ dbl = "no" /\ buf = [k \in KS |-> <<>>]

Trim(l, p, r) == IF r > 0 \/ "back" \in Ops THEN l ELSE SelectSeq(l, LAMBDA e : e.seq > p)
Rec(s, new, by, w) == [seq |-> seq[s] + 1, old |-> tbl[s], new |-> new, by |-> by, w |-> w]
Both(t) == Live(t[1]) /\ Live(t[2])
\* "race": sync made it while an application's write at the other key was still unread
Unread(k) == \E n \in 1..Len(log[k]) : log[k][n].seq > pos[k] /\ log[k][n].by = "app"
Dbl(t, by) == IF ~Both(t) THEN "no" ELSE IF Both(tbl) THEN dbl
              ELSE IF by = "sync" /\ \E k \in KS : Live(tbl[k]) /\ Unread(k) THEN "race" ELSE by

----------------------------------------------------------------------------
(* The application *)

Val(w) == IF Unique THEN {w} ELSE {0, 1}
CVal(w) == IF Unique THEN w ELSE 0
Side(s) == IF s = 0 THEN "old" ELSE "v2"
KeysOn(s) == IF s = 0 THEN KS ELSE {s}

AppImages(s, w) ==
  LET i == tbl[s] IN
     (IF "put" \in Ops
      THEN {Img("live", <<k, CVal(w)>>, x, NoStamp, {}) : k \in KeysOn(s), x \in Val(w)} ELSE {})
  \cup (IF "upd" \in Ops /\ Live(i)
        THEN {[i EXCEPT !.a = x] : x \in Val(w)}
        \cup (IF s = 0 \/ Unique THEN {[i EXCEPT !.c = <<k, CVal(w)>>, !.g = {}] : k \in KeysOn(s)} ELSE {})
        ELSE {})
  \cup (IF "del" \in Ops /\ Live(i)
        THEN {Gone(Key(i), IF Unique THEN {w} ELSE {})} ELSE {})
  \cup (IF "back" \in Ops
        THEN {log[s][k].new : k \in {k \in 1..Len(log[s]) : Live(log[s][k].new)}} ELSE {})

AppWrite(s) ==
  /\ left[Side(s)] > 0
  /\ \E new \in AppImages(s, wid + 1) :
       /\ new # tbl[s]
       /\ tbl' = [tbl EXCEPT ![s] = new]
       /\ log' = [log EXCEPT ![s] = Append(@, Rec(s, new, "app", wid + 1))]
       /\ over' = IF Unique
                  THEN Append(over, [side |-> Side(s), del |-> ~Live(new),
                         f |-> IF Live(new)
                               THEN (IF new.c[2] = wid + 1 THEN {"c"} ELSE {})
                                 \cup (IF new.a = wid + 1 THEN {"a"} ELSE {})
                               ELSE {},
                         \* which values this write saw and replaced
                         rc |-> IF Live(tbl[s]) /\ (~Live(new) \/ new.c # tbl[s].c)
                                THEN {tbl[s].c[2]} ELSE {},
                         ra |-> IF Live(tbl[s]) /\ (~Live(new) \/ new.a # tbl[s].a)
                                THEN {tbl[s].a} ELSE {},
                         rg |-> tbl[s].g \ new.g])
                  ELSE over
  /\ seq' = [seq EXCEPT ![s] = @ + 1]
  /\ left' = [left EXCEPT ![Side(s)] = @ - 1]
  /\ wid' = wid + 1
  /\ dbl' = Dbl(tbl', "app")
  /\ UNCHANGED <<pos, done, seen, put, held, keys, pend, replays, kept, dup, wrong, syncs>>

----------------------------------------------------------------------------
(* Sync writes *)

\* nt: the new contents; every table item that changes gets a record
PutAll(nt, lg) ==
  LET ch == {s \in S : nt[s] # tbl[s]} IN
  /\ tbl' = nt
  /\ log' = [s \in S |-> IF s \in ch THEN Append(lg[s], Rec(s, nt[s], "sync", 0)) ELSE lg[s]]
  /\ seq' = [s \in S |-> IF s \in ch THEN seq[s] + 1 ELSE seq[s]]
  /\ syncs' = syncs + Cardinality(ch)
  /\ dbl' = Dbl(nt, "sync")
NoPut(lg) == log' = lg /\ UNCHANGED <<tbl, seq, syncs, dbl>>

Ours(s, r) ==
  \/ r.old.x = "tomb" /\ r.new.x = "none"
  \/ /\ r.new.st # NoStamp /\ r.new.st # r.old.st
     /\ r.new.st.v > (IF s = O \/ SeenPerKey THEN seen[s]
                      ELSE IF seen[1] > seen[2] THEN seen[1] ELSE seen[2])

Differs(i, j) == {f \in Fields : i[f] # j[f]}
CanMerge(base, theirs, mine) ==
  /\ Live(base) /\ Live(theirs) /\ Live(mine)
  /\ \A f \in Differs(base, theirs) \cap Differs(base, mine) : theirs[f] = mine[f]
Merged(base, theirs, mine) ==
  [f \in Fields |-> IF f \in Differs(base, mine) THEN mine[f] ELSE theirs[f]]

----------------------------------------------------------------------------
(* Forward *)

ApplyForward(r, lg) ==
  LET K   == CASE Know = "all" -> KS
               [] Know = "led" -> KeyOf(r.old) \cup KeyOf(r.new) \cup keys
               [] Know = "pair" -> KeyOf(r.old) \cup KeyOf(r.new)
      L   == {k \in K : Live(tbl[k])}
      g   == UNION {tbl[k].g : k \in {k \in KS : ~Live(tbl[k])}}
      now == IF L = {} THEN Gone(1, g) ELSE tbl[CHOOSE k \in L : TRUE]
      st  == [v |-> r.seq, base |-> seen[O]]
      tgt(to) == [s \in S |->
        IF s \notin K THEN tbl[s]
        ELSE IF Live(to) /\ Key(to) = s THEN Img("live", to.c, to.a, st, {})
        ELSE IF Live(tbl[s]) THEN Img("tomb", <<s, 0>>, 0, st, IF Unique THEN {r.w} ELSE {})
        ELSE tbl[s]]
      Go(to) ==
        IF OneTx \/ ~Live(to) \/ L \subseteq {Key(to)}
        THEN PutAll(tgt(to), lg) /\ UNCHANGED pend
        ELSE /\ PutAll([tgt(to) EXCEPT ![3 - Key(to)] = tbl[3 - Key(to)]], lg)
             /\ pend' = <<3 - Key(to), tgt(to)[3 - Key(to)], tbl[3 - Key(to)]>>
      m   == Merged(r.old, now, r.new)
      mi  == Img("live", m.c, m.a, NoStamp, {})
      moves == Live(r.old) /\ Live(r.new) /\ Key(r.old) # Key(r.new)
      Dups == dup \cup (IF Live(now) THEN {} ELSE {<<r.w, u>> : u \in g})
                  \cup {<<r.w, 0>>}
  IN
  IF Cardinality(L) > 1 \/ (~ForwardMoves /\ moves /\ ~Same(now, r.new))
  THEN NoPut(lg) /\ kept' = kept \cup {r.w} /\ UNCHANGED <<dup, pend>>
  ELSE
  CASE Same(now, r.new) -> NoPut(lg) /\ dup' = Dups /\ UNCHANGED <<kept, pend>>
    [] ~Same(now, r.new) /\ Same(now, r.old) ->
         /\ Go(r.new) /\ UNCHANGED kept
         /\ dup' = dup \cup {<<u, 0>> : u \in g}      \* absent as in the base, which r saw
    [] ~Same(now, r.new) /\ ~Same(now, r.old) ->
         IF CanMerge(r.old, now, r.new)
         THEN IF Same(now, mi) THEN NoPut(lg) /\ dup' = Dups /\ UNCHANGED <<kept, pend>>
              ELSE Go(mi) /\ UNCHANGED kept /\ dup' = dup \cup {<<u, 0>> : u \in g}
         ELSE NoPut(lg) /\ kept' = kept \cup {r.w} /\ UNCHANGED <<dup, pend>>

(* second transaction of a move, if it is not one: conditional on the item being as read *)
Finish ==
  /\ pend # <<>>
  /\ pend' = <<>>
  /\ IF tbl[pend[1]] = pend[3] THEN PutAll([tbl EXCEPT ![pend[1]] = pend[2]], log)
     ELSE NoPut(log)
  /\ UNCHANGED <<pos, done, seen, put, held, keys, left, replays, wid, over, kept, dup, wrong>>

(* Reverse *)

ApplyReverse(k, r, lg, ours) ==
  LET V   == IF ReadFirst /\ buf[k] # <<>> THEN buf[k].tbl ELSE tbl
      nk  == IF Live(r.new) THEN keys \cup {k} ELSE keys \ {k}
      K   == IF Know = "all" THEN KS
             ELSE {k} \cup KeyOf(V[O]) \cup (IF KeysByState THEN keys ELSE nk)
      L   == {x \in K : Live(V[x])}
      g   == UNION {V[x].g : x \in {x \in KS : ~Live(V[x])}}
      carry == ours /\ r.new.st # NoStamp /\ r.new.x # "none"
                 /\ (~CarryBase \/ put > r.new.st.base)
      n   == IF Counter THEN put + 1 ELSE r.seq
      st  == [v |-> n, base |-> 0]
      gone == Img("tomb", <<Key(tbl[O]), 0>>, 0, st, g)
      to  == IF ReadState
             THEN (IF L = {} THEN gone ELSE LET x == V[CHOOSE x \in L : TRUE]
                                            IN Img("live", x.c, x.a, st, g))
             ELSE (IF Live(r.new) THEN Img("live", r.new.c, r.new.a, st, g) ELSE gone)
      skip == ~ReadState /\ ~Live(r.new) /\ Live(tbl[O]) /\ Key(tbl[O]) # k
  IN
  /\ keys' = IF KeysByState THEN L ELSE nk
  /\ IF Cardinality(L) > 1 /\ Hold
     THEN held' = TRUE /\ NoPut(lg) /\ UNCHANGED put
     ELSE /\ held' = FALSE
          /\ IF (~ours \/ carry \/ (held /\ ReadState /\ HoldWrites)) /\ ~skip
             THEN PutAll([tbl EXCEPT ![O] = to], lg) /\ put' = n
             ELSE NoPut(lg) /\ UNCHANGED put

Handle(s, r, lg) ==
  LET ours == Ours(s, r) IN
  IF r.seq <= done[s]
  THEN NoPut(lg) /\ UNCHANGED <<done, seen, put, held, keys, pend, kept, dup, wrong>>
  ELSE
    /\ wrong' = (wrong \/ (ours # (r.by = "sync")))
    /\ done' = [done EXCEPT ![s] = r.seq]
    /\ seen' = [seen EXCEPT ![s] = IF ours /\ r.new.st # NoStamp /\ r.new.st.v > @ THEN r.new.st.v ELSE @]
    /\ IF s = O
       THEN /\ UNCHANGED <<put, held>>
            /\ IF ours THEN NoPut(lg) /\ UNCHANGED <<kept, dup, pend>> ELSE ApplyForward(r, lg)
            /\ keys' = IF ~FwdKeys \/ ours THEN keys
                       ELSE {k \in KS : Live(tbl'[k]) /\ (Know = "all" \/ ~Live(tbl[k]) \/ k \in keys \cup KeyOf(r.old) \cup KeyOf(r.new))}
       ELSE UNCHANGED <<kept, dup, pend>> /\ ApplyReverse(s, r, lg, ours)

Process(s) ==
  /\ s = O => pend = <<>>
  /\ \E k \in 1..Len(log[s]) :
      LET r == log[s][k] IN
      /\ r.seq = pos[s] + 1
      /\ pos' = [pos EXCEPT ![s] = r.seq]
      /\ Handle(s, r, [log EXCEPT ![s] = Trim(@, r.seq, replays)])
      /\ UNCHANGED <<left, replays, wid, over>>

Replay(s) ==
  /\ replays > 0
  /\ replays' = replays - 1
  /\ \E k \in 1..Len(log[s]) :
       LET r == log[s][k] IN
       /\ r.seq <= pos[s]
       /\ Handle(s, r, [x \in S |-> Trim(log[x], pos[x], replays - 1)])
  /\ UNCHANGED <<pos, left, wid, over>>

Purge(s) ==
  /\ tbl[s].x = "tomb"
  /\ PutAll([tbl EXCEPT ![s] = Gone(Key(tbl[s]), tbl[s].g)], log)
  /\ UNCHANGED <<pos, done, seen, put, held, keys, pend, left, replays, wid, over, kept, dup, wrong>>

\* the read of a reverse worker; what it read holds only while the ledger is as it was
Ledger == <<put, held, keys, done[1], done[2]>>
Read(k) == /\ ReadFirst /\ buf[k] = <<>>
           /\ \E n \in 1..Len(log[k]) : log[k][n].seq = pos[k] + 1
           /\ buf' = [buf EXCEPT ![k] = [tbl |-> tbl, led |-> Ledger]]
           /\ UNCHANGED <<tbl, log, seq, pos, done, seen, put, held, keys, pend, left, replays, wid,
                          over, kept, dup, wrong, syncs, dbl>>
Drop(k) == /\ buf[k] # <<>> /\ buf[k].led # Ledger
           /\ buf' = [buf EXCEPT ![k] = <<>>]
           /\ UNCHANGED <<tbl, log, seq, pos, done, seen, put, held, keys, pend, left, replays, wid,
                          over, kept, dup, wrong, syncs, dbl>>
Commit(s) == IF s = O \/ ~ReadFirst THEN Process(s) /\ UNCHANGED buf
             ELSE /\ buf[s] # <<>> /\ buf[s].led = Ledger
                  /\ Process(s) /\ buf' = [buf EXCEPT ![s] = <<>>]

Next == \/ Finish /\ UNCHANGED buf
        \/ \E s \in S : \/ (AppWrite(s) \/ Purge(s) \/ Replay(s)) /\ UNCHANGED buf
                        \/ Commit(s)
        \/ \E k \in KS : Read(k) \/ Drop(k)
Spec == Init /\ [][Next]_vars
FairSpec == Spec /\ WF_vars(\E s \in S : Purge(s) /\ UNCHANGED buf) /\ WF_vars(Finish /\ UNCHANGED buf)
                 /\ WF_vars(Commit(0)) /\ WF_vars(Commit(1)) /\ WF_vars(Commit(2))

----------------------------------------------------------------------------
(* What must hold *)

Lag0 == /\ \A s \in S : pos[s] = seq[s] /\ tbl[s].x # "tomb"
        /\ pend = <<>>

\* quiet: v2 holds exactly forward(old), or two live keys and the item is in quarantine
Converged == Lag0 =>
  IF Both(tbl) THEN held
  ELSE /\ ~held
       /\ \A k \in KS : IF Live(tbl[O]) /\ Key(tbl[O]) = k THEN Same(tbl[k], tbl[O])
                        ELSE ~Live(tbl[k])
\* two live keys are the doing of the application, never of sync
DoubleByApp == dbl # "sync"

N == 1..Len(over)
There(w, f) == \E k \in KS : Live(tbl[k]) /\ (IF f = "c" THEN tbl[k].c[2] ELSE tbl[k].a) = w
Replaced(w, f) == \E u \in N : w \in (IF f = "c" THEN over[u].rc ELSE over[u].ra)
GoneStill(w) == \/ \E k \in KS : w \in tbl[k].g
                \/ \E u \in N : w \in over[u].rg
DelOk(w) == \/ GoneStill(w)
            \/ \E p \in dup : p[1] = w /\ p[2] = 0
            \/ \E p \in dup : p[1] = w /\ GoneStill(p[2])
            \/ \E p \in dup : p[2] = w /\ GoneStill(p[1])
Stands(w) == /\ \A f \in over[w].f : There(w, f) \/ Replaced(w, f)
             /\ over[w].del => DelOk(w)
NoLostWrite == (Lag0 /\ Unique) => \A w \in N : Stands(w) \/ (over[w].side = "old" /\ w \in kept)
V2Wins == (Lag0 /\ Unique) => \A w \in N : over[w].side = "v2" => Stands(w)
LogIsTrue == Unique => \A w \in kept \cap N :
  over[w].side = "old" /\ \A f \in over[w].f : ~There(w, f)
RightAuthor == ~wrong
\* an old change writes 2 v2 keys and a purge; each of the 2 is carried back, at most with a purge
NoLoop == syncs <= 7 * ((OldWrites - left.old) + (V2Writes - left.v2))
Settles == <>[]Lag0
=============================================================================
