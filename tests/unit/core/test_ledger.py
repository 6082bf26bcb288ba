"""The ledger's entry: folding claims, the counts of what reverse has put, places, and the order of versions."""

from dataclasses import replace

import pytest

from service.core.item.stamp import Stamp, stream_version
from service.core.rules.ledger import (
    Entry,
    ForwardClaim,
    ForwardHalf,
    Place,
    ReverseClaim,
    ReverseHalf,
    Track,
    count_version,
    is_count,
    is_repeat,
    is_write_of,
    new_entry,
    next_count,
    next_version,
    place_from,
    place_name,
)
from tests.builders.dual_lead import EPOCH, JULY, KEY, MAY, count, place, version

MARCH = place()
FORWARD_CLAIM = ForwardClaim(version(50), count(3), "w", (place(MAY).text, MARCH.text), (place(MAY).text,))
FORWARD = ForwardHalf(seen=count(1), done=version(40), claim=FORWARD_CLAIM, places=(MARCH.text,), refused=version(40))


def test_forwards_claim_is_folded_into_what_is_done() -> None:
    assert FORWARD.folded() == ForwardHalf(seen=count(3), done=version(50), places=(place(MAY).text,))


def test_until_then_it_has_not_been_seen() -> None:
    """`seen` is the base of forward's stamps: raised before the claimed write is made, it would say too much."""
    assert FORWARD.seen == count(1)


def test_forward_leaves_an_item_live_only_if_it_does_before_and_after_the_claimed_write() -> None:
    """Between the claim of a new item's put and the put nothing lives on v2, because forward has removed the item before."""
    assert FORWARD.leaves_live
    assert not replace(FORWARD, places=()).leaves_live
    assert not replace(FORWARD, claim=replace(FORWARD_CLAIM, places=())).leaves_live
    assert not replace(FORWARD, claim=None, places=()).leaves_live


def test_a_refused_delete_is_remembered_until_the_next_record() -> None:
    refused = replace(FORWARD, claim=replace(FORWARD_CLAIM, refused=True)).folded()
    assert refused.refused == version(50)
    assert replace(refused, claim=replace(FORWARD_CLAIM, version=version(60))).folded().refused == ""


def test_folding_nothing_changes_nothing() -> None:
    half = replace(FORWARD, claim=None)
    assert half.folded() == half
    assert ReverseHalf(count(1)).folded(MARCH) == ReverseHalf(count(1))


def test_what_folding_must_not_lose() -> None:
    half = replace(FORWARD, pending=("status",), passed={"x": count(2)})
    assert (half.folded().pending, half.folded().passed) == (("status",), {"x": count(2)})


def test_writes_of_reverses_are_passed_by_place() -> None:
    half = ForwardHalf(seen=count(0)).passing(Stamp(count(4), place="a")).passing(Stamp(count(3), place="b"))
    assert half.passing(Stamp(count(2), place="a")).passed == {"a": count(4), "b": count(3)}
    assert half.passing(None) == half.passing(Stamp(count(9))) == half


def claim(number: int, *units: str, whole: bool = False, added: tuple[str, ...] = ()) -> ReverseClaim:
    return ReverseClaim(version(50), version(45), "w", count(number), None if whole else units, added)


def reverse(**claims: ReverseClaim) -> ReverseHalf:
    places = {"march": MARCH.text, "may": place(MAY).text}
    half = ReverseHalf(count(9), puts={"status": count(1)}, tracks={MARCH.text: Track(version(40), version(30))})
    return replace(half, claims={places[name]: made for name, made in claims.items()})


def test_reverses_claim_is_folded_into_the_position_of_its_place() -> None:
    half = reverse(march=claim(5, "status"), may=claim(6, "company")).folded(MARCH)
    assert half.track(MARCH) == Track(version(50), version(45))
    assert half.track(place(MAY)) == Track()
    assert half.claims.keys() == {place(MAY).text}
    assert half.puts == {"status": count(5)}, "another place's claim is not known to be done"
    assert (half.whole, half.last, half.count) == ("", count(5), count(9))


def test_units_written_by_difference_are_only_counted() -> None:
    half = reverse(march=claim(5, added=("visits",))).folded(MARCH)
    assert (half.puts, half.last, half.put_of("visits")) == ({"status": count(1)}, count(5), "")


def test_a_write_of_the_whole_item_is_one_of_every_unit() -> None:
    half = reverse(march=claim(5, whole=True)).folded(MARCH)
    assert (half.whole, half.puts) == (count(5), {"status": count(1)})
    assert half.put_of("status") == half.put_of("never named") == count(5)


