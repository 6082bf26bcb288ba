"""Where a stream's reading starts: the saved start, and the start after the operator has accepted a gap."""

from collections.abc import Mapping

from service.core.shards import Listing, Position, after_gap, first_positions, too_late_to_open
from service.dynamodb.protocol import StreamStore
from service.errors import StreamGone, Trimmed


async def initial_positions(stream_store: StreamStore, arn: str, *, now: float) -> dict[str, Position]:
    """The trim horizon of every shard that exists, parents first (save them in this order), before the first
    Scan.

    ``now``: epoch seconds. Raises StreamGone when there is no such stream.
    """
    return first_positions(await _listing(stream_store, arn), now)


async def positions_after_gap(
    stream_store: StreamStore, arn: str, known: Mapping[str, Position], *, now: float
) -> dict[str, Position]:
    """The positions that replace ``known`` (all of it) once the operator accepts that changes are lost.

    Asks the server which positions are trimmed. The tables must be repaired afterwards. For a changed ARN
    there is nothing to keep: take ``initial_positions`` of the new one. Raises StreamGone when there is no
    such stream.
    """
    listed = await _listing(stream_store, arn)
    trimmed = [s for s in listed if s in known and await _is_trimmed(stream_store, arn, s, known[s], now)]
    return after_gap(known, listed, trimmed, now)


async def _listing(stream_store: StreamStore, arn: str) -> Listing:
    described = await stream_store.describe_stream(arn)
    return {shard.shard_id: shard.parent_id for shard in described.shards}


async def _is_trimmed(store: StreamStore, arn: str, shard_id: str, position: Position, now: float) -> bool:
    if position.state == "finished" or position.sequence is None:
        return too_late_to_open(position, now) and position.state == "reading"
    try:
        await store.shard_iterator(arn, shard_id, "AFTER_SEQUENCE_NUMBER", position.sequence)
    except (Trimmed, StreamGone):
        return True
    return False
