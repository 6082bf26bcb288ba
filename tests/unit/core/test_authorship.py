"""The author of a change: every way in which a stamp appears, stays, disappears or comes back, on either side."""

from dataclasses import replace

import pytest

from service.core.item.change import Change
from service.core.item.stamp import (
    Stamp,
    backfill_version,
    content_hash,
    encode_stamp,
    is_bare_tombstone,
    key_hash,
    stream_version,
)
from service.core.item.wire import Item
from service.core.rules.authorship import (
    authorship_on_old,
    authorship_on_v2,
    by_ledger_rule,
    has_base,
    live,
    made_by_guarded_rule,
)
from service.core.rules.ledger import count_version

NAME = "_sync"
KEY: Item = {"pk": {"S": "DEAL#1"}, "sk": {"S": "METADATA"}}
CONTENT: Item = {**KEY, "title": {"S": "one"}}
OTHER: Item = {**KEY, "title": {"S": "two"}}
DAMAGED: Item = {**OTHER, NAME: {"S": "mine"}}
EPOCH = 2


def count(number: int, epoch: int = EPOCH) -> Stamp:
    """The stamp of a write by reverse on an old item."""
    return Stamp(count_version(epoch, number))


def version(sequence: int) -> str:
    return stream_version(1, str(sequence))


def based(sequence: int, *, epoch: int | None = EPOCH) -> Stamp:
    """The stamp of a write by forward on a v2 item; without an epoch, of a write by the guarded rule."""
    return Stamp(version(sequence), base=None if epoch is None else count_version(epoch, 0))


def item(stamp: Stamp | None, content: Item = CONTENT) -> Item:
    return content if stamp is None else {**content, NAME: encode_stamp(stamp)}


def bare(stamp: Stamp) -> Item:
    return item(replace(stamp, tombstone=True), KEY)


def change(old: Item | None, new: Item | None) -> Change:
    return Change("t", "shard-1", "7", KEY, old, new)


OLD_ROWS: dict[str, tuple[Item | None, Item | None, int, bool, int]] = {
    "the application puts": (item(count(1)), item(None, OTHER), 1, False, 1),
    "the application creates": (None, item(None), 0, False, 0),
    "the application updates and keeps the stamp": (item(count(1)), item(count(1), OTHER), 1, False, 1),
    "the application updates what reverse wrote, and the update is read later": (
        item(count(2)),
        item(count(2), OTHER),
        1,
        False,
        2,
    ),
    "the application deletes": (item(count(1)), None, 1, False, 1),
    "the application puts an earlier image back": (item(count(3)), item(count(1)), 3, False, 3),
    "the application puts an earlier image back over its own put": (item(None), item(count(1)), 3, False, 3),
    "the application puts the latest image back over its own put": (item(None), item(count(3)), 3, False, 3),
    "the application puts back an image of an earlier epoch": (item(None), item(count(9, EPOCH - 1)), 0, False, 0),
    "the application puts a v2 stamp on an old item": (item(None), item(based(9)), 0, False, 0),
    "the application writes something else under the stamp's name": (item(count(1)), DAMAGED, 1, False, 1),
    "the application revives a tombstone": (bare(count(2)), item(Stamp(count(2).version, tombstone=True)), 2, False, 2),
    "reverse writes": (item(count(1)), item(count(2), OTHER), 1, True, 2),
    "reverse creates": (None, item(count(1)), 0, True, 1),
    "reverse writes over an application's put": (item(None), item(count(2)), 1, True, 2),
    "reverse writes over something else under the stamp's name": (DAMAGED, item(count(2)), 1, True, 2),
    "reverse buries": (item(count(1)), bare(count(2)), 1, True, 2),
    "the tombstone is purged": (bare(count(2)), None, 2, True, 2),
    "a revived tombstone is deleted": (item(replace(count(2), tombstone=True)), None, 2, False, 2),
}
"""Old image, new image, highest count seen before; ours, and highest count seen afterwards."""


@pytest.mark.parametrize("row", OLD_ROWS)
def test_authorship_on_old(row: str) -> None:
    old, new, seen, ours, seen_then = OLD_ROWS[row]
    author = authorship_on_old(change(old, new), NAME, count_version(EPOCH, seen))
    assert (author.ours, author.seen) == (ours, count_version(EPOCH, seen_then))


