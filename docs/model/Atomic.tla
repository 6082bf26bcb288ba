------------------------------- MODULE Atomic -------------------------------
(* The rule of fields for ONE item at one place on each side, where a direction reads,
   decides, writes and notes a record in ONE step. Enter, Waiting, Trim and Redrive extend
   this module: what they are about is beside the single decision. Delta.tla has the same
   decisions with the steps apart, crashes between them, and each rule to switch off.

   A record of the application is carried as the fields that it changed (tables F and R1 of
   DESIGN section 6), one of the other direction brings back what crossed (table R2). Every
   write of the application has a value of its own.
   Here too are the ghosts, and what a user is promised: see README.md.

   A stamp is version, base and the fields to restore. On v2 the version is that of the old
   record, on old it is the count of reverse's writes; there the base says nothing.

   Left out: `merge`, groups, the change token, pending units, two v2 places (Places.tla). *)
EXTENDS Integers, Sequences, FiniteSets

CONSTANTS
  OldWrites, V2Writes,  \* how many application writes each side gets
  Ops                   \* subset of {"put","upd","del","stamp"}; stamp: fresh content, an earlier stamp of that side

Old == "old"  V2 == "v2"  Side == {Old, V2}
Opp(s) == IF s = Old THEN V2 ELSE Old
None == -1                              \* no stamp, no base, an absent attribute
Fields == {"a", "b"}
Max(x, y) == IF x > y THEN x ELSE y

VARIABLES
  tbl,     \* the item on each side: live, none, or tomb (a tombstone of ours)
  log,     \* the streams
  pos,     \* by side, the position of the direction that reads its stream
  led,     \* the ledger entry. Forward: done, seen, ref. Reverse: vdone, vseen, put, count. x: there is one; e: its epoch
  left,    \* application writes that are left
  kept,    \* the conflict log: <<write, field>>
  \* ghosts
  over,    \* of every application write: side, kind, fields written, values replaced, what it had seen
  dlv,     \* which writes of the other side have been delivered to a side
  dup,     \* effects that were found present
  wrong,   \* a record was attributed to the wrong side
  brk      \* a write of ours took off an own-side write, and may not

sides  == <<tbl, log>>
ghosts == <<over, dlv, dup, wrong, brk>>
atomic == <<tbl, log, pos, led, left, kept, over, dlv, dup, wrong, brk>>

