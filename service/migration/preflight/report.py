"""The report of a forecast: numbers, the verdict on retention, and cost, as text and as JSON."""

from dataclasses import asdict, dataclass
from typing import Any

from service.core.shards import RETENTION_SECONDS
from service.dynamodb.prices import Prices
from service.escape import lines_of
from service.migration.preflight.cost import Cost
from service.migration.preflight.forecast import Bound, DualChange, Forecast, Retention, Sizes, dual_change
from service.migration.preflight.sample import MappedSample, SamplePlace
from service.streams.passed import StreamStart

FASTER_BY_BOUND = {
    "hottest_partition_key": "spread its partition key in the mapping ({field:shard16}, docs/MAPPING.md)",
    "max_write_units": "raise --max-write-units",
    "max_read_units": "raise --max-read-units",
}
SYNC_BESIDE = (
    "or keep two `tablesplit sync` running beside the whole copy, and watch tablesplit_retention_headroom_seconds"
)


@dataclass(frozen=True, slots=True)
class ForecastReport:
    """What is expected of the whole table."""

    mapped_sample: MappedSample
    forecast: Forecast | None
    """None when no item of the sample was mapped."""
    cost: Cost | None
    """None when no item of the sample was mapped."""
    retention: Retention
    prices: Prices
    start: StreamStart | None = None
    """Where `create-tables` would start to read the stream now; None: there is no stream yet, or it was not asked."""

    @property
    def ok(self) -> bool:
        """Whether the verdict on retention is not a no-go."""
        return self.retention.verdict != "no-go"

    @property
    def remedy(self) -> str:
        """What to do about a no-go; empty otherwise."""
        if self.ok or self.forecast is None:
            return ""
        return f"{FASTER_BY_BOUND[self.forecast.binding.name]}; {SYNC_BESIDE}"

    def to_json(self) -> dict[str, Any]:
        """The document of `forecast --json`."""
        expected, mapped_sample = self.forecast, self.mapped_sample
        return {
            "result": self.retention.verdict,
            "sample": {
                "items": mapped_sample.items,
                "mapped": mapped_sample.mapped,
                "whole": mapped_sample.whole,
                "rejected": dict(mapped_sample.rejected),
            },
            "table": None if expected is None else _table_json(expected),
            "duration": None if expected is None else _duration_json(expected),
            "retention": {**asdict(self.retention), "remedy": self.remedy},
            "replay": None if self.start is None else self.start.to_json(),
            "cost_usd": None if self.cost is None else _cost_json(self.cost),
            "prices": self.prices.model_dump(by_alias=True),
        }

    def to_text(self) -> str:
        """The report for people; the last line is the verdict."""
        replay = () if self.start is None else (("replay", self.start.to_text()),)
        facts = (*self.facts(), *replay, ("retention", self.retention_text()))
        lines = [f"{name:13}{value}" for name, value in facts]
        if self.remedy:
            lines.append(f"{'':13}{self.remedy}")
        verdict = "NO-GO" if not self.ok else self.retention.verdict
        return lines_of([*lines, f"forecast: {verdict}"])

    def facts(self) -> tuple[tuple[str, str], ...]:
        """The expectations, each as its name and text, without the verdict."""
        if self.forecast is None or self.cost is None:
            return (("forecast", f"none: of {self.mapped_sample.items} sampled items none was mapped"),)
        expected, cost = self.forecast, self.cost
        return (
            ("items", _items_text(expected, self.mapped_sample)),
            ("old sizes", _sizes_text(expected.old_sizes)),
            ("v2 sizes", _sizes_text(expected.v2_sizes)),
            ("capacity", _capacity_text(expected)),
            ("hottest key", f"{expected.hottest_share:.0%} of the write units of {_place_text(expected.hottest)}"),
            ("duration", _duration_text(expected)),
            ("cost", _cost_text(cost)),
            ("dual running", _dual_text(cost)),
            ("dual, change", _dual_change_text(dual_change(expected))),
            ("prices", self.prices.origin),
        )

    def retention_text(self) -> str:
        """The verdict with its reason, in one line."""
        retention, stream = self.retention, f"{RETENTION_SECONDS / 3600:.0f} h that the stream keeps changes"
        if retention.copy_seconds is None or retention.margin_seconds is None:
            return "unknown: how many items there are, or what they become, is not known"
        wanted = f"{retention.wanted_seconds / 3600:.1f} h are asked for"
        margin_hours = retention.margin_seconds / 3600
        if margin_hours < 0:
            return f"NO-GO: the copy takes {-margin_hours:.1f} h longer than the {stream}; {wanted} as margin"
        verdict = "go" if self.ok else "NO-GO"
        return f"{verdict}: the copy leaves {margin_hours:.1f} h at most of the {stream}; {wanted}"


