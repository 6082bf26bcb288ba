------------------------------- MODULE Places -------------------------------
(* The rule of `dual` (Delta.tla) for ONE old item that may lie at two places on v2. Field
   k of the old item, 1 or 2, decides the place; field a is content. The places have
   streams of their own, read in any order by workers of their own; their sequence
   numbers are not compared.

   Forward moves an item under one claim: it puts the item at the new place (V with the
   change), then a tombstone at the previous place, each on condition that the place is
   as read. Refused: it reads both again, and decides again. What it put at the new place,
   and what the previous one held, stays in the claim, so that it can tell what the
   application wrote between the two:
     at the previous place only   put the new place again (a stamp of its own: n.1)
     at the new place only        go on with the tombstone
     deleted the new place        the change is lost: the previous place is put as it is, with a restore
     deleted the previous place   the item is deleted: a tombstone at the new place, with a restore
     both places                  held: the new place is put as it is, with a restore
   The stamps of a move say which fields it changed (m): for reverse the new place's
   record is an update, and the tombstone no delete.

   Reverse: the stamp on old is a count of R's claims for the item.
   A claim of the item, not of a place: the worker of the other place waits until it is made, or
   given up by its owner. A record is judged against the item where it lives now. A delete is one only
   if the item lives nowhere. Two live places: held, reverse carries nothing; the next
   record that finds one live place has it put whole. While F moves the item (its claim of a
   move is open) reverse waits; F closes that claim at once.

   A worker that is killed between the two puts leaves its claim. The next one may read earlier
   records first, and must not drop it: only the claim says that the new place has this move's put.

   A read of both places (and F's half after them) is one step: a snapshot, in the code
   two reads that agree, or TransactGetItems.
   Left out: three places, merge: add, quarantine, other phases, places that neither half knows.
   Ghosts are those of Delta.tla, simplified: see `seen by`.

   Run: make model MODEL=Places *)
EXTENDS Integers, Sequences, FiniteSets

CONSTANTS
  OldWrites, V2Writes,
  Ops,                   \* subset of {"upd","put","move","del"}; put drops the stamp
  StartLive,
  Crashes,
  (* rules *)
  PutFirst,              \* a move puts the new place before it buries the previous one
  DeleteIsLast,          \* a delete at a place is one only if the item lives nowhere
  SeenPerPlace,          \* R keeps `seen` for each place (FALSE: one for the item)
  MoveNamesFields,       \* the stamps of a move name the fields that it changed
  RedoStamp,             \* a second put of a move has a stamp of its own
  WaitForMove,           \* R does nothing while F is between the two puts of a move
  OneHalf,               \* a write of R's half fails if the other place's worker has written it since
  OneClaim,              \* R's claim is the item's: the worker of the other place waits until it is made, or given up
  Restore,               \* what the application did in the gap of a move is answered by a restore
  KeepsBegun,            \* a worker that reads earlier records again leaves the claim of a move that was begun
  OwnDelete              \* where F itself has removed the item, its tombstones of before are no deletes of v2's application

Place == {1, 2}
Far(p) == 3 - p
Work3 == 0..2                      \* the workers: 0 is forward, p reverse at place p; stream 0 is old's
Fields == {"k", "a"}
NoStamp == [v |-> 0]
Nil == -1
Max(x, y) == IF x > y THEN x ELSE y

VARIABLES
  old, v2, log, seq, pos, fwd, rev, mem, crashes, left,
  kept,                              \* conflict log: <<write, field>>
  wid, over, dlv, own, bad, wrong    \* ghosts

vars == <<old, v2, log, seq, pos, fwd, rev, mem, crashes, left, kept, wid, over, dlv, own, bad, wrong>>

Img(x, k, a, st) == [x |-> x, k |-> k, a |-> a, st |-> st]
Live(i) == i.x = "live"
None(p) == Img("none", p, 0, NoStamp)
Same(i, j) == (Live(i) = Live(j)) /\ (Live(i) => (i.a = j.a /\ i.k = j.k))
Kind(i, j) == IF Live(i) THEN (IF Live(j) THEN "u" ELSE "d") ELSE IF Live(j) THEN "c" ELSE "n"
Start == IF StartLive THEN Img("live", 1, 0, NoStamp) ELSE None(1)
NoClaim == [p |-> 0, rec |-> 0, cnt |-> 0, ofs |-> {}, oseen |-> 0, whole |-> FALSE]
\* a claim of F: the place it puts, the place it buries then, and for each put at the new place what it put and what the
\* previous place held; ans: the place that is put as an answer to what the application did in the gap
NoMove  == [n |-> 0, to |-> 0, from |-> 0, sub |-> 0, puts |-> <<>>, pres |-> <<>>, ans |-> 0, lost |-> {}, rd |-> None(0), gone |-> FALSE]
\* gone: F has left the item at no place, or will, or had before the write that its claim announces
Idle == [st |-> "idle", old |-> None(0), v2 |-> [p \in Place |-> None(0)], ok |-> TRUE, gone |-> FALSE]

Init ==
  /\ old = Start
  /\ v2 = [p \in Place |-> IF p = 1 THEN Start ELSE None(p)]
  /\ log = [s \in Work3 |-> <<>>] /\ seq = [s \in Work3 |-> 0] /\ pos = [s \in Work3 |-> 0]
  /\ fwd = [done |-> 0, seen |-> 0, rd |-> None(0), c |-> NoMove, gone |-> FALSE]
  /\ rev = [count |-> 0, put |-> [f \in Fields |-> 0], done |-> [p \in Place |-> 0], seen |-> [p \in Place |-> 0],
            c |-> NoClaim, held |-> FALSE]
  /\ mem = [w \in Work3 |-> Idle]
  /\ crashes = Crashes
  /\ left = [s \in {0, 1} |-> IF s = 0 THEN OldWrites ELSE V2Writes]
  /\ kept = {} /\ wid = 0 /\ over = <<>> /\ dlv = [s \in {0, 1} |-> {}] /\ own = [f \in Fields |-> 0]
  /\ bad = FALSE /\ wrong = FALSE

Keep == Crashes > 0
Trim(l, w, n) == IF Keep THEN l ELSE [l EXCEPT ![w] = SelectSeq(@, LAMBDA e : e.seq > n)]
At(w, n) == LET l == log[w] i == CHOOSE i \in 1..Len(l) : l[i].seq = n IN l[i]
Image(s) == IF s = 0 THEN old ELSE v2[s]
Rec(s, new, by, w) == [seq |-> seq[s] + 1, old |-> Image(s), new |-> new, by |-> by, w |-> w]
\* stream s gets the record of a write
Wrote(s, new, by, w, lg) ==
  /\ log' = [lg EXCEPT ![s] = Append(@, Rec(s, new, by, w))]
  /\ seq' = [seq EXCEPT ![s] = @ + 1]
  /\ IF s = 0 THEN old' = new /\ UNCHANGED v2 ELSE v2' = [v2 EXCEPT ![s] = new] /\ UNCHANGED old

----------------------------------------------------------------------------
(* the application; side 0 is old, 1 is v2 *)
OldImages(w) ==
     (IF Live(old) /\ "upd" \in Ops THEN {Img("live", old.k, w, old.st)} ELSE {})
  \cup (IF Live(old) /\ "move" \in Ops THEN {Img("live", Far(old.k), old.a, old.st)} ELSE {})
  \cup (IF "put" \in Ops \/ ~Live(old) THEN {Img("live", k, w, NoStamp) : k \in Place} ELSE {})
  \cup (IF Live(old) /\ "del" \in Ops THEN {None(old.k)} ELSE {})
V2Images(p, w) ==
     (IF Live(v2[p]) /\ "upd" \in Ops THEN {Img("live", p, w, v2[p].st)} ELSE {})
  \cup (IF "put" \in Ops \/ ~Live(v2[p]) THEN {Img("live", p, w, NoStamp)} ELSE {})
  \cup (IF Live(v2[p]) /\ "del" \in Ops THEN {None(p)} ELSE {})
AppWrite(s) ==
  LET side == IF s = 0 THEN 0 ELSE 1 w == wid + 1 IN
  /\ left[side] > 0
  /\ \E new \in IF s = 0 THEN OldImages(w) ELSE V2Images(s, w) :
       LET i == Image(s) k == Kind(i, new)
           r == {f \in Fields : k # "u" \/ new[f] # i[f]} IN
       /\ Wrote(s, new, "app", w, log)
       /\ over' = Append(over, [side |-> side, k |-> k, r |-> r, was |-> IF Live(i) THEN i.a ELSE Nil,
                                a |-> Live(new) /\ new.a = w, saw |-> dlv[side]])
       /\ own' = IF s = 0 THEN [f \in Fields |-> IF f \in r THEN w ELSE own[f]] ELSE own
  /\ left' = [left EXCEPT ![side] = @ - 1]
  /\ wid' = w
  /\ UNCHANGED <<pos, fwd, rev, mem, crashes, kept, dlv, bad, wrong>>