Stamp(v, b, g) == [v |-> v, b |-> b, g |-> g]
NoStamp == Stamp(None, None, {})
Img(x, a, b, st) == [x |-> x, a |-> a, b |-> b, st |-> st]
NoImg   == Img("-", 0, 0, NoStamp)
Live(i) == i.x = "live"
Same(i, j) == Live(i) = Live(j) /\ (Live(i) => i.a = j.a /\ i.b = j.b)
Kind(i, j) == IF Live(i) THEN (IF Live(j) THEN "u" ELSE "d") ELSE IF Live(j) THEN "c" ELSE "n"
K(r) == Kind(r.old, r.new)
Diff(i, j) == {f \in Fields : i[f] # j[f]}
Written(i, st) == IF Live(i) THEN [i EXCEPT !.st = st] ELSE [i EXCEPT !.x = "tomb", !.st = st]
With(i, vals, st) == [i EXCEPT !.x = "live", !.st = st,
                               !.a = IF "a" \in DOMAIN vals THEN vals["a"] ELSE @,
                               !.b = IF "b" \in DOMAIN vals THEN vals["b"] ELSE @]
NoPut == [f \in Fields |-> 0]
NewEntry(e, count) == [x |-> TRUE, e |-> e, done |-> 0, seen |-> count, ref |-> NoImg,
                       vdone |-> 0, vseen |-> None, put |-> NoPut, count |-> count]

InitAtomic(old, v2, entry) ==
  /\ tbl = [s \in Side |-> IF s = Old THEN old ELSE v2]
  /\ log = [s \in Side |-> <<>>] /\ pos = [s \in Side |-> 0] /\ led = entry
  /\ left = [s \in Side |-> IF s = Old THEN OldWrites ELSE V2Writes]
  /\ kept = {} /\ over = <<>> /\ dlv = [s \in Side |-> {}] /\ dup = {} /\ wrong = FALSE /\ brk = FALSE

----------------------------------------------------------------------------
(* ghosts: what an application write had seen *)
Ids == 1..Len(over)
Item(w) == over[w].k # "u"                                \* it created or deleted the item
Touches(u, f) == f \in over[u].r \/ Item(u)
ConcF(u, w, f) == <<u, f>> \notin over[w].saw /\ <<w, f>> \notin over[u].saw
ConcI(u, w) == \E f \in Fields : Touches(u, f) /\ ConcF(u, w, f)
\* one side created or deleted the item (d) while the other side wrote it (u), neither having seen the
\* other; w, a write of side s, is not before that
ItemConflict(w, s) == \E d, u \in Ids : /\ Item(d) /\ over[u].side # over[d].side /\ ConcI(u, d)
                                        /\ (IF over[d].side = s THEN d ELSE u) <= w
Excused(w, s, fs) == \/ ItemConflict(w, s)
                     \/ \E u \in Ids : over[u].side # s /\ \E f \in fs : Touches(u, f) /\ <<u, f>> \notin over[w].saw
\* our write j over i takes off the own-side writes in this set
TakenOff(s, i, j) ==
  IF Live(i) THEN {<<i[f], {f}>> : f \in {f \in Fields : (~Live(j) \/ j[f] # i[f]) /\ i[f] \in Ids /\ over[i[f]].side = s}}
  ELSE IF Live(j) /\ i.a \in Ids /\ over[i.a].side = s /\ over[i.a].k = "d" THEN {<<i.a, Fields>>} ELSE {}
Broken(s, j) == \E p \in TakenOff(s, tbl[s], j) : ~Excused(p[1], s, p[2])
\* side s has the writes ids of the other side, and all before them, of the fields fs
Reached(s, ids, fs) ==
  dlv' = [dlv EXCEPT ![s] = @ \cup {p \in Ids \X Fields : over[p[1]].side # s /\ p[2] \in fs /\ \E x \in ids : p[1] <= x}]

----------------------------------------------------------------------------
(* writes *)
Rec(s, new, by, w) == [old |-> tbl[s], new |-> new, by |-> by, w |-> w]
Put(s, img, by, w) ==
  IF img = tbl[s] THEN UNCHANGED sides
  ELSE /\ tbl' = [tbl EXCEPT ![s] = img]
       /\ log' = [log EXCEPT ![s] = Append(@, Rec(s, img, by, w))]
\* a write of ours
PutOurs(s, img, by) == Put(s, img, by, 0) /\ brk' = (brk \/ Broken(s, img))
PutNothing == UNCHANGED <<tbl, log, brk>>

W == Len(over) + 1
Had(i, f) == IF Live(i) THEN i[f] ELSE None
Earlier(s) == {i.st : i \in {i \in {log[s][k].old : k \in 1..Len(log[s])} \cup {log[s][k].new : k \in 1..Len(log[s])} : Live(i)}}
AppImages(s) ==
  LET i == tbl[s] IN
     (IF "put" \in Ops THEN {Img("live", W, W, NoStamp)} ELSE {})
  \cup (IF "upd" \in Ops THEN {Img("live", W, Had(i, "b"), i.st), Img("live", Had(i, "a"), W, i.st)} ELSE {})
  \cup (IF "del" \in Ops /\ Live(i) THEN {Img("none", W, W, NoStamp)} ELSE {})
  \cup (IF "stamp" \in Ops THEN {Img("live", W, Had(i, "b"), st) : st \in Earlier(s)} ELSE {})
AppWrite(s) ==
  /\ left[s] > 0 /\ left' = [left EXCEPT ![s] = @ - 1]
  /\ \E img \in AppImages(s) :
       /\ Put(s, img, "app", W)
       /\ over' = Append(over, [side |-> s, k |-> Kind(tbl[s], img), saw |-> dlv[s], f |-> {f \in Fields : img[f] = W},
                                r |-> Diff(tbl[s], img), was |-> [f \in Fields |-> tbl[s][f]]])
  /\ UNCHANGED <<pos, led, kept, dlv, dup, wrong, brk>>

\* tombstones go at once, but not as one step
PurgeOf(s) == /\ tbl[s].x = "tomb" /\ Put(s, [tbl[s] EXCEPT !.x = "none", !.st = NoStamp], "sync", 0)
              /\ UNCHANGED <<pos, led, left, kept, over, dlv, dup, wrong, brk>>

----------------------------------------------------------------------------
(* whose record it is; l: the ledger entry *)
OursOld(r, l) == \/ r.old.x = "tomb" /\ r.new.x = "none"
                 \/ r.new.st.v > Max(l.seen, r.old.st.v) /\ r.new.st # r.old.st
\* only a stamp of the entry's epoch counts
Genuine(st, l) == st.b # None /\ st.b >= 10 * l.e
KnownV2(r, l) == Max(l.vseen, IF Genuine(r.old.st, l) THEN r.old.st.v ELSE None)
OursV2(r, l) == \/ r.old.x = "tomb" /\ r.new.x = "none"
                \/ r.new.st # r.old.st /\ Genuine(r.new.st, l) /\ r.new.st.v > KnownV2(r, l)
SaysNothing(r) == ~Live(r.old) /\ ~Live(r.new)

----------------------------------------------------------------------------
(* forward: table F. before: the image from which the record is judged; bad: values that v2 cannot have *)
Nothing(dp) == [put |-> FALSE, img |-> NoImg, dup |-> dp, lost |-> {}, stuck |-> {}, ref |-> NoImg]
Lost(fs) == [Nothing({}) EXCEPT !.lost = fs]
PutIt(img, dp, lost, stuck) == [Nothing(dp) EXCEPT !.put = TRUE, !.img = img, !.lost = lost, !.stuck = stuck]
\* which write of the application field f of a record, or of several as one, has
By(r, f) == IF r.new[f] \in Ids THEN r.new[f] ELSE r.w
Present(r, fs, now) == {<<By(r, f), f, now[f]>> : f \in fs}

JudgeFields(r, before, now, st, bad) ==
  LET ch    == Diff(before, r.new)
      same  == {f \in ch : now[f] = r.new[f]}
      take  == {f \in ch \ same : now[f] = before[f]}
      stuck == {f \in take : r.new[f] \in bad}
      tk    == take \ stuck
      lost  == ch \ (same \cup take)
      dp    == Present(r, same, now) IN
  IF tk = {} THEN [Nothing(dp) EXCEPT !.lost = lost, !.stuck = stuck]
  ELSE PutIt(With(now, [f \in tk |-> r.new[f]], st), dp, lost, stuck)

PlanF(r, before, now, st, ref, bad) ==
  LET k == Kind(before, r.new) IN
  CASE k = "n" -> Nothing(IF K(r) = "d" THEN Present(r, Fields, now) ELSE {})
    [] k = "u" /\ Live(now) -> JudgeFields(r, before, now, st, bad)
    [] k = "u" /\ ~Live(now) -> Lost(Diff(before, r.new))
    [] k = "c" /\ ~Live(now) ->
         IF \E f \in Fields : r.new[f] \in bad THEN [Nothing({}) EXCEPT !.stuck = Fields]
         \* it puts in place of what is not there: v2's absence is then old's absence
         ELSE PutIt(Written(r.new, st), {<<before[f], f, now[f]>> : f \in Fields}, {}, {})
    [] k = "c" /\ Live(now) ->
         IF ref # NoImg THEN JudgeFields(r, ref, now, st, bad)
         ELSE [Lost(Diff(now, r.new)) EXCEPT !.dup = Present(r, Fields \ Diff(now, r.new), now)]
    [] k = "d" /\ ~Live(now) -> Nothing(Present(r, Fields, now))
    [] OTHER ->
         IF Same(now, before) THEN PutIt(Written(r.new, st), {}, {}, {})
         \* refused: v2 is put again as it is, with the fields that old must get back
         ELSE [PutIt(Written(now, [st EXCEPT !.g = Diff(now, before)]), {}, Fields, {}) EXCEPT !.ref = r.old]

(* reverse: tables R1 and R2. now: old; src: v2 as it is now; l: the ledger entry *)
NoR(dl, fs) == [put |-> FALSE, img |-> NoImg, fs |-> fs, dl |-> dl]
PutR(img, fs) == [put |-> TRUE, img |-> img, fs |-> fs, dl |-> TRUE]
Returned(r, l) ==
  LET crossed == {f \in Fields : l.put[f] > r.new.st.b}
      k == K(r) IN
  IF r.new.st = NoStamp \/ r.new.x = "none" THEN {}
  ELSE IF r.new.st.g # {} THEN r.new.st.g \ crossed
  ELSE IF k = "u" THEN Diff(r.old, r.new) \cap crossed
  ELSE IF crossed # {} THEN Fields ELSE {}
PlanR(r, ours, now, src, l) ==
  LET st == Stamp(l.count + 1, None, {})
      k  == IF ours /\ r.new.st.g # {} THEN "t" ELSE K(r)
      fs == IF ours THEN Returned(r, l) ELSE IF k = "u" THEN Diff(r.old, r.new) ELSE Fields
      ff == {f \in fs : src[f] = r.new[f]}
      to == With(now, [f \in ff |-> r.new[f]], st) IN
  IF K(r) = "n" \/ (ours /\ fs = {}) THEN NoR(~ours, {})
  ELSE IF Live(src) # Live(r.new) THEN NoR(FALSE, {})                  \* a later record decides
  ELSE IF ~Live(r.new) THEN IF Live(now) THEN PutR(Written(r.new, st), Fields) ELSE NoR(TRUE, Fields)
  ELSE IF Live(now) THEN IF Same(now, to) THEN NoR(TRUE, ff) ELSE PutR(to, ff)
  \* an update finds old absent: a delete of old's is under way, and forward decides it
  ELSE IF k \in {"c", "t"} THEN PutR(Written(r.new, st), Fields) ELSE NoR(FALSE, {})

----------------------------------------------------------------------------
(* the steps. n: the record's version; l: the entry before *)
Author(ours, r) == wrong' = (wrong \/ ours # (r.by # "app"))

\* forward passes a record of reverse's; l: the entry before
PassF(r, n, l) ==
  /\ led' = [l EXCEPT !.done = n, !.seen = Max(@, r.new.st.v), !.ref = NoImg]
  /\ Author(TRUE, r) /\ PutNothing /\ UNCHANGED <<kept, dlv, dup>>
\* forward carries a record of the application
CarryF(r, n, l, c) ==
  /\ led' = [l EXCEPT !.done = n, !.ref = c.ref]
  /\ Author(FALSE, r) /\ kept' = kept \cup {<<By(r, f), f>> : f \in c.lost} /\ dup' = dup \cup c.dup
  /\ Reached(V2, {r.w}, Fields)
  /\ IF c.put THEN PutOurs(V2, c.img, "sync") ELSE PutNothing
ApplyF(r, n, l) ==
  IF OursOld(r, l) THEN PassF(r, n, l)
  ELSE CarryF(r, n, l, PlanF(r, r.old, tbl[V2], Stamp(n, l.seen, {}), l.ref, {}))

ApplyR(r, n, l) ==
  LET ours == OursV2(r, l)
      c    == PlanR(r, ours, tbl[Old], tbl[V2], l)
      next == [l EXCEPT !.vdone = n, !.vseen = IF ours THEN Max(@, r.new.st.v) ELSE KnownV2(r, l)] IN
  /\ Author(ours, r)
  /\ led' = IF c.put THEN [next EXCEPT !.count = @ + 1, !.put = [f \in Fields |-> IF f \in c.fs THEN l.count + 1 ELSE @[f]]] ELSE next
  /\ IF c.put THEN PutOurs(Old, c.img, "sync") ELSE PutNothing
  \* a record of ours that is brought back delivers the v2 writes that are in its image
  /\ IF c.dl THEN Reached(Old, {r.w} \cup (IF r.w = 0 THEN {u \in {r.new.a, r.new.b} : u \in Ids /\ over[u].side = V2} ELSE {}), c.fs)
     ELSE UNCHANGED dlv
  /\ UNCHANGED <<kept, dup>>

----------------------------------------------------------------------------
(* what a user is promised *)
AllRead == (\A s \in Side : pos[s] = Len(log[s]) /\ tbl[s].x # "tomb")

\* my side's last write of a field is what my side reads until the other side writes that field
OwnSide == ~brk
\* a change is in the conflict log only if the other side wrote the same field (or the item) unseen
TrueConflict == \A p \in kept : \/ ItemConflict(p[1], Old)
                                \/ \E u \in Ids : over[u].side = V2 /\ IF Item(p[1]) THEN ConcI(u, p[1])
                                                                      ELSE Touches(u, p[2]) /\ ConcF(u, p[1], p[2])
\* a write is there, or was replaced, or found its effect there
Replaced(w, f) == \E u \in Ids : over[u].was[f] = w /\ f \in over[u].r
Survives(w, f) == \/ tbl[V2][f] = w \/ Replaced(w, f)
                  \/ \E p \in dup : p[1] = w /\ p[2] = f
                  \/ \E p \in dup : p[3] = w /\ p[2] = f /\ Replaced(p[1], f)
\* no write is lost: it survives, or is in the conflict log (old side only)
Kept(w, f) == Survives(w, f) \/ (over[w].side = Old /\ <<w, f>> \in kept)
AllKept == \A w \in Ids : \A f \in over[w].f : Kept(w, f)
AllV2Survive == \A w \in Ids : over[w].side = V2 => \A f \in over[w].f : Survives(w, f)
\* nothing is both carried and in the conflict log
LogIsTrue == \A p \in kept : over[p[1]].side = Old /\ tbl[V2][p[2]] # p[1]
\* tablesplit recognizes its own writes
RightAuthor == ~wrong
=============================================================================
