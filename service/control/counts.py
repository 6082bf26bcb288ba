"""How many records a partition has, counted by the transactions that add and remove them: nobody lists them to know.

The count is kept in parts, by the first digit of the records' names (hex digits), so that writers seldom meet at one record. A part
that is not there yet (the control table of an earlier version) is counted from the names before it is first changed. Every change
of a part gives it a new revision. So a part that is counted anew is stored only if no record came or went in the meantime.
"""

from collections import Counter
from typing import Any

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from service.control.table import CHANGE_ATTEMPTS, ControlTable, Records
from service.core.item.write import Put
from service.errors import Retryable

DIGITS = "0123456789abcdef"
NAMES_AT_ONCE = 1000


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Part:
    """The count of the records whose names begin with one digit."""

    records: int


class Count:
    """The count of the records of one partition."""

    def __init__(self, control: ControlTable, records: Records[Any], partition: str) -> None:
        self._parts = control.records(f"count#{partition}", Part)
        self._records = records
        self._partition = partition

    async def total(self) -> int:
        """How many records there are. Parts that are missing, and should not be, are counted and stored."""
        parts = await self._parts.all()
        if len(parts) < len(DIGITS):
            present = {name[0] for name in await self._records.names()}  # few, or else every part would be there
            for digit in present - parts.keys():
                await self._recount(digit)
            parts = await self._parts.all() if present - parts.keys() else parts
        return sum(stored.value.records for stored in parts.values())

    async def shift(self, name: str, by: int) -> Put:
        """The write that counts a record in (1) or out (-1), for the transaction that adds or removes it.

        It is refused when another record has come or gone since: then ask again.
        """
        digit = name[0]
        stored = await self._parts.get(digit)
        records = stored.value.records if stored is not None else await self._names_with(digit)
        return self._parts.as_put(digit, Part(records + by), stored)[0]

    async def correct(self, names: set[str]) -> None:
        """Count the parts anew that do not agree with ``names``, all names of the partition as they were just read: an earlier
        version, which does not count, may have added or removed records."""
        found = Counter(name[0] for name in names)
        parts = await self._parts.all()
        for digit, stored in parts.items():
            if stored.value.records != found[digit]:
                await self._recount(digit)

    async def _recount(self, digit: str) -> None:
        for _ in range(CHANGE_ATTEMPTS):
            was = await self._parts.get(digit)
            counted = Part(await self._names_with(digit))
            if (was is not None and was.value == counted) or await self._parts.put(digit, counted, was) is not None:
                return
        raise Retryable(f"the count of {self._partition} is contended", reason="control_contended")

    async def _names_with(self, digit: str) -> int:
        count, name = 0, digit
        while names := await self._records.names(name, NAMES_AT_ONCE):
            of_digit = [name for name in names if name.startswith(digit)]
            count += len(of_digit)
            if len(of_digit) < len(names) or len(names) < NAMES_AT_ONCE:
                break
            name = names[-1]
        return count
