"""How many records a partition has, counted by the transactions that add and remove them: nobody lists them to know.

The count is kept in parts, by the first digits of the records' names (hex digits), so that writers seldom meet at one record.
A part that is not there yet (the control table of an earlier version) is counted from the names before it is first changed. Every
change of a part gives it a new revision. So a part that is counted anew is stored only if no record came or went in the meantime.
"""

from collections import Counter
from typing import Any

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from service.control.table import CHANGE_ATTEMPTS, ControlTable, Records, contended
from service.core.item.write import Put

NAMES_AT_ONCE = 1000


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid", defer_build=True))
class Part:
    """The count of the records whose names begin with the same digits."""

    records: int


class Count:
    """The count of the records of one partition."""

    def __init__(self, control: ControlTable, records: Records[Any], partition: str, digits: int = 1) -> None:
        """``digits``: of a name, which say its part. Two for records that many writers add at once."""
        self._parts = control.records(f"count#{partition}", Part)
        self._records = records
        self._partition = partition
        self._digits = digits

    async def total(self) -> int:
        """How many records there are. Parts that are missing, and should not be, are counted and stored."""
        parts = await self._parts.all()
        if len(parts) < 16**self._digits:
            present = set(map(self._part, await self._records.names()))  # few, or else every part would be there
            for part in present - parts.keys():
                await self._recount(part)
            parts = await self._parts.all() if present - parts.keys() else parts
        return sum(stored.value.records for stored in parts.values())

    async def shift(self, name: str, by: int) -> Put:
        """The write that counts a record in (1) or out (-1), for the transaction that adds or removes it.

        It is refused when another record has come or gone since: then ask again.
        """
        part = self._part(name)
        stored = await self._parts.get(part)
        records = stored.value.records if stored is not None else await self._names_in(part)
        return self._parts.as_put(part, Part(records + by), stored)[0]

    async def correct(self) -> set[str]:
        """Put right the parts that do not agree with the names: an earlier version, which does not count, may have added or removed
        records. A part that changes meanwhile is left for the next time. Returns the names."""
        # The parts before the names: a record that comes or goes later gives its part a new revision.
        parts = await self._parts.all()
        names = set(await self._records.names())
        found = Counter(map(self._part, names))
        for part, stored in parts.items():
            if stored.value.records != found[part]:
                await self._parts.put(part, Part(found[part]), stored)
        return names

    def _part(self, name: str) -> str:
        return name[: self._digits]

    async def _recount(self, part: str) -> None:
        for _ in range(CHANGE_ATTEMPTS):
            was = await self._parts.get(part)
            counted = Part(await self._names_in(part))
            if (was is not None and was.value == counted) or await self._parts.put(part, counted, was) is not None:
                return
        raise contended(f"the count of {self._partition}")

    async def _names_in(self, part: str) -> int:
        count, name = 0, part
        while names := await self._records.names(name, NAMES_AT_ONCE):
            found = [name for name in names if name.startswith(part)]
            count += len(found)
            if len(found) < len(names) or len(names) < NAMES_AT_ONCE:
                break
            name = names[-1]
        return count
