"""Where each item of one ``insert_many`` stands."""

from collections.abc import Iterator, Sequence

import orjson

from service.core.item.wire import Item
from service.dynamodb.protocol import InsertRefused, InsertThrottled
from service.errors import Poison, Throttled


class InsertGroup:
    """Items on their way into a table. ``results`` is in their order: True inserted, False the key was taken,
    None not known yet."""

    def __init__(self, table: str, items: Sequence[Item], key_names: tuple[str, ...]) -> None:
        self.table = table
        self.items = items
        self.key_names = key_names
        self.results: list[bool | None] = [None] * len(items)
        self.alone: set[int] = set()
        self.refused: dict[int, Poison] = {}
        self.throttled: Throttled | None = None

    def waiting(self) -> Iterator[tuple[int, Item]]:
        """Index and item of what is still to be sent together with others."""
        for index, item in enumerate(self.items):
            if self.results[index] is None and index not in self.alone:
                yield index, item

    def put_alone(self, index: int) -> None:
        """Send this item in a request of its own, so that an answer to it is about it."""
        self.alone.add(index)

    def put_all_alone(self) -> None:
        """Send every item not yet settled in a request of its own."""
        self.alone.update([index for index, result in enumerate(self.results) if result is None])

    def refuse(self, index: int, poison: Poison) -> None:
        """The server refuses this item for itself; its key goes into the message."""
        key = {name: self.items[index].get(name) for name in self.key_names}
        message = f"{poison.message} (key {orjson.dumps(key).decode()})"
        self.refused[index] = Poison(message, reason=poison.reason, remedy=poison.remedy)

    def verdict(self) -> list[bool]:
        """The results. Raises InsertThrottled or, when nothing is left to be sent, InsertRefused."""
        if self.throttled is not None:
            raise InsertThrottled(self.throttled.message, self.results)
        if self.refused:
            raise InsertRefused(self.results, self.refused)
        return [result is True for result in self.results]
