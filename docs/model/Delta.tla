------------------------------- MODULE Delta -------------------------------
(* The rule of `dual`: both directions carry only the FIELDS that a record of the
   application changed. ONE item that lives at one place on each side.

   Forward (F) reads old's stream and writes v2. Reverse (R) reads v2's stream and writes
   old. A record of the application goes through four steps:
     read    the target (R also v2 as it is now), and decide
     claim   the own half of the ledger entry notes the record, the fields it will put and
             the fields that are lost; with lost fields the conflict-log entry is written
             in the same transaction of two control items
     put     the target, on condition that it is exactly as read. Refused: read again
     finish  noted with the next write of that half (a later record of the same item
             proves that the claimed one was put)
   After a crash a record may be read again. A claim says that it may have been put: the
   target's stamp, the other half's `seen` and the target's stream say whether it was.

   A field in Counters has `merge: add`: between live images its difference is carried,
   both ways, exactly once, and is never a conflict. What is put on an absent item, and what
   R puts for a record that created or restored the item, is a VALUE. R notes separately
   which fields it put by value (`reset`): a difference of F that such a put covered
   up comes back to old as a difference.

   Constants below "rules" are as designed in Delta.cfg; another value switches a rule off
   (mutants/). Rule = "whole" is the rule that this one replaced.

   Left out: key moves (Places.tla), fields in quarantine, other phases, mapping, residue
   and groups (a group is one field), `merge: union` (an element is a field of its own) and
   the change token. The stamp's key hash: one item has one key.
   A finished run has no next step, so deadlock checking is off in the .cfg files.

   Run: make model MODEL=Delta *)
EXTENDS Integers, Sequences, FiniteSets

CONSTANTS
  OldWrites, V2Writes,   \* how many application writes each side gets
  Ops,                   \* subset of {"put","upd","inc","del","back"}; back: an earlier image, stamp and all
  Unique,                \* TRUE: every write has its own value; FALSE: values 0,1
  StartLive,             \* TRUE: the item exists on both sides at the start
  OwnFields,             \* TRUE: old writes only field a, v2 only field b
  Counters,              \* the fields with `merge: add`
  Page,                  \* how many records of the item are taken together at most
  Crashes,               \* how many workers die
  (* rules *)
  Rule,                  \* "fields", or "whole": reverse puts whole images, forward merges whole items
  PerField,              \* forward carries the fields that are not in conflict (FALSE: all or none)
  Compare,               \* forward takes a field only if v2 has what the record replaced
  ReverseValue,          \* reverse puts the record's value where v2 still has it ("still"); "now": v2's value
  BringBack,             \* of F's records reverse brings back the fields that crossed ("field");
                         \*   "item": all if any crossed, "never", "always"
  EqualIs,               \* both applications wrote one value: "conflict" or "agree"
  Restore,               \* a refused delete is answered on v2 by a record that restores old
  RememberRefused,       \* a create right after a refused delete is an update of what was deleted
  PutAsRead,             \* a put has the condition that the target is as read
  ClaimFirst,            \* a put is claimed before
  LogWithClaim,          \* the conflict-log entry is written with the claim (FALSE: after the put)
  SeenWhenDone,          \* the claim keeps the new `seen` apart until it is done
  Recovery,              \* what a claim found after a crash asks: "all"; "no-stream", "no-ledger", "stamp"
                         \*   (fewer of the three), "done", "never" (guesses)
  Fence,                 \* no put of a superseded owner arrives late
  SpanEndsAtDelete,      \* a delete is the last record of its span
  Apart,                 \* forward takes the records of a span one by one if v2 has a value of in between
  ResetsNoted            \* reverse notes which counters it put by value

Old == "old"   V2 == "v2"   F == "F"   R == "R"
Dir == {F, R}  Side == {Old, V2}
Src(d) == IF d = F THEN Old ELSE V2
Dst(d) == IF d = F THEN V2 ELSE Old
Opp(d) == IF d = F THEN R ELSE F

NoStamp == [v |-> 0]
Nil     == -1                       \* the attribute is absent
Fields  == {"a", "b"}
Max(x, y) == IF x > y THEN x ELSE y

VARIABLES
  tbl,      \* the item on each side: live, none, or tomb (a tombstone of ours)
  log,      \* the streams
  seq,      \* last sequence number in each stream
  pos,      \* position of each direction
  led,      \* the halves of the ledger entry
  mem,      \* what the worker of a direction has in memory
  late,     \* a put of a dead worker that may still arrive
  crashes, left,
  kept,     \* the conflict log: <<write, field>>
  \* ghosts, for the invariants only:
  wid,      \* number of the last application write
  over,     \* of every application write: what it changed, replaced and had SEEN
  dlv,      \* which writes of the other side have been delivered to a side
  dup,      \* effects that were found present
  wrong,    \* a record was attributed to the wrong side
  syncs,    \* how many writes we made
  brk       \* own-side writes that one of our writes took off, and may not

vars == <<tbl, log, seq, pos, led, mem, late, crashes, left, kept, wid, over, dlv, dup, wrong, syncs, brk>>

