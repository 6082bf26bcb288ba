"""What `sync` tells CloudWatch: gauges of the migration, each minute in one line on stdout, in the embedded metric format.

CloudWatch Logs makes metrics of such a line in whatever brings it there:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from math import isfinite

from prometheus_client import CollectorRegistry

from service.clock import Clock

EVERY_SECONDS = 60.0
DIMENSION = "control_table"

TOLD = (
    "tablesplit_status_readable",
    "tablesplit_gap",
    "tablesplit_lag_seconds",
    "tablesplit_lane_stopped",
    "tablesplit_retention_headroom_seconds",
    "tablesplit_quarantine_keys",
    "tablesplit_conflicts_open",
)
"""The gauges: CloudWatch takes money for each series."""

LONGEST_LINE = select.PIPE_BUF
"""So much goes into a pipe at once, or not at all (POSIX, write)."""


async def tell_cloudwatch(
    registry: CollectorRegistry, clock: Clock, namespace: str, control_table: str, write: Callable[[bytes], None]
) -> None:
    """Hand ``write`` a line of the present gauges every EVERY_SECONDS until cancelled. While none is known, there is no line."""
    while True:
        await clock.sleep(EVERY_SECONDS)
        gauges = dict(told_gauges(registry))
        if gauges:
            write(embedded_line(gauges, clock.now(), namespace, control_table))


def told_gauges(registry: CollectorRegistry) -> Iterator[tuple[str, float]]:
    """Each of TOLD as /metrics shows it, with its label values at the end of its name; without those that are not known (NaN)."""
    for metric in registry.collect():
        for sample in metric.samples if metric.name in TOLD else ():
            if isfinite(sample.value):
                yield "_".join((sample.name, *sample.labels.values())), sample.value


def embedded_line(gauges: dict[str, float], now: float, namespace: str, control_table: str) -> bytes:
    """The document of ``gauges`` at ``now`` (epoch seconds), and the end of its line."""
    metrics = [{"Name": name, "Unit": "Seconds" if "_seconds" in name else "Count"} for name in gauges]
    directive = {"Namespace": namespace, "Dimensions": [[DIMENSION]], "Metrics": metrics}
    about = {"Timestamp": int(now * 1000), "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": about, DIMENSION: control_table, **gauges}, separators=(",", ":")).encode() + b"\n"


def write_to_stdout(line: bytes) -> None:
    """Write ``line`` where that is possible at once. One that nobody takes is dropped: the next minute has another.

    A metric that is late tells nothing, and the lanes share this thread.
    """
    with suppress(OSError, ValueError):  # closed
        if len(line) <= LONGEST_LINE and select.select([], [sys.stdout], [], 0)[1]:
            os.write(sys.stdout.fileno(), line)
