"""Settling a conflict as an operator chooses: what v2 holds, what the old side wrote, or an item given in a file.

First everything is read and decided, so that what will be lost can be shown; then it is written, if v2 is still as it was
read. What is written on v2 counts as the application's: reverse carries it to the old table.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.clock import Clock, iso
from service.control.conflicts import Conflict, ConflictHead, Conflicts, Kept, Resolution, described, described_held
from service.control.ledger import Ledger
from service.control.state import MigrationState
from service.control.table import ControlTable, Stored
from service.core.item.compare import differences
from service.core.item.wire import AttributeValue, Item, plain_key
from service.core.item.write import TransactItem
from service.core.mapping.mapping import Mapping
from service.core.rules.authorship import live
from service.core.rules.forward import old_form, old_image
from service.core.rules.ledger import Place
from service.core.rules.ledger_writes import PlaceReading
from service.core.rules.redrive import resolution_places, resolution_writes
from service.dynamodb.protocol import ItemStore
from service.errors import Poison, Refused
from service.migration.settlement.item_file import read_item_file

SHOWN_CHARACTERS = 80
"""Of a value that will be lost."""

Note = Callable[[str, str, dict[str, Any]], Awaitable[object]]
"""Writes action, reason and facts into the audit log."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to be done about an open conflict; nothing is written yet. lost: what that gives up, a line each."""

    conflict_id: str
    was: Stored[ConflictHead]
    kept: Kept
    writes: tuple[TransactItem, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Resolving:
    """Shows and settles conflicts. by: who asks; audit: where every resolution is written down."""

    store: ItemStore
    control: ControlTable
    mapping: Mapping
    clock: Clock
    state: MigrationState
    by: str
    audit: Note

    async def show(self, name: str) -> dict[str, Any]:
        """The document of `conflicts show --json`: all that is kept of a conflict or a held item, and what v2 holds now.

        Raises Misconfigured for an unknown id.
        """
        held = (await self._conflicts.held()).get(name)
        if held is not None:
            now = await self._read([Place(table, key) for table, key in held.keys])
            return {**described_held(name, held), "v2_now": _places(now)}
        head, conflict = await self._conflicts.head(name), await self._conflicts.load(name)
        now = await self._look(conflict, None)
        return {
            **described(name, head.value),
            "change": _change(conflict),
            "v2": [{"table": table, "key": plain_key(key), "item": item} for table, key, item in conflict.v2],
            "v2_now": _places(now),
            "lost_by_keep_v2": list(_given_up(self._old_forms(now), old_image(self.mapping, conflict.lost))),
        }

    async def choose(self, conflict_id: str, kept: Kept, file: Path | None = None) -> Choice:
        """Decide on what v2 holds now. file: the item, for ``merge``.

        Raises Misconfigured for an unknown id or a wrong file; Refused when the conflict is resolved already or held, the old
        side's item cannot be mapped, or nothing would carry it to the old table.
        """
        was = await self._open(conflict_id)
        conflict = await self._conflicts.load(conflict_id)
        mine = old_image(self.mapping, conflict.lost)
        if kept == "v2":
            now = await self._look(conflict, None)
            return Choice(conflict_id, was, kept, (), _given_up(self._old_forms(now), mine))
        self._require_reverse(conflict_id)
        wanted = read_item_file(file, self.mapping, conflict.key) if file is not None else mine
        try:
            now = await self._look(conflict, wanted)
            writes = resolution_writes(self.mapping, wanted, now)
        except Poison as poison:
            raise Refused(
                poison.message,
                remedy=f"give the item as it is to be: conflicts resolve {conflict_id} --keep merge FILE",
            ) from poison
        lost = [line for theirs in self._old_forms(now) for line in _given_up([wanted], theirs)]
        return Choice(conflict_id, was, kept, writes, tuple(lost))

    async def settle(self, choice: Choice, why: str = "") -> None:
        """Write what was chosen and mark the conflict as resolved, in one transaction.

        Raises Refused when v2 is not as it was read any more, somebody else has resolved the conflict, or nothing would carry it.
        """
        if choice.writes:
            self._require_reverse(choice.conflict_id)
        resolution = Resolution(choice.kept, self.by, self.clock.now())
        head = self._conflicts.resolved_put(choice.conflict_id, choice.was, resolution)
        if not await self.store.transact([head, *choice.writes]):
            await self._open(choice.conflict_id)
            raise Refused(
                "v2 has changed meanwhile: nothing was written",
                remedy=f"see `tablesplit conflicts show {choice.conflict_id}`, then resolve it again",
            )
        facts = {"id": choice.conflict_id, "kept": choice.kept, "key": plain_key(choice.was.value.key)}
        await self.audit("conflict resolved", why, {**facts, "lost": list(choice.lost)})

    async def _open(self, name: str) -> Stored[ConflictHead]:
        if await self._conflicts.is_held(name):
            raise Refused(f"{name} has two live keys on v2", remedy="delete one of the two on v2")
        was = await self._conflicts.head(name)
        if (settled := was.value.resolution) is not None:
            raise Refused(
                f"conflict {name} has been resolved already: {settled.kept} was kept by {settled.by} at {iso(settled.at)}",
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

    async def _look(self, conflict: Conflict, wanted: Item | None) -> list[PlaceReading]:
        """What stands now at the conflict's places, where the item lives by the ledger, and where ``wanted`` belongs."""
        ledger = Ledger(self.control, self.clock, conflict.old_table, self.state.epoch)
        entry = (await ledger.read(conflict.key)).entry
        known = [Place(table, key) for table, key, _ in conflict.v2]
        return await self._read(resolution_places(self.mapping, known, entry, wanted))

    async def _read(self, places: Sequence[Place]) -> list[PlaceReading]:
        if not places:
            return []
        items = await self.store.get_together([(place.table, place.key) for place in places])
        return [PlaceReading(place, item) for place, item in zip(places, items, strict=True)]

    def _old_forms(self, found: Sequence[PlaceReading]) -> list[Item | None]:
        """The old items that v2 stands for: one, unless two keys live; None where nothing lives. One that stands for no old
        item is given as it is."""
        forms: list[Item | None] = []
        for one in found:
            if one.item is None or not live(one.item, one.place.key, self.mapping.stamp):
                continue
            try:
                forms.append(old_form(self.mapping, one.place, one.item))
            except Poison:
                forms.append(one.item)
        return forms or [None]

    @property
    def _conflicts(self) -> Conflicts:
        return Conflicts(self.control)


def _given_up(kept: Sequence[Item | None], lost: Item | None) -> tuple[str, ...]:
    """What ``lost`` has that nothing of ``kept`` has, a line each."""
    if any(lost == one for one in kept):
        return ()
    if lost is None:
        return ("the delete",)
    if len(kept) != 1 or kept[0] is None:
        return (f"the whole item: {_text(lost)}",)
    stays = kept[0]
    return tuple(
        f"{name}: {_text(lost.get(name))} (stays: {_text(stays.get(name))})" for name in differences(stays, lost)
    )


def _text(value: Item | AttributeValue | None) -> str:
    if value is None:
        return "absent"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 3]}..."


def _places(found: Sequence[PlaceReading]) -> list[dict[str, Any]]:
    return [{"table": one.place.table, "key": plain_key(one.place.key), "item": one.item} for one in found]


def _change(conflict: Conflict) -> dict[str, Any]:
    if conflict.change is None:
        return {"version": "", "created": None, "old": None, "new": conflict.old}
    change = conflict.change.change
    return {"version": conflict.change.version, "created": change.created, "old": change.old, "new": change.new}
