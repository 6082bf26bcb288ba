"""The engine in force: which stream engine reads a lane. The worker that holds the lane's lease records it for the others.

Under the embedded engine only the holder of the lease reads. Under the kcl engine every worker reads, as long as the holder of
the lease uses it too.
"""

from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from service.clock import Clock
from service.control.leases import Lease
from service.control.table import ControlTable, Records

Engine = Literal["embedded", "kcl"]


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid", defer_build=True))
class InForce:
    """The record of one lane."""

    engine: Engine
    application: str | None = None
    """The prefix of KCL's table names, which all readers of a lane must share. It stays recorded after a change to the embedded
    engine."""
    settled: bool = True
    """False while readers of the kcl engine may still write although the embedded engine is in force."""


async def engine_in_force(control: ControlTable, lane: str) -> InForce | None:
    """What the last holder of the lane's lease recorded; None: nothing was recorded yet."""
    stored = await _records(control).get(lane)
    return None if stored is None else stored.value


async def put_embedded_in_force(
    control: ControlTable, clock: Clock, lane: str, lease: Lease, horizon_seconds: float
) -> None:
    """Let the embedded engine read ``lane`` from now on; return when it may begin.

    After the kcl engine that is when the writer horizon has passed, so that none of its readers can write any more. If an
    earlier holder stopped during that wait, the whole horizon is waited for again. Raises Fenced when the lease is lost.
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
