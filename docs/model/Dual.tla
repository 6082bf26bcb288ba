-------------------------------- MODULE Dual --------------------------------
(* The `dual` phase for ONE item: the application writes the old table, the v2
   table, or both at once; forward sync (F) carries old changes to v2, reverse
   sync (R) carries v2 changes to old. v2 wins a real conflict.

   Modelled: both tables, both streams with both images, application put /
   update of one field / delete / put-back of a whole earlier image (with the
   stamp it was read with), stamps, the who-made-this rule, three-way merge,
   conflict log, per-item ledgers, two-step deletes, replay of any record at any
   time (a crash before the checkpoint, or a second owner of the shard).
   The rule constants are TRUE in the protocol as designed; FALSE is a seeded bug
   (all of FwdLedger, CarryByBase, OursBySeen FALSE: the first draft).
   Left out: mapping and residue (content is the pair of fields a, b), key
   moves, quarantine, more than one item, other phases (Phases.tla).
   A finished run has no next step: what must hold there is checked as an invariant
   on quiescent states (Lag0), so deadlock checking is off in the .cfg files.

   Run: make model MODEL=Dual *)
EXTENDS Integers, Sequences, FiniteSets

CONSTANTS
  OldWrites, V2Writes,   \* how many application writes each side gets
  Ops,                   \* subset of {"put","upd","del","back"}
  Unique,                \* TRUE: every write has its own value; FALSE: values 0,1
  Replays,               \* how many replays of processed records
  StartLive,             \* TRUE: the item exists on both sides at the start
  (* rules *)
  FwdLedger,             \* forward is exactly-once by ledger too
  RevLedger,             \* reverse is exactly-once by ledger
  FwdCompare,            \* forward compares with the old image (else plain put)
  Merge,                 \* three-way merge before giving up
  CarryByBase,           \* reverse carries back by the base version in the stamp
                         \*   (FALSE: only a merge that differs from a plain copy)
  OursBySeen,            \* ours = a stamp version not seen before (FALSE: by hash)
  TombFirst              \* delete = tombstone, then purge (FALSE: one delete)

Old == "old"   V2 == "v2"   F == "F"   R == "R"
Src(d) == IF d = F THEN Old ELSE V2
Dst(d) == IF d = F THEN V2 ELSE Old

NoStamp == [v |-> 0]
Nil     == -1                              \* an attribute that is not there
Fields  == {"a", "b"}

VARIABLES
  tbl,      \* side -> image
  log,      \* side -> stream: sequence of [seq, old, new, by, w]
  seq,      \* side -> last sequence number given out
  pos,      \* direction -> sequence number of the last record processed
  led,      \* direction -> ledger entry: done, seen, put
  left,     \* side -> application writes left
  replays,  \* replays left
  wid,      \* ghost: last write id
  over,     \* ghost: write id -> side, fields written, fields replaced, what was there
  kept,     \* ghost: write ids in the conflict log
  dup,      \* ghost: <<w, f, u>>: write w of field f found its effect there, made by u
  wrong,    \* ghost: a record was attributed to the wrong author
  syncs     \* ghost: number of records made by sync

vars == <<tbl, log, seq, pos, led, left, replays, wid, over, kept, dup, wrong, syncs>>

Img(x, a, b, st) == [x |-> x, a |-> a, b |-> b, st |-> st]
Live(i) == i.x = "live"
\* contents compare without stamp; in a gone item a, b only remember (ghost) who deleted it
Same(i, j) == (Live(i) = Live(j)) /\ (Live(i) => (i.a = j.a /\ i.b = j.b))
Hash(i)  == IF Live(i) THEN <<i.a, i.b>> ELSE <<"gone">>

Init ==
  /\ LET i == IF StartLive THEN Img("live", 0, 0, NoStamp) ELSE Img("none", 0, 0, NoStamp)
     IN tbl = [s \in {Old, V2} |-> i]
  /\ log = [s \in {Old, V2} |-> <<>>]
  /\ seq = [s \in {Old, V2} |-> 0]
  /\ pos = [d \in {F, R} |-> 0]
  /\ led = [d \in {F, R} |-> [done |-> 0, seen |-> 0, put |-> 0]]
  /\ left = [s \in {Old, V2} |-> IF s = Old THEN OldWrites ELSE V2Writes]
  /\ replays = Replays
  /\ wid = 0 /\ over = <<>> /\ kept = {} /\ dup = {} /\ wrong = FALSE /\ syncs = 0

\* what the stream still has to hold: everything while somebody may replay or put back
Trim(s, l, p, r) ==
  IF r > 0 \/ "back" \in Ops THEN l ELSE SelectSeq(l, LAMBDA e : e.seq > p)

Rec(s, new, by, w) == [seq |-> seq[s] + 1, old |-> tbl[s], new |-> new, by |-> by, w |-> w]

----------------------------------------------------------------------------
(* The application *)

Val(w) == IF Unique THEN {w} ELSE {0, 1}

