"""Values that are the same on v2, but not on the old side: what its application wrote last is what it reads, in its own form.

A value that cannot be converted is the same as none there, and a text as the number that it means. Reverse puts an item of before
on the old table where it runs ahead of forward, and must put all of the next one, too.
"""

import pytest

from service.core.item.wire import AttributeValue, Item
from service.core.item.write import Put
from tests.two_way.application import CREATED, KEY
from tests.two_way.script import Script

FORMS: list[tuple[AttributeValue | None, AttributeValue | None]] = [
    ({"L": [{"S": "of the first item"}]}, None),
    (None, {"L": [{"S": "of the second item"}]}),
    ({"M": {"of": {"S": "the first item"}}}, {"L": [{"S": "of the second item"}]}),
    ({"S": "85"}, {"N": "85"}),
    ({"N": "85"}, {"S": "85"}),
]


@pytest.mark.parametrize(("first", "second"), FORMS)
def test_an_item_that_reverse_removed_is_created_again_as_its_application_wrote_it(
    first: AttributeValue | None, second: AttributeValue | None
) -> None:
    script = _both_deleted()
    _put(script, first)
    script.forward()
    script.old_delete()
    _put(script, second)
    script.forward()
    script.reverse()  # v2's delete: v2 has no item, so the old side loses its second one
    script.forward()
    script.check()
    assert script.old_now().get("stage") == second


@pytest.mark.parametrize(("first", "second"), FORMS)
def test_an_item_that_reverse_removed_is_created_again_as_its_application_changed_it(
    first: AttributeValue | None, second: AttributeValue | None
) -> None:
    script = _both_deleted()
    _put(script, first)
    _put(script, second)
    script.reverse()
    script.forward(2)
    script.check()
    assert script.old_now().get("stage") == second


def _both_deleted() -> Script:
    script = Script(unique=False)
    script.old_delete()
    script.v2_delete()
    script.forward()
    return script


def _put(script: Script, stage: AttributeValue | None) -> None:
    item: Item = {**KEY, "entity_type": {"S": "DEAL"}, "id": {"S": "1"}, "created_at": {"S": CREATED[0]}}
    if stage is not None:
        item["stage"] = stage
    script.world.write("old", Put(script.world.old, item), KEY)
