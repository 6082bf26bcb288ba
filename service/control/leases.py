"""Leases: at most one worker of a kind writes, a standby takes over, and a superseded worker stops by its own
clock.

The holder renews its record at every heartbeat. Whoever wants the lease watches the record on its own
monotonic clock and takes it when it has not moved for a whole lease; no clock is ever compared with another
machine's. The holder counts its lease from *before* it sent its last successful renewal, the watcher from
after it saw it, so the holder has stopped when the watcher takes over. A request that is on its way even then
is what the writer horizon and the guards of the apply rule are for.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import NoReturn, Protocol, TypeGuard

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from service.clock import Clock
from service.control.table import ControlTable, Stored
from service.control.workers import LaneName
from service.errors import Fenced, Refused, Retryable, TablesplitError
from service.tasks import task_group

SYNC_LEASE = "sync"

REVERSE_LEASE = "reverse sync"

START_LEASE = "start"

LANE_LEASES: dict[LaneName, str] = {"forward": SYNC_LEASE, "reverse": REVERSE_LEASE}


LOOKS_PER_LEASE = 12
"""How often a waiting worker looks in one lease time: it is two looks late at most, so 6 s of lease are taken
over within 7 s."""


REMEDY = "wait for it, watch it with `tablesplit status --watch`, or stop it first"
"""What to do about a lease that another holds."""


class LeaseTimes(Protocol):
    """The settings that a lease depends on."""

    @property
    def lease_seconds(self) -> float: ...

    @property
    def heartbeat_seconds(self) -> float: ...


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid", strict=True))
class LeaseRecord:
    """Who has the lease. token: counts its holders, each one's is above all earlier ones'.

    lease_seconds: how long the holder trusts a renewal. renewed_at: epoch seconds, for messages only.
    released: it was given back.
    """

    owner: str
    token: int
    lease_seconds: float
    renewed_at: float
    released: bool = False


class Lease:
    """A lease that this worker has taken, with ``acquire`` or ``try_acquire``; leaving their block ends it.

    token: its number, for writes that an earlier or later holder must not replace. held_since: on this
    worker's monotonic clock.
    """

    def __init__(self, desk: "LeaseRequest", stored: Stored[LeaseRecord], asked_at: float) -> None:
        self._desk = desk
        self._stored = stored
        self._good_until = asked_at + desk.times.lease_seconds
        self._lost: Fenced | None = None
        self.token = stored.value.token
        self.held_since = asked_at

    @classmethod
    @asynccontextmanager
    async def acquire(
        cls,
        control: ControlTable,
        name: str,
        owner: str,
        clock: Clock,
        times: LeaseTimes,
        *,
        stand_by: Callable[[], None] = lambda: None,
    ) -> AsyncIterator["Lease"]:
        """Wait, as a standby, until the lease is free; hold it for the block; give it back at its end.

        ``owner`` must be one process's own (host, process id and something random). ``stand_by`` is told
        whenever another is seen to be alive. When the lease is lost, the block is cancelled and Fenced
        raised.
        """
        desk = LeaseRequest(control, name, owner, clock, times)
        while (lease := await desk.take()) is None:
            stand_by()
        async with lease._kept():
            yield lease

    @classmethod
    @asynccontextmanager
    async def try_acquire(
        cls, control: ControlTable, name: str, owner: str, clock: Clock, times: LeaseTimes
    ) -> AsyncIterator["Lease"]:
        """As ``acquire``, but Refused as soon as the holder is seen to be alive; one that was killed is
        waited out."""
        desk = LeaseRequest(control, name, owner, clock, times)
        lease = await desk.take()
        if lease is None:
            raise await desk.refusal()
        async with lease._kept():
            yield lease

    def check(self) -> None:
        """Return while the lease is good. Raises Fenced once this worker's own clock has passed it, or
        another has taken it."""
        if self._lost is None and self._desk.clock.monotonic() >= self._good_until:
            self._lost = self._desk.fenced("could not be renewed in time")
        if self._lost is not None:
            raise self._lost

    async def _keep(self) -> NoReturn:
        while True:
            await self._desk.clock.sleep(self._desk.times.heartbeat_seconds)
            self.check()
            with suppress(Retryable):  # the next heartbeat tries again, until check() says it is too late
                await self._renew()

    async def _renew(self) -> None:
        asked_at = self._desk.clock.monotonic()
        record = self._desk.record(self.token)
        stored = await self._desk.records.put(self._desk.name, record, self._stored, fence=self.check)
        if stored is None:
            self._stored = await self._still_mine()
            return await self._renew()
        self._stored = stored
        self._good_until = asked_at + self._desk.times.lease_seconds
        return None

    async def _still_mine(self) -> Stored[LeaseRecord]:
        """The record as an earlier renewal, given up on, has left it after all. Raises Fenced when it is
        another's."""
        found = await self._desk.records.get(self._desk.name)
        if found is None or (found.value.owner, found.value.token) != (self._desk.owner, self.token):
            self._lost = self._desk.fenced("was taken over")
            raise self._lost
        return found

    @asynccontextmanager
    async def _kept(self) -> AsyncIterator[None]:
        try:
            async with task_group() as tasks:
                keeping = tasks.create_task(self._keep())
                yield
                keeping.cancel()
        finally:
            await self._release()

    async def _release(self) -> None:
        """Give the lease back, so that the next worker need not wait. When that fails it just runs out."""
        if self._lost is None:
            with suppress(TablesplitError):
                record = self._desk.record(self.token, released=True)
                await self._desk.records.put(self._desk.name, record, self._stored, fence=self.check)


