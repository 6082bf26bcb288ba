"""Both applications of the random histories, as applications outside are: several writers a side, on a few hot items.

They read items and write them as DynamoDB lets them: single fields, whole items, conditions on what they have read, copies with
the stamp that they find in an item, two items at once. Every text that they write is written once.
"""

from collections.abc import Callable
from random import Random

from service.core.item.wire import AttributeValue, Item
from service.core.item.write import TransactItem
from service.core.mapping.transform import forward
from service.core.phases.acting import Side
from tests.convergence.trampoline import Turn
from tests.two_way.side_tables import SideTable, old_key, with_attribute
from tests.two_way.world import World

HOT = ("1", "2")
MONTHS = ("2024-01", "2024-02")
"""They decide the v2 key."""

BOTH_WRITE = ("title", "stage", "note", "score")
OWN: dict[Side, tuple[str, ...]] = {"old": ("memo",), "v2": ("remark",)}
"""Fields that only one side writes; so it must always read what it wrote."""

OF_ANY_FORM = "sheet"
"""Another such field of the old side, where a run has it: a text on v2, and anything on old."""

COUNTER: dict[Side, str] = {"old": "calls", "v2": "views"}
SHARED_COUNTER = "visits"
PAUSES = (0, 0, 1, 3, 10, 30)

Change = Callable[[Item], Item | None]
"""The item after a change of it; None when the application does not make the change."""


