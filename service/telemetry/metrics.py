"""What one process counts and measures of itself, and the page that shows it.

First the vocabulary: every value that a label can have, so that each series exists from the start and their number is bounded.
Then Metrics, to which the parts of the pipeline report. The gauges of the whole migration are on the page from the first ``show``
on; the page of a backfill has none.
"""

from collections.abc import Iterable, Iterator, Sequence
from math import nan
from typing import Literal, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    Metric,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from service.core.phases.acting import Phase, Side
from service.core.phases.conditions import CONDITIONS
from service.core.rules.forward_plan import Outcome as ForwardOutcome
from service.core.rules.quarantine import Left
from service.core.rules.reverse_plan import Outcome as ReverseOutcome
from service.errors import THROTTLED
from service.telemetry.series import OTHER, Cells, Counts, OfMigration

Direction = Literal["forward", "reverse"]
CapacityKind = Literal["read", "write"]
Result = Literal["ok", "throttled", "conflict", "condition", "error", "timeout"]

PHASES: tuple[str, ...] = get_args(Phase)
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
SIDES: tuple[str, ...] = get_args(Side)
ROLES = ("owner", "reader", "standby", "stopped")
BACKFILL_STATES = ("not started", "running", "stopped", "finished")
GATE_CONDITIONS = tuple(row.name for row in CONDITIONS)

_LEDGER_OUTCOMES = {*get_args(ForwardOutcome), *get_args(ReverseOutcome)}
WRITE_OUTCOMES = (*sorted(_LEDGER_OUTCOMES | {"stale", "quarantined", "left_out"}), OTHER)
COPY_OUTCOMES = ("copied", "present", "quarantined", "left_out")
LEFT_OUTCOMES: tuple[str, ...] = get_args(Left)
TOMBSTONE_OUTCOMES = ("purged", "changed", "overflow")

OPERATIONS = (
    "BatchExecuteStatement",
    "BatchGetItem",
    "DeleteItem",
    "DescribeStream",
    "GetItem",
    "GetRecords",
    "GetShardIterator",
    "PutItem",
    "Query",
    "Scan",
    "TransactWriteItems",
    "UpdateItem",
    OTHER,
)
RESULTS: tuple[str, ...] = get_args(Result)
CAPACITY_KINDS: tuple[str, ...] = get_args(CapacityKind)

RETRY_REASONS = (
    "claim_unconfirmed",
    "connection_closed",
    "credentials_not_renewed",
    "control_contended",
    "damaged_answer",
    "expired_credentials",
    "hook_failed",
    "hook_timeout",
    "hook_unreachable",
    "iterator_expired",
    "kcl_daemon_ended",
    "item_contended",
    "no_connection",
    "replica_conflict",
    "server_error",
    "stream_starting",
    "table_in_use",
    *THROTTLED.values(),
    "timeout",
    "transaction_conflict",
    "trimmed_iterator",
    "trimmed_position",
    "v2_item_absent",
    OTHER,
)
WAIT_REASONS = ("operator_read_limit", "operator_write_limit", "partition_throttled", "table_throttled", "target_slow")

LAG_BUCKETS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600)
REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

# Without this, every series has a second one with the time at which its counting began, which nothing here uses.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no annotation there