V2_ROWS: dict[str, tuple[Item | None, Item | None, int | None, bool, int | None]] = {
    "the application puts": (item(based(5)), item(None, OTHER), 5, False, 5),
    "the application puts, and forward's write is read nowhere else": (
        item(based(5)),
        item(None, OTHER),
        None,
        False,
        5,
    ),
    "the application updates and keeps the stamp": (item(based(5)), item(based(5), OTHER), 5, False, 5),
    "the application deletes": (item(based(5)), None, 5, False, 5),
    "the application puts an earlier image back": (item(based(5)), item(based(3)), 5, False, 5),
    "the application puts an earlier image back where nothing is": (None, item(based(3)), 5, False, 5),
    "the application puts back an image of the guarded rule": (None, item(based(9, epoch=None)), None, False, None),
    "the application puts back an image of an earlier epoch": (
        None,
        item(based(9, epoch=EPOCH - 1)),
        None,
        False,
        None,
    ),
    "the guarded rule's stamp is replaced by the application": (
        item(based(9, epoch=None)),
        item(None),
        None,
        False,
        None,
    ),
    "the application writes something else under the stamp's name": (item(based(5)), DAMAGED, 5, False, 5),
    "the application puts reverse's stamp on a v2 item": (None, item(count(9)), None, False, None),
    "a repair's re-drive": (item(based(5)), item(Stamp(backfill_version(0))), 5, False, 5),
    "forward writes": (item(based(5)), item(based(6), OTHER), 5, True, 6),
    "forward writes over a guarded stamp": (item(based(5, epoch=None)), item(based(6), OTHER), None, True, 6),
    "forward writes over the application's item": (item(None), item(based(6)), 5, True, 6),
    "forward creates": (None, item(based(6)), None, True, 6),
    "forward buries": (item(based(5)), bare(based(6)), 5, True, 6),
    "the tombstone is purged": (bare(based(6)), None, 6, True, 6),
}
"""Old image, new image, sequence of the highest stamp seen at the place; ours, and the highest seen afterwards."""


@pytest.mark.parametrize("row", V2_ROWS)
def test_authorship_on_v2(row: str) -> None:
    old, new, seen, ours, seen_then = V2_ROWS[row]
    author = authorship_on_v2(change(old, new), NAME, "" if seen is None else version(seen), EPOCH)
    assert (author.ours, author.seen) == (ours, "" if seen_then is None else version(seen_then))


def test_the_stamp_has_its_base_when_the_change_is_ours() -> None:
    assert authorship_on_v2(change(None, item(based(6))), NAME, "", EPOCH).stamp == based(6)


def own(stamp: Stamp) -> Stamp:
    """The stamp as tablesplit writes it at this key."""
    return replace(stamp, key_hash=key_hash(KEY))


def copied(stamp: Stamp) -> Stamp:
    """The stamp of another item."""
    return replace(stamp, key_hash=key_hash({**KEY, "pk": {"S": "DEAL#2"}}))


COPIES: dict[str, tuple[Item | None, Stamp]] = {
    "a duplicate on the old side": (None, copied(count(5))),
    "over an item on the old side": (item(own(count(2))), copied(count(5))),
    "over a tombstone on the old side": (bare(own(count(2))), copied(count(5))),
    "a duplicate on v2": (None, copied(based(60))),
    "over an item on v2": (item(own(based(5))), copied(based(60))),
    "over a tombstone on v2": (bare(own(based(5))), copied(based(60))),
}
"""What is at the key before, and the stamp that the application has copied there along with an item: a duplicate, a lead that
becomes a deal, another id, another month."""


@pytest.mark.parametrize("row", COPIES)
def test_a_copy_with_the_stamp_of_another_key_is_the_applications(row: str) -> None:
    """The former rule took it for its own write, and the copy never reached the other side."""
    before, stamp = COPIES[row]
    copy = change(before, item(stamp, OTHER))
    mine = change(before, item(replace(stamp, key_hash=key_hash(KEY)), OTHER))
    on_old = "old side" in row
    authors = [
        authorship_on_old(one, NAME, count_version(EPOCH, 2))
        if on_old
        else authorship_on_v2(one, NAME, version(5), EPOCH)
        for one in (copy, mine)
    ]
    assert [author.ours for author in authors] == [False, True]
    assert authors[0].seen == (count(2).version if on_old else version(5)), "it says nothing about what was seen here"
    assert authors[0].stamp is None