Img(x, a, b, st) == [x |-> x, a |-> a, b |-> b, st |-> st]
Live(i) == i.x = "live"
Same(i, j) == (Live(i) = Live(j)) /\ (Live(i) => (i.a = j.a /\ i.b = j.b))
Kind(i, j) == IF Live(i) THEN (IF Live(j) THEN "u" ELSE "d") ELSE IF Live(j) THEN "c" ELSE "n"
NoImg  == Img("-", 0, 0, NoStamp)
NoRec  == [from |-> 0, seq |-> 0, old |-> NoImg, new |-> NoImg, by |-> "-", w |-> 0, ws |-> {}, mid |-> {}]
Idle   == [st |-> "idle", r |-> NoRec, pre |-> NoImg, src |-> NoImg]
NoLate == [pre |-> NoImg, img |-> NoImg]
NoPut  == [f \in Fields |-> 0]

Init ==
  /\ LET i == IF StartLive THEN Img("live", 0, 0, NoStamp) ELSE Img("none", 0, 0, NoStamp)
     IN tbl = [s \in Side |-> i]
  /\ log = [s \in Side |-> <<>>]
  /\ seq = [s \in Side |-> 0]
  /\ pos = [d \in Dir |-> 0]
  /\ led = [d \in Dir |-> [done |-> 0, seen |-> 0, put |-> NoPut, reset |-> NoPut, rd |-> NoImg,
                           open |-> 0, oseen |-> 0, ofs |-> {}, ovs |-> {}, lost |-> {}, ord |-> NoImg]]
  /\ mem = [d \in Dir |-> Idle]
  /\ late = [d \in Dir |-> NoLate]
  /\ crashes = Crashes
  /\ left = [s \in Side |-> IF s = Old THEN OldWrites ELSE V2Writes]
  /\ kept = {} /\ wid = 0 /\ over = <<>> /\ dlv = [s \in Side |-> {}] /\ dup = {}
  /\ wrong = FALSE /\ syncs = 0 /\ brk = {}

\* records that nothing can read again are left out of the state
Keep == Crashes > 0 \/ "back" \in Ops
Trim(l, p) == IF Keep THEN l ELSE SelectSeq(l, LAMBDA e : e.seq > p)
Rec(s, new, by, w) == [seq |-> seq[s] + 1, old |-> tbl[s], new |-> new, by |-> by, w |-> w]

----------------------------------------------------------------------------
(* the application *)
Val(w)  == IF Unique THEN {w} ELSE {0, 1}
Step(w) == IF Unique THEN 4 ^ (w - 1) ELSE 1      \* every increment is a digit of its own
May(s, f) == (OwnFields => (s = Old) = (f = "a")) /\ f \notin Counters
Had(i, f) == IF Live(i) THEN i[f] ELSE IF f \in Counters THEN 0 ELSE Nil

