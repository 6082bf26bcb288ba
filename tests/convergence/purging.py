"""The purger of one sync process in steps. It knows which processes are alive; it does not guess from clocks."""

from service.core.item.stamp import is_bare_tombstone
from service.core.item.wire import Item
from service.core.rules import guarded as apply_rule
from service.core.rules import purge
from service.core.rules.purge import PurgeFacts
from tests.convergence.sync_process import SyncProcess
from tests.convergence.trampoline import turn

HORIZON = 1.0


class Purger:
    """Finds bare tombstones, and deletes those that ``core.rules.purge`` allows it to."""

    def __init__(self, process: SyncProcess) -> None:
        self.process = process
        self.world = process.world
        self._name = f"sync{process.number}"
        self._tables = list(self.world.mapping.tables)
        self._seen: dict[str, tuple[int, int]] = {}
        self._tombstones: list[tuple[str, Item]] = []
        self._writes_searched = -1

    async def run(self) -> None:
        """Purge until the run drains; a superseded process's purger ends with the process."""
        while not self.world.draining and self._name in self.world.stage.names():
            for table, item in self._bare_tombstones():
                await self._consider(table, item)
            await turn()

    def _bare_tombstones(self) -> list[tuple[str, Item]]:
        """The bare tombstones on v2; searched for again only after a write."""
        memory, mapping = self.world.memory, self.world.mapping
        if self._writes_searched != len(memory.written):
            self._writes_searched = len(memory.written)
            every = [(table, item) for table in self._tables for item in memory.items(table)]
            self._tombstones = [
                (table, item)
                for table, item in every
                if is_bare_tombstone(item, mapping.tables[table].key_names, mapping.stamp)
            ]
        return self._tombstones

    async def _consider(self, table: str, item: Item) -> None:
        moment = self._seen.setdefault(f"{table} {item}", (self.world.now, self.process.rounds))
        if purge.may_purge(self._facts(*moment), horizon=HORIZON, grace=0.0).allowed:
            await self.world.memory.write(apply_rule.purge_write(self.world.mapping, table, item))

    def _facts(self, seen_at: int, rounds: int) -> PurgeFacts:
        world = self.world
        older_alive = any(f"sync{number}" in world.stage.names() for number in range(self.process.number))
        finished = world.backfill_finished and not world.is_alive("backfill")
        begun = min(world.repairs.values(), default=None)
        return PurgeFacts(
            tombstone_age=world.now - seen_at,
            backfill_finished_age=HORIZON if finished else None,
            read_past=self.process.rounds >= rounds + 2,
            ownership_age=0.0 if older_alive else HORIZON,
            oldest_repair_age=None if begun is None else world.now - begun,
        )
