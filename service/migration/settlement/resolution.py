"""Resolves a conflict as an operator chooses: keep what v2 has, what the old side wrote, or an item given in a file.

First everything is read and decided, so that the command can show what will be lost. Then it is written, if v2 is still as it was
read. A write on v2 counts as the application's: reverse carries it to the old table.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from service.clock import iso
from service.control.conflict_documents import described, described_held
from service.control.conflicts import Conflict, ConflictHead, Conflicts, Kept, Resolution
from service.control.ledger import Ledger
from service.control.state import MigrationState
from service.control.stores import Stores
from service.control.table import Stored
from service.core.item.compare import differences
from service.core.item.wire import AttributeValue, Item, plain_key
from service.core.item.write import Put, Update
from service.core.mapping.mapping import Mapping
from service.core.rules.authorship import live
from service.core.rules.images import old_form, old_image
from service.core.rules.ledger import Place
from service.core.rules.ledger_writes import PlaceReading
from service.core.rules.redrive import resolution_places, resolution_writes
from service.errors import Poison, Refused
from service.migration.settlement.item_file import item_of_text, read_item_file

SHOWN_CHARACTERS = 80
"""Shown of a value that will be lost."""

AppendAudit = Callable[[str, str, dict[str, Any]], Awaitable[object]]
"""Writes an action, its reason and its facts into the audit log."""


@dataclass(frozen=True, slots=True)
class Choice:
    """How an open conflict is to be resolved; nothing is written yet."""

    conflict_id: str
    was: Stored[ConflictHead]
    """The conflict's head, as read."""
    kept: Kept
    writes: tuple[Put | Update, ...]
    """On v2, in this order."""
    read: tuple[PlaceReading, ...]
    """The v2 items by which the writes were decided."""
    lost: tuple[str, ...]
    """What this gives up, one line for each value."""

    @property
    def digest(self) -> str:
        """The same for two choices that write the same and give up the same, by the same state of the conflict and of v2."""
        content = json.dumps(asdict(self), sort_keys=True, default=repr)
        return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ConflictResolver:
    """Shows and resolves conflicts."""

    stores: Stores
    state: MigrationState
    by: str
    """The operator, for the records."""
    append_audit: AppendAudit
    """Gets an entry for every resolution."""

    async def show(self, name: str) -> dict[str, Any]:
        """The document of `conflicts show --json`: all that is recorded of a conflict or a held item, and what v2 has now.

        Raises Misconfigured for an unknown id.
        """
        held = await self._conflicts.held_item(name)
        if held is not None:
            now = await self._read([Place(table, key) for table, key in held.keys])
            return {**described_held(name, held), "v2_now": _places_json(now)}
        head, conflict = await self._conflicts.head(name), await self._conflicts.load(name)
        now = await self._read_places(conflict, None)
        forms, old_side = self._old_forms(now), old_image(self.stores.mapping, conflict.lost)
        return {
            **described(name, head.value),
            "change": _change_json(conflict),
            "v2": [{"table": table, "key": plain_key(key), "item": item} for table, key, item in conflict.v2],
            "v2_now": _places_json(now),
            "v2_as_old": forms,
            "lost": old_side,
            "lost_by_keep_v2": list(_given_up(forms, old_side)),
        }

    async def choose(self, conflict_id: str, kept: Kept, given: Path | str | None = None) -> Choice:
        """Decide by what v2 has now. given: the item for ``merge``, as a file or as JSON.

        Raises Misconfigured for an unknown id or a wrong item; Refused when the conflict is resolved already or held, the item
        of the old side cannot be mapped, or nothing would carry the result to the old table.
        """
        mapping = self.stores.mapping
        was = await self._require_open(conflict_id)
        conflict = await self._conflicts.load(conflict_id)
        old_side = old_image(mapping, conflict.lost)
        if kept == "v2":
            now = await self._read_places(conflict, None)
            return Choice(conflict_id, was, kept, (), (), _given_up(self._old_forms(now), old_side))
        self._require_reverse(conflict_id)
        wanted = old_side if given is None else _given_item(given, mapping, conflict.key)
        try:
            now = await self._read_places(conflict, wanted)
            writes = resolution_writes(mapping, wanted, now)
        except Poison as poison:
            raise Refused(
                poison.message,
                remedy=f"give the item as it is to be: conflicts resolve {conflict_id} --keep merge FILE",
            ) from poison
        lost = [line for v2_side in self._old_forms(now) for line in _given_up([wanted], v2_side)]
        return Choice(conflict_id, was, kept, writes, tuple(now), tuple(lost))

    async def resolve(self, choice: Choice, why: str = "") -> None:
        """Write what was chosen, and then mark the conflict as resolved. ``why``: the reason, for the audit log.

        Raises Refused when v2 has changed since it was read, another operator has resolved the conflict, or nothing would carry
        the result to the old table.
        """
        if choice.writes:
            self._require_reverse(choice.conflict_id)
        resolution = Resolution(choice.kept, self.by, self.stores.clock.now())
        await self._require_open(choice.conflict_id)
        if choice.writes:
            await self._write(choice)
        if not await self._conflicts.resolve(choice.conflict_id, choice.was, resolution):
            await self._require_open(choice.conflict_id)
            raise _changed(choice, "the conflict stays open")
        facts = {"id": choice.conflict_id, "kept": choice.kept, "key": plain_key(choice.was.value.key)}
        await self.append_audit("conflict resolved", why, {**facts, "lost": list(choice.lost)})

    async def _write(self, choice: Choice) -> None:
        """Make the writes, in their order, until one is refused. Raises Refused then.

        They are several for an item that moves to another v2 key. So all places are compared before the first of them.
        """
        if await self._read([reading.place for reading in choice.read]) != list(choice.read):
            raise _changed(choice, "nothing was written")
        for number, write in enumerate(choice.writes):
            if not await self.stores.store.write(write):
                await self._require_open(choice.conflict_id)
                raise _changed(choice, "the item is at two v2 keys" if number else "nothing was written")

    async def _require_open(self, name: str) -> Stored[ConflictHead]:
        """The head of an open conflict. Raises Refused for a held item or a resolved conflict."""
        if await self._conflicts.held_item(name) is not None:
            raise Refused(f"{name} has two live keys on v2", remedy="delete one of the two on v2")
        was = await self._conflicts.head(name)
        if (resolution := was.value.resolution) is not None:
            raise Refused(
                f"conflict {name} has been resolved already: {resolution.kept} was kept by {resolution.by} at {iso(resolution.at)}",
                remedy="see `tablesplit conflicts list --all`",
            )
        return was

    def _require_reverse(self, conflict_id: str) -> None:
        state = self.state
        ends = state.phase == "complete" or (state.move is not None and state.move.to == "complete")
        if ends or state.rule != "ledger":
            raise Refused(
                "v2 is not carried to the old table now, so only v2 can be kept",
                remedy=f"change the item on v2, then: tablesplit conflicts resolve {conflict_id} --keep v2",
            )

    async def _read_places(self, conflict: Conflict, wanted: Item | None) -> list[PlaceReading]:
        """The v2 items at the conflict's places, where the item lives by the ledger, and where ``wanted`` belongs."""
        stores = self.stores
        ledger = Ledger(stores.control, stores.clock, conflict.old_table, self.state.epoch)
        entry = (await ledger.read(conflict.key)).entry
        recorded = [Place(table, key) for table, key, _ in conflict.v2]
        return await self._read(resolution_places(stores.mapping, recorded, entry, wanted))

    async def _read(self, places: Sequence[Place]) -> list[PlaceReading]:
        store = self.stores.store
        return [PlaceReading(place, await store.get(place.table, place.key)) for place in places]

    def _old_forms(self, v2_items: Sequence[PlaceReading]) -> list[Item | None]:
        """The old items that the live v2 items stand for: one, unless the item lives at two v2 keys; None where none is live. A v2
        item that stands for no old item is given as it is."""
        mapping = self.stores.mapping
        forms: list[Item | None] = []
        for v2 in v2_items:
            if v2.item is None or not live(v2.item, v2.place.key, mapping.stamp):
                continue
            try:
                forms.append(old_form(mapping, v2.place, v2.item))
            except Poison:
                forms.append(v2.item)
        return forms or [None]

    @property
    def _conflicts(self) -> Conflicts:
        return Conflicts(self.stores.control)