----------------------------------------------------------------------------
(* the ledger *)
Stamp(n, sub, g, m) == [v |-> 10 * n + sub, b |-> fwd.seen, g |-> g, m |-> m]
\* an answer to what the application did in the gap: whatever R has put on old
Answering(n, sub, g) == [v |-> 10 * n + sub, b |-> 99, g |-> g, m |-> {}]
OldStamp(c) == [v |-> c]

\* F's half for record n of old's stream, R's half for record n of place p: an earlier claim is done
FF(n) == IF fwd.c.n # 0 /\ n > fwd.c.n THEN [fwd EXCEPT !.done = fwd.c.n, !.rd = fwd.c.rd, !.c = NoMove, !.gone = fwd.c.gone] ELSE fwd
\* a stamp of R's on old: made, if it stands there, or F has passed it, or will pass it
InStream(s, v) == \E i \in 1..Len(log[s]) : log[s][i].seq > pos[s] /\ log[s][i].new.st.v = v
MadeOld == old.st.v = rev.c.cnt \/ fwd.seen >= rev.c.cnt \/ InStream(0, rev.c.cnt)
DoneR ==
  LET c == rev.c IN
  [rev EXCEPT !.done[c.p] = c.rec, !.seen[c.p] = Max(@, c.oseen), !.c = NoClaim,
              !.put = [f \in Fields |-> IF f \in c.ofs THEN c.cnt ELSE @[f]]]
