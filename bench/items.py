"""Any number of old items: those of the demonstration, repeated, each with an id of its own."""

from collections.abc import Iterator
from itertools import count

from service.core.item.wire import Item
from service.rehearsal.demo.items import old_items


def many_items(items: int) -> Iterator[Item]:
    """``items`` different old items."""
    kinds = list(old_items(8_800))
    made = 0
    for turn in count():
        for item in kinds:
            if made == items:
                return
            made += 1
            yield item if turn == 0 else _copy_of(item, turn)


def _copy_of(item: Item, turn: int) -> Item:
    """The item with another id."""
    identity = f"{item['id']['S']}-{turn}"
    return {**item, "id": {"S": identity}, "pk": {"S": f"{item['entity_type']['S']}#{identity}"}}