def test_a_later_write_of_one_unit_counts_for_it_alone() -> None:
    half = reverse().written(claim(5, whole=True)).written(claim(7, "status"))
    assert (half.put_of("status"), half.put_of("company"), half.last) == (count(7), count(5), count(7))


def test_claims_of_two_places_may_be_folded_in_any_order() -> None:
    first, second = claim(5, "status"), claim(6, "status")
    half = reverse(march=first, may=second)
    assert half.folded(MARCH).folded(place(MAY)).puts == half.folded(place(MAY)).folded(MARCH).puts
    assert reverse().written(second).written(first).last == count(6)
    assert reverse().written(claim(6, whole=True)).written(claim(5, whole=True)).whole == count(6)


def test_what_forward_had_seen_is_forgotten() -> None:
    half = reverse().written(claim(5, "status")).written(claim(7, "company"))
    assert half.forgetting(count(5)).puts == {"company": count(7)}
    assert half.forgetting(count(5)).last == count(7)


def test_nothing_is_forgotten_of_an_item_with_several_places() -> None:
    """The records of its places are read in any order: one with an earlier base may be read after one with a later."""
    both = {text: Track(version(40), version(30)) for text in (MARCH.text, place(MAY).text)}
    half = replace(reverse().written(claim(5, "status")), tracks=both)
    assert half.forgetting(count(5)).puts == {"status": count(5)}


def test_an_open_claim_counts_for_what_was_seen_at_its_place() -> None:
    half = reverse(march=claim(5, "status"), may=claim(6, "status"))
    assert half.seen_in_flight(MARCH) == version(45)
    assert reverse().seen_in_flight(MARCH) == version(30)
    assert reverse().seen_in_flight(place(JULY)) == ""


def test_an_item_is_held_since_the_first_time() -> None:
    assert [half.held(9.0).held_since for half in (reverse(), replace(reverse(), held_since=5.0))] == [9.0, 5.0]


def test_the_places_are_those_of_both_halves_and_of_what_forward_has_claimed() -> None:
    claimed = replace(FORWARD_CLAIM, places=(place("2024-01").text,))
    entry = Entry(
        KEY, EPOCH, replace(FORWARD, claim=claimed), replace(reverse(), places=(place(JULY).text, MARCH.text))
    )
    assert entry.places == [MARCH, place(JULY), place(MAY), place("2024-01")]


def test_an_entry_with_a_claim_of_either_direction_is_not_settled() -> None:
    settled = Entry(KEY, EPOCH, FORWARD.folded(), reverse())
    assert not settled.open_claims
    assert replace(settled, forward=FORWARD).open_claims
    assert replace(settled, reverse=reverse(may=claim(5))).open_claims


def test_a_new_entry_starts_above_every_count_of_earlier_epochs() -> None:
    entry = new_entry(KEY, 2)
    assert entry.forward.seen == entry.reverse.count > count_version(1, 10**19)
    assert (entry.places, entry.open_claims) == ([], False)


def test_counts_follow_one_another_in_their_epoch() -> None:
    assert next_count(count(9)) == count(10)
    assert count(9) < count(10) < count_version(EPOCH + 1, 0)


def test_a_count_is_told_from_the_version_of_a_change() -> None:
    assert is_count(count(1))
    assert not is_count(version(1))
    assert not is_count(next_version(version(1)))


def test_a_repetition_is_above_its_change_and_below_every_later_one() -> None:
    first = next_version(version(50))
    second = next_version(first, version(49))
    assert version(50) < first < second < version(51)
    assert second < stream_version(2, "0")
    assert [is_repeat(text) for text in (version(50), first, second)] == [False, True, True]


@pytest.mark.parametrize(
    ("stamp", "claimed", "shown"),
    [
        (version(50), version(50), True),
        (next_version(version(50)), version(50), True),
        (version(50), next_version(version(50)), False),
        (version(51), version(50), False),
        (version(49), version(50), False),
        (stream_version(2, "50"), version(50), False),
    ],
)
def test_a_stamp_is_that_of_a_claim_or_of_its_repetition(stamp: str, claimed: str, shown: bool) -> None:
    assert is_write_of(stamp, claimed) is shown


def test_a_place_comes_back_from_its_text_and_has_a_short_name() -> None:
    swapped = Place(MARCH.table, dict(reversed(MARCH.key.items())))
    assert place_from(MARCH.text) == MARCH
    assert swapped.text == MARCH.text
    assert len({place_name(place(month).text) for month in ("2024-03", MAY, JULY)}) == 3
    assert len(place_name(MARCH.text)) == 8
