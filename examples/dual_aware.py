"""During the migration: the application on both sides; each instance uses the side that its switch names at the moment."""

from collections.abc import Callable
from typing import Literal

from examples.before import OldRepository
from examples.entities import Changes, Item, Ref, Repository
from examples.v2_items import STAMP, is_record

Side = Literal["old", "v2"]
Switch = Callable[[], Side]
"""Read once for each operation: a feature flag, a setting that is reloaded, ..."""


class OldSide(OldRepository):
    """The old table while tablesplit also writes to it: readers skip its tombstones, and do not show its stamp."""

    hidden = OldRepository.hidden | {STAMP}

    def get(self, ref: Ref) -> Item | None:
        """The record, or None."""
        item = super().get(ref)
        return item if is_record(item) else None


class DualRepository:
    """Leads or deals on the side that ``switch`` names. Implements ``entities.Repository``, as both sides do."""

    def __init__(self, old: Repository, v2: Repository, switch: Switch) -> None:
        self._sides: dict[Side, Repository] = {"old": old, "v2": v2}
        self._switch = switch

    def create(self, item: Item) -> Ref:
        """Write a new record."""
        return self._side.create(item)

    def get(self, ref: Ref) -> Item | None:
        """The record, or None."""
        return self._side.get(ref)

    def find(self, id: str) -> Ref | None:  # noqa: A002 (it is the field's name)
        """Where the record is."""
        return self._side.find(id)

    def update(self, ref: Ref, changes: Changes) -> Item:
        """Change fields."""
        return self._side.update(ref, changes)

    def update_if(self, ref: Ref, expected: Changes, changes: Changes) -> bool:
        """Change fields if these still have the values that were read."""
        return self._side.update_if(ref, expected, changes)

    def add(self, ref: Ref, field: str, amount: int) -> Item:
        """Count."""
        return self._side.add(ref, field, amount)

    def move_stage(self, ref: Ref, stage: str) -> Item:
        """Move the record to another stage."""
        return self._side.move_stage(ref, stage)

    def change_created_at(self, ref: Ref, created_at: str) -> Ref:
        """Correct the time of creation."""
        return self._side.change_created_at(ref, created_at)

    def delete(self, ref: Ref) -> None:
        """Delete the record."""
        self._side.delete(ref)

    def list_by_stage(self, stage: str) -> list[Item]:
        """All records at a stage."""
        return self._side.list_by_stage(stage)

    @property
    def _side(self) -> Repository:
        return self._sides[self._switch()]
