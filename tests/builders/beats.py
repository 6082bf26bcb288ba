"""Beats of workers that are alive: this process has seen them move."""

from service.clock import Clock
from service.control.table import ControlTable
from service.control.workers import Beat, Workers


async def report_moving(control: ControlTable, clock: Clock, worker: str, beat: Beat) -> None:
    """Report ``beat`` twice, and look each time."""
    workers = Workers(control, clock)
    for _ in range(2):
        await workers.report(worker, beat)
        await workers.watch(0.0)
