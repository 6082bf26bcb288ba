"""A scripted Kinesis Client Library on the in-memory table: leases that move at any moment, and children that deliver pages ahead.

A worker that has lost a lease learns of it late: its child continues with the pages that it has, as a real one does. The
service's side is the real code: children, claims, held shards, sink.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from service.control.checkpoints import Checkpoints
from service.control.claims import SharedCheckpoints
from service.control.table import ControlTable
from service.dynamodb.protocol import RecordsPage
from service.errors import TablesplitError
from service.streams.kcl.children import Children, ReadStream
from service.streams.kcl.frames import bare, document, opening
from service.streams.kcl.held_shard import READ_AHEAD, HeldShardContext
from service.streams.kcl.sink_slot import SinkSlot, check_claim
from service.streams.requests import StreamRequests
from service.streams.retry import StreamRetry
from service.streams.shards import Shards
from tests.convergence.conductor import Killed
from tests.convergence.live import Live, Pace, Process

TRUST_SECONDS = 20.0
ENDED = "SHARD_END"


@dataclass
class Lease:
    """A row of KCL's lease table."""

    owner: "KclWorker | None" = None
    checkpoint: str | None = None


@dataclass
class Leases:
    """KCL's lease table."""

    live: Live
    rows: dict[str, Lease] = field(default_factory=dict)

    async def follow(self) -> None:
        """Make a row for each saved position, as the census does before a daemon starts."""
        control = ControlTable(self.live.memory, "control")
        saved = await Checkpoints(control, self.live.arn, self.live.mapping.hash).load()
        for shard_id, position in saved.items():
            self.rows[shard_id] = Lease(checkpoint=ENDED if position.state == "finished" else position.sequence)

    def assign(self, shard_id: str, worker: "KclWorker") -> None:
        """Give the shard's lease to ``worker``. The previous owner is not notified."""
        self.rows[shard_id].owner = worker
        worker.lease(shard_id)

    def readable(self) -> list[str]:
        """Shards that may be read: not ended, and their parents are."""
        stream = self.live.memory.stream(self.live.mapping.old.table)
        listed = {shard.shard_id: shard.parent_id for shard in stream.describe(None).shards}
        for shard_id in listed:
            self.rows.setdefault(shard_id, Lease())
        ended = {shard_id for shard_id, row in self.rows.items() if row.checkpoint == ENDED}
        return [shard for shard, parent in listed.items() if shard not in ended and (parent is None or parent in ended)]


class KclWorker(Process):
    """A service with its daemon."""

    def __init__(self, live: Live, leases: Leases) -> None:
        self.leases = leases
        self._running: set[asyncio.Task[None]] = set()
        self._ready = asyncio.Event()
        super().__init__(live)

    def main(self) -> Coroutine[Any, Any, None]:
        """Serve its children."""
        live, slot = self.live, SinkSlot(self.live.conductor)
        claims = SharedCheckpoints(self.control, live.arn, live.mapping.hash, live.conductor, TRUST_SECONDS)
        retry = StreamRetry(live.conductor, _ignore)
        requests = StreamRequests(self.store, live.arn, live.mapping.old.table, retry)
        context = HeldShardContext(requests, slot, Pace(), _ignore, TRUST_SECONDS, lambda: None)
        shards = Shards(requests, claims)
        self.children = Children({live.arn: ReadStream(live.arn, claims, shards, context)})
        return self._apply(slot)

    async def _apply(self, slot: SinkSlot) -> None:
        """Apply by a sink that is replaced every 40 s."""
        while True:
            async with slot.filled(self.sink(check_claim, lambda: self.children.claimed), self.children.save_applied):
                await self.live.conductor.sleep(40.0)

    def lease(self, shard_id: str) -> None:
        """KCL starts a child."""
        self._start(self._child(shard_id))

    async def kill(self) -> None:
        self.dead = True
        everything = (self.task, *self._running)
        for task in everything:
            task.cancel()
        await asyncio.gather(*everything, return_exceptions=True)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._running.add(task)

    async def _child(self, shard_id: str) -> None:
        """As ``service.streams.kcl.child`` behaves; one that gives up is started again, while its worker has the lease."""
        while not self.dead and self._has(shard_id):
            connection = _Connection()
            serving = asyncio.create_task(self._serve(connection))
            try:
                await self._deliver(shard_id, connection)
            except (ConnectionError, Killed):
                await asyncio.sleep(0)
            finally:
                connection.hang_up()
                serving.cancel()
                await asyncio.gather(serving, return_exceptions=True)

    async def _serve(self, connection: "_Connection") -> None:
        try:
            await self.children.serve_child(connection)
        except (TablesplitError, ConnectionError, Killed):
            pass  # this would stop the lane; here the worker continues, as one that is started again does
        finally:
            connection.hang_up()

    async def _deliver(self, shard_id: str, connection: "_Connection") -> None:
        row = self.leases.rows[shard_id]
        lost = (await connection.ask(opening(self.live.arn, shard_id)))["lost"]
        pages = _Ahead(self, shard_id, row.checkpoint)
        while not lost:
            page = await pages.next()
            answer = await connection.ask({"ask": "apply", "records": page.records})
            lost = answer["lost"]
            if answer["checkpoint"] is not None and self._has(shard_id):
                row.checkpoint = answer["checkpoint"]
            if page.next_iterator is None and not lost:
                lost = (await connection.ask(bare("end")))["lost"]
                if not lost and self._has(shard_id):
                    row.checkpoint, row.owner = ENDED, None
                return

    def _has(self, shard_id: str) -> bool:
        return self.leases.rows[shard_id].owner is self


class _Ahead:
    """The daemon's reading of one shard: some pages ahead of the child."""

    def __init__(self, worker: KclWorker, shard_id: str, checkpoint: str | None) -> None:
        self._worker = worker
        self._shard_id = shard_id
        self._checkpoint = checkpoint
        self._iterator: str | None = None
        self._pages: deque[RecordsPage] = deque()

    async def next(self) -> RecordsPage:
        """The next page that the child is given."""
        live = self._worker.live
        if self._iterator is None and not self._pages:
            kind: Any = "TRIM_HORIZON" if self._checkpoint is None else "AFTER_SEQUENCE_NUMBER"
            self._iterator = await self._worker.store.shard_iterator(live.arn, self._shard_id, kind, self._checkpoint)
        while self._iterator is not None and len(self._pages) <= live.rng.randint(0, READ_AHEAD):
            page = await self._worker.store.get_records(self._iterator, live.rng.choice((1, 2, 3)))
            self._pages.append(page)
            self._iterator = page.next_iterator
        return self._pages.popleft()


class _Connection:
    """Both ends of one child's connection. Implements ``children.ChildConnection``."""

    def __init__(self) -> None:
        self._requests: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._answers: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def ask(self, question: bytes | dict[str, Any]) -> dict[str, Any]:
        """The child's end. Raises ConnectionError once the service's end is closed."""
        self._requests.put_nowait(document(question) if isinstance(question, bytes) else question)
        answer = await self._answers.get()
        if answer is None:
            raise ConnectionError
        return document(answer)

    async def question(self) -> dict[str, Any]:
        request = await self._requests.get()
        if request is None:
            raise ConnectionError
        return request

    async def send(self, answer: bytes) -> None:
        self._answers.put_nowait(answer)

    def hang_up(self) -> None:
        """Close the connection, from either end."""
        self._requests.put_nowait(None)
        self._answers.put_nowait(None)


def _ignore(_event: object) -> None:
    """Count nothing."""
