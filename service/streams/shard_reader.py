"""Reads one shard in order: read a page, apply it, save the position. The next page is read in the meantime.

The engine decides where the pages come from: GetRecords (embedded), or a child of the Kinesis Client Library's daemon (kcl).
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from service.clock import Clock
from service.core.item.change import Change, parse_record
from service.core.shards import Position, is_horizon_safe, too_late_to_open
from service.dynamodb.protocol import RecordsPage
from service.errors import Fenced, IteratorExpired, TablesplitError, Trimmed
from service.streams.engine import ShardSink
from service.streams.retry import StreamRetry
from service.streams.tip import Tip
from service.telemetry.tracing import span

REFRESH_SECONDS = 3600.0
"""How often an idle shard's position is saved again, so that ``as_of`` shows how old it is."""

STOP_AGE_SECONDS = 1.0
"""The same when its reader stops: where a lane opens its streams anew, lag begins with what the saved position shows."""

STOP_SECONDS = 4.0
"""How long the last save may take when the engine is stopped: a command ends within five seconds of Ctrl-C."""


class EngineSettings(Protocol):
    """The settings that the engine reads (``service.config.Settings`` has them)."""

    @property
    def shard_read_seconds(self) -> float: ...

    @property
    def poll_interval_seconds(self) -> float: ...

    @property
    def checkpoint_every_seconds(self) -> float: ...

    @property
    def shard_discovery_seconds(self) -> float: ...


class ShardPages(Protocol):
    """Where pages come from (``StreamRequests``: from GetRecords)."""

    table: str

    async def open(self, shard_id: str, sequence: str | None) -> str:
        """An iterator right after ``sequence``, or at the trim horizon. Raises Trimmed, StreamGone."""

    async def read(self, shard_id: str, iterator: str) -> RecordsPage:
        """The next records. Raises IteratorExpired, Trimmed, StreamGone."""

    def trimmed(self, why: str, shard_id: str | None = None) -> Trimmed:
        """The error for unread changes that are too old to be read."""


class SavedShards(Protocol):
    """The shards' saved positions (``shards.Shards``)."""

    @property
    def known(self) -> Mapping[str, Position]: ...

    async def save(self, shard_id: str, position: Position) -> None:
        """Save a position. Only then is it known."""


@dataclass(frozen=True, slots=True)
class ReaderContext:
    """What the readers of one stream share."""

    requests: ShardPages
    shards: SavedShards
    sink: ShardSink
    settings: EngineSettings
    clock: Clock
    retry: StreamRetry
    pages: asyncio.Semaphore
    """Limits how many pages they hold in memory, all together."""
    interval_seconds: float
    """At least this much time passes between two reads of a shard."""
    begin: Callable[[], tuple[int, float]]
    """Called right before a page is requested. Returns a ticket, and the epoch seconds at or before which the read begins."""
    read_to_end: Callable[[str, int], None]
    """Called with the shard, and the ticket of a read that reached its end, once everything up to there is applied and saved."""
    applied: Callable[[float], None]
    """Called with the age in seconds of each change that has been applied."""


@dataclass(frozen=True, slots=True)
class _ReadPage:
    """A page, and when its request began."""

    page: RecordsPage
    ticket: int
    """The ticket of its request."""
    began: float
    """When its request began, in epoch seconds."""


