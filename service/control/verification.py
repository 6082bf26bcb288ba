"""What the verification of touched keys found, in the control table: the result of its last walk, and the keys that differ.

A key stays in the list until a walk finds both of its sides equal, or its ledger entry is gone. The list is bounded; the count is
not. The list is shown in the order of the records' names, which is no order of keys or times.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from service.clock import iso
from service.control.table import ControlTable
from service.core.item.wire import Item, plain_key
from service.core.rules.agreement import DifferenceKind
from service.tasks import task_group

NAME = "latest"
FIRST_KEYS = 10
"""How many differing keys the result names at most: `status` shows them."""

LISTED_AT_MOST = 10_000
"""How many differing keys are listed at most, about 1 KB each."""

WRITES_AT_ONCE = 25
PAGE_ITEMS = 100
STRICT = ConfigDict(extra="forbid", defer_build=True)

REMEDIES: dict[DifferenceKind, str] = {
    "missing_on_v2": "tablesplit validate --repair",
    "missing_on_old": "tablesplit validate --repair",
    "fields": "tablesplit validate --repair",
    "unreadable": "correct the item on v2, or delete it there",
    "two_live_keys": "delete one of the two on v2",
}
"""What to do about a key that differs, by how it differs."""

UNMAPPED_REMEDY = "tablesplit quarantine list, then mend or delete the item"
"""What to do about an old item that is missing on v2 because it belongs nowhere there."""


@dataclass(frozen=True, slots=True, config=STRICT)
class Verification:
    """The last walk over the ledger."""

    checked: int
    """How many entries were found equal on both sides, by this walk or, since they were last touched, by an earlier one."""
    pending: int
    """How many entries were not quiet yet."""
    differences: tuple[Item, ...]
    """The first old keys that differ: at most FIRST_KEYS; an earlier version listed a hundred."""
    finished_at: float
    """Epoch seconds."""
    total: int | None = None
    """How many keys differ. None: as many as are listed (so wrote an earlier version)."""

    @property
    def differing(self) -> int:
        """How many keys differ."""
        return len(self.differences) if self.total is None else self.total


@dataclass(frozen=True, slots=True, config=STRICT)
class Differing:
    """A key whose sides differ."""

    key: Item
    """The old item's key."""
    entity: str
    kind: DifferenceKind
    v2: tuple[tuple[str, Item], ...]
    """The live v2 places; where none is live, the place where the old item belongs, if it can be mapped."""
    fields: tuple[str, ...]
    """The old attributes that differ, by name; of an unreadable v2 item the reason."""
    first_seen: float
    """Epoch seconds."""
    last_seen: float
    """Epoch seconds. Before the last walk: the key was not quiet then, and could not be compared."""

    @property
    def remedy(self) -> str:
        """What to do about the key."""
        return UNMAPPED_REMEDY if self.kind == "missing_on_v2" and not self.v2 else REMEDIES[self.kind]


class Differences:
    """The list of the keys that differ."""

    def __init__(self, control: ControlTable) -> None:
        self._records = control.records("difference", Differing)

    async def all(self) -> dict[str, Differing]:
        """Every listed key, by the name of its ledger entry."""
        return await self.after("", None)

    async def after(self, name: str, limit: int | None) -> dict[str, Differing]:
        """The first ``limit`` listed keys (None: all of them) after ``name`` ("": from the first on)."""
        return {name: stored.value for name, stored in (await self._records.after(name, limit)).items()}

    async def replace(self, before: Mapping[str, Differing], now: Mapping[str, Differing]) -> None:
        """Make the list, which was ``before``, what it is to be ``now``."""
        changed = [name for name in before.keys() | now.keys() if before.get(name) != now.get(name)]
        for start in range(0, len(changed), WRITES_AT_ONCE):
            async with task_group() as tasks:
                for name in changed[start : start + WRITES_AT_ONCE]:
                    tasks.create_task(self._replace(name, now.get(name)))

    async def _replace(self, name: str, value: Differing | None) -> None:
        if value is None:
            await self._records.forget(name)
        else:
            await self._records.save(name, value)


async def read_verification(control: ControlTable) -> Verification | None:
    """The result of the last walk, or None."""
    stored = await control.records("verification", Verification).get(NAME)
    return None if stored is None else stored.value


async def save_verification(control: ControlTable, result: Verification) -> None:
    """Replace the result of the last walk."""
    await control.records("verification", Verification).save(NAME, result)


async def listing(control: ControlTable, *, after: str = "", limit: int | None = None) -> dict[str, Any]:
    """The document of `verification list --json` and /v1/verification: the counts, and the listed keys after the id ``after``, at
    most ``limit`` (None: all of them). ``next``: the id after which the list goes on, or None."""
    last = await read_verification(control)
    found = await Differences(control).after(after, limit)
    return {
        "checked": last.checked if last else 0,
        "pending": last.pending if last else 0,
        "differences": last.differing if last else 0,
        "finished_at": iso(last.finished_at) if last else None,
        "items": [described(name, differing) for name, differing in found.items()],
        "next": list(found)[-1] if limit is not None and len(found) == limit else None,
    }


def described(name: str, differing: Differing) -> dict[str, Any]:
    """One key of the listing."""
    return {
        "id": name,
        "key": plain_key(differing.key),
        "entity": differing.entity,
        "difference": differing.kind,
        "v2": [{"table": table, "key": plain_key(key)} for table, key in differing.v2],
        "fields": list(differing.fields),
        "first_seen": iso(differing.first_seen),
        "last_seen": iso(differing.last_seen),
        "remedy": differing.remedy,
    }
