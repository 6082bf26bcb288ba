"""Reads one shard in order: read a page, apply it, save the position; the next page is read meanwhile.

Where the pages come from is the engine's: GetRecords (embedded), or a child of the Kinesis Client Library's daemon (kcl).
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from service.clock import Clock
from service.core.item.change import Change, parse_record
from service.core.shards import Position, too_late_to_open
from service.dynamodb.protocol import RecordsPage
from service.errors import Fenced, IteratorExpired, TablesplitError, Trimmed
from service.streams.engine import ShardSink
from service.streams.retry import StreamRetry
from service.streams.tip import Tip

READ_INTERVAL_SECONDS = 0.25
"""Between two GetRecords of a shard. DynamoDB allows five a second for all readers together (Service
quotas); a standby or a Lambda function may need the fifth."""

REFRESH_SECONDS = 3600.0
"""How often an idle shard's position is saved anew, so that ``as_of`` keeps telling how old it is."""

STOP_SECONDS = 4.0
"""How long the last save may take when the engine is stopped: a command ends within five seconds of
Ctrl-C."""


class EngineSettings(Protocol):
    """The settings that the engine reads (``service.config.Settings`` has them)."""

    @property
    def poll_interval_seconds(self) -> float: ...

    @property
    def checkpoint_every_seconds(self) -> float: ...

    @property
    def shard_discovery_seconds(self) -> float: ...


class ShardPages(Protocol):
    """Where pages come from (``StreamRequests`` by GetRecords)."""

    table: str

    async def open(self, shard_id: str, sequence: str | None) -> str:
        """An iterator right after ``sequence``, or at the trim horizon. Raises Trimmed, StreamGone."""

    async def read(self, shard_id: str, iterator: str) -> RecordsPage:
        """The next records. Raises IteratorExpired, Trimmed, StreamGone."""

    def trimmed(self, why: str, shard_id: str | None = None) -> Trimmed:
        """The error for unread changes that are too old to be read."""


class SavedShards(Protocol):
    """The shards' saved positions (``discovery.Shards``)."""

    @property
    def known(self) -> Mapping[str, Position]: ...

    async def save(self, shard_id: str, position: Position) -> None:
        """Save a position, then know it."""


@dataclass(frozen=True, slots=True)
class ReaderContext:
    """What the readers of one stream share.

    pages: bounds how many pages they hold in memory, all together. interval_seconds: passes between two reads of a shard at least.
    begin: asked right before a page is; a ticket, and the epoch seconds at or before which its reading begins. applied: told the
    age of each change that has been applied.
    """

    requests: ShardPages
    shards: SavedShards
    sink: ShardSink
    settings: EngineSettings
    clock: Clock
    patience: StreamRetry
    pages: asyncio.Semaphore
    interval_seconds: float
    begin: Callable[[], tuple[int, float]]
    read_to_end: Callable[[str, int], None]
    applied: Callable[[float], None]


@dataclass(frozen=True, slots=True)
class _OpenShard:
    """A page, and when its request began: its ticket, and epoch seconds."""

    page: RecordsPage
    ticket: int
    began: float


