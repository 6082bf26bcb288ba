"""Leases: at most one worker of a kind writes, a standby takes over, and a superseded worker stops by its own clock.

The holder renews its record at every heartbeat. A worker that wants the lease watches the record on its own monotonic clock,
and takes the lease when the record has not changed for a whole lease time. Clocks of different machines are never compared. The
holder counts its lease time from *before* it sent its last successful renewal, the watcher from after it saw it. So the holder
has stopped when the watcher takes over. A request that is still on its way then is covered by the writer horizon and by the
guards of the apply rule.
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
from service.failpoints import failpoint
from service.tasks import task_group

SYNC_LEASE = "sync"
REVERSE_LEASE = "reverse sync"
START_LEASE = "start"
MOVE_LEASE = "move"
LANE_LEASES: dict[LaneName, str] = {"forward": SYNC_LEASE, "reverse": REVERSE_LEASE}

LOOKS_PER_LEASE = 12
"""How often a waiting worker reads the record in one lease time. It is at most two reads late, so it takes over a lease of 6 s
within 7 s."""


REMEDY = "wait for it, watch it with `tablesplit status --watch`, or stop it first"
"""What to do about a lease that another worker holds."""


class LeaseTimes(Protocol):
    """The settings that a lease depends on."""

    @property
    def lease_seconds(self) -> float: ...

    @property
    def heartbeat_seconds(self) -> float: ...


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid", strict=True, defer_build=True))
class LeaseRecord:
    """Who has the lease."""

    owner: str
    token: int
    """Counts the holders: each holder's token is above all earlier ones."""
    lease_seconds: float
    """How long the holder trusts a renewal."""
    renewed_at: float
    """Epoch seconds, for messages only."""
    released: bool = False
    """Whether the holder has given the lease back."""


