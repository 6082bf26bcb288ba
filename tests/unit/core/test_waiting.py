"""What waits in quarantine, and the values from which a later change is judged."""

from service.core.item.change import Change
from service.core.item.wire import Item
from service.core.rules.units import old_units
from service.core.rules.waiting import WHOLE, Waiting
from tests.builders.dual_lead import KEY, MAPPING, PRICE, lead


def change(old: Item | None, new: Item | None) -> Change:
    return Change("old", "s", "1", KEY, old, new)


def status(text: str) -> Item:
    return lead(status=text)


def test_a_unit_is_judged_from_before_the_first_change_that_waits_with_it() -> None:
    waiting = Waiting(("status",), [change(status("a"), status("b")), change(status("b"), status("c"))])
    assert waiting.bases(MAPPING) == {"status": old_units(MAPPING, status("a"))["status"]}


def test_units_that_do_not_wait_are_judged_from_the_changes_own_image() -> None:
    """A change waits whole, for one of its units only; the others have been carried."""
    waiting = Waiting(("status",), [change(status("a"), lead(status="b", company="x"))])
    assert waiting.bases(MAPPING).keys() == {"status"}
    assert waiting.whole_from(status("b")) == status("b")


def test_a_unit_that_began_to_wait_later_is_judged_from_its_own_first_change() -> None:
    changes = [change(status("a"), status("b")), change(lead(status="b", note="x"), lead(status="b", note="y"))]
    bases = Waiting(("note", "status"), changes).bases(MAPPING)
    assert bases["note"] == old_units(MAPPING, lead(note="x"))["note"]
    assert bases["status"] == old_units(MAPPING, status("a"))["status"]


def test_a_group_waits_by_the_names_of_its_fields() -> None:
    waiting = Waiting(("amount", "currency"), [change(lead(amount=1), lead(amount=2))])
    assert waiting.bases(MAPPING) == {PRICE: old_units(MAPPING, lead(amount=1))[PRICE]}


def test_our_stamp_is_no_unit_that_waits() -> None:
    stamp = {"_sync": {"M": {"v": {"S": "0001." + "0" * 20}}}}
    waiting = Waiting(("_sync", "status"), [change({**status("a"), **stamp}, status("b"))])
    assert waiting.bases(MAPPING).keys() == {"status"}


def test_a_whole_item_is_judged_from_before_the_first_change() -> None:
    waiting = Waiting((WHOLE,), [change(status("a"), status("b")), change(status("b"), status("c"))])
    assert waiting.whole
    assert waiting.whole_from(status("c")) == status("a")
    assert waiting.bases(MAPPING) == {}
    assert Waiting((WHOLE,), [change(None, status("b"))]).whole_from(status("c")) is None


def test_what_a_write_of_reverses_has_replaced_of_what_waits() -> None:
    changes = [change(lead(amount=1, status="a"), lead(amount=2, status="b"))]
    written = change(lead(amount=2, status="b"), lead(amount=3, status="b", company="x"))
    assert Waiting(("amount", "currency", "status"), changes).replaced_by(MAPPING, written) == ("amount", "currency")
    assert Waiting((WHOLE,), changes).replaced_by(MAPPING, written) == (WHOLE,)
    assert Waiting().replaced_by(MAPPING, written) == ()


def test_of_a_whole_item_what_is_lost_is_named_by_its_old_attributes() -> None:
    """Also where it is of no entity any more, and so has no units."""
    ghost = {**status("b"), "entity_type": {"S": "GHOST"}}
    waiting = Waiting((WHOLE,), [change(status("a"), ghost)])
    assert waiting.attributes_of_whole(MAPPING, ghost) == ("entity_type", "status")
    assert Waiting(("status",), waiting.changes).attributes_of_whole(MAPPING, ghost) == ()


def test_what_the_backfill_could_not_copy_is_judged_as_a_create() -> None:
    """Its head has no change behind it. Judged as an update of what v2 lacks, the change that mends it would be lost."""
    assert Waiting((WHOLE,)).whole_from(status("a")) is None


def test_without_anything_that_waits_a_change_is_judged_from_its_own_image() -> None:
    assert Waiting().whole_from(status("a")) == status("a")
    assert not Waiting().whole


def test_what_does_not_wait_any_more_leaves_quarantine() -> None:
    waiting = Waiting(("note", "status"))
    assert waiting.healed_by(("status",)) == ("note",)
    assert waiting.healed_by(()) == ("note", "status")
    assert Waiting((WHOLE,)).healed_by((WHOLE,)) == ()
