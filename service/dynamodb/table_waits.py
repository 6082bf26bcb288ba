"""Waits, with a deadline, until a table is created or deleted, or its stream is enabled."""

import asyncio
from collections.abc import Callable

from service.clock import Clock
from service.dynamodb.control_plane import ControlPlane
from service.dynamodb.protocol import StreamStore
from service.dynamodb.table_description import STREAM_VIEW_TYPE, TableDescription
from service.dynamodb.table_features import Recovery
from service.errors import Fatal, StreamGone

POLL_SECONDS = 1.0
TIMEOUT_SECONDS = 600.0
"""DynamoDB creates a table in seconds; with an index on a large table, or in a busy account, it takes minutes."""


async def until_active(
    control: ControlPlane, name: str, clock: Clock, timeout_seconds: float = TIMEOUT_SECONDS
) -> TableDescription:
    """The table, once it and its indexes are ACTIVE. Raises Fatal after the deadline."""
    table = await _until(control, name, clock, timeout_seconds, is_active, "is not ACTIVE yet")
    assert table is not None
    return table


async def until_deleted(
    control: ControlPlane, name: str, clock: Clock, timeout_seconds: float = TIMEOUT_SECONDS
) -> None:
    """Return once there is no table of that name. Raises Fatal after the deadline."""
    await _until(control, name, clock, timeout_seconds, lambda table: table is None, "is still being deleted")


async def until_stream_enabled(
    control: ControlPlane,
    streams: StreamStore,
    name: str,
    clock: Clock,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> TableDescription:
    """The table, once it is ACTIVE and its stream of both images is ENABLED. Raises Fatal after the deadline."""
    deadline = clock.monotonic() + timeout_seconds
    table = await _until(control, name, clock, timeout_seconds, streams_both_images, "has no stream yet")
    assert table is not None
    assert table.stream_arn is not None
    while not await _is_enabled(streams, table.stream_arn):
        await _pause(clock, deadline, name, "has no ENABLED stream yet", timeout_seconds)
    return table


async def _is_enabled(streams: StreamStore, arn: str) -> bool:
    """Whether the stream is ENABLED. The endpoint of streams may learn of a stream later than that of tables."""
    try:
        return (await streams.describe_stream(arn)).status == "ENABLED"
    except StreamGone:
        return False


async def until_recovery(
    control: ControlPlane, name: str, recovery: Recovery, clock: Clock, timeout_seconds: float = TIMEOUT_SECONDS
) -> None:
    """Return once point-in-time recovery was turned on. Raises Fatal after the deadline."""
    deadline = clock.monotonic() + timeout_seconds
    while not await asyncio.to_thread(control.begin_recovery, name, recovery):
        await _pause(clock, deadline, name, "is not ready for point-in-time recovery yet", timeout_seconds)


def is_active(table: TableDescription | None) -> bool:
    """Whether the table and all its indexes can be used."""
    if table is None or table.status != "ACTIVE":
        return False
    return all(index.status == "ACTIVE" for index in table.indexes.values())


def streams_both_images(table: TableDescription | None) -> bool:
    """Whether the table can be used, and its stream has both images."""
    return table is not None and is_active(table) and table.stream_view_type == STREAM_VIEW_TYPE


async def _until(
    control: ControlPlane,
    name: str,
    clock: Clock,
    timeout_seconds: float,
    reached: Callable[[TableDescription | None], bool],
    problem: str,
) -> TableDescription | None:
    deadline = clock.monotonic() + timeout_seconds
    while not reached(table := await asyncio.to_thread(control.describe_table, name)):
        await _pause(clock, deadline, name, problem, timeout_seconds)
    return table


async def _pause(clock: Clock, deadline: float, name: str, problem: str, timeout_seconds: float) -> None:
    if clock.monotonic() + POLL_SECONDS > deadline:
        raise Fatal(
            f"table {name} {problem} after {timeout_seconds:g} s",
            remedy="run the same command again: it continues where it stopped",
        )
    await clock.sleep(POLL_SECONDS)
