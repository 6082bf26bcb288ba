-------------------------------- MODULE Copies --------------------------------
(* A copy that the backfill could not make, for ONE item in `dual`, by the rule of fields
   (Atomic.tla). Quarantine has a note of the item, without an image: v2 has never had it.

   The first value of field a cannot be mapped until it is mended, which no write shows. A
   change of the item is judged from no item while the note stands: it is carried as a
   create, or it waits whole, with its image. It takes the note away if it is carried.

   A retry may make the copy from the item as it is now. It reads the item, and waits until
   what was in the streams has been read: what is unread then came after the item that it
   has. Then that item waits as a create, below every change, if the note is as it was. What
   waits is carried as in Waiting.tla: here in one step.
   Rule constants are TRUE in the protocol as designed; FALSE is a seeded bug.

   Left out: single fields that wait and claims (Waiting.tla), two v2 places, crashes: a
   retry that dies leaves the note or what waits. And an item that v2's application creates
   under the key and deletes again before that is read: the copy may bring it back.

   Run: make model MODEL=Copies *)
EXTENDS Atomic

CONSTANTS
  Retries,
  (* rules *)
  Settled,    \* the retry waits until what was in the streams has been read
  SameNote,   \* it does nothing if the note has changed
  AsCreate    \* the item waits as a create first (FALSE: it is put on v2 if nothing is there, and then the note is removed)

VARIABLES
  note,       \* "none"; "copy": the backfill's note; "change": the whole item waits, with an image
  held,       \* the image that waits
  bad,        \* values that v2 cannot have
  mem, spare
vars == <<atomic, note, held, bad, mem, spare>>
copies == <<note, held, bad, mem, spare>>

Idle == [st |-> "idle", img |-> NoImg, at |-> [s \in Side |-> 0]]
Absent == Img("none", 0, 0, NoStamp)
Init ==
  /\ InitAtomic(Img("live", 0, 0, NoStamp), Absent, NewEntry(1, 10))
  /\ note = "copy" /\ held = NoImg /\ bad = {0} /\ mem = Idle /\ spare = Retries

App(s) == AppWrite(s) /\ UNCHANGED copies
Same0 == UNCHANGED <<tbl, log, led, left, kept, over, dlv, dup, wrong, brk>>
Mend == bad # {} /\ bad' = {} /\ Same0 /\ UNCHANGED <<pos, note, held, mem, spare>>
\* fields of what waits that are lost
Lose(fs) == {<<held[f], f>> : f \in {f \in fs : held[f] \in Ids}}
CanHave(i) == ~Live(i) \/ \A f \in Fields : i[f] \notin bad

----------------------------------------------------------------------------
(* the two directions, one record at a time *)
Forward ==
  /\ pos[Old] < Len(log[Old]) /\ pos' = [pos EXCEPT ![Old] = @ + 1]
  /\ LET r == log[Old][pos[Old] + 1]
         n == 10 * (pos[Old] + 1)
         before == IF note = "none" THEN r.old ELSE Absent
         c == PlanF(r, before, tbl[V2], Stamp(n, led.seen, {}), led.ref, bad) IN
     IF SaysNothing(r) THEN UNCHANGED <<tbl, log, led, kept, dlv, dup, wrong, brk, note, held>>
     \* an item that reverse has written over waits no longer: it is lost, and the log has it whole
     ELSE IF OursOld(r, led)
     THEN /\ led' = [led EXCEPT !.done = n, !.seen = Max(@, r.new.st.v), !.ref = NoImg]
          /\ Author(TRUE, r) /\ PutNothing /\ UNCHANGED <<dlv, dup>>
          /\ kept' = kept \cup (IF note = "change" THEN Lose(Fields) ELSE {})
          /\ note' = "none" /\ held' = NoImg
     ELSE IF note # "none" /\ c.stuck # {}
     THEN /\ note' = "change" /\ held' = r.new
          /\ led' = [led EXCEPT !.done = n] /\ Author(FALSE, r) /\ PutNothing /\ UNCHANGED <<kept, dlv, dup>>
     ELSE CarryF(r, n, led, c) /\ note' = "none" /\ held' = NoImg
  /\ UNCHANGED <<left, over, bad, mem, spare>>
