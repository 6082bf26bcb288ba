"""Which engine reads a lane: written down by the worker that holds its lease, so that those who read without it know.

Under the embedded engine only the holder of the lease reads. Under the kcl engine every worker does, as long as the holder is one
of them.
"""

from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from service.clock import Clock
from service.control.leases import Lease
from service.control.table import ControlTable, Records

Engine = Literal["embedded", "kcl"]


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class InForce:
    """application: the beginning of KCL's table names, which all readers of a lane must share; afterwards the last one that there
    was. settled: False while readers of the kcl engine may still write although the embedded one is in force."""

    engine: Engine
    application: str | None = None
    settled: bool = True


async def engine_in_force(control: ControlTable, lane: str) -> InForce | None:
    """What the last holder of the lane's lease has written; None: nobody yet."""
    stored = await _records(control).get(lane)
    return None if stored is None else stored.value


async def put_embedded_in_force(
    control: ControlTable, clock: Clock, lane: str, lease: Lease, horizon_seconds: float
) -> None:
    """Let the embedded engine read ``lane`` from now on. Returns when it may begin: after the kcl engine when the writer horizon
    has passed, and none of the former readers can write any more. One that an earlier holder did not wait out is waited out whole.

    Raises Fenced when the lease is lost.
    """
    was = await engine_in_force(control, lane) or InForce("embedded")
    if was.engine == "kcl" or not was.settled:
        await _records(control).save(lane, InForce("embedded", was.application, settled=False), lease.token)
        await clock.sleep(horizon_seconds)
        lease.check()
    await _records(control).save(lane, InForce("embedded", was.application), lease.token)


async def put_kcl_in_force(control: ControlTable, lane: str, lease: Lease, application: str) -> None:
    """Let the kcl engine read ``lane`` from now on: every worker with the same ``application`` may begin."""
    await _records(control).save(lane, InForce("kcl", application), lease.token)


def _records(control: ControlTable) -> Records[InForce]:
    return control.records("engine", InForce)
