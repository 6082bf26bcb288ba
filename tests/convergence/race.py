"""One item's race, written step by step: which process has read what, and which write arrives when.

The writes are those of the real rules; a test only decides their order.
"""

from collections.abc import Iterable

from service.core.item.change import Change, parse_record
from service.core.item.stamp import is_bare_tombstone
from service.core.item.wire import Item
from service.core.item.write import Delete, Put
from service.core.mapping.transform import forward
from service.core.rules import guarded as apply_rule
from tests.builders.mappings import crm
from tests.convergence.application import CONTENTS, CREATED, old_item, old_key
from tests.convergence.invariants import GENERATION, check_converged, check_no_resurrection
from tests.convergence.world import empty_tables
from tests.fakes.memory import MemoryDynamoDB


class Race:
    """The old item number 0, its stream, and its places on v2."""

    def __init__(self) -> None:
        self.memory: MemoryDynamoDB = empty_tables(crm())
        self.old = crm().old.table

    def put(self, *, month: int = 0, content: int = 0) -> None:
        """The application writes the item; ``month`` decides its v2 key."""
        self.memory.apply(Put(self.old, old_item(0, CREATED[month], CONTENTS[content])))

    def delete(self) -> None:
        """The application deletes the item."""
        self.memory.apply(Delete(self.old, old_key(0)))

    def write(self, *writes: tuple[int, int] | None) -> None:
        """The application's writes: month and content of a put, None for a delete."""
        for write in writes:
            if write is None:
                self.delete()
            else:
                self.put(month=write[0], content=write[1])

    def scan(self) -> list[Put]:
        """The copies that a backfill worker makes of what it reads now."""
        return [apply_rule.copy_write(crm(), item, GENERATION) for item in self.memory.items(self.old)]

    def changes(self) -> list[Change]:
        """Every change of the stream so far."""
        stream = self.memory.stream(self.old)
        (shard,) = stream.describe(None).shards
        records = stream.read(shard.shard_id, 0, 1000).records
        return [parse_record(record, table=self.old, shard_id=shard.shard_id) for record in records]

    def one_by_one(self, changes: Iterable[Change]) -> list[Put]:
        """The writes of an owner that applies each change by itself."""
        return [write for change in changes for write in self.together([change])]

    def together(self, changes: list[Change]) -> list[Put]:
        """The writes of an owner that applies all of ``changes`` in one batch."""
        return list(apply_rule.change_writes(crm(), changes, GENERATION))

    def send(self, writes: Iterable[Put | Delete | None]) -> None:
        """The writes arrive."""
        for write in writes:
            if write is not None:
                self.memory.apply(write)

    def place(self, month: int = 0) -> tuple[str, Item]:
        """Table and key of the v2 item for a month."""
        v2 = forward(crm(), old_item(0, CREATED[month], CONTENTS[0]))
        return v2.table, v2.key

    def v2(self, month: int = 0) -> Item | None:
        """The item at the v2 key for a month."""
        return self.memory.item(*self.place(month))

    def old_now(self) -> Item | None:
        """The old item as it is."""
        return self.memory.item(self.old, old_key(0))

    def purge(self, month: int = 0) -> Delete:
        """The delete that a purger sends for the tombstone that is there now."""
        table, _ = self.place(month)
        item = self.v2(month)
        assert item is not None
        assert is_bare_tombstone(item, crm().tables[table].key_names, crm().stamp)
        return apply_rule.purge_write(crm(), table, item)

    def repair(self, v2: Item | None, old: Item | None, month: int = 0) -> Put | None:
        """The write that a repair makes after its two reads."""
        table, key = self.place(month)
        return apply_rule.repair_write(crm(), table, key, v2, old)

    def check(self) -> None:
        """Raises Violated unless v2 is the transform of the old item, and no removed item ever lived again."""
        check_no_resurrection(self.memory, crm())
        check_converged(self.memory, crm())
