"""The conflict log: changes of the old table that lost against v2, each kept whole; and items that are held.

One head record per conflict, so that open ones can be counted and listed without their images, and the images in chunks
beside it.
"""

from dataclasses import asdict, replace
from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from service.chunks import Chunk, packed, unpacked
from service.control_table import ControlTable, Records, Stored
from service.core.change import Change
from service.core.wire import Item
from service.core.write import Delete, Put
from service.errors import Misconfigured
from service.waiting_changes import WaitingChange

Reason = Literal["overlap", "deleted", "two_live_keys", "unreadable"]
STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, config=STRICT)
class Resolution:
    """How a conflict was settled. kept: whose version; at: epoch seconds."""

    kept: Literal["old", "v2", "merge"]
    by: str
    at: float


@dataclass(frozen=True, slots=True, config=STRICT)
class Head:
    """A conflict without its images. key: the old item's; fields: those that both sides changed; at: epoch seconds."""

    old_table: str
    key: Item
    entity: str
    reason: Reason
    fields: tuple[str, ...]
    version: str
    at: float
    resolution: Resolution | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """A change that lost: whole, with what stood at each known v2 place (table, key, item or None), stamps included."""

    id: str
    old_table: str
    key: Item
    entity: str
    reason: Reason
    fields: tuple[str, ...]
    change: WaitingChange
    v2: tuple[tuple[str, Item, Item | None], ...]
    at: float
    resolution: Resolution | None = None


@dataclass(frozen=True, slots=True, config=STRICT)
class Held:
    """An old item with two live v2 places, which are carried nowhere until one of them goes. since: epoch seconds."""

    old_table: str
    key: Item
    entity: str
    keys: tuple[tuple[str, Item], ...]
    since: float


class Conflicts:
    """The conflict log in the control table."""

    def __init__(self, control: ControlTable) -> None:
        self._control = control
        self._heads = control.records("conflict", Head)
        self._held = control.records("held", Held)

    def puts(self, conflict: Conflict) -> list[Put]:
        """The writes that keep a conflict, for the transaction that decides it: a head, and chunks of at most 300 KB (four
        items of 400 KB that do not compress are eight). Each is refused when it is there already."""
        change = conflict.change.change
        head = Head(
            change.table,
            conflict.key,
            conflict.entity,
            conflict.reason,
            conflict.fields,
            conflict.change.version,
            conflict.at,
        )
        images = {"change": asdict(conflict.change), "v2": conflict.v2}
        chunks = self._chunks(conflict.id)
        return [
            self._heads.as_put(conflict.id, head, None)[0],
            *(chunks.as_put(f"{number:03d}", chunk, None)[0] for number, chunk in enumerate(packed(images))),
        ]

    async def heads(self) -> dict[str, Head]:
        """Every conflict, resolved ones too, by id."""
        return {name: stored.value for name, stored in (await self._heads.all()).items()}

    async def count_open(self) -> int:
        """How many are not resolved."""
        return sum(head.resolution is None for head in (await self.heads()).values())

    async def head(self, conflict_id: str) -> Stored[Head]:
        """One head as it is stored. Raises Misconfigured when there is none."""
        found = await self._heads.get(conflict_id)
        if found is None:
            raise Misconfigured(f"no conflict has the id {conflict_id}", remedy="see `tablesplit conflicts list --all`")
        return found

    async def load(self, conflict_id: str) -> Conflict:
        """A conflict with its images. Raises Misconfigured when there is none."""
        head = (await self.head(conflict_id)).value
        content = unpacked([stored.value for stored in (await self._chunks(conflict_id).all()).values()])
        kept = content["change"]
        return Conflict(
            conflict_id,
            head.old_table,
            head.key,
            head.entity,
            head.reason,
            head.fields,
            WaitingChange(Change(**kept["change"]), kept["generation"]),
            tuple((table, key, item) for table, key, item in content["v2"]),
            head.at,
            head.resolution,
        )

    def resolved_put(self, conflict_id: str, was: Stored[Head], resolution: Resolution) -> Put:
        """The write that marks a conflict as resolved, if its head still is as it was."""
        return self._heads.as_put(conflict_id, replace(was.value, resolution=resolution), was)[0]

    async def held(self) -> dict[str, Held]:
        """Every held item, by the name of its ledger entry."""
        return {name: stored.value for name, stored in (await self._held.all()).items()}

    def held_put(self, ledger_id: str, held: Held) -> Put:
        """The write that notes a held item, whatever was noted before."""
        return replace(self._held.as_put(ledger_id, held, None)[0], condition=None)

    def held_delete(self, ledger_id: str) -> Delete:
        """The write that notes that an item is held no longer."""
        return self._held.as_removal(ledger_id)

    def _chunks(self, conflict_id: str) -> Records[Chunk]:
        return self._control.records(f"conflict#{conflict_id}", Chunk)
