"""Which engine reads a lane: written down by the worker that holds its lease, so that those who read without it know.

Under the embedded engine only the holder of the lease reads. Under the kcl engine every worker does, as long as the holder is one
of them.
"""

from typing import Any, Literal

from service.clock import Clock
from service.control_table import ControlTable, Records
from service.leases import Lease

Engine = Literal["embedded", "kcl"]


async def engine_in_force(control: ControlTable, lane: str) -> str | None:
    """What the last holder of the lane's lease has written; None: nobody yet."""
    stored = await _records(control).get(lane)
    return None if stored is None else str(stored.value["engine"])


async def put_in_force(
    control: ControlTable, clock: Clock, lane: str, engine: Engine, lease: Lease, horizon_seconds: float
) -> None:
    """Write down that ``engine`` reads ``lane`` from now on. Returns when it may begin: after the kcl engine the embedded one waits
    for the writer horizon, when none of the former readers can write any more. Raises Fenced when the lease is lost."""
    was = await engine_in_force(control, lane)
    await _records(control).save(lane, {"engine": engine}, lease.token)
    if was == "kcl" and engine == "embedded":
        await clock.sleep(horizon_seconds)
    lease.check()


def _records(control: ControlTable) -> Records[dict[str, Any]]:
    return control.records("engine", dict[str, Any])