class Writer:
    """One writer of a side, as an actor. Each write is one step; between what it reads and what it writes there are pauses."""

    def __init__(self, world: World, side: Side, writes: int, *, creating: bool) -> None:
        """``creating``: it also creates, deletes and moves hot items."""
        self.world = world
        self.rng: Random = world.rng
        self.side = side
        self.table = SideTable(world, side)
        self.left = writes
        kinds = EDITS + OF_V2 * (side == "v2") + OF_OLD * (side == "old") + CREATING * creating
        self.own = OWN[side] + (OF_ANY_FORM,) * (side == "old" and world.any_form)
        self.kinds = kinds + MERGED * bool(world.mapping_merges)

    async def run(self) -> None:
        """Write until all is written; on v2 once it may be written."""
        while self.side == "v2" and not self.world.entered:
            await Turn()
        for _ in range(self.left):
            await self.pause()
            await self.rng.choice(self.kinds)(self)
            await Turn()

    async def pause(self) -> None:
        """Let others have their turns."""
        for _ in range(self.rng.choice(PAUSES)):
            await Turn()

    def fresh(self, name: str = "title") -> AttributeValue:
        """A value that no other write has; a score is a number, on the old side mostly as text."""
        self.world.values += 1
        if name == "score":
            kind = self.rng.choice(("S", "S", "N")) if self.side == "old" else "N"
            return {kind: str(1000 + self.world.values)}
        if name == OF_ANY_FORM:
            text: AttributeValue = {"S": f"{self.side}{self.world.values}"}
            return self.rng.choice((text, {"L": [text]}, {"M": {"is": text}}, {"N": str(1000 + self.world.values)}))
        if name == "created_at":
            return {"S": f"{self.rng.choice(MONTHS)}-15T10:00:00.{self.world.values:03d}Z"}
        return {"S": f"{self.side}{self.world.values}"}

    def whole(self, number: str) -> Item:
        """A whole new item."""
        old: Item = {**old_key(number), "entity_type": {"S": "DEAL"}, "id": {"S": number}, "owner": {"S": "me"}}
        old["created_at"] = {"S": f"{MONTHS[0]}-15T10:00:00.000Z"}
        old |= {name: self.fresh(name) for name in (*BOTH_WRITE, *self.own)}
        if OF_ANY_FORM in old and self.rng.random() < 0.5:
            del old[OF_ANY_FORM]
        return old if self.side == "old" else forward(self.world.mapping, old).item

    def a_name(self) -> str:
        """A field to write."""
        return self.rng.choice((*BOTH_WRITE, *self.own))

    def write(self, *writes: TransactItem) -> bool:
        """Write as the application, all or nothing."""
        return self.world.act(*writes)

    def edit(self, change: Change, number: str | None = None) -> bool:
        """Change an item at once, as UpdateItem does."""
        item = self.table.find(number or self.rng.choice(HOT))
        changed = change(item) if item is not None else None
        return changed is not None and self.write(self.table.put(changed))

    def setting(self, name: str, value: AttributeValue | None) -> Change:
        """A change of one field."""
        return lambda item: self.table.set(item, name, value)

    async def sets(self) -> None:
        """SET of a field, whatever it was."""
        name = self.a_name()
        self.edit(self.setting(name, self.fresh(name)))

    async def removes(self) -> None:
        """REMOVE of a field."""
        self.edit(self.setting(self.rng.choice(("title", "note", *self.own)), None))

    async def compares_and_sets(self) -> None:
        """Reads an item; later sets a field of it if that still is what was read."""
        await self._if_still(self.a_name(), lambda _, name: self.fresh(name))

    async def increments(self) -> None:
        """The same with a counter: what was read, and one more."""
        await self._if_still(COUNTER[self.side], lambda read, _: {"N": str(int(read["N"]) + 1 if read else 1)})

    async def _if_still(
        self, name: str, new: Callable[[AttributeValue | None, str], AttributeValue], number: str | None = None
    ) -> None:
        number = number or self.rng.choice(HOT)
        item = self.table.find(number)
        if item is None:
            return
        read = self.table.get(item, name)
        await self.pause()
        value = new(read, name)
        self.edit(lambda now: self.table.set(now, name, value) if self.table.get(now, name) == read else None, number)

    async def adds(self) -> None:
        """ADD to this side's counter, or where the mapping says that both sides may: to the shared one."""
        shared = self.world.mapping_merges and self.rng.random() < 0.5
        name, by = SHARED_COUNTER if shared else COUNTER[self.side], self.rng.choice((1, 2, 5))

        def add(item: Item) -> Item:
            now = self.table.get(item, name)
            return self.table.set(item, name, {"N": str((int(now["N"]) if now else 0) + by)})

        self.edit(add)

    async def appends(self) -> None:
        """list_append."""
        value = self.fresh()

        def append(item: Item) -> Item:
            now = self.table.get(item, "history") or {"L": []}
            return self.table.set(item, "history", {"L": [*now["L"], value]})

        self.edit(append)

    async def labels(self) -> None:
        """ADD to a set, or DELETE from it."""
        self.edit(self._labels("labels", "SS"))

    def _labels(self, name: str, kind: str) -> Change:
        value, adding, pick = self.fresh()["S"], self.rng.random() < 0.6, self.rng.random()

        def change(item: Item) -> Item:
            now = self.table.get(item, name) or {kind: []}
            there = [element if kind == "SS" else element["S"] for element in now[kind]]
            left = [*there, value] if adding or not there else [e for e in there if e != there[int(pick * len(there))]]
            content = sorted(left) if kind == "SS" else [{"S": element} for element in left]
            return self.table.set(item, name, {kind: content} if left else None)

        return change

    async def tags(self) -> None:
        """The same on a list that both sides may extend."""
        self.edit(self._labels("tags", "L"))

    async def puts(self) -> None:
        """A Put of a whole item that was read before with a field changed, if it still is what was read; without the stamp too."""
        name, number = self.a_name(), self.rng.choice(HOT)
        read = self.table.find(number)
        if read is None:
            return
        await self.pause()
        bare = self.rng.random() < 0.5
        new = self.table.set(read, name, self.fresh(name))
        new = {name: value for name, value in new.items() if not (bare and name == self.world.mapping.stamp)}
        if self.table.at_key_of(read) == read:
            self.write(self.table.put(new))

    async def replaces(self) -> None:
        """A Put of an item in which all that this side writes is new, without the stamp and without a condition."""

        def replaced(item: Item) -> Item:
            new = {name: value for name, value in item.items() if name != self.world.mapping.stamp}
            for name in (*BOTH_WRITE, *self.own):
                new = self.table.set(new, name, self.fresh(name))
            return new

        self.edit(replaced)

    async def puts_back(self) -> None:
        """A Put of what an earlier image of the item had, the stamp too, as it was or with a field changed."""
        images = [image for image in self.world.history(self.table.of("DEAL")) if image["id"]["S"] in HOT]
        if not images:
            return
        image, name, stamp = self.rng.choice(images), self.a_name(), self.world.mapping.stamp

        def back(item: Item) -> Item:
            for earlier in (*BOTH_WRITE, *self.own, "history", "labels"):
                item = self.table.set(item, earlier, self.table.get(image, earlier))
            item = with_attribute(item, stamp, image.get(stamp))
            return self.table.set(item, name, self.fresh(name)) if self.rng.random() < 0.5 else item

        self.edit(back, image["id"]["S"])

    async def duplicates(self) -> None:
        """A copy of an item, with its stamp, under another id."""
        item = self.table.find(self.rng.choice(HOT))
        if item is not None:
            self.write(self.table.put(self.table.renamed(item, self._new_id())))

    async def renames(self) -> None:
        """A copy under another id; then the item itself is deleted, at once or later."""
        number = f"{self.side}-moves"
        item = self.table.find(number)
        if item is not None:
            await self._moves(item, self.table.renamed(item, self._new_id()))

    async def becomes_a_deal(self) -> None:
        """A lead becomes a deal, with its stamp."""
        lead = self.table.find("lead", "LEAD")
        if lead is not None:
            await self._moves(lead, self.table.renamed(lead, self._new_id()))

    async def _moves(self, item: Item, new: Item) -> None:
        if self.rng.random() < 0.5:
            self.write(self.table.put(new), self.table.delete(item))
            return
        self.write(self.table.put(new))
        await self.pause()
        self.write(self.table.delete(item))

    async def of_two_items(self) -> None:
        """A transaction over two items."""
        name = self.a_name()
        items = [self.table.find(number) for number in HOT]
        if all(item is not None for item in items):
            self.write(*(self.table.put(self.table.set(i, name, self.fresh(name))) for i in items if i is not None))

    async def moves_its_month(self) -> None:
        """The old side's change of the field that decides the v2 key."""
        self.edit(self.setting("created_at", self.fresh("created_at")))

    async def sets_its_own(self) -> None:
        """An attribute of v2's own at top level, an index key by hand, a value of another type than the mapping says."""
        name = self.rng.choice(("flag", "GSI2PK", "pipeline_id"))
        value = self.fresh()
        self.edit(self.setting(name, {"L": [value]} if name == "pipeline_id" else value))

    async def deletes(self) -> None:
        """DeleteItem."""
        item = self.table.find(self.rng.choice(HOT))
        if item is not None:
            self.write(self.table.delete(item))

    async def creates(self) -> None:
        """A Put or an UpdateItem if there is no such item; the latter keeps a tombstone's stamp."""
        number = self.rng.choice(HOT)
        if self.table.find(number) is None:
            new = self.whole(number)
            bare = self.table.at_key_of(new) or {}
            self.write(self.table.put(self.rng.choice((new, {**bare, **new}))))

    async def moves(self) -> None:
        """v2's item moves to another key, with its stamp."""
        await self._moves_to_a_month(self.rng.choice(HOT))

    async def moves_a_cold_one(self) -> None:
        """The same with an item that the old side does not write."""
        await self._moves_to_a_month("v2-moves")

    async def _moves_to_a_month(self, number: str) -> None:
        item = self.table.find(number) if self.side == "v2" else None
        if item is not None:
            new = self.table.set(item, "created_at", self.fresh("created_at"))
            if self.table.key(new) == self.table.key(item):
                self.write(self.table.put(new))
            elif self.table.at_key_of(new) is None:
                await self._moves(item, new)

    def _new_id(self) -> str:
        self.world.values += 1
        return f"copy{self.world.values}"


EDITS = (
    *(Writer.sets, Writer.sets, Writer.removes, Writer.compares_and_sets, Writer.compares_and_sets),
    *(Writer.increments, Writer.increments, Writer.adds, Writer.appends, Writer.labels, Writer.puts, Writer.replaces),
    *(Writer.puts_back, Writer.duplicates, Writer.of_two_items, Writer.renames),
)
OF_OLD = (Writer.moves_its_month, Writer.becomes_a_deal)
OF_V2 = (Writer.sets_its_own, Writer.moves_a_cold_one)
CREATING = (Writer.deletes, Writer.creates, Writer.creates, Writer.moves)
MERGED = (Writer.tags, Writer.adds)
