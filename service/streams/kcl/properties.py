"""The property files that the Kinesis Client Library's daemon is started with, one for each stream.

The operator can set every property of KCL in a file (``TABLESPLIT_KCL_PROPERTIES``), except those that tablesplit sets.
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from service.errors import Misconfigured
from service.streams.kcl.lease_table import lease_table_name

CHILD = "service.streams.kcl.child"
OURS = frozenset(
    {
        "executableName", "streamName", "applicationName", "regionName", "workerId", "kinesisEndpoint", "dynamoDBEndpoint",
        "initialPositionInStream", "callProcessRecordsEvenForEmptyRecordList", "idleTimeBetweenReadsInMillis",
    }
)  # fmt: skip
"""What no file may set: a wrong value reads another stream, skips records, or hides the end of a shard from the service. (How
often an idle shard is read is TABLESPLIT_POLL_INTERVAL_SECONDS.)"""

LONGEST_SOCKET_BYTES = 100
"""Unix allows 108 with the end mark."""

REMEDY = "correct the file that TABLESPLIT_KCL_PROPERTIES names: `name = value` lines"


@dataclass(frozen=True, slots=True)
class DaemonOptions:
    """The configuration that the daemon is started with."""

    jars: Path
    """The folder that ``make kcl`` fills."""
    application: str
    """The prefix of the lease tables' names."""
    worker: str
    """The id of this process."""
    region: str
    endpoint: str | None
    heap_mb: int
    poll_seconds: float
    """The pause between two reads of an idle shard."""
    extra: Mapping[str, str]
    """The operator's own KCL properties."""
    streams_endpoint: str | None
    """The URL for streams; None is AWS's own."""


def read_properties(path: Path | None) -> dict[str, str]:
    """The operator's own KCL properties. Raises Misconfigured with file and line."""
    if path is None:
        return {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "is not UTF-8 text"
        raise Misconfigured(f"KCL property file {path}: {why}", remedy=REMEDY) from error
    values = {}
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith(("#", "!")):
            name, value = _property(line, f"{path}:{number}")
            values[name] = value
    return values


def _property(line: str, where: str) -> tuple[str, str]:
    matched = re.fullmatch(r"\s*([A-Za-z][\w.]*)\s*[=:]\s*(.*?)\s*", line)
    if matched is None:
        raise Misconfigured(f"{where}: {line.strip()!r} is not a property", remedy=REMEDY)
    name, value = matched.groups()
    if name in OURS:
        raise Misconfigured(f"{where}: {name} is set by tablesplit", remedy=f"take {name} out of the file")
    return name, value


def properties(options: DaemonOptions, table: str, arn: str, socket: Path) -> dict[str, str]:
    """The properties of one stream. Raises Misconfigured when Python or the socket is in a folder whose name KCL cannot use."""
    _require_startable(socket)
    # the adapter waits twice this after an empty page
    idle = max(1, int(options.poll_seconds * 1000 / 2))
    own = {
        "executableName": f"{sys.executable} -u -m {CHILD} {socket} {arn}",
        "streamName": arn,
        "applicationName": lease_table_name(options.application, table),
        "workerId": options.worker,
        "regionName": options.region,
        "initialPositionInStream": "TRIM_HORIZON",
    }
    endpoints = {"dynamoDBEndpoint": options.endpoint, "kinesisEndpoint": options.streams_endpoint}
    own |= {name: url for name, url in endpoints.items() if url is not None}
    usual = {
        "AwsCredentialsProvider": "DefaultCredentialsProvider",
        "idleTimeBetweenReadsInMillis": str(idle),
        "inMemoryWorkerMetricsCaptureFrequencyMillis": "1000",  # before that KCL leases nothing to a new worker
        "leaseAssignmentIntervalMillis": "1000",  # the default makes a first start half a minute longer
        "maxRecords": "1000",
    }
    return {**usual, **options.extra, **own}


def _require_startable(socket: Path) -> None:
    for path in (sys.executable, str(socket)):
        if " " in path:
            raise Misconfigured(
                f"{path}: KCL splits a command at spaces, and cannot start it",
                remedy="install into a folder without spaces; TMPDIR too",
            )
    if len(str(socket).encode()) > LONGEST_SOCKET_BYTES:
        raise Misconfigured(f"{socket}: too long for the name of a socket", remedy="set TMPDIR to a shorter folder")


def property_text(values: Mapping[str, str]) -> str:
    """The properties as a Java property file."""
    return "".join(f"{name}={_escaped(value)}\n" for name, value in values.items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\")
