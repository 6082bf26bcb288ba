"""Counters that both sides raise (``merge: add``): a difference is carried once, however often its record is decided."""

from typing import Any, ClassVar

import pytest

from service.control.ledger import EntryReading
from service.core.item.wire import Item
from service.core.item.write import Update
from service.core.mapping.mapping import Mapping, load_mapping
from service.sync.sinks.ledger_access import LedgerAccess
from tests.worlds.both_ways_world import BothWays

MAPPING = load_mapping(
    """
version: 2
name: counting
old: {table: old, partition_key: pk, sort_key: sk}
entities:
  THING:
    table: leads
    old_key: {pk: "T#{id}", sk: T}
    key: [id]
    fields:
      id: {type: string, required: true}
      n: {type: int, merge: add}
      title: {type: string}
""",
    source="counting.yaml",
)
KEY: Item = {"pk": {"S": "T#a"}, "sk": {"S": "T"}}
V2_KEY: Item = {"id": {"S": "a"}}


class Counting(BothWays):
    mapping: ClassVar[Mapping] = MAPPING

    def numbers(self) -> tuple[Any, Any]:
        """The counter on each side."""
        return (self.db.item("old", KEY) or {}).get("n"), (self.db.item("leads", V2_KEY) or {}).get("n")


@pytest.fixture
async def world() -> Counting:
    return await Counting.carried({**KEY, "id": {"S": "a"}, "n": {"N": "10"}})


async def test_a_write_that_was_refused_and_then_made_is_not_made_again(
    world: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reverse's first write of the difference meets a write of the old side. It is made with the same claim. Then another worker
    changes the half, so all records of the page are decided anew: what was refused once must be asked for."""
    world.edit("leads", V2_KEY, n={"N": "11"})
    world.edit("old", KEY, title={"S": "old"})
    await world.carry_from("old")

    async def in_between(operation: str, subject: object) -> None:
        if isinstance(subject, Update) and subject.table == "old":
            world.db.before = None
            world.edit("old", KEY, title={"S": "old again"})

    world.db.before = in_between
    real, changed = LedgerAccess.save, list[bool]()

    async def save(self: LedgerAccess, *arguments: Any) -> EntryReading | None:
        if not changed and world.numbers()[0] == {"N": "11"}:
            changed.append(True)
            return None
        return await real(self, *arguments)

    monkeypatch.setattr(LedgerAccess, "save", save)
    await world.clock_runs(world.carry_from("leads"))
    await world.carry()
    assert (changed, world.numbers()) == ([True], ({"N": "11"}, {"N": "11"}))