def test_a_write_over_a_copy_is_told_from_it() -> None:
    over = change(item(copied(count(5))), item(own(count(3)), OTHER))
    assert authorship_on_old(over, NAME, count_version(EPOCH, 2)).ours


def test_the_removal_of_a_bare_tombstone_is_passed_whatever_key_its_stamp_is_of() -> None:
    """It never was an item."""
    assert authorship_on_old(change(bare(copied(count(5))), None), NAME, count_version(EPOCH, 2)).ours


BY_RULE: dict[str, tuple[Item, bool]] = {
    "no stamp": (item(None), False),
    "the guarded rule": (item(based(5, epoch=None)), False),
    "forward": (item(based(5)), True),
    "reverse": (item(count(1)), True),
    "something else": (DAMAGED, False),
}


@pytest.mark.parametrize("row", BY_RULE)
def test_what_the_ledger_rule_has_written(row: str) -> None:
    written, ours = BY_RULE[row]
    assert by_ledger_rule(written, NAME) is ours


@pytest.mark.parametrize(("stamp", "based_on"), [(based(5), True), (based(5, epoch=None), False), (None, False)])
def test_a_stamp_with_a_base(stamp: Stamp | None, based_on: bool) -> None:
    assert has_base(change(None, item(stamp)), NAME) is based_on
    assert not has_base(change(item(stamp), None), NAME)


GUARDED_ROWS: dict[str, tuple[Item | None, Item | None, bool]] = {
    "a copy": (None, item(Stamp(backfill_version(1))), True),
    "a change": (item(based(5, epoch=None)), item(based(6, epoch=None), OTHER), True),
    "a tombstone": (item(based(5, epoch=None)), bare(based(6, epoch=None)), True),
    "its removal": (bare(based(6, epoch=None)), None, True),
    "a repair of an item whose stamp was gone": (item(None), item(Stamp(backfill_version(0)), OTHER), True),
    "a repair of the content": (
        item(based(5, epoch=None), OTHER),
        item(replace(based(5, epoch=None), content_hash=content_hash(CONTENT))),
        True,
    ),
    "a repair that buries": (item(based(5, epoch=None)), bare(based(5, epoch=None)), True),
    "an application's put": (item(based(5, epoch=None)), item(None, OTHER), False),
    "an application's update": (item(based(5, epoch=None)), item(based(5, epoch=None), OTHER), False),
    "an application's put-back": (item(based(5, epoch=None)), item(based(4, epoch=None)), False),
    "an application's delete": (item(based(5, epoch=None)), None, False),
    "something else under the stamp's name": (item(based(5, epoch=None)), DAMAGED, False),
}


@pytest.mark.parametrize("row", GUARDED_ROWS)
def test_what_the_guarded_rule_made(row: str) -> None:
    old, new, ours = GUARDED_ROWS[row]
    assert made_by_guarded_rule(change(old, new), NAME) == ours


BARE_ROWS: dict[str, tuple[Item | None, bool, bool]] = {
    "nothing": (None, False, False),
    "an item": (item(based(5)), False, True),
    "an item without a stamp": (item(None), False, True),
    "a tombstone": (bare(based(5)), True, False),
    "a revived tombstone": (item(replace(based(5), tombstone=True)), False, True),
    "a key with a stamp that is no tombstone": (item(based(5), KEY), False, True),
    "a key with a damaged stamp": ({**KEY, NAME: {"S": "mine"}}, False, True),
    "a key alone": (KEY, False, True),
}
"""Image; whether it is a bare tombstone, and whether it is an item."""


@pytest.mark.parametrize("row", BARE_ROWS)
def test_what_is_a_tombstone_and_what_an_item(row: str) -> None:
    image, tombstone, there = BARE_ROWS[row]
    assert (is_bare_tombstone(image, KEY, NAME), live(image, KEY, NAME)) == (tombstone, there)