\* a worker of the other place waits until the claimed put is made, or given up; both wait while F moves the item
Free(p) == /\ rev.c.rec = 0 \/ rev.c.p = p \/ MadeOld \/ ~OneClaim
           /\ fwd.c.from = 0 \/ ~WaitForMove
RR(p, n) == IF rev.c.rec # 0 /\ (rev.c.p # p \/ n > rev.c.rec) THEN DoneR ELSE rev

SeenAt(h, p) == IF SeenPerPlace THEN h.seen[p] ELSE Max(h.seen[1], h.seen[2])
OursF(r) == \/ r.old.x = "tomb" /\ r.new.x = "none"
            \/ r.new.st # NoStamp /\ r.new.st # r.old.st /\ r.new.st.v > FF(r.seq).seen
OursR(p, r) == \/ r.old.x = "tomb" /\ r.new.x = "none"
               \/ r.new.st # NoStamp /\ r.new.st # r.old.st /\ r.new.st.v > SeenAt(RR(p, r.seq), p)
NewSeen(p, r) == IF OursR(p, r) /\ r.new.st # NoStamp THEN Max(r.new.st.v, RR(p, r.seq).seen[p]) ELSE RR(p, r.seq).seen[p]
FinishedF(r, rd) == [FF(r.seq) EXCEPT !.done = r.seq, !.rd = rd, !.c = NoMove, !.gone = IF fwd.c.n = r.seq THEN fwd.c.gone ELSE @]
PassedF(r) ==       \* R's record on old
  LET h == FF(r.seq) IN
  IF r.new.st = NoStamp THEN [h EXCEPT !.done = r.seq, !.rd = None(0), !.c = NoMove]
  ELSE [h EXCEPT !.done = r.seq, !.rd = None(0), !.c = NoMove, !.seen = Max(@, r.new.st.v)]
FinishedR(p, r) == [RR(p, r.seq) EXCEPT !.done[p] = r.seq, !.seen[p] = NewSeen(p, r), !.c = NoClaim]

SeenOrClaimed(p) == IF rev.c.p = p THEN Max(rev.seen[p], rev.c.oseen) ELSE rev.seen[p]
\* F put a stamp of record n at place p: exactly v, or any of its stamps
MadeExactly(p, v) == v2[p].st.v = v \/ SeenOrClaimed(p) >= v \/ InStream(p, v)
Made(n, p) == \/ v2[p].st.v \div 10 = n \/ SeenOrClaimed(p) >= 10 * n
              \/ \E v \in (10 * n)..(10 * n + 9) : InStream(p, v)

----------------------------------------------------------------------------
(* forward decides *)
LiveAt(vs) == {p \in Place : Live(vs[p])}
No(lost, rd) == [k |-> "none", to |-> 0, img |-> None(0), from |-> 0, bury |-> None(0), lost |-> lost, rd |-> rd, redo |-> FALSE, pre |-> 0]
Put(to, img, lost) == [No(lost, None(0)) EXCEPT !.k = "put", !.to = to, !.img = img]
Move(to, img, from, bury, lost, pre) == [Put(to, img, lost) EXCEPT !.from = from, !.bury = bury, !.pre = pre]

