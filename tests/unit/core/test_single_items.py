"""Items that there are once, keys of templates and fields beside each other, and kinds that an attribute tells only in part."""

import pytest

from service.core.item.wire import Item
from service.core.mapping.inverse import inverse
from service.core.mapping.transform import forward
from tests.builders.mappings import single

KIND: Item = {"kind": {"S": "reaction"}}
FRONT: Item = {"pk": {"S": "FRONT"}, "sk": {"S": "FRONT"}, "title": {"S": "Welcome"}}
OF_ISSUE: Item = {
    "pk": {"S": "ISSUE#7"},
    "sk": {"S": "REACTION#ada"},
    "issue": {"S": "7"},
    "user": {"S": "ada"},
    **KIND,
}
OF_COMMENT: Item = {
    "pk": {"S": "COMMENT#7"},
    "sk": {"S": "REACTION#ada"},
    "comment": {"S": "7"},
    "user": {"S": "ada"},
    **KIND,
}


@pytest.mark.parametrize(
    ("item", "table", "key"),
    [
        (FRONT, "front", {"id": {"S": "FRONT"}}),
        (OF_ISSUE, "reactions", {"subject": {"S": "ISSUE#7"}, "user": {"S": "ada"}}),
        (OF_COMMENT, "reactions", {"subject": {"S": "COMMENT#7"}, "user": {"S": "ada"}}),
    ],
)
def test_it_has_its_place_and_comes_back(item: Item, table: str, key: Item) -> None:
    made = forward(single(), item)
    assert (made.table, made.key) == (table, key)
    assert inverse(single(), made.item, table) == item


def test_a_template_that_is_the_field_of_its_own_name_makes_no_attribute_of_its_own() -> None:
    assert forward(single(), OF_ISSUE).item.keys() == {"subject", "user", "issue"}