class ShardReader:
    """One shard, from its saved position to its end."""

    def __init__(self, shard_id: str, lane: ReaderContext) -> None:
        self._shard_id = shard_id
        self._lane = lane
        self._position = self._saved = lane.shards.known[shard_id]
        self._saved_at = lane.clock.monotonic()
        self._saving = asyncio.Lock()
        self._tip = Tip()
        self._idle_seconds = lane.interval_seconds
        self._next_read_at = 0.0
        self._in_hand: Change | None = None
        self._read_up_to = self._position.as_of
        self._ahead: asyncio.Task[_OpenShard] | None = None
        self._doubted = False

    async def run(self) -> None:
        """Return when the shard has ended and its last record is applied and saved. Stopped before: save
        what was applied."""
        try:
            await self._read_to_end()
        except Fenced:
            # The new owner's positions stand.
            raise
        except BaseException:
            await self._save_before_stopping()
            raise
        finally:
            await self._drop_page_ahead()

    async def save_applied(self) -> None:
        """Save what is applied by now. For whoever lets no page be applied meanwhile."""
        if self._is_unsaved():
            await self._save()

    def lag_seconds(self, now: float) -> float:
        """Age of the oldest change that is not applied yet, at most; 0 at the tip of the shard."""
        if self._in_hand is None and self._tip.reached:
            return 0.0
        oldest = max(self._position.as_of or 0.0, (self._in_hand and self._in_hand.created) or 0.0)
        return max(0.0, now - oldest) if oldest else 0.0

    def read_lag_seconds(self, now: float) -> float:
        """Age of the newest change that has been read, applied or not; 0 at the tip of the shard."""
        if self._tip.reached or self._read_up_to is None:
            return 0.0
        return max(0.0, now - self._read_up_to)

    @property
    def as_of(self) -> float | None:
        """Epoch seconds before which everything in the shard is applied; None: not known."""
        return self._position.as_of

    async def _read_to_end(self) -> None:
        ahead = await self._open()
        while self._position.state == "reading":
            try:
                reading = await ahead
            except IteratorExpired as expired:
                # The page in hand is applied by now, so the shard goes on right after it.
                self._lane.patience.retried(expired.reason)
                ahead = await self._open()
                continue
            except Trimmed:
                ahead = await self._open_again()
                continue
            self._doubted = False
            self._tip.note(reading.page, reading.began)
            if reading.page.next_iterator is not None:
                ahead = self._read_ahead(reading.page.next_iterator, self._pause(reading.page))
            await self._apply(reading.page)
            await self._advance(reading)

    async def _open(self) -> asyncio.Task[_OpenShard]:
        """Open the shard after the last *applied* record and start to read."""
        if too_late_to_open(self._position, self._lane.clock.now()):
            why = "first read later than 24 hours after it began"
            raise self._lane.requests.trimmed(why, self._shard_id)
        self._tip = Tip()
        return self._read_ahead(await self._lane.requests.open(self._shard_id, self._position.sequence), 0.0)

    async def _open_again(self) -> asyncio.Task[_OpenShard]:
        """Open the shard after an iterator was said to lie before the trim horizon: what is lost shows again.

        Only the saved position tells what is lost: opening after an applied record that is trimmed is refused, and a trim
        horizon is not opened late. DynamoDB Local says it of an iterator at an empty shard when a transaction writes there.
        """
        if self._doubted:
            raise self._lane.requests.trimmed("unread changes are older than 24 hours and gone", self._shard_id)
        self._doubted = True
        self._lane.patience.retried("trimmed_iterator")
        return await self._open()

    def _read_ahead(self, iterator: str, pause: float) -> asyncio.Task[_OpenShard]:
        self._ahead = asyncio.create_task(self._read(iterator, pause))
        return self._ahead

    async def _drop_page_ahead(self) -> None:
        if self._ahead is not None:
            self._ahead.cancel()
            await asyncio.gather(self._ahead, return_exceptions=True)

    async def _read(self, iterator: str, pause: float) -> _OpenShard:
        """The next page. One with records holds a place of ``pages`` until it is applied."""
        clock = self._lane.clock
        await clock.sleep(max(pause, self._next_read_at - clock.monotonic(), 0.0))
        await self._lane.pages.acquire()
        holding = False
        try:
            self._next_read_at = clock.monotonic() + self._lane.interval_seconds
            ticket, began = self._lane.begin()
            page = await self._lane.requests.read(self._shard_id, iterator)
            holding = bool(page.records)
            self._note_read(page)
            return _OpenShard(page, ticket, began)
        finally:
            if not holding:
                self._lane.pages.release()

    def _note_read(self, page: RecordsPage) -> None:
        if page.records:
            newest: dict[str, Any] = page.records[-1]["dynamodb"]  # type: ignore[assignment]  # wire form
            self._read_up_to = newest.get("ApproximateCreationDateTime", self._read_up_to)

    def _pause(self, page: RecordsPage) -> float:
        """Seconds until the next read: none while there are records, growing up to the poll interval at an
        idle tip."""
        if page.records or not self._tip.reached:
            self._idle_seconds = self._lane.interval_seconds
            return 0.0
        self._idle_seconds = min(2 * self._idle_seconds, self._lane.settings.poll_interval_seconds)
        return self._idle_seconds

    async def _apply(self, page: RecordsPage) -> None:
        if not page.records:
            return
        table = self._lane.requests.table
        changes = [parse_record(record, table=table, shard_id=self._shard_id) for record in page.records]
        self._in_hand = changes[0]
        await self._lane.patience(lambda: self._lane.sink.apply(self._shard_id, changes))
        self._in_hand = None
        self._lane.pages.release()
        self._measure(changes)
        self._move_to(changes)

    def _measure(self, changes: Sequence[Change]) -> None:
        now = self._lane.clock.now()
        for change in changes:
            if change.created is not None:
                self._lane.applied(max(0.0, now - change.created))

    def _move_to(self, changes: Sequence[Change]) -> None:
        last = changes[-1]
        as_of = max(self._position.as_of or 0.0, last.created or 0.0) or None
        self._position = replace(self._position, sequence=last.sequence, as_of=as_of)

    async def _advance(self, reading: _OpenShard) -> None:
        """Save the position where that is due: at the shard's end, at its tip, now and then while busy."""
        if reading.page.next_iterator is None:
            await self._finish()
            return
        if self._tip.reached:
            self._position = replace(self._position, as_of=max(self._position.as_of or 0.0, reading.began))
        idle = self._tip.reached and not reading.page.records
        if self._is_unsaved() and (idle or self._is_save_due()):
            await self._save()
        if self._tip.reached and not self._is_unsaved():
            self._lane.read_to_end(self._shard_id, reading.ticket)

    async def _finish(self) -> None:
        now = self._lane.clock.now()
        self._position = replace(self._position, state="finished", finished_at=now, as_of=now)
        await self._save()

    def _is_unsaved(self) -> bool:
        grown_old = (self._position.as_of or 0.0) - (self._saved.as_of or 0.0) > REFRESH_SECONDS
        return grown_old or self._position.sequence != self._saved.sequence

    def _is_save_due(self) -> bool:
        since = self._lane.clock.monotonic() - self._saved_at
        return since >= self._lane.settings.checkpoint_every_seconds

    async def _save(self) -> None:
        # One at a time: an earlier position must not take effect after a later one, the shard's end perhaps.
        async with self._saving:
            position = self._position
            await self._lane.shards.save(self._shard_id, position)
            self._saved, self._saved_at = position, self._lane.clock.monotonic()

    async def _save_before_stopping(self) -> None:
        """Save what was applied, if that can be done quickly. If not, the next owner applies some records
        once more."""
        with contextlib.suppress(TablesplitError, TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await self.save_applied()