def _given_item(given: Path | str, mapping: Mapping, key: Item) -> Item:
    if isinstance(given, Path):
        return read_item_file(given, mapping, key)
    return item_of_text(given, "the item", mapping, key)


def _changed(choice: Choice, result: str) -> Refused:
    return Refused(
        f"v2 has changed meanwhile: {result}",
        remedy=f"see `tablesplit conflicts show {choice.conflict_id}`, then resolve it again",
    )


def _given_up(kept: Sequence[Item | None], lost: Item | None) -> tuple[str, ...]:
    """What ``lost`` has and none of ``kept`` has, one line for each value."""
    if any(lost == item for item in kept):
        return ()
    if lost is None:
        return ("the delete",)
    if len(kept) != 1 or kept[0] is None:
        return (f"the whole item: {_text(lost)}",)
    staying = kept[0]
    return tuple(
        f"{name}: {_text(lost.get(name))} (stays: {_text(staying.get(name))})" for name in differences(staying, lost)
    )


def _text(value: Item | AttributeValue | None) -> str:
    if value is None:
        return "absent"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 3]}..."


def _places_json(v2_items: Sequence[PlaceReading]) -> list[dict[str, Any]]:
    return [{"table": v2.place.table, "key": plain_key(v2.place.key), "item": v2.item} for v2 in v2_items]


def _change_json(conflict: Conflict) -> dict[str, Any]:
    if conflict.change is None:
        return {"version": "", "created": None, "old": None, "new": conflict.old}
    change = conflict.change.change
    return {"version": conflict.change.version, "created": change.created, "old": change.old, "new": change.new}
