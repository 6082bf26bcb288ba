"""The verdict on each unit of an old side's change: carried, lost or nothing to do, by what v2 has, for each way to merge."""

import pytest

from service.core.item.wire import AttributeValue, Item
from service.core.mapping.transform import forward
from service.core.rules.images import old_form
from service.core.rules.unit_verdicts import judge_units, writable_units
from service.core.rules.unit_writes import with_units
from service.core.rules.units import Form, UnitChange, Value, changed_units, old_units, v2_units
from tests.builders.dual_lead import LEAD, MAPPING, MAY, PRICE, by_application, element, form_of, lead, place
from tests.builders.mappings import parcels

Contents = dict[str, str | int | AttributeValue]


def tags(*texts: str) -> AttributeValue:
    return {"L": [{"S": text} for text in texts]}


def judged(before: Item, after: Item, now: Item) -> tuple[list[str], list[str]]:
    """The names of the units carried and lost when the old side turns ``before`` into ``after`` and v2 has ``now``."""
    changes = changed_units(old_units(MAPPING, before), old_units(MAPPING, after))
    found = judge_units(MAPPING, changes, old_units(MAPPING, before), form_of(now), after)
    return [change.unit for change in found.carried], found.lost


VALUES: dict[str, tuple[Contents, Contents, Contents, str]] = {
    # v2's way
    "v2 has what was replaced": ({"status": "a"}, {"status": "b"}, {"status": "a"}, "carried"),
    "v2 has what was replaced, in normal form": ({"followers": "85"}, {"followers": 9}, {"followers": 85}, "carried"),
    "v2 has the default that was replaced": ({}, {"followers": 9}, {"followers": 0}, "carried"),
    "v2 has another value": ({"status": "a"}, {"status": "b"}, {"status": "c"}, "lost"),
    "v2 has an odd value that is the default to the transform": (
        {"followers": 0},
        {"followers": 1},
        {"followers": "many"},
        "lost",
    ),
    "both wrote the same text": ({"status": "a"}, {"status": "b"}, {"status": "b"}, "done"),
    "both wrote the same number": ({"followers": 1}, {"followers": 2}, {"followers": 2}, "lost"),
    "both wrote the same number, one as text": ({"followers": 1}, {"followers": "2"}, {"followers": 2}, "lost"),
    "both wrote the same unmapped number": ({"n": 1}, {"n": 2}, {"n": 2}, "lost"),
    "both removed the same attribute": ({"note": "a"}, {"note": None}, {}, "done"),
    "both removed the same number": ({"n": 1}, {"n": None}, {}, "done"),
    "old removed what v2 has changed": ({"note": "a"}, {"note": None}, {"note": "b"}, "lost"),
    "old cleans what v2 has": ({"followers": "85"}, {"followers": 85}, {"followers": 85}, "carried"),
    "old cleans what v2 has changed": ({"followers": "85"}, {"followers": 85}, {"followers": 9}, "done"),
    # agree
    "both wrote the same to a flag": ({"stage": "a"}, {"stage": "b"}, {"stage": "b"}, "done"),
    "both wrote the same number to a flag": ({"stage": 1}, {"stage": 2}, {"stage": "2"}, "done"),
    "a flag that v2 has changed otherwise": ({"stage": "a"}, {"stage": "b"}, {"stage": "c"}, "lost"),
    # add
    "a counter that v2 has too raised": ({"visits": 5}, {"visits": 6}, {"visits": 8}, "carried"),
    "a counter that v2 has raised by as much": ({"visits": 5}, {"visits": 6}, {"visits": 6}, "carried"),
    "a counter that v2 has put in another type": ({"visits": 5}, {"visits": 6}, {"visits": "many"}, "lost"),
    "an unmapped counter that v2 lacks": ({"likes": 5}, {"likes": 6}, {}, "carried"),
    "an unmapped counter that v2 has made text of": ({"likes": 5}, {"likes": 6}, {"likes": "x"}, "lost"),
    "a counter that old has removed": ({"likes": 5}, {"likes": None}, {"likes": 6}, "lost"),
    "a counter that old has removed and v2 has left": ({"likes": 5}, {"likes": None}, {"likes": 5}, "carried"),
    # a group
    "a group of which v2 has changed another field": (
        {"amount": 1, "currency": "EUR"},
        {"amount": 2},
        {"amount": 1, "currency": "USD"},
        "lost",
    ),
    "a group that v2 has left": (
        {"amount": 1, "currency": "EUR"},
        {"amount": 2},
        {"amount": 1, "currency": "EUR"},
        "carried",
    ),
    "a group to which both wrote the same numbers": ({"amount": 1}, {"amount": 2}, {"amount": 2}, "done"),
    # the change token
    "a token that v2 has left": (
        {"updated_at": "2024-2"},
        {"updated_at": "2024-1"},
        {"updated_at": "2024-2"},
        "carried",
    ),
    "a larger token": ({"updated_at": "2024-1"}, {"updated_at": "2024-3"}, {"updated_at": "2024-2"}, "carried"),
    "a smaller token": ({"updated_at": "2024-1"}, {"updated_at": "2024-2"}, {"updated_at": "2024-3"}, "done"),
}
"""What the old side had, what it wrote (None: removed), what v2 has; the verdict on the one unit that was changed."""