class ShardReader:
    """Reads one shard from its saved position to its end."""

    def __init__(self, shard_id: str, context: ReaderContext) -> None:
        self._shard_id = shard_id
        self._context = context
        self._position = self._saved = context.shards.known[shard_id]
        self._saved_at = context.clock.monotonic()
        self._saving = asyncio.Lock()
        self._tip = Tip()
        self._idle_seconds = context.interval_seconds
        self._next_read_at = 0.0
        self._applying: Change | None = None
        self._read_up_to = self._position.as_of
        self._ahead: asyncio.Task[_ReadPage] | None = None
        self._reopened = False

    async def run(self) -> None:
        """Return when the shard has ended and its last record is applied and saved. If stopped before, save what was applied."""
        try:
            await self._read_to_end()
        except Fenced:
            # The positions of the new owner stay.
            raise
        except BaseException:
            await self._save_before_stopping()
            raise
        finally:
            await self._drop_page_ahead()

    async def save_applied(self) -> None:
        """Save what is applied by now. The caller makes sure that no page is being applied meanwhile."""
        if self._is_unsaved():
            await self._save()

    def lag_seconds(self, now: float) -> float:
        """An upper bound, in seconds, on the age of the oldest change that is not applied yet; 0 at the tip of the shard."""
        if self._applying is None and self._tip.reached:
            return 0.0
        oldest = max(self._position.as_of or 0.0, (self._applying and self._applying.created) or 0.0)
        return max(0.0, now - oldest) if oldest else 0.0

    def read_lag_seconds(self, now: float) -> float:
        """Age of the newest change that has been read, applied or not; 0 at the tip of the shard."""
        if self._tip.reached or self._read_up_to is None:
            return 0.0
        return max(0.0, now - self._read_up_to)

    @property
    def as_of(self) -> float | None:
        """Everything in the shard before this moment (epoch seconds) is applied; None: not known."""
        return self._position.as_of

    async def _read_to_end(self) -> None:
        ahead = await self._open()
        while self._position.state == "reading":
            try:
                read_page = await ahead
            except IteratorExpired as expired:
                # The page before is applied by now, so the shard is opened right after it.
                self._context.retry.retried(expired.reason)
                ahead = await self._open()
                continue
            except Trimmed:
                ahead = await self._open_again()
                continue
            self._reopened = False
            self._tip.note(read_page.page, read_page.began)
            if read_page.page.next_iterator is not None:
                ahead = self._read_ahead(read_page.page.next_iterator, self._pause(read_page.page))
            await self._apply(read_page.page)
            await self._advance(read_page)

    async def _open(self) -> asyncio.Task[_ReadPage]:
        """Open the shard after the last *applied* record and start to read."""
        if too_late_to_open(self._context.shards.known, self._shard_id, self._context.clock.now()):
            why = "first read later than 24 hours after it began"
            raise self._context.requests.trimmed(why, self._shard_id)
        self._tip = Tip()
        return self._read_ahead(await self._iterator(), 0.0)

    async def _iterator(self) -> str:
        """An iterator after the position. Where its record is gone with age, and everything of a day ago is applied, the trim
        horizon skips nothing: so it is after a quiet time before a long stop."""
        requests, position = self._context.requests, self._position
        try:
            return await requests.open(self._shard_id, position.sequence)
        except Trimmed:
            if position.sequence is None or not is_horizon_safe(position.as_of, self._context.clock.now()):
                raise
            self._context.retry.retried("trimmed_position")
            return await requests.open(self._shard_id, None)

    async def _open_again(self) -> asyncio.Task[_ReadPage]:
        """Open the shard again after DynamoDB has said that an iterator lies before the trim horizon. If changes are lost, that
        shows again.

        Only the saved position shows what is lost: DynamoDB refuses to open a shard after an applied record that is trimmed,
        and we do not open a trim horizon late. DynamoDB Local refuses an iterator at an empty shard so when a transaction
        writes there.
        """
        if self._reopened:
            raise self._context.requests.trimmed("unread changes are older than 24 hours and gone", self._shard_id)
        self._reopened = True
        self._context.retry.retried("trimmed_iterator")
        return await self._open()

    def _read_ahead(self, iterator: str, pause: float) -> asyncio.Task[_ReadPage]:
        self._ahead = asyncio.create_task(self._read(iterator, pause))
        return self._ahead

    async def _drop_page_ahead(self) -> None:
        if self._ahead is not None:
            self._ahead.cancel()
            await asyncio.gather(self._ahead, return_exceptions=True)

    async def _read(self, iterator: str, pause: float) -> _ReadPage:
        """The next page. A page with records takes one of ``pages`` until it is applied."""
        clock = self._context.clock
        await clock.sleep(max(pause, self._next_read_at - clock.monotonic(), 0.0))
        await self._context.pages.acquire()
        holding = False
        try:
            self._next_read_at = clock.monotonic() + self._context.interval_seconds
            ticket, began = self._context.begin()
            page = await self._context.requests.read(self._shard_id, iterator)
            holding = bool(page.records)
            self._note_read(page)
            return _ReadPage(page, ticket, began)
        finally:
            if not holding:
                self._context.pages.release()

    def _note_read(self, page: RecordsPage) -> None:
        if page.records:
            newest: dict[str, Any] = page.records[-1]["dynamodb"]  # type: ignore[assignment]  # wire form
            self._read_up_to = newest.get("ApproximateCreationDateTime", self._read_up_to)

    def _pause(self, page: RecordsPage) -> float:
        """Seconds until the next read: none while there are records, growing up to the poll interval at an idle tip."""
        if page.records or not self._tip.reached:
            self._idle_seconds = self._context.interval_seconds
            return 0.0
        self._idle_seconds = min(2 * self._idle_seconds, self._context.settings.poll_interval_seconds)
        return self._idle_seconds

    async def _apply(self, page: RecordsPage) -> None:
        if not page.records:
            return
        table = self._context.requests.table
        changes = [parse_record(record, table=table, shard_id=self._shard_id) for record in page.records]
        self._applying = changes[0]
        with span("sync window", table=table, shard=self._shard_id, changes=len(changes)):
            await self._context.retry(lambda: self._context.sink.apply(self._shard_id, changes))
        self._applying = None
        self._context.pages.release()
        self._measure(changes)
        self._move_to(changes)

    def _measure(self, changes: Sequence[Change]) -> None:
        now = self._context.clock.now()
        for change in changes:
            if change.created is not None:
                self._context.applied(max(0.0, now - change.created))

    def _move_to(self, changes: Sequence[Change]) -> None:
        last = changes[-1]
        as_of = max(self._position.as_of or 0.0, last.created or 0.0) or None
        self._position = replace(self._position, sequence=last.sequence, as_of=as_of)

    async def _advance(self, read_page: _ReadPage) -> None:
        """Save the position when that is due: at the shard's end, at its tip, and now and then while there is much to read."""
        if read_page.page.next_iterator is None:
            await self._finish()
            return
        if self._tip.reached:
            self._position = replace(self._position, as_of=max(self._position.as_of or 0.0, read_page.began))
        idle = self._tip.reached and not read_page.page.records
        if self._is_unsaved() and (idle or self._is_save_due()):
            await self._save()
        if self._tip.reached and not self._is_unsaved():
            self._context.read_to_end(self._shard_id, read_page.ticket)

    async def _finish(self) -> None:
        now = self._context.clock.now()
        self._position = replace(self._position, state="finished", finished_at=now)
        await self._save()

    def _is_unsaved(self, age: float = REFRESH_SECONDS) -> bool:
        """Whether records were applied since the position was saved, or it is older than ``age`` seconds."""
        has_aged = (self._position.as_of or 0.0) - (self._saved.as_of or 0.0) > age
        return has_aged or self._position.sequence != self._saved.sequence

    def _is_save_due(self) -> bool:
        since = self._context.clock.monotonic() - self._saved_at
        return since >= self._context.settings.checkpoint_every_seconds

    async def _save(self) -> None:
        # One at a time: an earlier position must not take effect after a later one, the shard's end perhaps.
        async with self._saving:
            position = self._position
            await self._context.shards.save(self._shard_id, position)
            self._saved, self._saved_at = position, self._context.clock.monotonic()

    async def _save_before_stopping(self) -> None:
        """Save what was applied, if that can be done quickly. If not, the next owner applies some records once more."""
        with contextlib.suppress(TablesplitError, TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                if self._is_unsaved(STOP_AGE_SECONDS):
                    await self._save()
