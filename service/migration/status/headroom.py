"""How long until changes that nobody has read are trimmed."""

from collections.abc import Iterable

from service.control.checkpoints import Checkpoints
from service.control.state import MigrationState
from service.control.table import ControlTable
from service.control.workers import Beat, LaneName, owner_among
from service.core.shards import RETENTION_SECONDS


async def retention_headroom_seconds(
    control: ControlTable, state: MigrationState, heard: dict[str, Beat], now: float
) -> float | None:
    """Of the lane that is further behind; None while none has saved a position, and once no lane reads any more.

    A lane's owner says it; where a lane has none, which is when it matters most, its saved positions do: they grow old.
    ``now``: epoch seconds.
    """
    if state.phase == "complete":
        return None
    old = [state.stream_arn] if state.stream_arn is not None else []
    said = (
        await _of_lane(control, state, heard, now, "forward", old),
        await _of_lane(control, state, heard, now, "reverse", state.v2_streams.values()),
    )
    return min((seconds for seconds in said if seconds is not None), default=None)


async def _of_lane(
    control: ControlTable,
    state: MigrationState,
    heard: dict[str, Beat],
    now: float,
    name: LaneName,
    arns: Iterable[str],
) -> float | None:
    owner = owner_among(heard, name)
    said = owner and owner[1].lane(name).retention_headroom_seconds
    if said is not None:
        return said
    oldest = [await _oldest(Checkpoints(control, arn, state.mapping_hash)) for arn in arns]
    return min((RETENTION_SECONDS - (now - moment) for moment in oldest if moment is not None), default=None)


async def _oldest(checkpoints: Checkpoints) -> float | None:
    """Up to when the shard that is furthest behind is known to be applied, in epoch seconds."""
    positions = (await checkpoints.load()).values()
    return min((p.as_of for p in positions if p.state != "finished" and p.as_of is not None), default=None)