@pytest.mark.parametrize("row", VALUES)
def test_the_verdict_on_a_unit(row: str) -> None:
    before, written, now, verdict = VALUES[row]
    contents = {name: content for name, content in {**before, **written}.items() if content is not None}
    carried, lost = judged(lead(**before), lead(**contents), by_application(lead(), **now))
    assert {"carried": (1, 0), "lost": (0, 1), "done": (0, 0)}[verdict] == (len(carried), len(lost))


def test_a_unit_is_judged_by_itself() -> None:
    """The former rule lost the whole change here, or took v2's status off."""
    before, after = lead(status="a", company="x"), lead(status="b", company="y")
    assert judged(before, after, by_application(lead(status="c", company="x"))) == (["company"], ["status"])


def test_elements_are_judged_each_by_itself() -> None:
    before, after = lead(tags=tags("a", "b")), lead(tags=tags("a", "c"))
    carried, lost = judged(before, after, by_application(lead(tags=tags("b", "d"))))
    assert (carried, lost) == ([element("tags", "b"), element("tags", "c")], []), "v2 has taken a out and put d in"


def test_an_element_that_both_put_in_is_in_once() -> None:
    assert judged(lead(), lead(tags=tags("a")), by_application(lead(tags=tags("a")))) == ([], [])


MIXED: AttributeValue = {"L": [{"S": "a"}, {"M": {}}]}
KINDS: dict[str, tuple[AttributeValue, AttributeValue, AttributeValue, tuple[list[str], list[str]]]] = {
    "old makes it mixed, and v2 has left it": (tags("a"), MIXED, tags("a"), (["tags", element("tags", "a")], [])),
    "old makes it mixed, and v2 has put an element in": (tags("a"), MIXED, tags("a", "c"), ([], ["tags"])),
    "old makes it mixed, and v2 has taken an element out": (tags("a", "b"), MIXED, tags("a"), ([], ["tags"])),
    "old puts an element in, and v2 has made it mixed": (
        tags("a"),
        tags("a", "b"),
        MIXED,
        ([], [element("tags", "b")]),
    ),
    "old puts an element in, and both have a mixed one": (MIXED, {"L": [{"M": {}}]}, MIXED, (["tags"], [])),
}
"""What the old side had and wrote, what v2 has; the units carried and lost."""


@pytest.mark.parametrize("row", KINDS)
def test_a_union_of_another_kind_is_one_value(row: str) -> None:
    """Its elements are no units of their own then: carried one by one they would overwrite what v2 has written, in no log."""
    before, after, now, verdict = KINDS[row]
    found = judged(lead(tags=before), lead(tags=after), by_application(lead(tags=now)))
    assert (found[0], found[1]) == verdict


def test_an_attribute_that_becomes_a_number_on_both_sides_is_a_conflict() -> None:
    assert judged(lead(), lead(n=1), by_application(lead(n=1))) == ([], ["n"])


def test_a_default_that_moves_with_another_field_is_never_lost() -> None:
    """The old side has written `created_at` alone; v2 has written a token of its own."""
    now = by_application(lead(status="x"), updated_at={"N": "7"})
    assert judged(lead(), lead(MAY), now) == (["created_at"], [])


def test_a_token_of_another_type_on_v2_is_never_replaced() -> None:
    """Neither by a default that moved, nor by a text that would be larger than no text."""
    odd = by_application(lead(), updated_at={"N": "7"})
    assert judged(lead(updated_at="1"), lead(updated_at="9"), odd) == ([], [])


TOKENS: dict[str, tuple[AttributeValue | None, AttributeValue | None, bool]] = {
    "numbers by value": ({"N": "10"}, {"N": "9"}, True),
    "the smaller number": ({"N": "9"}, {"N": "10"}, False),
    "texts by character": ({"S": "9"}, {"S": "10"}, True),
    "types that cannot be compared": ({"S": "9"}, {"N": "1"}, False),
    "v2 has none": ({"S": "9"}, None, True),
    "old has removed it": (None, {"S": "1"}, False),
}
"""The token that the old side wrote, the one of v2; whether it is carried."""