class LeaseRequest:
    """Where one worker asks for one lease."""

    def __init__(self, control: ControlTable, name: str, owner: str, clock: Clock, times: LeaseTimes) -> None:
        self.records = control.records("lease", LeaseRecord)
        self.name = name
        self.owner = owner
        self.clock = clock
        self.times = times

    async def take(self) -> Lease | None:
        """The lease, once it is free or has not moved for its whole time. None: it moved, or another was
        faster."""
        seen = await self.records.get(self.name)
        seen_at = self.clock.monotonic()
        while _held(seen) and self.clock.monotonic() < seen_at + self._trust(seen.value):
            await self.clock.sleep(self.times.lease_seconds / LOOKS_PER_LEASE)
            was, seen = seen, await self.records.get(self.name)
            if _held(seen) and seen.rev != was.rev:
                return None
        return await self._write(seen)

    async def _write(self, seen: Stored[LeaseRecord] | None) -> Lease | None:
        asked_at = self.clock.monotonic()
        token = seen.value.token + 1 if seen is not None else 1
        stored = await self.records.put(self.name, self.record(token), seen)
        return None if stored is None else Lease(self, stored, asked_at)

    def _trust(self, holder: LeaseRecord) -> float:
        return max(holder.lease_seconds, self.times.lease_seconds)

    def record(self, token: int, *, released: bool = False) -> LeaseRecord:
        """The record as this worker writes it."""
        return LeaseRecord(self.owner, token, self.times.lease_seconds, self.clock.now(), released)

    def fenced(self, what: str) -> Fenced:
        """The lease is lost."""
        return Fenced(
            f"lease {self.name} of {self.owner} {what}: this worker writes nothing more",
            remedy="start the command again: it goes on where it stopped",
        )

    async def refusal(self) -> Refused:
        """The lease is another's, who is alive."""
        holder = await self.records.get(self.name)
        about = "it has just ended"
        if holder is not None:
            age = max(0.0, self.clock.now() - holder.value.renewed_at)
            about = f"owner {holder.value.owner}, renewed {age:.0f} s ago"
        return Refused(
            f"another {self.name} is running ({about})",
            remedy=REMEDY,
        )


def _held(seen: Stored[LeaseRecord] | None) -> TypeGuard[Stored[LeaseRecord]]:
    return seen is not None and not seen.value.released


async def lease_token(control: ControlTable, name: str) -> int | None:
    """The number of a lease's last holder; None: it never had one."""
    found = await control.records("lease", LeaseRecord).get(name)
    return found.value.token if found is not None else None


async def renewed_seconds_ago(control: ControlTable, name: str, now: float) -> float | None:
    """For how long the holder of a lease has not renewed it, ``now`` being epoch seconds; None: nobody holds it."""
    found = await control.records("lease", LeaseRecord).get(name)
    return max(0.0, now - found.value.renewed_at) if _held(found) else None
