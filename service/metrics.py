"""Every metric of one process, on a registry of its own: base units, no label with unbounded values (no shard, no key)."""

from math import nan

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Info, generate_latest

from service.status import Status

PHASES = ("prepare", "forward", "dual", "reverse", "complete")


class Metrics:
    """The metrics. The parts of the pipeline count through it; gauges of the whole migration are set from a Status."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._retries = self._counter("tablesplit_retries", "Requests sent again, by reason", "reason")
        self._waits = self._counter("tablesplit_wait_seconds", "Time waited on purpose, by reason", "reason")
        self._changes = self._counter(
            "tablesplit_forward_writes", "Writes made of old-table changes, by outcome", "outcome"
        )
        self._reverse = self._counter("tablesplit_reverse_writes", "Changes of v2 tables, by outcome", "outcome")
        self._copies = self._counter(
            "tablesplit_backfill_items", "Old items the backfill has dealt with, by outcome", "outcome"
        )
        self._purges = self._counter(
            "tablesplit_tombstones", "Tombstones the purger has dealt with, by outcome", "outcome"
        )
        self._phase = self._gauge("tablesplit_phase", "1 for the phase the migration is in", "phase")
        self._lag = self._gauge("tablesplit_forward_lag_seconds", "Age of the oldest unapplied change")
        self._caught_up = self._gauge(
            "tablesplit_forward_caught_up", "1 when every shard is read to its end and applied"
        )
        self._shards = self._gauge("tablesplit_forward_shards", "Shards being read")
        self._reverse_lag = self._gauge(
            "tablesplit_reverse_lag_seconds", "Age of the oldest v2 change not carried back"
        )
        self._reverse_caught_up = self._gauge(
            "tablesplit_reverse_caught_up", "1 when every shard of the v2 tables is read to its end and carried back"
        )
        self._conflicts = self._gauge("tablesplit_conflicts_open", "Conflicts and held items that need a person")
        self._headroom = self._gauge(
            "tablesplit_retention_headroom_seconds", "Time until unread changes may be trimmed"
        )
        self._segments = self._gauge("tablesplit_backfill_segments", "Segments of the backfill, by state", "state")
        self._eta = self._gauge("tablesplit_backfill_eta_seconds", "Expected time until the backfill is done")
        self._quarantine = self._gauge("tablesplit_quarantine_keys", "Old keys in quarantine")
        self._differences = self._gauge("tablesplit_validation_differences", "Differences the latest validation found")
        self._ready = self._gauge("tablesplit_ready", "1 while this process does its work")
        self._build = Info("tablesplit_build", "Version and mapping", registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def count_retry(self, reason: str) -> None:
        """A request is about to be sent again."""
        self._retries.labels(reason).inc()

    def count_wait(self, reason: str, seconds: float) -> None:
        """The pipeline has slowed down on purpose."""
        self._waits.labels(reason).inc(seconds)

    def count_change(self, outcome: str) -> None:
        """A write made of a change, or a change put into quarantine."""
        self._changes.labels(outcome).inc()

    def count_reverse(self, outcome: str) -> None:
        """What became of a change of a v2 table."""
        self._reverse.labels(outcome).inc()

    def count_copies(self, outcome: str, items: int = 1) -> None:
        """Items that the backfill is done with."""
        self._copies.labels(outcome).inc(items)

    def count_purge(self, outcome: str) -> None:
        """A tombstone is gone, or why it was not removed."""
        self._purges.labels(outcome).inc()

    def forward_outcomes(self) -> dict[str, int]:
        """What ``count_change`` has counted so far."""
        return _counted(self._changes)

    def reverse_outcomes(self) -> dict[str, int]:
        """What ``count_reverse`` has counted so far."""
        return _counted(self._reverse)

    def set_build(self, version: str, mapping: str) -> None:
        """Which program and which mapping this is."""
        self._build.info({"version": version, "mapping": mapping})

    def set_ready(self, ready: bool) -> None:
        """Whether this process does its work."""
        self._ready.set(ready)

    def show(self, status: Status) -> None:
        """Set every gauge of the migration from the snapshot that the API and the command line render, too; NaN: not known."""
        for phase in PHASES:
            self._phase.labels(phase).set(phase == status.phase)
        self._caught_up.set(status.forward.caught_up)
        self._reverse_caught_up.set(status.reverse.caught_up)
        self._conflicts.set(status.conflicts)
        self._shards.set(status.forward.shards)
        self._segments.labels("done").set(status.backfill.segments_done)
        self._segments.labels("open").set(status.backfill.segments - status.backfill.segments_done)
        self._quarantine.set(status.quarantine)
        for gauge, value in (
            (self._lag, status.forward.lag_seconds),
            (self._reverse_lag, status.reverse.lag_seconds),
            (self._headroom, status.retention_headroom_seconds),
            (self._eta, status.backfill.eta_seconds),
            (self._differences, status.validation.differences if status.validation else None),
        ):
            gauge.set(nan if value is None else value)

    def page(self) -> bytes:
        """The metrics page."""
        return generate_latest(self.registry)


def _counted(counter: Counter) -> dict[str, int]:
    """A counter's values by outcome."""
    samples = next(iter(counter.collect())).samples
    return {sample.labels["outcome"]: int(sample.value) for sample in samples if sample.name.endswith("_total")}