def _duration_text(expected: Forecast) -> str:
    """How long the backfill takes at least, and why."""
    bound = expected.binding
    return f"at least {bound.seconds / 60:.0f} min at {_bound_text(bound, expected.hottest)}"


def _cost_text(cost: Cost) -> str:
    """The cost of the copy."""
    return (
        f"about {cost.backfill:.2f} USD for the copy: {cost.base_writes:.2f} writes, "
        f"{cost.index_writes:.2f} writes to indexes, {cost.reads:.2f} reads"
    )


def _table_json(expected: Forecast) -> dict[str, Any]:
    table, index, key = expected.hottest
    hottest = {"table": table, "index": index or None, "key": key, "share": expected.hottest_share}
    return {
        "items": expected.items,
        "items_known": expected.items_known,
        "old_item_bytes": asdict(expected.old_sizes),
        "v2_item_bytes": asdict(expected.v2_sizes),
        "base_write_units": expected.base_write_units,
        "index_write_units": expected.index_write_units,
        "read_units": expected.read_units,
        "v2_stored_bytes": expected.v2_bytes,
        "dual_change": asdict(dual_change(expected)),
        "hottest_partition_key": hottest,
    }


def _duration_json(expected: Forecast) -> dict[str, Any]:
    return {
        "at_least_seconds": expected.binding.seconds,
        "bound_by": expected.binding.name,
        "bounds_seconds": {bound.name: bound.seconds for bound in expected.bounds},
    }


def _cost_json(cost: Cost) -> dict[str, Any]:
    return {"backfill": cost.backfill, "dual_running_month": cost.dual_running_month, **asdict(cost)}


def _items_text(expected: Forecast, mapped_sample: MappedSample) -> str:
    counted = f"about {expected.items}" if expected.items_known else f"at least {expected.items}"
    return f"{counted}; {mapped_sample.items} sampled, {mapped_sample.mapped} of them mapped"


def _sizes_text(sizes: Sizes) -> str:
    return f"{sizes.mean:.0f} bytes in the mean, {sizes.p50} median, {sizes.p95} p95, {sizes.largest} the largest"


def _capacity_text(expected: Forecast) -> str:
    return (
        f"{expected.base_write_units:.0f} write units, {expected.index_write_units:.0f} more for indexes; "
        f"{expected.read_units:.0f} read units"
    )


def _dual_text(cost: Cost) -> str:
    recovery = "" if cost.v2_recovery_month is None else f", {cost.v2_recovery_month:.2f} point-in-time recovery"
    return (
        f"about {cost.dual_running_month:.2f} USD a month: {cost.v2_storage_month:.2f} storage{recovery}, "
        f"{cost.stream_reads_month:.2f} stream reads; {cost.million_changes:.2f} for a million writes of the application, "
        f"{cost.million_changes_in_dual:.2f} in dual"
    )


def _dual_change_text(change: DualChange) -> str:
    """What one change takes in `dual`."""
    return (
        f"{change.write_units:.1f} write units, {change.read_units:.1f} read units, "
        f"{change.requests:.1f} to {change.requests_alone:.0f} requests to carry a write of the application"
    )


def _place_text(place: SamplePlace) -> str:
    table, index, key = place
    return f"{table}{f' index {index}' if index else ''} are at {key}"


def _bound_text(bound: Bound, hottest: SamplePlace) -> str:
    if bound.name == "hottest_partition_key":
        return f"1,000 write units a second and partition key ({hottest[2]})"
    return f"--{bound.name.replace('_', '-')}"
