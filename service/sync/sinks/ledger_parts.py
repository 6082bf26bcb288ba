"""The parts of a direction of the ledger rule, put together for one lane, or for an operator's retry."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import uniform

from service.app import App
from service.clock import Clock
from service.control.activity import Activities, ActivityRecorder
from service.control.conflicts import Conflicts, Held
from service.control.ledger import Ledger, Read, ledger_id
from service.control.quarantine import Quarantine, QuarantineCache
from service.control.state import MigrationState
from service.core.item.wire import Item
from service.core.item.write import Delete, TransactItem, Write
from service.core.mapping.mapping import Mapping
from service.core.phases.acting import Side
from service.core.rules.ledger import Entry, Place, place_from
from service.core.rules.ledger_writes import PlaceReading, still_bare
from service.dynamodb.protocol import Fence, ItemStore
from service.errors import Retryable

COMMIT_ATTEMPTS = 60
"""Each refused attempt means that the application or the other direction has written the same item in between."""

LONGEST_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class LedgerParts:
    """What a direction works with. generations: of the streams it reads, by table. purge_at_once: whether a tombstone may go
    as soon as it is written. count: told each outcome; retried: told the reason of each further attempt."""

    store: ItemStore
    ledger: Ledger
    quarantine: Quarantine
    suspects: QuarantineCache
    conflicts: Conflicts
    mapping: Mapping
    clock: Clock
    watch: ActivityRecorder
    generations: dict[str, int]
    purge_at_once: bool
    fence: Fence
    count: Callable[[str], None]
    retried: Callable[[str], None]

    async def read_together(self, places: Sequence[Place]) -> list[PlaceReading]:
        """What stands at the v2 places, in one atomic reading."""
        if not places:
            return []
        items = await self.store.get_together([(place.table, place.key) for place in places])
        return [PlaceReading(place, item) for place, item in zip(places, items, strict=True)]

    async def commit(self, read: Read, entry: Entry, writes: Sequence[TransactItem]) -> bool:
        """Write the entry and ``writes``, all or nothing. False: something was not as it was read."""
        put = self.ledger.put(read, entry)
        if not writes:
            return await self.store.write(put, fence=self.fence)
        return await self.store.transact([put, *writes], fence=self.fence)

    async def pause(self, attempt: int) -> None:
        """Wait before a further attempt, longer each time. Raises Retryable after the last."""
        if attempt >= COMMIT_ATTEMPTS:
            raise Retryable("a ledger entry is contended", reason="ledger_contended")
        self.retried("ledger_contended")
        await self.clock.sleep(uniform(0, min(LONGEST_PAUSE_SECONDS, 0.005 * 2**attempt)))

    async def purge(self, table: str, key: Item, tombstone: Item) -> None:
        """Remove a bare tombstone, if it may go already and still is what was written."""
        if self.purge_at_once:
            await self.store.write(Delete(table, key, still_bare(self.mapping, table, tombstone)), fence=self.fence)

    def held_writes(self, before: Entry, after: Entry) -> list[Write]:
        """The note of an item that is held from now on, or no longer, for the transaction that finds it so."""
        name = ledger_id(self.mapping.old.table, after.key)
        if after.held_since is not None and before.held_since is None:
            return [self.conflicts.held_put(name, self._held(after))]
        if after.held_since is None and before.held_since is not None:
            return [self.conflicts.held_delete(name)]
        return []

    def _held(self, entry: Entry) -> Held:
        places = [place_from(text) for text in entry.keys]
        entity = self.mapping.entity_at(places[0].table, places[0].key)
        keys = tuple((place.table, place.key) for place in places)
        name = entity.name if entity is not None else "unknown"
        return Held(self.mapping.old.table, entry.key, name, keys, entry.held_since or 0.0)


def ledger_parts(
    app: App,
    state: MigrationState,
    fence: Fence,
    side: Side,
    count: Callable[[str], None],
    taken_over: Callable[[], int] = lambda: 0,
) -> LedgerParts:
    """Parts that apply the changes of ``side`` by ``state``.

    count: called with each outcome. taken_over: see ``QuarantineCache``."""
    quarantine = Quarantine(app.control, app.clock)
    return LedgerParts(
        store=app.store,
        ledger=Ledger(app.control, app.clock, app.mapping.old.table, state.epoch),
        quarantine=quarantine,
        suspects=QuarantineCache(quarantine, app.clock, taken_over),
        conflicts=Conflicts(app.control),
        mapping=app.mapping,
        clock=app.clock,
        watch=watch(app, state, side),
        generations=_generations(app, state),
        purge_at_once=state.rule == "ledger",
        fence=fence,
        count=count,
        retried=app.metrics.count_retry,
    )


def watch(app: App, state: MigrationState, side: Side) -> ActivityRecorder:
    """What notes the application's changes of ``side``."""
    quiet = state.acting.quiet_side == side
    return ActivityRecorder(Activities(app.control), side, app.clock, quiet=quiet, since=state.phase_since)


def _generations(app: App, state: MigrationState) -> dict[str, int]:
    """The number of the stream that is read, by table."""
    v2 = {table: state.v2_generations[arn] for table, arn in state.v2_streams.items()}
    return v2 if state.stream_arn is None else {**v2, app.mapping.old.table: state.generation}