Judge(r, base, p, now, sub) ==
  LET ch == {f \in Fields : base[f] # r.new[f]}
      tk == {f \in ch : now[f] = base[f]}
      a  == IF "a" \in tk THEN r.new.a ELSE now.a
      to == IF "k" \in tk THEN r.new.k ELSE p
      m  == IF MoveNamesFields THEN tk ELSE {} IN
  IF tk = {} THEN No(ch, None(0))
  ELSE IF to = p THEN Put(p, Img("live", p, a, Stamp(r.seq, sub, {}, {})), ch \ tk)
  ELSE Move(to, Img("live", to, a, Stamp(r.seq, sub, {}, m)), p, Img("tomb", p, now.a, Stamp(r.seq, 0, {}, {"k"})), ch \ tk, now.a)

\* the record's own move has put the new place q already, from p; m is the claim
Again(r, vs, m) ==
  LET q == m.to p == m.from
      \* the last of its puts that was made; without a stamp of its own one cannot tell
      i == IF RedoStamp
           THEN CHOOSE i \in 1..Len(m.puts) : /\ MadeExactly(q, 10 * r.seq + i - 1)
                                              /\ \A j \in (i + 1)..Len(m.puts) : ~MadeExactly(q, 10 * r.seq + j - 1)
           ELSE Len(m.puts)
      sub == IF RedoStamp THEN Len(m.puts) ELSE 0
      untouched == vs[q].st.v \div 10 = r.seq /\ vs[q].a = m.puts[i]
      base == IF Live(r.old) THEN r.old ELSE FF(r.seq).rd
      d == Judge(r, base, p, vs[p], sub)
      ch == {f \in Fields : base[f] # r.new[f]}
      bury == [Move(q, vs[q], p, Img("tomb", p, vs[p].a, Stamp(r.seq, 0, {}, {"k"})), m.lost, m.pres[i]) EXCEPT !.k = "bury"] IN
  CASE Live(vs[p]) /\ Live(vs[q]) ->
         IF vs[p].a = m.pres[i] THEN bury
         ELSE IF untouched
         THEN IF d.from = p /\ d.img.a # vs[q].a THEN [d EXCEPT !.redo = TRUE] ELSE bury
         ELSE IF Restore THEN Put(q, Img("live", q, vs[q].a, Answering(r.seq, sub, Fields)), m.lost) ELSE bury
    [] Live(vs[p]) /\ ~Live(vs[q]) ->
         IF Restore THEN Put(p, Img("live", p, vs[p].a, Answering(r.seq, 0, ch)), ch) ELSE No(ch, None(0))
    [] ~Live(vs[p]) /\ Live(vs[q]) ->
         IF ~Restore THEN No(m.lost, None(0))
         ELSE IF untouched THEN Put(q, Img("tomb", q, vs[q].a, Answering(r.seq, sub, Fields)), ch)
         ELSE Put(q, Img("live", q, vs[q].a, Answering(r.seq, sub, Fields)), m.lost)
    [] OTHER -> No(ch, None(0))

DecideF(r, vs, m) ==
  LET k == Kind(r.old, r.new)
      lv == LiveAt(vs)
      rd == FF(r.seq).rd IN
  IF m.n = r.seq /\ m.from # 0 /\ PutFirst /\ Made(r.seq, m.to) THEN Again(r, vs, m)
  ELSE IF lv = Place
  THEN LET ch == IF k = "u" THEN {f \in Fields : r.old[f] # r.new[f]} ELSE Fields IN
       IF Restore THEN Put(1, Img("live", 1, vs[1].a, Stamp(r.seq, 0, ch, {})), ch) ELSE No(ch, None(0))
  ELSE IF lv = {}
  THEN CASE k = "u" -> No({f \in Fields : r.old[f] # r.new[f]}, None(0))
         [] k = "c" -> Put(r.new.k, Img("live", r.new.k, r.new.a, Stamp(r.seq, 0, {}, {})), {})
         [] OTHER -> No({}, None(0))
  ELSE LET p == CHOOSE p \in Place : p \in lv now == vs[p] IN
       CASE k = "u" -> Judge(r, r.old, p, now, 0)
         [] k = "c" -> IF rd.x = "live" THEN Judge(r, rd, p, now, 0) ELSE No(Fields, None(0))
         [] OTHER -> IF Same(now, r.old) THEN Put(p, Img("tomb", p, now.a, Stamp(r.seq, 0, {}, {})), {})
                     ELSE [Put(p, Img("live", p, now.a, Stamp(r.seq, 0, {f \in Fields : now[f] # r.old[f]}, {})), Fields)
                           EXCEPT !.rd = r.old]

----------------------------------------------------------------------------
(* reverse decides *)
Changed(r) == {f \in Fields : r.old[f] # r.new[f]}
IsRestore(r) == r.new.st # NoStamp /\ r.new.st.g # {}
\* the fields of a record of F's that R must bring back, or restore
Returned(p, r) ==
  LET put == RR(p, r.seq).put
      crossed == {f \in Fields : put[f] > r.new.st.b} IN
  IF r.new.st = NoStamp \/ r.new.x = "none" THEN {}
  ELSE IF IsRestore(r) THEN {f \in r.new.st.g : put[f] <= r.new.st.b}
  \* the previous place of a move: a delete if the item lives nowhere (the application deleted the new place meanwhile)
  ELSE IF r.new.x = "tomb" /\ r.new.st.m # {} THEN Fields \ crossed
  ELSE IF r.new.st.m # {} THEN r.new.st.m \cap crossed
  ELSE IF Kind(r.old, r.new) = "u" THEN Changed(r) \cap crossed
  ELSE IF crossed # {} THEN Fields ELSE {}

NoR(dl) == [k |-> "none", img |-> None(0), ofs |-> {}, whole |-> FALSE, held |-> FALSE, dl |-> dl]
PutR(img, ofs) == [k |-> "put", img |-> img, ofs |-> ofs, whole |-> FALSE, held |-> FALSE, dl |-> TRUE]
Tomb(i) == Img("tomb", i.k, i.a, NoStamp)

DecideR(p, r, m) ==
  LET ours == OursR(p, r)
      lv == LiveAt(m.v2)
      \* where the item lives now
      l == IF lv = {} THEN 0 ELSE IF p \in lv THEN p ELSE Far(p)
      now == IF l = 0 THEN None(p) ELSE m.v2[l]
      k == IF ours /\ Live(r.new) /\ r.new.st.m # {} THEN "u" ELSE IF ours /\ IsRestore(r) THEN (IF Live(r.new) THEN "t" ELSE "d") ELSE Kind(r.old, r.new)
      fs == IF ours THEN Returned(p, r) ELSE IF k = "u" THEN Changed(r) ELSE Fields
      ff == {f \in fs : now[f] = r.new[f]}
      img == Img("live", IF "k" \in ff THEN r.new.k ELSE m.old.k, IF "a" \in ff THEN r.new.a ELSE m.old.a, NoStamp) IN
  IF lv = Place THEN [NoR(FALSE) EXCEPT !.held = TRUE]
  ELSE IF rev.held \/ (rev.c.p = p /\ rev.c.rec = r.seq /\ rev.c.whole)
  THEN LET i == IF l = 0 THEN Tomb(m.old) ELSE Img("live", l, now.a, NoStamp) IN
       IF Live(i) \/ Live(m.old) THEN [PutR(i, Fields) EXCEPT !.whole = TRUE] ELSE [NoR(TRUE) EXCEPT !.whole = TRUE]
  ELSE IF k = "t" /\ l # 0 /\ l # p /\ Live(m.old)
  THEN [PutR(Img("live", l, now.a, NoStamp), Fields) EXCEPT !.whole = TRUE]
  ELSE IF k = "n" \/ (ours /\ fs = {}) THEN NoR(TRUE)
  ELSE IF ~Live(r.new)
  THEN IF l # 0 /\ DeleteIsLast THEN NoR(FALSE)
       ELSE IF ours /\ r.new.st.m # {} /\ m.gone /\ OwnDelete THEN NoR(TRUE)
       ELSE IF Live(m.old) THEN PutR(Tomb(m.old), Fields) ELSE NoR(TRUE)
  ELSE IF l = 0 THEN NoR(FALSE)
  ELSE IF Live(m.old) THEN IF Same(img, m.old) THEN NoR(TRUE) ELSE PutR(img, ff)
  ELSE IF k \in {"c", "t"} THEN IF l = p THEN PutR(Img("live", p, r.new.a, NoStamp), Fields)
                              ELSE [PutR(Img("live", l, now.a, NoStamp), Fields) EXCEPT !.whole = TRUE]
  ELSE NoR(FALSE)
\* a record of F's that needs nothing of R; held things are put whole at any record
Idles(p, r) == OursR(p, r) /\ Returned(p, r) = {} /\ ~rev.held /\ ~(rev.c.p = p /\ rev.c.rec = r.seq) /\ ~(Kind(r.old, r.new) = "c" /\ LiveAt(v2) = Place)

----------------------------------------------------------------------------
(* the steps of forward *)
Same0 == UNCHANGED <<old, v2, seq>>
Step(w, n) == pos' = [pos EXCEPT ![w] = n] /\ mem' = [mem EXCEPT ![w] = Idle]
Next1(w) == At(w, pos[w] + 1)
HasNext(w) == pos[w] < seq[w]
ReadNow == [st |-> "read", old |-> old, v2 |-> v2, ok |-> TRUE, gone |-> fwd.gone \/ (fwd.c.n # 0 /\ fwd.c.gone)]
Rest == UNCHANGED <<crashes, left, wid, over, own>>

\* a worker that reads record n again, which is done, finds the claim of a move. Since R waits for it, it is dropped: but
\* not that of a move that was begun, whose record is read later
Reread(n) ==
  LET c == fwd.c IN
  IF c.n > n /\ c.from # 0 /\ c.ans = 0 /\ PutFirst /\ ~Made(c.n, c.from) /\ ~(KeepsBegun /\ Made(c.n, c.to))
  THEN [fwd EXCEPT !.c = NoMove] ELSE fwd
TakeF ==
  /\ mem[0].st = "idle" /\ HasNext(0)
  /\ LET r == Next1(0) n == r.seq c == fwd.c IN
     IF n <= FF(n).done
     THEN Step(0, n) /\ log' = Trim(log, 0, n) /\ fwd' = Reread(n) /\ UNCHANGED wrong
     ELSE IF OursF(r)
     THEN /\ wrong' = (wrong \/ r.by # "sync") /\ fwd' = PassedF(r) /\ Step(0, n) /\ log' = Trim(log, 0, n)
     ELSE IF c.n = n /\ (IF c.ans # 0 THEN MadeExactly(c.ans, 10 * n + c.sub)
                       ELSE IF c.from # 0 THEN Made(n, c.from) ELSE MadeExactly(c.to, 10 * n + c.sub))
     THEN fwd' = [fwd EXCEPT !.done = n, !.rd = c.rd, !.c = NoMove, !.gone = c.gone] /\ UNCHANGED <<log, pos, mem, wrong>>
     ELSE mem' = [mem EXCEPT ![0] = ReadNow] /\ UNCHANGED <<log, pos, fwd, wrong>>
  /\ Same0 /\ Rest /\ UNCHANGED <<rev, kept, dlv, bad>>

Logged(w, lost) == {p \in kept : p[1] # w} \cup {<<w, f>> : f \in lost}
Reached(side, w) == dlv' = [dlv EXCEPT ![side] = @ \cup {u \in 1..Len(over) : over[u].side # side /\ u <= w}]
DF == DecideF(Next1(0), mem[0].v2, fwd.c)

NoneF ==
  /\ mem[0].st = "read"
  /\ LET r == Next1(0) c == DF IN
     /\ c.k = "none"
     /\ wrong' = (wrong \/ r.by # "app")
     /\ fwd' = [FinishedF(r, c.rd) EXCEPT !.gone = LiveAt(mem[0].v2) = {}] /\ kept' = Logged(r.w, c.lost)
     /\ Step(0, r.seq) /\ log' = Trim(log, 0, r.seq) /\ Reached(1, r.w)
  /\ Same0 /\ Rest /\ UNCHANGED <<rev, bad>>

\* what the claim must say before the put
Answer(n, c) == c.from = 0 /\ fwd.c.n = n /\ fwd.c.from # 0 /\ PutFirst /\ Made(n, fwd.c.to)
ClaimFor(n, c) ==
  LET m == fwd.c
      grown == m.n = n /\ m.from = c.from /\ m.to = c.to /\ c.redo IN
  IF Answer(n, c) THEN [m EXCEPT !.ans = c.to, !.sub = c.img.st.v % 10, !.lost = c.lost, !.rd = c.rd]
  ELSE [n |-> n, to |-> c.to, from |-> c.from, ans |-> 0, lost |-> c.lost, rd |-> c.rd, gone |-> FALSE,
        sub |-> IF c.k = "put" THEN c.img.st.v % 10 ELSE m.sub,
        puts |-> IF c.from = 0 THEN <<>> ELSE IF c.k = "bury" THEN m.puts ELSE IF grown THEN Append(m.puts, c.img.a) ELSE <<c.img.a>>,
        pres |-> IF c.from = 0 THEN <<>> ELSE IF c.k = "bury" THEN m.pres ELSE IF grown THEN Append(m.pres, c.pre) ELSE <<c.pre>>]
Claimed(n, c) ==
  LET m == fwd.c IN
  /\ m.n = n /\ m.lost = c.lost /\ m.rd = c.rd
  /\ c.k = "put" => m.sub = c.img.st.v % 10
  /\ IF Answer(n, c) THEN m.ans = c.to ELSE m.ans = 0 /\ m.to = c.to /\ m.from = c.from
  /\ (c.k = "put" /\ c.from # 0) => (m.puts[Len(m.puts)] = c.img.a /\ m.pres[Len(m.pres)] = c.pre)

ClaimF ==
  /\ mem[0].st = "read"
  /\ LET r == Next1(0) c == DF IN
     /\ c.k # "none" /\ ~Claimed(r.seq, c)
     /\ fwd' = [FF(r.seq) EXCEPT !.c = [ClaimFor(r.seq, c) EXCEPT !.gone = ~Live(c.img) /\ c.from = 0]]
     /\ kept' = Logged(r.w, c.lost)
     /\ mem' = [mem EXCEPT ![0].st = IF c.k = "bury" THEN "bury" ELSE "put", ![0].old = c.img]
  /\ Same0 /\ Rest /\ UNCHANGED <<log, pos, rev, dlv, bad, wrong>>

\* the decision stands in memory from the claim on: what is put (old), where (in the claim)
ReadyF ==
  /\ mem[0].st = "read"
  /\ LET r == Next1(0) c == DF IN
     /\ c.k # "none" /\ Claimed(r.seq, c)
     /\ mem' = [mem EXCEPT ![0].st = IF c.k = "bury" THEN "bury" ELSE "put", ![0].old = c.img]
  /\ Same0 /\ Rest /\ UNCHANGED <<log, pos, fwd, rev, kept, dlv, bad, wrong>>

PutF ==
  /\ mem[0].st = "put"
  /\ LET r == Next1(0) m == fwd.c to == IF m.ans # 0 THEN m.ans ELSE m.to last == m.from = 0 \/ m.ans # 0 IN
     IF ~PutFirst /\ m.from # 0
     THEN mem' = [mem EXCEPT ![0].st = "bury"] /\ Same0 /\ UNCHANGED <<log, pos, wrong, dlv>>
     ELSE IF v2[to] # mem[0].v2[to]
     THEN mem' = [mem EXCEPT ![0] = ReadNow] /\ Same0 /\ UNCHANGED <<log, pos, wrong, dlv>>
     ELSE /\ Wrote(to, mem[0].old, "sync", 0, IF m.from = 0 THEN Trim(log, 0, r.seq) ELSE log)
          /\ wrong' = (wrong \/ r.by # "app")
          /\ IF m.from = 0 THEN Step(0, r.seq) /\ Reached(1, r.w)
             ELSE IF last THEN mem' = [mem EXCEPT ![0].st = "close"] /\ UNCHANGED <<pos, dlv>>
             ELSE mem' = [mem EXCEPT ![0].st = "bury", ![0].v2[to] = mem[0].old] /\ UNCHANGED <<pos, dlv>>
  /\ Rest /\ UNCHANGED <<fwd, rev, kept, bad>>

BuryF ==
  /\ mem[0].st = "bury"
  /\ LET r == Next1(0) m == fwd.c p == m.from IN
     IF v2[p] # mem[0].v2[p]
     THEN mem' = [mem EXCEPT ![0] = ReadNow] /\ Same0 /\ UNCHANGED <<log, pos, dlv>>
     ELSE /\ Wrote(p, Img("tomb", p, v2[p].a, Stamp(r.seq, 0, {}, {"k"})), "sync", 0, log)
          /\ mem' = [mem EXCEPT ![0].st = IF PutFirst THEN "close" ELSE "last"] /\ UNCHANGED <<pos, dlv>>
  /\ Rest /\ UNCHANGED <<fwd, rev, kept, bad, wrong>>

\* the claim of a move is closed at once: R waits for it
CloseF ==
  /\ mem[0].st = "close"
  /\ LET r == Next1(0) IN
     fwd' = FinishedF(r, fwd.c.rd) /\ Step(0, r.seq) /\ log' = Trim(log, 0, r.seq) /\ Reached(1, r.w)
  /\ Same0 /\ Rest /\ UNCHANGED <<rev, kept, bad, wrong>>

\* only with PutFirst = FALSE
LastF ==
  /\ mem[0].st = "last"
  /\ mem' = [mem EXCEPT ![0].st = "close"]
  /\ LET r == Next1(0) to == fwd.c.to IN
     IF v2[to] # mem[0].v2[to] THEN Same0 /\ UNCHANGED log ELSE Wrote(to, mem[0].old, "sync", 0, log)
  /\ Rest /\ UNCHANGED <<pos, fwd, rev, kept, dlv, bad, wrong>>

(* the steps of reverse at place p *)
\* R's half is written: what the worker of the other place has read is out of date for its own writes of the half
Stale(m, p) == IF m[Far(p)].st = "read" /\ OneHalf THEN [m EXCEPT ![Far(p)].ok = FALSE] ELSE m
StepR(p, n) == pos' = [pos EXCEPT ![p] = n] /\ mem' = Stale([mem EXCEPT ![p] = Idle], p)
AgainR(p) == mem' = [mem EXCEPT ![p] = Idle] /\ UNCHANGED <<old, v2, seq, log, pos, fwd, rev, kept, dlv, own, bad, wrong>>

TakeR(p) ==
  /\ mem[p].st = "idle" /\ HasNext(p) /\ Free(p)
  /\ LET r == Next1(p) n == r.seq IN
     IF n <= RR(p, n).done[p]
     THEN Step(p, n) /\ log' = Trim(log, p, n) /\ UNCHANGED <<rev, wrong>>
     ELSE IF Idles(p, r)
     THEN /\ wrong' = (wrong \/ r.by # "sync") /\ rev' = FinishedR(p, r) /\ StepR(p, n) /\ log' = Trim(log, p, n)
     ELSE IF rev.c.p = p /\ rev.c.rec = n /\ MadeOld
     THEN rev' = DoneR /\ mem' = Stale(mem, p) /\ UNCHANGED <<log, pos, wrong>>
     ELSE mem' = [mem EXCEPT ![p] = ReadNow] /\ UNCHANGED <<log, pos, rev, wrong>>
  /\ Same0 /\ Rest /\ UNCHANGED <<fwd, kept, dlv, bad>>

DR(p) == DecideR(p, Next1(p), mem[p])
\* seen by old: the write of this record; for a whole put all that v2 wrote
ReachedR(r, c) == dlv' = [dlv EXCEPT ![0] = @ \cup (IF c.whole THEN {u \in 1..Len(over) : over[u].side = 1}
                                                   ELSE IF c.dl /\ r.w # 0 THEN {r.w} ELSE {})]
NoneR(p) ==
  /\ mem[p].st = "read" /\ Free(p)
  /\ LET r == Next1(p) c == DR(p) IN
     /\ c.k = "none"
     /\ IF ~mem[p].ok THEN AgainR(p) /\ Rest
        ELSE /\ wrong' = (wrong \/ (OursR(p, r) # (r.by = "sync")))
             /\ rev' = [FinishedR(p, r) EXCEPT !.held = IF c.held THEN TRUE ELSE IF c.whole THEN FALSE ELSE @]
             /\ StepR(p, r.seq) /\ log' = Trim(log, p, r.seq) /\ ReachedR(r, c)
             /\ Same0 /\ Rest /\ UNCHANGED <<fwd, kept, bad>>

ClaimedR(p, n, c) == LET m == rev.c IN m.p = p /\ m.rec = n /\ m.ofs = c.ofs /\ m.whole = c.whole
ClaimR(p) ==
  /\ mem[p].st = "read"
  /\ LET r == Next1(p) c == DR(p) IN
     /\ c.k = "put" /\ ~ClaimedR(p, r.seq, c) /\ Free(p)
     /\ IF ~mem[p].ok THEN AgainR(p) /\ Rest
        ELSE /\ rev' = [RR(p, r.seq) EXCEPT !.count = @ + 1, !.held = IF c.whole THEN FALSE ELSE @,
                  !.c = [p |-> p, rec |-> r.seq, cnt |-> rev.count + 1, ofs |-> c.ofs, oseen |-> NewSeen(p, r), whole |-> c.whole]]
             /\ mem' = Stale(mem, p)
             /\ Same0 /\ Rest /\ UNCHANGED <<log, pos, fwd, kept, dlv, bad, wrong>>

Ids == 1..Len(over)
\* one side created or deleted the item while the other side wrote it, neither having seen the other; w, a write of old's, is not before that
ItemConflict(w) == \E d, u \in Ids : /\ over[d].side = 0 /\ over[u].side = 1 /\ d <= w /\ (over[d].k # "u" \/ over[u].k # "u")
                                     /\ d \notin over[u].saw /\ u \notin over[d].saw
\* R's put takes off an own-side write that had seen every write of v2's to that field
TakesOff(i) ==
  \E f \in Fields :
    /\ own[f] # 0 /\ Live(old) /\ (~Live(i) \/ i[f] # old[f])
    /\ ~\E u \in Ids : over[u].side = 1 /\ f \in over[u].r /\ u \notin over[own[f]].saw
    /\ ~ItemConflict(own[f])
PutOld(p) ==
  /\ mem[p].st = "read"
  /\ LET r == Next1(p) c == DR(p) i == [c.img EXCEPT !.st = OldStamp(rev.c.cnt)] IN
     /\ c.k = "put" /\ ClaimedR(p, r.seq, c)
     /\ IF old # mem[p].old
        THEN mem' = [mem EXCEPT ![p] = Idle] /\ Same0 /\ UNCHANGED <<log, pos, dlv, own, bad, wrong>>
        ELSE /\ Wrote(0, i, "sync", 0, Trim(log, p, r.seq))
             /\ own' = [f \in Fields |-> IF Live(i) /\ Live(old) /\ i[f] = old[f] THEN own[f] ELSE 0]
             /\ bad' = (bad \/ TakesOff(i))
             /\ wrong' = (wrong \/ (OursR(p, r) # (r.by = "sync")))
             /\ Step(p, r.seq) /\ ReachedR(r, c)
  /\ UNCHANGED <<fwd, rev, kept, crashes, left, wid, over>>

Crash(w) ==
  /\ crashes > 0 /\ crashes' = crashes - 1
  /\ \E q \in 0..pos[w] : pos' = [pos EXCEPT ![w] = q] /\ (q = pos[w] => mem[w].st # "idle")
  /\ mem' = [mem EXCEPT ![w] = Idle]
  /\ UNCHANGED <<old, v2, log, seq, fwd, rev, left, kept, wid, over, dlv, own, bad, wrong>>

Purge(s) ==
  /\ Image(s).x = "tomb"
  /\ Wrote(s, [Image(s) EXCEPT !.x = "none", !.st = NoStamp, !.a = 0], "sync", 0, log)
  /\ UNCHANGED <<pos, fwd, rev, mem, crashes, left, kept, wid, over, dlv, own, bad, wrong>>

Next == \/ \E s \in Work3 : AppWrite(s) \/ Purge(s) \/ Crash(s)
        \/ TakeF \/ NoneF \/ ClaimF \/ ReadyF \/ PutF \/ BuryF \/ CloseF \/ LastF
        \/ \E p \in Place : TakeR(p) \/ NoneR(p) \/ ClaimR(p) \/ PutOld(p)
Spec == Init /\ [][Next]_vars

----------------------------------------------------------------------------
Lag0 == (\A s \in Work3 : pos[s] = seq[s]) /\ old.x # "tomb" /\ \A p \in Place : v2[p].x # "tomb"
Where == LiveAt(v2)

\* both sides end equal, or the item lives at two places and is held
Converged == Lag0 => CASE Where = {} -> ~Live(old)
                       [] Where = Place -> rev.held
                       [] OTHER -> LET p == CHOOSE p \in Place : p \in Where IN Same(old, v2[p])
\* no value that an application wrote into field a is lost: v2 has it, or an application's write replaced it, or it is in the conflict log
Replaced(w) == \E u \in Ids : over[u].was = w /\ "a" \in over[u].r
Survives(w) == (\E p \in Where : v2[p].a = w) \/ Replaced(w)
NoLostWrite == Lag0 => \A w \in Ids : over[w].a => Survives(w) \/ (over[w].side = 0 /\ <<w, "a">> \in kept)
V2Wins == Lag0 => \A w \in Ids : (over[w].a /\ over[w].side = 1) => Survives(w)
\* nothing is both carried and in the conflict log (while F moves the item, the log is ahead of the places)
LogIsTrue == fwd.c.from = 0 => \A p \in kept : over[p[1]].side = 0 /\ (p[2] = "a" => \A q \in Where : v2[q].a # p[1] \/ ~over[p[1]].a)
RightAuthor == ~wrong
\* my side's last write of a field is what my side reads until the other side writes that field (old side)
OwnSide == ~bad
\* two live places only by the application's doing, or in the gap of F's move
TwoByApp == Where = Place => \/ fwd.c.from # 0
                             \/ \E w \in Ids : over[w].side = 1 /\ (over[w].k = "c" \/ \E u \in Ids : u # w /\ over[u].side = 1)
\* a reader of v2 never finds the item at no place because of a move
NeverGone == (fwd.c.from # 0 /\ Where = {}) => \E w \in Ids : over[w].side = 1 /\ over[w].k = "d"
\* who waits, waits for one that goes on
NoDeadlock == Lag0 \/ ENABLED (\/ TakeF \/ NoneF \/ ClaimF \/ ReadyF \/ PutF \/ BuryF \/ CloseF \/ LastF
                               \/ \E s \in Work3 : Purge(s)
                               \/ \E p \in Place : TakeR(p) \/ NoneR(p) \/ ClaimR(p) \/ PutOld(p))
=============================================================================