AppImages(s, w) ==
  LET i == tbl[s] IN
     (IF "put" \in Ops THEN {Img("live", x, y, NoStamp) : x \in Val(w), y \in Val(w)} ELSE {})
  \cup (IF "upd" \in Ops
        THEN (IF May(s, "a") THEN {Img("live", x, Had(i, "b"), i.st) : x \in Val(w)} ELSE {})
        \cup (IF May(s, "b") THEN {Img("live", Had(i, "a"), x, i.st) : x \in Val(w)} ELSE {})
        ELSE {})
     \* read-modify-write; keeps the stamp, or drops it (a Put)
  \cup (IF "inc" \in Ops /\ (Live(i) \/ Counters # {})
        THEN (IF OwnFields => s = Old
              THEN {Img("live", (IF Live(i) THEN i.a ELSE 0) + Step(w), Had(i, "b"), z) : z \in {i.st, NoStamp}} ELSE {})
        \cup (IF OwnFields /\ s = V2 THEN {Img("live", i.a, i.b + 1, z) : z \in {i.st, NoStamp}} ELSE {})
        ELSE {})
  \cup (IF "del" \in Ops /\ Live(i)
        THEN {Img("none", IF Unique THEN w ELSE 0, IF Unique THEN w ELSE 0, NoStamp)} ELSE {})
  \cup (IF "back" \in Ops
        THEN {log[s][k].new : k \in {k \in 1..Len(log[s]) : Live(log[s][k].new)}}
        \cup {log[s][k].old : k \in {k \in 1..Len(log[s]) : Live(log[s][k].old)}} ELSE {})

AppWrite(s) ==
  /\ left[s] > 0
  /\ \E new \in AppImages(s, wid + 1) :
       /\ new # tbl[s]
       /\ tbl' = [tbl EXCEPT ![s] = new]
       /\ log' = [log EXCEPT ![s] = Append(@, Rec(s, new, "app", wid + 1))]
       /\ over' = IF Unique
                  THEN Append(over, [side |-> s, k |-> Kind(tbl[s], new), saw |-> dlv[s],
                         f |-> {f \in Fields : new[f] = wid + 1},
                         r |-> {f \in Fields : new[f] # tbl[s][f]},
                         was |-> [f \in Fields |-> tbl[s][f]]])
                  ELSE over
  /\ seq' = [seq EXCEPT ![s] = @ + 1]
  /\ left' = [left EXCEPT ![s] = @ - 1]
  /\ wid' = wid + 1
  /\ UNCHANGED <<pos, led, mem, late, crashes, kept, dlv, dup, wrong, syncs, brk>>

----------------------------------------------------------------------------
(* the ledger, and whose record it is *)
Noted(map, fs, n) == [f \in Fields |-> IF f \in fs THEN n ELSE map[f]]
Closed(l) == [l EXCEPT !.open = 0, !.oseen = 0, !.ofs = {}, !.ovs = {}, !.lost = {}, !.ord = NoImg]

\* the claimed record is done
Folded(d) == LET l == led[d] IN
  IF l.open = 0 THEN l
  ELSE Closed([l EXCEPT !.done = l.open, !.seen = l.oseen, !.rd = l.ord,
                        !.put = Noted(l.put, l.ofs, l.open), !.reset = Noted(l.reset, l.ovs, l.open)])
\* the half as it is for record r, which may be a span: one that begins after the claimed record
L(d, r) == IF led[d].open # 0 /\ r.from > led[d].open THEN Folded(d) ELSE led[d]

Ours(d, r) ==
  \/ r.old.x = "tomb" /\ r.new.x = "none"
  \/ r.new.st # NoStamp /\ r.new.st # r.old.st /\ r.new.st.v > L(d, r).seen
Seen(d, r) == IF Ours(d, r) /\ r.new.st # NoStamp THEN Max(r.new.st.v, L(d, r).seen) ELSE L(d, r).seen
\* ofs: the fields that R put, ovs: those it put by value, rd: the old image of a refused delete
Finished(d, r, ofs, ovs, rd) ==
  LET l == L(d, r) IN
  Closed([l EXCEPT !.done = r.seq, !.seen = Seen(d, r), !.rd = rd,
                   !.put = Noted(l.put, IF d = R THEN ofs ELSE {}, r.seq),
                   !.reset = Noted(l.reset, IF d = R THEN ovs ELSE {}, r.seq)])

K(r) == Kind(r.old, r.new)
Diff(r) == {f \in Fields : r.old[f] # r.new[f]}
IsRestore(r) == r.new.st # NoStamp /\ r.new.st.g # {}
\* the fields of a record of F's that R must bring back to old: those it put there itself after
\* what F had seen when it wrote. For a counter only what R put by value covers up a difference.
Crossed(r) ==
  LET l == L(R, r)
      map == IF K(r) = "u" THEN l.reset ELSE l.put IN
  {f \in Fields : map[f] > r.new.st.base}
Returned(r) ==
  IF r.new.st = NoStamp \/ r.new.x = "none" THEN {}
  ELSE IF IsRestore(r) THEN {f \in r.new.st.g : f \in Counters \/ L(R, r).put[f] <= r.new.st.base}  \* else old has it
  ELSE LET ch == IF K(r) = "u" THEN Diff(r) ELSE Fields IN
       CASE BringBack = "never" -> {}
         [] BringBack = "always" -> ch
         [] BringBack = "item" \/ Rule = "whole" -> IF Crossed(r) # {} THEN ch ELSE {}
         [] OTHER -> IF K(r) = "u" THEN Diff(r) \cap Crossed(r) ELSE IF Crossed(r) # {} THEN Fields ELSE {}
Carry(d, r) == d = R /\ Ours(d, r) /\ Returned(r) # {}

----------------------------------------------------------------------------
(* decisions *)
Stamp(v, base, g) == [v |-> v, base |-> base, g |-> g]
Written(to, st) == IF Live(to) THEN Img("live", to.a, to.b, st) ELSE Img("tomb", to.a, to.b, st)
\* the item i with the fields in the domain of vals changed
With(i, vals, st) == Img("live", IF "a" \in DOMAIN vals THEN vals["a"] ELSE i.a,
                                 IF "b" \in DOMAIN vals THEN vals["b"] ELSE i.b, st)
Moved(i, base, new, f) == IF f \in Counters THEN i[f] + (new[f] - base[f]) ELSE new[f]

Nothing(dp, dl) == [k |-> "none", img |-> NoImg, dup |-> dp, lost |-> {}, ofs |-> Fields, ovs |-> {}, dl |-> dl, rd |-> NoImg]
PutIt(img, dp, lost, ofs, ovs) ==
  [k |-> "put", img |-> img, dup |-> dp, lost |-> lost, ofs |-> ofs, ovs |-> ovs, dl |-> TRUE, rd |-> NoImg]
LogIt(lost) == [Nothing({}, TRUE) EXCEPT !.k = "log", !.lost = lost]
Found(fs, r, now) == {<<r.w, f, now[f]>> : f \in fs}

(* forward *)
JudgeFields(r, base, now, st) ==
  LET ch   == {f \in Fields : base[f] # r.new[f]}
      take == {f \in ch : f \in Counters \/ ~Compare \/ now[f] = base[f]}
      conf == {f \in ch \ take : now[f] # r.new[f] \/ EqualIs = "conflict"}
      all  == PerField \/ conf = {}
      tk   == IF all THEN take ELSE {}
      lost == IF all THEN conf ELSE ch
      same == Found((ch \ take) \ conf, r, now) IN
  IF tk = {} THEN IF lost = {} THEN Nothing(same, TRUE) ELSE LogIt(lost)
  ELSE PutIt(With(now, [f \in tk |-> Moved(now, base, r.new, f)], st), same, lost, {}, {})

DecideF(r, now) ==
  LET st == Stamp(r.seq, L(F, r).seen, {})
      rd == L(F, r).rd
      \* a create puts in place of what is not there: v2's absence is then old's absence
      abs == {<<r.old[f], f, now[f]>> : f \in Fields} IN
  CASE K(r) = "n" -> Nothing({}, TRUE)
    [] K(r) = "u" /\ Live(now) -> JudgeFields(r, r.old, now, st)
    [] K(r) = "u" /\ ~Live(now) -> LogIt(Diff(r))
    [] K(r) = "c" /\ ~Live(now) -> PutIt(Written(r.new, st), abs, {}, {}, {})
    [] K(r) = "c" /\ Live(now) ->
         IF RememberRefused /\ rd # NoImg THEN JudgeFields(r, rd, now, st)
         ELSE LET df == {f \in Fields : now[f] # r.new[f] \/ EqualIs = "conflict"} IN
              IF df = {} THEN Nothing(Found(Fields, r, now), TRUE) ELSE LogIt(df)
    [] K(r) = "d" /\ ~Live(now) -> Nothing(Found(Fields, r, now), TRUE)
    [] OTHER ->
         IF Same(now, r.old) THEN PutIt(Written(r.new, st), {}, {}, {}, {})
         \* refused: v2 is put again as it is, with the fields that old must get back
         ELSE LET g == {f \in Fields : now[f] # r.old[f]} \cup Counters
                  rd2 == IF RememberRefused THEN r.old ELSE NoImg IN
              IF Restore
              THEN [PutIt(Img("live", now.a, now.b, [st EXCEPT !.g = g]), {}, Fields, {}, {}) EXCEPT !.rd = rd2]
              ELSE [LogIt(Fields) EXCEPT !.rd = rd2]

(* reverse; src: v2 as it is now *)
DecideR(r, now, src) ==
  LET st == Stamp(r.seq, 0, {})
      o  == Ours(R, r)
      k  == IF o /\ IsRestore(r) THEN "t" ELSE K(r)
      fs == IF o THEN Returned(r) ELSE IF k = "u" THEN Diff(r) ELSE Fields
      still == ReverseValue = "still"
      val == IF still THEN r.new ELSE src
      ff  == IF still THEN {f \in fs : f \in Counters \/ src[f] = r.new[f]} ELSE fs
      vs  == IF k = "u" THEN ff \ Counters ELSE ff
      noted == IF ResetsNoted THEN vs ELSE vs \ Counters
      vals == [f \in ff |-> IF f \in vs THEN val[f] ELSE Moved(now, r.old, r.new, f)]
      \* a counter is reset even where it looks equal: what old counted and F has not carried is in it
      set == IF vs \cap Counters = {} /\ \A f \in ff : now[f] = vals[f] THEN [Nothing({}, TRUE) EXCEPT !.ofs = ff]
             ELSE PutIt(With(now, vals, st), {}, {}, ff, noted)
      all == IF ResetsNoted THEN Fields ELSE Fields \ Counters
      whole == PutIt(Written(val, st), {}, {}, Fields, all)
      dele == IF Live(now) THEN PutIt(Written([val EXCEPT !.x = "none"], st), {}, {}, Fields, all) ELSE Nothing({}, TRUE) IN
  IF K(r) = "n" THEN Nothing({}, TRUE)
  ELSE IF still /\ Live(src) # Live(r.new) THEN Nothing({}, FALSE)     \* a later record decides
  ELSE IF ~Live(val) THEN dele
  ELSE IF Live(now) THEN set
  \* an update finds old absent: a delete of old's is under way. F refuses it (restore), or deletes v2.
  ELSE IF k \in {"c", "t"} \/ ~Restore THEN whole ELSE Nothing({}, FALSE)

(* the rule before: R puts its record's whole image, F puts a whole image or a merge of two *)
Differs(i, j) == {f \in Fields : i[f] # j[f]}
CanMerge(base, theirs, mine) ==
  /\ Live(base) /\ Live(theirs) /\ Live(mine)
  /\ \A f \in Differs(base, theirs) \cap Differs(base, mine) : theirs[f] = mine[f]
DecideWhole(d, r, now) ==
  LET st == Stamp(r.seq, IF d = F THEN L(F, r).seen ELSE 0, {}) IN
  IF d = R THEN PutIt(Written(r.new, st), {}, {}, Fields, Fields)
  ELSE
    LET mi == With(now, [f \in Differs(r.old, r.new) |-> r.new[f]], NoStamp)
        found == Nothing({<<r.w, f, now[f]>> : f \in Fields}, TRUE) IN
    CASE Same(now, r.new) -> found
      [] ~Same(now, r.new) /\ Same(now, r.old) ->
           PutIt(Written(r.new, st), IF Live(now) THEN {} ELSE {<<r.old[f], f, now[f]>> : f \in Fields}, {}, {}, {})
      [] OTHER ->
           IF CanMerge(r.old, now, r.new)
           THEN IF Same(now, mi) THEN found ELSE PutIt(Written(mi, st), {}, {}, {}, {})
           ELSE LogIt(IF Live(r.old) /\ Live(now) /\ Live(r.new)
                      THEN Differs(r.old, now) \cap Differs(r.old, r.new) ELSE Fields)

Decide(d) ==
  LET m == mem[d] IN
  IF Rule = "whole" THEN DecideWhole(d, m.r, m.pre) ELSE IF d = F THEN DecideF(m.r, m.pre) ELSE DecideR(m.r, m.pre, m.src)

----------------------------------------------------------------------------
(* ghosts: what an application write had seen *)
Ids == 1..Len(over)
Item(w) == over[w].k \in {"c", "d"}                      \* it created or deleted the item
Touches(u, f) == f \in over[u].r \/ Item(u)
ConcF(u, w, f) == <<u, f>> \notin over[w].saw /\ <<w, f>> \notin over[u].saw
Conc(u, w) == \E f \in Fields : Touches(u, f) /\ Touches(w, f) /\ ConcF(u, w, f)
ConcI(u, w) == \E f \in Fields : Touches(u, f) /\ ConcF(u, w, f)
\* one side created or deleted the item (d) while the other side wrote it (u), neither having seen the
\* other; w, a write of side s, is not before that
ItemConflict(w, s) == \E d, u \in Ids : /\ Item(d) /\ over[u].side # over[d].side /\ ConcI(u, d)
                                        /\ (IF over[d].side = s THEN d ELSE u) <= w
\* the other side wrote one of the fields, and w had not seen it
Excused(w, s, fs) == \E u \in Ids : over[u].side # s /\ \E f \in fs : Touches(u, f) /\ <<u, f>> \notin over[w].saw
\* our write j over i takes off the own-side writes in this set
TakenOff(s, i, j) ==
  IF Live(i) THEN {<<i[f], {f}>> : f \in {f \in Fields : (~Live(j) \/ j[f] # i[f]) /\ i[f] \in Ids /\ over[i[f]].side = s}}
  ELSE IF Live(j) /\ i.a \in Ids /\ over[i.a].side = s /\ over[i.a].k = "d" THEN {<<i.a, Fields>>} ELSE {}
Broken(s, i, j) ==
  LET bad == {p \in TakenOff(s, i, j) : ~Excused(p[1], s, p[2])} IN
  (IF bad # {} THEN {"hard"} ELSE {}) \cup (IF \E p \in bad : ~ItemConflict(p[1], s) THEN {"own"} ELSE {})
\* F has judged all fields; R has delivered the fields fs. A record of ours that R brings back delivers
\* the v2 writes that are in its image.
Deliver(d, r, fs) ==
  LET now == ReverseValue = "now"
      i   == IF now THEN mem[d].src ELSE r.new
      ids == {r.w} \cup (IF d = R /\ Rule = "fields" /\ (r.w = 0 \/ now)
                        THEN {u \in {i.a, i.b} : u \in Ids /\ over[u].side = V2} ELSE {}) IN
  IF Unique THEN dlv' = [dlv EXCEPT ![Dst(d)] = @ \cup {p \in Ids \X Fields :
                           over[p[1]].side = Src(d) /\ p[2] \in fs /\ \E x \in ids : p[1] <= x}]
  ELSE UNCHANGED dlv
Author(d, r) == wrong' = (wrong \/ (Ours(d, r) # (r.by = "sync")))

----------------------------------------------------------------------------
(* the steps *)
NoWrite == UNCHANGED <<tbl, seq, syncs, brk>>
PutOn(s, img, lg) ==
  IF img = tbl[s] THEN log' = lg /\ NoWrite
  ELSE /\ tbl' = [tbl EXCEPT ![s] = img]
       /\ log' = [lg EXCEPT ![s] = Append(@, Rec(s, img, "sync", 0))]
       /\ seq' = [seq EXCEPT ![s] = @ + 1]
       /\ syncs' = syncs + 1
       /\ brk' = brk \cup (IF Unique /\ Counters = {} THEN Broken(s, tbl[s], img) ELSE {})

Advance(d, n) == pos' = [pos EXCEPT ![d] = n] /\ mem' = [mem EXCEPT ![d] = Idle]
Trimmed(d, n) == [log EXCEPT ![Src(d)] = Trim(@, n)]
At(d, n) == LET l == log[Src(d)] k == CHOOSE k \in 1..Len(l) : l[k].seq = n IN l[k]
HasNext(d) == pos[d] < seq[Src(d)]
\* records i..j of the item as one
Span(d, i, j) ==
  [from |-> i, seq |-> j, old |-> At(d, i).old, new |-> At(d, j).new, by |-> At(d, j).by, w |-> At(d, j).w,
   ws |-> {At(d, n).w : n \in i..j}, mid |-> {At(d, n).new : n \in i..(j - 1)}]
\* what a worker may take together: one record; or records of the application only, not when they begin
\* after a refused delete (it is the base of the first), and not a create that was deleted again
Takes(d) ==
  LET i == pos[d] + 1 IN
  {Span(d, i, i)} \cup
  {Span(d, i, j) : j \in {j \in (i + 1)..(i + Page - 1) :
     /\ j <= seq[Src(d)]
     /\ i > led[d].done
     /\ L(d, Span(d, i, i)).rd = NoImg
     /\ \A n \in i..j : ~Ours(d, Span(d, n, n))
     /\ SpanEndsAtDelete => \A n \in i..(j - 1) : Live(At(d, n).new)
     /\ Kind(At(d, i).old, At(d, j).new) # "n"}}

StampIs(d, n) == tbl[Dst(d)].st.v = n
InStream(d, n, p) == \E k \in 1..Len(log[Dst(d)]) : log[Dst(d)][k].seq > p /\ log[Dst(d)][k].new.st.v = n
SeenBy(d) == LET l == led[Opp(d)] IN Max(l.seen, l.oseen)
WasPut(d, n) ==
  CASE Recovery = "all"       -> StampIs(d, n) \/ SeenBy(d) >= n \/ InStream(d, n, pos[Opp(d)])
    [] Recovery = "done"      -> TRUE
    [] Recovery = "stamp"     -> StampIs(d, n)
    [] Recovery = "no-stream" -> StampIs(d, n) \/ SeenBy(d) >= n
    [] Recovery = "no-ledger" -> StampIs(d, n) \/ InStream(d, n, pos[Opp(d)])
    [] Recovery = "never"     -> FALSE
\* the claim that record r finds; without claims every record asks
Asked(d, r) == IF ClaimFirst THEN (IF led[d].open >= r.from THEN led[d].open ELSE 0) ELSE r.seq

ReadNow(d, r) == [st |-> "read", r |-> r, pre |-> tbl[Dst(d)], src |-> IF d = R /\ Rule = "fields" THEN tbl[V2] ELSE NoImg]

Take(d) ==
  /\ mem[d].st = "idle" /\ HasNext(d)
  /\ \E r \in Takes(d) :
     LET n == r.seq c == Asked(d, r) IN
     IF n <= L(d, r).done
     THEN /\ Advance(d, n) /\ log' = Trimmed(d, n) /\ UNCHANGED <<led, wrong>>
     ELSE IF Ours(d, r) /\ ~Carry(d, r)
     THEN /\ Author(d, r) /\ led' = [led EXCEPT ![d] = Finished(d, r, {}, {}, NoImg)]
          /\ Advance(d, n) /\ log' = Trimmed(d, n)
     ELSE IF c # 0 /\ WasPut(d, c)
     THEN /\ led' = [led EXCEPT ![d] = IF ClaimFirst THEN Folded(d) ELSE Finished(d, r, {}, {}, NoImg)]
          /\ UNCHANGED <<log, pos, mem, wrong>>      \* the next step passes over what is done
     ELSE /\ mem' = [mem EXCEPT ![d] = ReadNow(d, r)]
          /\ UNCHANGED <<log, pos, led, wrong>>
  /\ NoWrite /\ UNCHANGED <<left, crashes, late, wid, over, dlv, kept, dup>>

\* of a span the last write of a field is logged; an entry is replaced when it is written again
Writer(r, f) == IF r.new[f] \in r.ws THEN r.new[f] ELSE r.w
Logged(r, lost) == (kept \ (r.ws \X Fields)) \cup {<<Writer(r, f), f>> : f \in lost}

\* v2 has a value that the span wrote and replaced: R may have passed v2's record of it, because old had it then
IsApart(d) ==
  LET r == mem[d].r now == mem[d].pre IN
  /\ Apart /\ Rule = "fields" /\ d = F /\ Live(now)
  /\ \E f \in Fields \ Counters, i \in r.mid : now[f] # r.old[f] /\ now[f] = i[f]

TakeApart(d) ==
  /\ mem[d].st = "read" /\ IsApart(d)
  /\ LET r == Span(d, mem[d].r.from, mem[d].r.from) IN
     mem' = [mem EXCEPT ![d] = IF Asked(d, r) = 0 THEN ReadNow(d, r) ELSE Idle]
  /\ NoWrite /\ UNCHANGED <<log, pos, led, late, crashes, left, kept, wid, over, dlv, dup, wrong>>

NoPutNeeded(d) ==
  /\ mem[d].st = "read" /\ ~IsApart(d)
  /\ LET r == mem[d].r c == Decide(d) IN
     /\ c.k # "put"
     /\ Author(d, r)
     /\ led' = [led EXCEPT ![d] = Finished(d, r, {}, {}, c.rd)]
     /\ Advance(d, r.seq) /\ log' = Trimmed(d, r.seq)
     /\ kept' = IF d = F THEN Logged(r, c.lost) ELSE kept
     /\ dup' = dup \cup c.dup
     /\ IF c.dl THEN Deliver(d, r, c.ofs) ELSE UNCHANGED dlv
  /\ NoWrite /\ UNCHANGED <<left, crashes, late, wid, over>>

\* the claim stands, and says what will be put
NeedsClaim(d, n, c) ==
  LET l == led[d] IN
  ClaimFirst /\ (l.open # n \/ l.ofs # c.ofs \/ l.ovs # c.ovs \/ l.ord # c.rd \/ (LogWithClaim /\ l.lost # c.lost))

DoClaim(d) ==
  /\ mem[d].st = "read" /\ ~IsApart(d)
  /\ LET r == mem[d].r n == r.seq c == Decide(d) IN
     /\ c.k = "put"
     /\ NeedsClaim(d, n, c)
     /\ led' = [led EXCEPT ![d] = [L(d, r) EXCEPT !.open = n, !.ofs = c.ofs, !.ovs = c.ovs, !.ord = c.rd,
                  !.lost = IF LogWithClaim THEN c.lost ELSE {},
                  !.oseen = Seen(d, r), !.seen = IF SeenWhenDone THEN @ ELSE Seen(d, r)]]
     /\ kept' = IF d = F /\ LogWithClaim THEN Logged(r, c.lost) ELSE kept
  /\ NoWrite /\ UNCHANGED <<log, pos, mem, late, crashes, left, wid, over, dlv, dup, wrong>>

DoPut(d) ==
  /\ mem[d].st = "read" /\ ~IsApart(d)
  /\ LET r == mem[d].r n == r.seq c == Decide(d) IN
     /\ c.k = "put" /\ ~NeedsClaim(d, n, c)
     /\ IF PutAsRead /\ tbl[Dst(d)] # mem[d].pre
        THEN /\ mem' = [mem EXCEPT ![d] = ReadNow(d, r)]
             /\ NoWrite /\ UNCHANGED <<log, pos, dup, wrong, dlv>>
        ELSE /\ dup' = dup \cup c.dup
             /\ Author(d, r)
             /\ Deliver(d, r, IF d = F THEN Fields ELSE c.ofs)
             /\ IF ClaimFirst /\ LogWithClaim
                THEN Advance(d, n) /\ PutOn(Dst(d), c.img, Trimmed(d, n))
                ELSE /\ mem' = [mem EXCEPT ![d].st = "written"]
                     /\ PutOn(Dst(d), c.img, log) /\ UNCHANGED pos
     /\ kept' = IF ~ClaimFirst /\ d = F THEN Logged(r, c.lost) ELSE kept
  /\ UNCHANGED <<led, late, crashes, left, wid, over>>

\* only where the put is not the last step (mutants without a claim, or with a later log)
Finish(d) ==
  /\ mem[d].st = "written"
  /\ LET r == mem[d].r n == r.seq c == Decide(d) IN
     /\ led' = [led EXCEPT ![d] = Finished(d, r, c.ofs, c.ovs, c.rd)]
     /\ Advance(d, n) /\ log' = Trimmed(d, n)
     /\ kept' = IF d = F /\ ~LogWithClaim THEN Logged(r, c.lost) ELSE kept
  /\ NoWrite /\ UNCHANGED <<late, crashes, left, wid, over, dlv, dup, wrong>>

\* the worker dies; the next one begins at some position that was saved
Crash(d) ==
  /\ crashes > 0
  /\ crashes' = crashes - 1
  /\ \E p \in 0..pos[d] :
       /\ pos' = [pos EXCEPT ![d] = p]
       /\ (p = pos[d] => mem[d].st # "idle")
  /\ mem' = [mem EXCEPT ![d] = Idle]
  /\ IF ~Fence /\ mem[d].st = "read" /\ late[d] = NoLate /\ Decide(d).k = "put" /\ ~NeedsClaim(d, mem[d].r.seq, Decide(d))
     THEN late' = [late EXCEPT ![d] = [pre |-> mem[d].pre, img |-> Decide(d).img]]
     ELSE UNCHANGED late
  /\ UNCHANGED <<tbl, log, seq, led, left, wid, over, dlv, kept, dup, wrong, syncs, brk>>

LatePut(d) ==
  /\ late[d] # NoLate
  /\ late' = [late EXCEPT ![d] = NoLate]
  /\ IF tbl[Dst(d)] = late[d].pre THEN PutOn(Dst(d), late[d].img, log) ELSE NoWrite /\ UNCHANGED log
  /\ UNCHANGED <<pos, led, mem, crashes, left, wid, over, dlv, kept, dup, wrong>>

Purge(s) ==
  /\ tbl[s].x = "tomb"
  /\ PutOn(s, Img("none", tbl[s].a, tbl[s].b, NoStamp), log)
  /\ UNCHANGED <<pos, led, mem, late, crashes, left, wid, over, dlv, kept, dup, wrong>>

Work(d) == Take(d) \/ TakeApart(d) \/ NoPutNeeded(d) \/ DoClaim(d) \/ DoPut(d) \/ Finish(d)

Next == \/ \E s \in Side : AppWrite(s) \/ Purge(s)
        \/ \E d \in Dir : Work(d) \/ Crash(d) \/ LatePut(d)

Spec == Init /\ [][Next]_vars
FairSpec == Spec /\ WF_vars(Purge(Old)) /\ WF_vars(Purge(V2)) /\ WF_vars(Work(F)) /\ WF_vars(Work(R))

----------------------------------------------------------------------------
(* what a user is promised *)
Lag0 == pos[F] = seq[Old] /\ pos[R] = seq[V2] /\ \A s \in Side : tbl[s].x # "tomb"

\* both sides end equal
Converged == Lag0 => Same(tbl[Old], tbl[V2])

\* my side's last write of a field is what my side reads until the other side writes that field
OwnSide == "own" \notin brk
\* the same without the excuse of an item that one side created or deleted while the other wrote it
OwnSideHard == "hard" \notin brk

\* a compare-and-set that succeeded stays true: no second one of the same side finds the value that the first replaced
CasHolds == Unique =>
  \A w, u \in Ids : (w < u /\ over[w].side = over[u].side) =>
    \A f \in over[w].r \cap over[u].r : ~(over[w].k = "u" /\ over[u].k = "u" /\ over[w].was[f] = over[u].was[f] /\ over[w].was[f] # Nil)

\* a change is in the conflict log only if the other side wrote the same field (or the item) unseen
Because(p) == \E u \in Ids : over[u].side = V2 /\ IF Item(p[1]) THEN ConcI(u, p[1]) ELSE Touches(u, p[2]) /\ ConcF(u, p[1], p[2])
TrueConflict == Unique => \A p \in kept : p[1] \in Ids => ItemConflict(p[1], Old) \/ Because(p)
TrueConflictHard == Unique => \A p \in kept : p[1] \in Ids => Because(p)

\* no write is lost: it is there, or was replaced, or found its effect there, or is in the conflict log (old side only)
Replaced(w, f) == \E u \in Ids : over[u].was[f] = w /\ f \in over[u].r
Survives(w, f) == \/ tbl[V2][f] = w \/ Replaced(w, f)
                  \/ \E p \in dup : p[1] = w /\ p[2] = f
                  \/ \E p \in dup : p[3] = w /\ p[2] = f /\ Replaced(p[1], f)
NoLostWrite == (Lag0 /\ Unique) =>
  \A w \in Ids : \A f \in over[w].f : Survives(w, f) \/ (over[w].side = Old /\ <<w, f>> \in kept)
V2Wins == (Lag0 /\ Unique) =>
  \A w \in Ids : over[w].side = V2 => \A f \in over[w].f : Survives(w, f)
\* nothing is both carried and in the conflict log
LogIsTrue == Unique => \A p \in kept : p[1] \in Ids => over[p[1]].side = Old /\ tbl[V2][p[2]] # p[1]
\* where both wrote a field unseen, that is told (but what v2's application itself deleted again)
NoSilentMerge == (Lag0 /\ Unique) =>
  \A w, u \in Ids : (/\ over[w].side = Old /\ over[u].side = V2
                  /\ ~\E z \in Ids : z > u /\ over[z].side = V2 /\ over[z].k = "d") =>
     /\ (over[w].k = "u" /\ over[u].k # "d") =>
           \A f \in over[w].f \cap over[u].f : ConcF(u, w, f) => <<w, f>> \in kept \/ (Page > 1 /\ Replaced(w, f))
     /\ (over[w].k = "d" /\ over[u].k = "u" /\ Conc(u, w)) =>
           (\A f \in Fields : <<w, f>> \in kept) \/ \E z \in Ids : over[z].side = V2 /\ over[z].k = "d"

\* we know our own writes, make at most four for one of the application's, and one for a record
RightAuthor == ~wrong
NoLoop == syncs <= 4 * ((OldWrites - left[Old]) + (V2Writes - left[V2]))
OncePut == \A s \in Side : \A j, k \in 1..Len(log[s]) :
  (j # k /\ log[s][j].by = "sync" /\ log[s][k].by = "sync" /\ log[s][j].new.st # NoStamp)
     => log[s][j].new.st.v # log[s][k].new.st.v
Moves == \/ \E s \in Side : tbl[s].x = "tomb"
         \/ \E d \in Dir : mem[d].st # "idle" \/ HasNext(d)
NoDeadlock == Lag0 \/ Moves

\* increments add up (Ops = {"inc"}, judged as values): each is counted, or in the conflict log
CounterSum == Lag0 => tbl[V2].a = (OldWrites - left[Old]) + (V2Writes - left[V2]) - Cardinality({p \in kept : p[2] = "a"})
\* a field that only my side increments is right at every moment, and nothing is in the conflict log (OwnFields)
PlainItem == /\ tbl[Old].a = OldWrites - left[Old] /\ tbl[V2].b = V2Writes - left[V2] /\ kept = {}

\* `merge: add`: once quiet each increment of a live item is counted once; or not at all, and then it is in the conflict log,
\* or its item went: its own side deleted it later, or the other side deleted or created it when the increment had not seen that
Digit(n, w) == (n \div 4 ^ (w - 1)) % 4
AddsUp == (Lag0 /\ Unique /\ Live(tbl[V2])) =>
  \A w \in {w \in Ids : "a" \in over[w].r /\ over[w].k = "u"} :
    \/ Digit(tbl[V2].a, w) = 1
    \/ Digit(tbl[V2].a, w) = 0 /\ (\/ <<w, "a">> \in kept
                                     \/ \E u \in Ids : Item(u) /\ IF over[u].side = over[w].side THEN u > w ELSE <<u, "a">> \notin over[w].saw)

\* the sync catches up (FairSpec)
Settles == <>[]Lag0
=============================================================================