class Lease:
    """A lease that this worker has taken with ``acquire`` or ``try_acquire``. Leaving their block ends it.

    ``token`` is for writes that an earlier or later holder must not replace. ``held_since`` is on this worker's monotonic
    clock.
    """

    def __init__(self, request: "LeaseRequest", stored: Stored[LeaseRecord], asked_at: float) -> None:
        self._request = request
        self._stored = stored
        self._good_until = asked_at + request.times.lease_seconds
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

        ``owner`` must be unique to one process (host, process id and something random). ``stand_by`` is called whenever another
        worker is seen to hold the lease. When the lease is lost, the block is cancelled and Fenced is raised.
        """
        request = LeaseRequest(control, name, owner, clock, times)
        while (lease := await request.take()) is None:
            stand_by()
        async with lease._held_for_block():
            yield lease

    @classmethod
    @asynccontextmanager
    async def try_acquire(
        cls, control: ControlTable, name: str, owner: str, clock: Clock, times: LeaseTimes
    ) -> AsyncIterator["Lease"]:
        """As ``acquire``, but raise Refused as soon as the holder is seen to be alive. A holder that was killed is waited for."""
        request = LeaseRequest(control, name, owner, clock, times)
        lease = await request.take()
        if lease is None:
            raise await request.refusal()
        async with lease._held_for_block():
            yield lease

    def check(self) -> None:
        """Return while the lease is good. Raises Fenced once this worker's own clock has passed it, or another worker has taken
        it."""
        if self._lost is None and self._request.clock.monotonic() >= self._good_until:
            self._lost = self._request.fenced("could not be renewed in time")
        if self._lost is not None:
            raise self._lost.with_traceback(None)  # else it would grow with each check

    async def _renew_regularly(self) -> NoReturn:
        while True:
            await self._request.clock.sleep(self._request.times.heartbeat_seconds)
            self.check()
            with suppress(Retryable):  # the next heartbeat tries again, until check() says it is too late
                await self._renew()

    async def _renew(self) -> None:
        asked_at = self._request.clock.monotonic()
        record = self._request.record(self.token)
        stored = await self._request.records.put(self._request.name, record, self._stored, fence=self.check)
        if stored is None:
            self._stored = await self._still_mine()
            return await self._renew()
        failpoint("lease_renewed")
        self._stored = stored
        self._good_until = asked_at + self._request.times.lease_seconds
        return None

    async def _still_mine(self) -> Stored[LeaseRecord]:
        """The record that an earlier renewal has written after all, although it seemed to fail.

        Raises Fenced when another worker holds the lease.
        """
        stored = await self._request.records.get(self._request.name)
        if stored is None or (stored.value.owner, stored.value.token) != (self._request.owner, self.token):
            self._lost = self._request.fenced("was taken over")
            raise self._lost
        return stored

    @asynccontextmanager
    async def _held_for_block(self) -> AsyncIterator[None]:
        try:
            async with task_group() as tasks:
                renewing = tasks.create_task(self._renew_regularly())
                yield
                renewing.cancel()
        finally:
            await self._release()

    async def _release(self) -> None:
        """Give the lease back, so that the next worker need not wait. If that fails, the lease just runs out."""
        if self._lost is None:
            with suppress(TablesplitError):
                record = self._request.record(self.token, released=True)
                failpoint("lease_due_back")
                await self._request.records.put(self._request.name, record, self._stored, fence=self.check)
                failpoint("lease_released")


class LeaseRequest:
    """One worker's request for one lease."""

    def __init__(self, control: ControlTable, name: str, owner: str, clock: Clock, times: LeaseTimes) -> None:
        self.records = control.records("lease", LeaseRecord)
        self.name = name
        self.owner = owner
        self.clock = clock
        self.times = times

    async def take(self) -> Lease | None:
        """Take the lease once it is free, or once its record has not changed for a whole lease time.

        None: the record changed, or another worker took the lease first.
        """
        stored = await self.records.get(self.name)
        seen_at = self.clock.monotonic()
        while _held(stored) and self.clock.monotonic() < seen_at + self._trust(stored.value):
            await self.clock.sleep(self.times.lease_seconds / LOOKS_PER_LEASE)
            before, stored = stored, await self.records.get(self.name)
            if _held(stored) and stored.rev != before.rev:
                return None
        return await self._write(stored)

    async def _write(self, before: Stored[LeaseRecord] | None) -> Lease | None:
        asked_at = self.clock.monotonic()
        token = before.value.token + 1 if before is not None else 1
        stored = await self.records.put(self.name, self.record(token), before)
        failpoint("lease_taken")
        return None if stored is None else Lease(self, stored, asked_at)

    def _trust(self, holder: LeaseRecord) -> float:
        return max(holder.lease_seconds, self.times.lease_seconds)

    def record(self, token: int, *, released: bool = False) -> LeaseRecord:
        """The record as this worker writes it."""
        return LeaseRecord(self.owner, token, self.times.lease_seconds, self.clock.now(), released)

    def fenced(self, reason: str) -> Fenced:
        """The error for a lease that is lost."""
        return Fenced(
            f"lease {self.name} of {self.owner} {reason}: this worker writes nothing more",
            remedy="start the command again: it goes on where it stopped",
        )

    async def refusal(self) -> Refused:
        """The error for a lease that another live worker holds."""
        holder = await self.records.get(self.name)
        about = "it has just ended"
        if holder is not None:
            age = max(0.0, self.clock.now() - holder.value.renewed_at)
            about = f"owner {holder.value.owner}, renewed {age:.0f} s ago"
        return Refused(
            f"another {self.name} is running ({about})",
            remedy=REMEDY,
        )


def _held(stored: Stored[LeaseRecord] | None) -> TypeGuard[Stored[LeaseRecord]]:
    return stored is not None and not stored.value.released


async def lease_token(control: ControlTable, name: str) -> int | None:
    """The token of a lease's last holder; None: it never had one."""
    stored = await control.records("lease", LeaseRecord).get(name)
    return stored.value.token if stored is not None else None


async def renewed_seconds_ago(control: ControlTable, name: str, now: float) -> float | None:
    """How long ago the holder of a lease renewed it; None: nobody holds it. ``now``: epoch seconds."""
    stored = await control.records("lease", LeaseRecord).get(name)
    return max(0.0, now - stored.value.renewed_at) if _held(stored) else None