AppImages(s, w) ==
  LET i == tbl[s] IN
     (IF "put" \in Ops THEN {Img("live", x, y, NoStamp) : x \in Val(w), y \in Val(w)} ELSE {})
  \cup (IF "upd" \in Ops
        THEN {Img("live", x, IF Live(i) THEN i.b ELSE Nil, i.st) : x \in Val(w)}
        \cup {Img("live", IF Live(i) THEN i.a ELSE Nil, x, i.st) : x \in Val(w)}
        ELSE {})
  \cup (IF "del" \in Ops /\ Live(i)
        THEN {Img("none", IF Unique THEN w ELSE 0, IF Unique THEN w ELSE 0, NoStamp)} ELSE {})
  \cup (IF "back" \in Ops
        THEN {log[s][k].new : k \in {k \in 1..Len(log[s]) : Live(log[s][k].new)}} ELSE {})

AppWrite(s) ==
  /\ left[s] > 0
  /\ \E new \in AppImages(s, wid + 1) :
       /\ new # tbl[s]                       \* DynamoDB makes no record of a no-op
       /\ tbl' = [tbl EXCEPT ![s] = new]
       /\ log' = [log EXCEPT ![s] = Append(@, Rec(s, new, "app", wid + 1))]
       /\ over' = IF Unique
                  THEN Append(over, [side |-> s,
                         f |-> {f \in Fields : new[f] = wid + 1},
                         r |-> {f \in Fields : new[f] # tbl[s][f]},
                         was |-> [f \in Fields |-> tbl[s][f]]])
                  ELSE over
  /\ seq' = [seq EXCEPT ![s] = @ + 1]
  /\ left' = [left EXCEPT ![s] = @ - 1]
  /\ wid' = wid + 1
  /\ UNCHANGED <<pos, led, replays, kept, dup, wrong, syncs>>

----------------------------------------------------------------------------
(* Who made this change? *)

Ours(d, r) ==
  \/ r.old.x = "tomb" /\ r.new.x = "none"
  \/ /\ r.new.st # NoStamp /\ r.new.st # r.old.st
     /\ IF OursBySeen THEN r.new.st.v > led[d].seen
                      ELSE r.new.st.h = Hash(r.new)

----------------------------------------------------------------------------
(* One sync write: content of `to`, stamped; or a delete. The result as an image. *)

Stamp(v, base, h) == [v |-> v, base |-> base, h |-> h]

Written(to, st) ==
  IF Live(to) THEN Img("live", to.a, to.b, st)
  ELSE IF TombFirst THEN Img("tomb", to.a, to.b, st)
  ELSE Img("none", to.a, to.b, NoStamp)

\* put `img` on side s as record of sync; lg is log with whatever was trimmed
Put(s, img, lg) ==
  IF img = tbl[s] THEN /\ log' = lg /\ UNCHANGED <<tbl, seq, syncs>>
  ELSE /\ tbl' = [tbl EXCEPT ![s] = img]
       /\ log' = [lg EXCEPT ![s] = Append(@, Rec(s, img, "sync", 0))]
       /\ seq' = [seq EXCEPT ![s] = @ + 1]
       /\ syncs' = syncs + 1

NoPut(lg) == log' = lg /\ UNCHANGED <<tbl, seq, syncs>>

----------------------------------------------------------------------------
(* Forward: compare-and-set, three-way merge, v2 wins *)

Differs(i, j) == {f \in Fields : i[f] # j[f]}
CanMerge(base, theirs, mine) ==
  /\ Merge /\ Live(base) /\ Live(theirs) /\ Live(mine)
  /\ \A f \in Differs(base, theirs) \cap Differs(base, mine) : theirs[f] = mine[f]
Merged(base, theirs, mine) ==
  [f \in Fields |-> IF f \in Differs(base, mine) THEN mine[f] ELSE theirs[f]]

ApplyForward(r, lg) ==
  LET now == tbl[V2]
      m   == Merged(r.old, now, r.new)
      plain == Written(r.new, Stamp(r.seq, led[F].seen, Hash(r.new)))
      \* first draft: a merge keeps the hash of the plain copy, so that it looks foreign
      mrg == Written(Img("live", m.a, m.b, NoStamp),
                     Stamp(r.seq, led[F].seen, IF CarryByBase THEN <<m.a, m.b>> ELSE Hash(r.new)))
  IN
  CASE ~FwdCompare -> Put(V2, plain, lg) /\ UNCHANGED <<kept, dup>>
    [] FwdCompare /\ Same(now, r.new) ->
         NoPut(lg) /\ dup' = dup \cup {<<r.w, f, now[f]>> : f \in Fields} /\ UNCHANGED kept
    [] FwdCompare /\ ~Same(now, r.new) /\ Same(now, r.old) ->
         /\ Put(V2, plain, lg) /\ UNCHANGED kept
         \* absent is absent, whoever deleted it
         /\ dup' = IF Live(now) THEN dup ELSE dup \cup {<<r.old[f], f, now[f]>> : f \in Fields}
    [] FwdCompare /\ ~Same(now, r.new) /\ ~Same(now, r.old) ->
         IF CanMerge(r.old, now, r.new)
         THEN IF Same(now, Img("live", m.a, m.b, NoStamp))
              THEN NoPut(lg) /\ dup' = dup \cup {<<r.w, f, now[f]>> : f \in Fields} /\ UNCHANGED kept
              ELSE Put(V2, mrg, lg) /\ UNCHANGED <<kept, dup>>
         ELSE NoPut(lg) /\ kept' = kept \cup {r.w} /\ UNCHANGED dup

(* Reverse: put the inverse *)
ApplyReverse(r, lg) ==
  /\ Put(Old, Written(r.new, Stamp(r.seq, 0, Hash(r.new))), lg)
  /\ UNCHANGED <<kept, dup>>

Ledgered(d) == IF d = F THEN FwdLedger ELSE RevLedger

Handle(d, r, lg) ==
  LET ours  == Ours(d, r)
      carry == d = R /\ ours /\ r.new.st # NoStamp /\ CarryByBase /\ r.new.x # "none"
                 /\ led[R].put > r.new.st.base
  IN
  IF Ledgered(d) /\ r.seq <= led[d].done
  THEN NoPut(lg) /\ UNCHANGED <<led, kept, dup, wrong>>          \* refused by the ledger
  ELSE
    /\ wrong' = (wrong \/ (ours # (r.by = "sync")))
    /\ led' = [led EXCEPT ![d] =
         [done |-> IF r.seq > @.done THEN r.seq ELSE @.done,
          seen |-> IF ours /\ r.new.st # NoStamp /\ r.new.st.v > @.seen THEN r.new.st.v ELSE @.seen,
          put  |-> IF d = R /\ (~ours \/ carry) THEN r.seq ELSE @.put]]
    /\ IF ours /\ ~carry THEN NoPut(lg) /\ UNCHANGED <<kept, dup>>
       ELSE IF d = F THEN ApplyForward(r, lg) ELSE ApplyReverse(r, lg)

Process(d) ==
  \E k \in 1..Len(log[Src(d)]) :
    LET r == log[Src(d)][k] IN
    /\ r.seq = pos[d] + 1
    /\ pos' = [pos EXCEPT ![d] = r.seq]
    /\ Handle(d, r, [log EXCEPT ![Src(d)] = Trim(Src(d), @, r.seq, replays)])
    /\ UNCHANGED <<left, replays, wid, over>>

Replay(d) ==
  /\ replays > 0
  /\ replays' = replays - 1
  /\ \E k \in 1..Len(log[Src(d)]) :
       LET r == log[Src(d)][k] IN
       /\ r.seq <= pos[d]
       /\ Handle(d, r, [s \in {Old, V2} |->
             Trim(s, log[s], IF s = Old THEN pos[F] ELSE pos[R], replays - 1)])
  /\ UNCHANGED <<pos, left, wid, over>>

\* second half of a delete: remove the bare tombstone, on condition that it still is one
Purge(s) ==
  /\ tbl[s].x = "tomb"
  /\ Put(s, Img("none", tbl[s].a, tbl[s].b, NoStamp), log)
  /\ UNCHANGED <<pos, led, left, replays, wid, over, kept, dup, wrong>>

Next == \/ \E s \in {Old, V2} : AppWrite(s) \/ Purge(s)
        \/ \E d \in {F, R} : Process(d) \/ Replay(d)

Spec == Init /\ [][Next]_vars
FairSpec == Spec /\ WF_vars(\E s \in {Old, V2} : Purge(s))
                 /\ WF_vars(Process(F)) /\ WF_vars(Process(R))

----------------------------------------------------------------------------
(* What must hold *)

Lag0 == pos[F] = seq[Old] /\ pos[R] = seq[V2] /\ \A s \in {Old, V2} : tbl[s].x # "tomb"

Converged == Lag0 => Same(tbl[Old], tbl[V2])

\* every acknowledged write is in the final item, or an application write that saw it
\* replaced it, or its effect was there already, or (old side only) it is in the log
Replaced(w, f) == \E u \in 1..Len(over) : over[u].was[f] = w /\ f \in over[u].r
Survives(w, f) == \/ tbl[V2][f] = w \/ Replaced(w, f)
                  \/ \E p \in dup : p[1] = w /\ p[2] = f
                  \/ \E p \in dup : p[3] = w /\ p[2] = f /\ Replaced(p[1], f)
NoLostWrite == (Lag0 /\ Unique) =>
  \A w \in 1..Len(over) : \A f \in over[w].f :
     Survives(w, f) \/ (over[w].side = Old /\ w \in kept)
V2Wins == (Lag0 /\ Unique) =>
  \A w \in 1..Len(over) : over[w].side = V2 => \A f \in over[w].f : Survives(w, f)
\* nothing is both applied and logged as lost
LogIsTrue == Unique => \A w \in kept \cap 1..Len(over) :
  over[w].side = Old /\ \A f \in over[w].f : tbl[V2][f] # w

RightAuthor == ~wrong
NoLoop == syncs <= 4 * ((OldWrites - left[Old]) + (V2Writes - left[V2]))
Settles == <>[]Lag0
=============================================================================
