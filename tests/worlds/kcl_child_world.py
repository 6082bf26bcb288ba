"""A real child process, with KCL's side of the protocol spoken by a test, and the service's side in this process."""

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from service.clock import SystemClock
from service.control.claims import SharedCheckpoints
from service.control.table import ControlTable
from service.core.item.write import Put
from service.core.shards import Position
from service.streams.kcl.children import Children, ReadStream
from service.streams.kcl.held_shard import HeldShardContext
from service.streams.kcl.sink_slot import SinkSlot
from service.streams.requests import StreamRequests
from service.streams.retry import StreamRetry
from service.streams.shards import Shards
from tests.fakes.memory import MemoryDynamoDB
from tests.worlds.stream_run import Pace, RecordingSink

PACE = Pace(poll_interval_seconds=0.25, checkpoint_every_seconds=0.0, shard_discovery_seconds=0.5)
ANSWER_SECONDS = 300


class World:
    """The old table's stream in memory, a sink, and the children's server. ``failures``: what stopped a child's task."""

    def __init__(self, folder: Path) -> None:
        self.db = MemoryDynamoDB()
        self.arn = self.db.create_table("old", ("pk",))
        self.db.create_table("control", ("pk", "sk"))
        self.sink = RecordingSink()
        self.socket = folder / "socket"
        self.shard_id = self.db.stream("old").describe(None).shards[0].shard_id
        self.claims = SharedCheckpoints(ControlTable(self.db, "control"), self.arn, "m", SystemClock(), 6.0)
        self.slot = SinkSlot(SystemClock())
        retry = StreamRetry(SystemClock(), lambda _: None)
        requests = StreamRequests(self.db, self.arn, "old", retry)
        context = HeldShardContext(requests, self.slot, PACE, lambda _: None, 6.0, lambda: None)
        shards = Shards(requests, self.claims)
        self.children = Children({self.arn: ReadStream(self.arn, self.claims, shards, context)})

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve, and apply. Raises what a child's task raised."""
        async with asyncio.TaskGroup() as tasks, self.children.served(self.socket, tasks):
            async with self.slot.filled(self.sink, self.children.save_applied):
                yield
            self.children.close()

    def put(self, *values: str) -> list[dict[str, Any]]:
        """Write to the old table. Returns the records of these writes, as KCL passes them on."""
        read = len(self._records())
        for value in values:
            self.db.apply(Put("old", {"pk": {"S": "k"}, "value": {"S": value}}))
        return [kcl_record(record) for record in self._records()[read:]]

    async def saved(self) -> Position:
        """The shard's position."""
        return (await self.claims.load())[self.shard_id]

    def _records(self) -> list[dict[str, Any]]:
        return list(self.db.stream("old").read(self.shard_id, 0, 10_000).records)


def kcl_record(record: dict[str, Any]) -> dict[str, Any]:
    """A GetRecords record as the multi-language protocol carries it."""
    content = {"OldImage": {}, "NewImage": {}} | record["dynamodb"]
    content["ApproximateCreationDateTime"] = int(content["ApproximateCreationDateTime"] * 1000)
    data = base64.b64encode(json.dumps({**record, "dynamodb": content}).encode()).decode()
    sequence = content["SequenceNumber"]
    return {
        "action": "record",
        "data": data,
        "partitionKey": sequence,
        "sequenceNumber": sequence,
        "subSequenceNumber": 0,
        "approximateArrivalTimestamp": 0,
    }


class Kcl:
    """KCL's end of one child. ``checkpoints``: what the child has asked for; ``errors`` are answered first."""

    def __init__(self, process: asyncio.subprocess.Process, shard_id: str) -> None:
        self.process = process
        self.checkpoints: list[str | None] = []
        self.errors: list[str] = []
        self._shard_id = shard_id

    async def initialize(self) -> None:
        await self.ask(
            {
                "action": "initialize",
                "shardId": self._shard_id,
                "sequenceNumber": "TRIM_HORIZON",
                "subSequenceNumber": 0,
            }
        )

    async def process_records(self, records: Sequence[dict[str, Any]]) -> None:
        await self.ask({"action": "processRecords", "records": list(records), "millisBehindLatest": None})

    async def ask(self, action: dict[str, Any]) -> None:
        """Return once the child has answered that it is done. Raises EOFError when it ends instead."""
        self._write(action)
        async with asyncio.timeout(ANSWER_SECONDS):
            while (answer := await self._answer())["action"] == "checkpoint":
                self.checkpoints.append(answer["sequenceNumber"])
                error = self.errors.pop(0) if self.errors else None
                self._write({"action": "checkpoint", "sequenceNumber": None, "subSequenceNumber": None, "error": error})
        assert answer == {"action": "status", "responseFor": action["action"]}

    async def status(self) -> int:
        """The child's exit status."""
        return await asyncio.wait_for(self.process.wait(), ANSWER_SECONDS)

    def _write(self, action: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(action).encode() + b"\n")

    async def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            if line.strip():
                answer: dict[str, Any] = json.loads(line)
                return answer
        raise EOFError


@asynccontextmanager
async def child_of(world: World) -> AsyncIterator[Kcl]:
    """A child of ``world``'s service, initialized."""
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-u", "-m", "service.streams.kcl.child", str(world.socket), world.arn)
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe, limit=1 << 20)
    kcl = Kcl(process, world.shard_id)
    try:
        await kcl.initialize()
        yield kcl
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
