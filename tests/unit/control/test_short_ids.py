"""Ids as people give them."""

import random

import pytest

from service.control.short_ids import SHORTEST_ID, id_that_begins_with, short_ids
from service.errors import Misconfigured

UNKNOWN = Misconfigured("no such id", remedy="look at the list")


def test_each_short_id_stands_for_one_id_and_is_as_short_as_it_can_be() -> None:
    digits = random.Random(1)
    ids = {f"{digits.choice('ab')}{'0' * digits.randint(0, 12)}{digits.choice('cd')}{n:x}" for n in range(200)}
    short = short_ids(ids)
    assert short.keys() == ids
    for one, prefix in short.items():
        assert id_that_begins_with(prefix, ids, UNKNOWN) == one
        shorter = prefix[:-1]
        alike = [other for other in ids if other.startswith(shorter)]
        assert len(prefix) == len(one) or len(prefix) == SHORTEST_ID or len(alike) > 1


def test_ids_that_are_equal_or_few() -> None:
    assert short_ids([]) == {}
    assert short_ids(["0123456789abcdef"]) == {"0123456789abcdef": "01234567"}


def test_an_id_that_another_begins_with_stands_for_itself() -> None:
    assert id_that_begins_with("aaaaaaaaa", ["aaaaaaaaab", "aaaaaaaaa"], UNKNOWN) == "aaaaaaaaa"


@pytest.mark.parametrize(("prefix", "message"), [("a", "2 ids begin with a"), ("c", "no such id"), ("", "no such id")])
def test_a_prefix_of_none_or_several_is_refused(prefix: str, message: str) -> None:
    with pytest.raises(Misconfigured, match=f"^{message}"):
        id_that_begins_with(prefix, ["ab", "ac"], UNKNOWN)