class Metrics:
    """The metrics of a process. ``tables``: the tables that it works on, the label values of consumed capacity. ``migration``: the
    old table's name, the label of every sample on the page; "": none."""

    def __init__(self, tables: Iterable[str] = (), migration: str = "") -> None:
        self.registry = CollectorRegistry()
        self._migration = migration
        self._shown: Collector | None = None
        self._add_pipeline()
        self._add_requests((*tables, OTHER))
        self._add_lags()
        self._ready = Gauge("tablesplit_ready", "1 while this process does its work", registry=self.registry)
        self._build = Info(
            "tablesplit_build", "Version of the program, and hash of its mapping", registry=self.registry
        )
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)

    def _add_pipeline(self) -> None:
        self._writes = self._counter(
            "tablesplit_writes",
            "Changes by what became of them: old ones forward, v2 ones in reverse",
            direction=DIRECTIONS,
            outcome=WRITE_OUTCOMES,
        )
        self._copies = self._counter(
            "tablesplit_backfill_items", "Old items that this backfill is done with", outcome=COPY_OUTCOMES
        )
        self._purges = self._counter(
            "tablesplit_tombstones", "Tombstones that the purger is done with", outcome=TOMBSTONE_OUTCOMES
        )
        self._left = self._counter(
            "tablesplit_quarantine_left",
            "Keys that have left quarantine by themselves, by what became of what waited: it was written, is superseded "
            "because the item is gone or stays behind, or lost a conflict",
            outcome=LEFT_OUTCOMES,
        )
        self._waits = self._counter(
            "tablesplit_wait_seconds", "Time waited on purpose, all tasks together", "seconds", reason=WAIT_REASONS
        )

    def _add_requests(self, tables: Sequence[str]) -> None:
        self._requests = self._counter(
            "tablesplit_requests",
            "Attempts of requests to DynamoDB; throttled: also where only a part of a batch was",
            operation=OPERATIONS,
            result=RESULTS,
        )
        self._request_seconds = self._histogram(
            "tablesplit_request_seconds",
            "Time from a request to its answer, of one attempt",
            REQUEST_BUCKETS,
            operation=OPERATIONS,
        )
        retries = Counter("tablesplit_retries", "Requests sent again", ("reason",), registry=self.registry)
        self._retries = Cells(retries, {"reason": RETRY_REASONS})  # counted by threads of the control plane, too
        self._units = self._counter(
            "tablesplit_consumed_capacity_units",
            "Capacity units that DynamoDB's answers say were consumed, indexes included",
            "units",
            table=tables,
            kind=CAPACITY_KINDS,
        )

    def _add_lags(self) -> None:
        self._apply_lag = self._histogram(
            "tablesplit_apply_lag_seconds",
            "Age of each change when it was applied; the stream dates them in whole seconds",
            LAG_BUCKETS,
            direction=DIRECTIONS,
        )
        read_lag = Gauge(
            "tablesplit_read_lag_seconds",
            "Age of the newest change read, 0 at the end of the streams; NaN: this process does not read them",
            ("direction",),
            unit="seconds",
            registry=self.registry,
        )
        self._read_lag = Cells(read_lag, {"direction": DIRECTIONS})
        for direction in DIRECTIONS:
            self._read_lag.at(direction).set(nan)

    def _counter(self, name: str, text: str, unit: str = "", **vocabulary: Sequence[str]) -> Counts:
        counts = Counts(name, text, unit, vocabulary)
        self.registry.register(counts)
        return counts

    def _histogram(
        self, name: str, text: str, seconds: Sequence[float], **vocabulary: Sequence[str]
    ) -> Cells[Histogram]:
        histogram = Histogram(name, text, tuple(vocabulary), unit="seconds", registry=self.registry, buckets=seconds)
        return Cells(histogram, vocabulary)

    def count_retry(self, reason: str) -> None:
        """A request is about to be sent again, because of ``Retryable.reason``."""
        self._retries.at(reason).inc()

    def count_wait(self, reason: str, seconds: float) -> None:
        """The pipeline has waited on purpose."""
        self._waits.add((reason,), seconds)

    def count_write(self, direction: Direction, outcome: str) -> None:
        """A change, or a write that was made from it, has ended with ``outcome``."""
        self._writes.add((direction, outcome))

    def count_copies(self, outcome: str, items: int = 1) -> None:
        """The backfill has finished with ``items`` items."""
        self._copies.add((outcome,), items)

    def count_left(self, outcome: Left) -> None:
        """A key has left quarantine, without an operator's doing."""
        self._left.add((outcome,))

    def count_purge(self, outcome: str) -> None:
        """The purger has finished with a tombstone: removed it, or has a reason to leave it."""
        self._purges.add((outcome,))

    def count_request(self, operation: str, result: Result, seconds: float) -> None:
        """One attempt of a request has ended, ``seconds`` after it was sent."""
        self._requests.add((operation, result))
        self._request_seconds.at(operation).observe(seconds)

    def count_units(self, table: str, kind: CapacityKind, units: float) -> None:
        """An answer reports consumed capacity units."""
        self._units.add((table, kind), units)

    def observe_apply_lag(self, direction: Direction, seconds: float) -> None:
        """A change has been applied when it was ``seconds`` old."""
        self._apply_lag.at(direction).observe(seconds)

    def set_read_lag(self, direction: Direction, seconds: float | None) -> None:
        """How far reading is behind the stream; None: this process does not read it."""
        self._read_lag.at(direction).set(nan if seconds is None else seconds)

    def outcomes(self, direction: Direction) -> dict[str, int]:
        """The counts of ``count_write`` so far, without zeros."""
        return {
            outcome: int(counted) for outcome in WRITE_OUTCOMES if (counted := self._writes.value((direction, outcome)))
        }

    def set_build(self, version: str, mapping: str) -> None:
        """The version of the program, and the hash of its mapping."""
        self._build.info({"version": version, "mapping": mapping})

    def set_ready(self, ready: bool) -> None:
        """Whether this process does its work."""
        self._ready.set(ready)

    def show(self, gauges: Collector) -> None:
        """Put ``gauges`` on the page; they replace those that were shown before."""
        if self._shown is not None:
            self.registry.unregister(self._shown)
        self._shown = gauges
        self.registry.register(gauges)

    def families(self) -> Iterator[Metric]:
        """What the page shows, as values."""
        return OfMigration(self.registry, self._migration).collect()

    def page(self, accept: str = "") -> tuple[bytes, str]:
        """The page and its content type: OpenMetrics for a client whose Accept header allows it."""
        encoder, content_type = choose_encoder(accept)
        return encoder(OfMigration(self.registry, self._migration)), content_type