@pytest.mark.parametrize("row", TOKENS)
def test_the_larger_token_wins(row: str) -> None:
    mine, theirs, carried = TOKENS[row]
    before, after, now = (
        Value({} if token is None else {"updated_at": token}, (token,)) for token in ({"S": "0"}, mine, theirs)
    )
    found = judge_units(MAPPING, [UnitChange("updated_at", before, after)], {}, {"updated_at": now}, lead())
    assert (len(found.carried), found.lost) == (int(carried), [])


def test_a_time_that_both_sides_set_is_no_conflict_and_any_number_is() -> None:
    """A time is never counted; a field of any type may be."""
    own: Item = {"pk": {"S": "PARCEL#7"}, "sk": {"S": "META"}, "kind": {"S": "PARCEL"}, "id": {"S": "7"}}
    before, after = ({**own, "seen": number, "sent": number, "extra": number} for number in ({"N": "1"}, {"N": "2"}))
    changes = changed_units(old_units(parcels(), before), old_units(parcels(), after))
    now = v2_units(parcels(), after, forward(parcels(), after).item)
    found = judge_units(parcels(), changes, old_units(parcels(), before), now, after)
    assert ([change.unit for change in changes], found.carried) == (["extra", "seen", "sent"], [])
    assert found.lost == ["extra"]


def test_without_an_entity_nothing_has_a_way_to_merge() -> None:
    ghost = {**lead(visits=5), "entity_type": {"S": "GHOST"}}
    after = {**ghost, "visits": {"N": "6"}}
    changes = changed_units(old_units(MAPPING, ghost), old_units(MAPPING, after))
    now: Form = old_units(MAPPING, {**ghost, "visits": {"N": "8"}})
    assert judge_units(MAPPING, changes, old_units(MAPPING, ghost), now, after).lost == ["visits"]


def writable(before: Item, after: Item, item: Item) -> tuple[list[str], list[str], str]:
    """The units that can be written, those that wait, and why."""
    old = old_form(MAPPING, place(), item)
    changes = changed_units(old_units(MAPPING, before), old_units(MAPPING, after))
    found = writable_units(MAPPING, old, form_of(item), changes)
    names = [change.unit for change in found.changes], [change.unit for change in found.waiting]
    return *names, found.poison.reason if found.poison is not None else ""


def test_all_units_are_writable_where_the_item_can_be_mapped() -> None:
    assert writable(lead(), lead(status="won", note="x"), by_application(lead())) == (["note", "status"], [], "")


def test_a_unit_that_cannot_be_mapped_waits_and_the_others_are_written() -> None:
    after = lead(company="acme", id="8")
    assert writable(lead(), after, by_application(lead())) == (["company"], ["id"], "key_mismatch")


def test_what_can_be_written_is_mapped_with_everything_that_is() -> None:
    item = by_application(lead())
    old, now = old_form(MAPPING, place(), item), form_of(item)
    after = lead(company="acme", id="8", note="x")
    found = writable_units(MAPPING, old, now, changed_units(old_units(MAPPING, lead()), old_units(MAPPING, after)))
    assert [change.unit for change in found.waiting] == ["id"]
    forward(MAPPING, with_units(LEAD, old, now, found.changes))


def test_units_that_are_too_large_only_together_do_not_all_wait() -> None:
    large = {"a": "x" * 250_000, "b": "y" * 250_000}
    assert writable(lead(), lead(**large), by_application(lead())) == (["a"], ["b"], "too_big")


def test_a_group_is_carried_as_a_whole() -> None:
    before, after = lead(amount=1, currency="EUR"), lead(amount=1, currency="USD")
    item = by_application(before)
    changes = changed_units(old_units(MAPPING, before), old_units(MAPPING, after))
    found = judge_units(MAPPING, changes, old_units(MAPPING, before), form_of(item), after)
    assert [change.unit for change in found.carried] == [PRICE]
    assert with_units(LEAD, before, form_of(item), found.carried) == after


@pytest.mark.parametrize(("now", "then"), [(8, "9"), (5, "6"), (0, "1")])
def test_a_counter_is_carried_by_its_difference(now: int, then: str) -> None:
    item = by_application(lead(), visits=now)
    changes = changed_units(old_units(MAPPING, lead(visits=5)), old_units(MAPPING, lead(visits=6)))
    old = old_form(MAPPING, place(), item)
    made = with_units(LEAD, old, form_of(item), judge_units(MAPPING, changes, {}, form_of(item), lead()).carried)
    assert made["visits"] == {"N": then}
