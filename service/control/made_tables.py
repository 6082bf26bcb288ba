"""Which tables tablesplit made: a record for each in the control table, beside the tag that most of them have.

A table that was there before, and fits, is adopted: it belongs to somebody else, and is never deleted. The record holds the id that
DynamoDB gave the table. So a table that was deleted, and that somebody made anew under its name, is not taken for ours
(https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html).
"""

from collections.abc import Iterable, Mapping

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from service.control.table import ControlTable, is_record
from service.core.item.wire import Item
from service.core.item.write import Delete, Equals

ITEMS_AT_ONCE = 500


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid", defer_build=True))
class MadeTable:
    """A table that tablesplit made."""

    table_id: str
    """As ``TableDescription`` has it."""


class MadeTables:
    """The records, by the names of the tables."""

    def __init__(self, control: ControlTable) -> None:
        self._control = control
        self._records = control.records("made table", MadeTable)

    async def note(self, made: Mapping[str, str]) -> None:
        """Record tables that were just made: the id of each by its name."""
        for name, table_id in made.items():
            await self._records.save(name, MadeTable(table_id))

    async def among(self, existing: Mapping[str, str]) -> set[str]:
        """Those of the ``existing`` tables (name to id) that were made here, and are still the same."""
        known = await self._records.all()
        return {
            name for name, table_id in existing.items() if name in known and known[name].value == MadeTable(table_id)
        }

    async def clear(self) -> None:
        """Delete every record of this control table, for a table that stays. What has another form than a record is left alone,
        somebody's own items under the same four names, too."""
        start: Item | None = None
        while True:
            page = await self._control.store.scan(
                self._control.table, segment=0, segments=1, start=start, limit=ITEMS_AT_ONCE
            )
            await self._delete(item for item in page.items if is_record(item))
            start = page.last_key
            if start is None:
                return

    async def _delete(self, records: Iterable[Item]) -> None:
        for item in records:
            key = {"pk": item["pk"], "sk": item["sk"]}
            await self._control.store.write(Delete(self._control.table, key, Equals(("rev",), item["rev"])))
