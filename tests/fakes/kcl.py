"""The kcl engine on DynamoDB Local: what its daemon needs, KCL properties that keep tests short, and one worker by itself."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from service.clock import SystemClock
from service.control.claims import SharedCheckpoints
from service.control.table import ControlTable
from service.core.shards import Position
from service.dynamodb.client import DynamoDBClient
from service.dynamodb.control_plane import ControlPlane
from service.dynamodb.table_description import NewTable
from service.errors import Misconfigured
from service.streams.engine import EngineSnapshot, ShardSink
from service.streams.kcl.census import Census, CountedStream
from service.streams.kcl.daemon import JAR
from service.streams.kcl.lease_table import LeaseTable, lease_table_name, new_lease_table
from service.streams.kcl.properties import DaemonOptions
from service.streams.kcl.reader import KclEngine, KclReader, KclReaderContext, NamedStream
from service.streams.kcl.reports import ShardReports
from service.streams.requests import StreamRequests
from service.streams.retry import StreamRetry
from service.streams.shard_reader import EngineSettings
from service.streams.shards import Shards
from tests.fakes.servers import or_skip

JARS = Path(__file__).parents[2] / "deploy" / "kcl" / "target"

QUICK_PROPERTIES = {
    "clientVersionConfig": "CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X",  # a leader that was killed is not waited out two minutes
    "failoverTimeMillis": "3000",
    "inMemoryWorkerMetricsCaptureFrequencyMillis": "200",
    "parentShardPollIntervalMillis": "500",
    "shardSyncIntervalMillis": "10",
}
TRUST_SECONDS = 6.0


def require_kcl() -> None:
    """Skip where Java or the daemon's jar is missing; fail there in CI."""
    if shutil.which("java") is None or not (JARS / JAR).is_file():
        with or_skip():
            raise Misconfigured(
                "the kcl engine's daemon is not built", remedy="install Maven and JDK 17, then make kcl"
            )


@dataclass(frozen=True)
class Place:
    """The table that a worker reads: an open client, the control plane beside it, and a table with a stream."""

    plane: DynamoDBClient
    control: ControlPlane
    endpoint: str
    table: str
    arn: str


class OneWorker:
    """Implements ``StreamEngine``: the only worker of a lane, which counts for all. It makes a new control table."""

    def __init__(self, place: Place, sink: ShardSink, settings: EngineSettings) -> None:
        name = f"control-{uuid4().hex[:12]}"
        place.control.create_table(NewTable(name, ("pk", "sk"), stream=False))
        self.checkpoints = SharedCheckpoints(
            ControlTable(place.plane, name), place.arn, "m", SystemClock(), TRUST_SECONDS
        )
        self._place = place
        self._sink = sink
        self._settings = settings
        self._reports = ShardReports(ControlTable(place.plane, name), "forward", SystemClock())
        self._options = options(place.endpoint, application=name)
        self._census: Census | None = None

    async def save(self, positions: Mapping[str, Position]) -> None:
        """The positions to begin at."""
        for shard_id, position in positions.items():
            await self.checkpoints.save(shard_id, position)

    async def run(self) -> None:
        """Read until cancelled."""
        self._census = self._new_census()
        await self._census.begin()
        named = NamedStream(self._place.table, self._place.arn, self.checkpoints)
        async with KclReader.open([named], self._context()) as reader:
            await KclEngine(reader, self._sink, self._census).run()

    def snapshot(self) -> EngineSnapshot:
        """Its progress."""
        assert self._census is not None
        return self._census.snapshot()

    def _new_census(self) -> Census:
        place, clock = self._place, SystemClock()
        lease_table = lease_table_name(self._options.application, place.table)
        place.control.create_table(new_lease_table(lease_table))
        retry = StreamRetry(clock, lambda _: None)
        requests = StreamRequests(place.plane, place.arn, place.table, retry)
        shards = Shards(requests, self.checkpoints)
        counted = CountedStream(place.table, shards, LeaseTable(place.plane, lease_table, "control"))
        return Census([counted], self._reports, clock, retry, self._settings.shard_discovery_seconds)

    def _context(self) -> KclReaderContext:
        return KclReaderContext(
            store=self._place.plane,
            reports=self._reports,
            options=self._options,
            settings=self._settings,
            clock=SystemClock(),
            trust_seconds=TRUST_SECONDS,
            rule_fence=lambda: None,
            retried=lambda _: None,
        )


def options(endpoint: str, application: str) -> DaemonOptions:
    """The options with which a test starts the daemon."""
    return DaemonOptions(JARS, application, "worker", "us-east-1", endpoint, 128, 0.25, QUICK_PROPERTIES, endpoint)


def kcl_settings(folder: Path, prefix: str) -> dict[str, str]:
    """The environment of commands that read with the kcl engine; a property file is written into ``folder``."""
    file = folder / "kcl.properties"
    file.write_text("".join(f"{name} = {value}\n" for name, value in QUICK_PROPERTIES.items()))
    return {
        "TABLESPLIT_ENGINE": "kcl",
        "TABLESPLIT_KCL_APPLICATION": f"{prefix}kcl",
        "TABLESPLIT_KCL_HEAP_MB": "128",
        "TABLESPLIT_KCL_JARS": str(JARS),
        "TABLESPLIT_KCL_PROPERTIES": str(file),
    }