Reverse ==
  /\ pos[V2] < Len(log[V2]) /\ pos' = [pos EXCEPT ![V2] = @ + 1]
  /\ LET n == pos[V2] + 1 r == log[V2][n] IN
     IF SaysNothing(r) THEN UNCHANGED <<tbl, log, led, kept, dlv, dup, wrong, brk>> ELSE ApplyR(r, n, led)
  /\ UNCHANGED <<left, over>> /\ UNCHANGED copies

----------------------------------------------------------------------------
(* the retry *)
Step == UNCHANGED <<pos, bad>> /\ Same0
Read ==
  /\ mem.st = "idle" /\ spare > 0 /\ note = "copy" /\ spare' = spare - 1 /\ CanHave(tbl[Old])
  /\ mem' = [st |-> IF Settled THEN "settles" ELSE "known", img |-> tbl[Old], at |-> [s \in Side |-> Len(log[s])]]
  /\ Step /\ UNCHANGED <<note, held>>
Settles ==
  /\ mem.st = "settles" /\ \A s \in Side : pos[s] >= mem.at[s]
  /\ mem' = [mem EXCEPT !.st = "known"]
  /\ Step /\ UNCHANGED <<note, held, spare>>
GoneNow ==
  /\ mem.st = "known" /\ ~Live(mem.img) /\ mem' = Idle
  /\ note' = (IF note = "copy" THEN "none" ELSE note) /\ Step /\ UNCHANGED <<held, spare>>
\* as designed
Waits ==
  /\ AsCreate /\ mem.st = "known" /\ Live(mem.img) /\ mem' = Idle
  /\ IF note = "copy" \/ ~SameNote THEN note' = "change" /\ held' = mem.img ELSE UNCHANGED <<note, held>>
  /\ Step /\ UNCHANGED spare
\* what waits is carried, at a version below the next change
Carry ==
  /\ note = "change" /\ CanHave(held)
  /\ LET r == [old |-> Absent, new |-> held, by |-> "app", w |-> 0]
         c == PlanF(r, Absent, tbl[V2], Stamp(led.done + 1, led.seen, {}), NoImg, bad) IN
     /\ note' = "none" /\ held' = NoImg
     /\ led' = [led EXCEPT !.done = @ + 1, !.ref = c.ref]
     /\ kept' = kept \cup Lose(c.lost) /\ dup' = dup \cup c.dup
     /\ Reached(V2, {held[f] : f \in Fields}, Fields)
     /\ IF c.put THEN PutOurs(V2, c.img, "sync") ELSE PutNothing
     /\ UNCHANGED <<wrong, pos, left, over, bad, mem, spare>>
\* FALSE: the copy is put beside the lane
PutCopy ==
  /\ ~AsCreate /\ mem.st = "known" /\ Live(mem.img) /\ mem' = [mem EXCEPT !.st = "put"]
  /\ IF tbl[V2] = Absent THEN PutOurs(V2, Written(mem.img, Stamp(1, led.seen, {})), "sync") ELSE PutNothing
  /\ UNCHANGED <<pos, led, left, kept, over, dlv, dup, wrong, note, held, bad, spare>>
RemoveNote ==
  /\ mem.st = "put" /\ mem' = Idle /\ note' = (IF note = "copy" THEN "none" ELSE note)
  /\ Step /\ UNCHANGED <<held, spare>>

Next == \/ \E s \in Side : App(s) \/ (PurgeOf(s) /\ UNCHANGED copies)
        \/ Mend \/ Forward \/ Reverse \/ Read \/ Settles \/ GoneNow \/ Waits \/ Carry \/ PutCopy \/ RemoveNote
Spec == Init /\ [][Next]_vars

----------------------------------------------------------------------------
Lag0 == AllRead /\ note = "none" /\ mem.st = "idle"
Converged == Lag0 => Same(tbl[Old], tbl[V2])
NoLostWrite == Lag0 => AllKept
V2Wins == Lag0 => AllV2Survive
\* what v2 does not have yet waits
NothingDropped == (AllRead /\ mem.st = "idle" /\ Live(tbl[Old]) /\ ~Same(tbl[Old], tbl[V2])) => note # "none"
=============================================================================
