"""The audit log in the control table: who did what, when and why. Each record is chained to the one before by its hash.

A record of its own, the *end*, holds the newest record's number and hash and is written in the same transaction. So a log whose
last records were cut off is detected too.

Whoever can write the table can write a whole new chain. So each hash also goes where such a person cannot write: into this
process's log, and after a phase move to the hook. A chain that has that hash has everything up to it as it was written.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

import orjson
from pydantic import ConfigDict
from pydantic import dataclasses as checked

from service.clock import Clock, iso
from service.control.table import CHANGE_ATTEMPTS, ControlTable, Stored, contended
from service.errors import Misconfigured
from service.escape import lines_of
from service.log import get_logger_at_any_level

PARTITION = "audit"
END = "end"
DIGITS = 12
NOTHING_BEFORE = ""


@checked.dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid", defer_build=True))
class Record:
    """One entry of the log."""

    number: int
    """Counts from 1."""
    at: float
    """Epoch seconds."""
    who: str
    action: str
    why: str
    facts: dict[str, Any]
    previous: str
    """The hash of the record before; "" for the first."""
    hash: str = ""
    """The hash over everything else in this record."""

    def to_json(self) -> dict[str, Any]:
        """The entry as `audit list --json` shows it."""
        shown = {name: getattr(self, name) for name in ("number", "who", "action", "why", "facts", "previous", "hash")}
        return {**shown, "at": iso(self.at)}


@checked.dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid", defer_build=True))
class End:
    """Which record is the newest."""

    number: int
    hash: str

    def to_json(self) -> dict[str, Any]:
        """As the hook gets it."""
        return {"number": self.number, "hash": self.hash}


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    """Whether the log is whole."""

    records: int
    hash: str
    """The newest record's hash."""
    proven: int = 0
    """Up to this record a hash that was kept elsewhere proves the log; 0: none was given, or none was found."""
    broken: tuple[str, ...] = field(default=())
    """What is wrong with the log, one line each."""

    @property
    def ok(self) -> bool:
        """Whether nothing was edited, removed or inserted."""
        return not self.broken

    def to_json(self) -> dict[str, Any]:
        """The document of `audit verify --json`."""
        return {
            "result": "ok" if self.ok else "broken",
            "records": self.records,
            "hash": self.hash,
            "proven": self.proven,
            "broken": list(self.broken),
        }

    def to_text(self) -> str:
        """The verdict and what proves it, or what is wrong."""
        if self.ok:
            return f"audit log: whole, {self.records} records, newest {self.hash or '(none)'}\n{self._proof()}"
        return lines_of([f"audit log: BROKEN, {self.records} records", *self.broken])

    def _proof(self) -> str:
        if self.proven:
            return f"proven up to record {self.proven}, by a hash that was kept elsewhere"
        return "by itself only: that it was not written anew is proven by a hash of the log or the hook (--hash)"


class Audit:
    """The log."""

    def __init__(self, control: ControlTable, clock: Clock, who: str, *, logged: bool = True) -> None:
        """``who``: who is recorded as the author of the entries that are appended here. ``logged``: whether their hashes are; not
        those of a rehearsal, whose log is deleted at its end."""
        self._control = control
        self._records = control.records(PARTITION, Record)
        self._ends = control.records(f"{PARTITION} end", End)
        self._clock = clock
        self._who = who
        self._logged = logged

    async def append(self, action: str, why: str, facts: dict[str, Any]) -> End:
        """Add an entry at the end, after those of other writers that came first, and log its hash at any level.
        ``facts``: JSON values.

        Raises Retryable while other writers keep appending.
        """
        for _ in range(CHANGE_ATTEMPTS):
            end = await self._ends.get(END)
            record = self._next(end, action, why, facts)
            newest = End(record.number, record.hash)
            writes = [
                self._records.as_put(_name(record.number), record, None)[0],
                self._ends.as_put(END, newest, end)[0],
            ]
            if await self._control.store.transact(writes):
                if self._logged:
                    get_logger_at_any_level().info(
                        "audit record", number=newest.number, hash=newest.hash, action=action
                    )
                return newest
        raise contended("the audit log")

    def _next(self, end: Stored[End] | None, action: str, why: str, facts: dict[str, Any]) -> Record:
        number = end.value.number + 1 if end else 1
        previous = end.value.hash if end else NOTHING_BEFORE
        return sealed(Record(number, self._clock.now(), self._who, action, why, facts, previous))

    async def all(self) -> list[Record]:
        """Every record, the oldest first."""
        return [stored.value for stored in (await self._records.all()).values()]

    async def newest(self, count: int) -> list[Record]:
        """The last ``count`` records, the oldest of them first."""
        end = await self._ends.get(END)
        return [] if end is None else await self.after(max(0, end.value.number - count), count)

    async def after(self, number: int, limit: int) -> list[Record]:
        """The first ``limit`` records after a number."""
        return [stored.value for stored in (await self._records.after(_name(number), limit)).values()]

    async def verify(self, known: Collection[str] = ()) -> AuditVerdict:
        """Follow the chain from the first record to the end. ``known``: hashes of records, kept outside the control table."""
        records = await self.all()
        end = await self._ends.get(END)
        return judged(records, end.value if end else None, known)


def sealed(record: Record) -> Record:
    """The record with its hash: SHA-256 over the canonical JSON of everything else in it."""
    content = {name: getattr(record, name) for name in ("number", "at", "who", "action", "why", "facts", "previous")}
    return replace(record, hash=sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest())


def judged(records: list[Record], end: End | None, known: Collection[str] = ()) -> AuditVerdict:
    """The verdict on a log as it was read. ``known``: as ``Audit.verify`` takes them."""
    broken = []
    previous, number = NOTHING_BEFORE, 0
    for record in records:
        number += 1
        if record.number != number:
            broken.append(f"record {number} is missing" if record.number > number else f"record {record.number} twice")
            number = record.number
        if record.previous != previous:
            broken.append(f"record {record.number} does not follow on the one before it")
        if sealed(record).hash != record.hash:
            broken.append(f"record {record.number} was edited")
        previous = record.hash
    last = records[-1] if records else None
    if (end.number, end.hash) != (last.number, last.hash) if end and last else (end is None) != (last is None):
        broken.append(f"the log ends at {last.number if last else 0}; it should end at {end.number if end else 0}")
    numbers = {record.hash: record.number for record in records}
    broken += [
        f"no record has the hash {one}: the log was written anew, or cut off" for one in known if one not in numbers
    ]
    proven = 0 if broken else max((numbers[one] for one in known), default=0)
    return AuditVerdict(len(records), previous, proven, tuple(broken))


async def page(audit: Audit, after: str, limit: int) -> dict[str, Any]:
    """The document of /v1/audit: at most ``limit`` records after the number ``after`` ("": from the first on), the oldest first.
    ``next``: the number after which the log goes on, or None. Raises Misconfigured when ``after`` is no number."""
    if after and not (after.isascii() and after.isdigit() and len(after) <= DIGITS):
        raise Misconfigured(f"after: {after!r} is no number of a record", remedy="give the `next` of the page before")
    records = await audit.after(int(after or "0"), limit)
    return {
        "items": [record.to_json() for record in records],
        "next": str(records[-1].number) if len(records) == limit else None,
    }


def _name(number: int) -> str:
    return f"{number:0{DIGITS}d}"
