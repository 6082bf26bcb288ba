"""An application seen from outside: four writers of plain boto3, two on each side, with a history of every acknowledged write.

They set fields; they read an item and later increment a counter or take a turn if that still is what they have read; they copy
items with the stamp that they find in them. DynamoDB itself returns what each write replaced (ReturnValues), so the history does
not depend on the service's records.
"""

import random
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from service.core.item.wire import Item
from service.core.phases.acting import Side
from service.rehearsal.history import Operation

NUMBERS = 150
HOT_NUMBERS = 6
"""A third of the writes go to these."""

FIELDS = ("title", "owner", "note")
"""Both sides set them."""

COUNTER: dict[Side, str] = {"old": "calls", "v2": "views"}
"""One side counts it: it reads the item and later writes one more."""

TURN: dict[Side, str] = {"old": "shift", "v2": "round"}
"""One side compares and sets it."""

WATCHED = (*FIELDS, *COUNTER.values(), *TURN.values())
GATHERED = frozenset(WATCHED) - {"title", "owner"}
"""On v2 they lie in ``custom_fields``."""

PAUSE_SECONDS = 0.3
THINKING_SECONDS = 0.05
"""At most, between what is read and what is written."""

REFUSED = "ConditionalCheckFailedException"
MONTH = "2024-03"


@dataclass
class SideLog:
    """What the writers of one side share: their history, and a lock for each item, so that the history has the order of the
    writes."""

    side: Side
    operations: list[Operation] = field(default_factory=list)
    copies: list[int] = field(default_factory=list)
    locks: dict[int, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))

    def note(self, number: int, before: dict[str, Any], name: str, written: dict[str, str]) -> None:
        """A write of one field: what it wrote, and what the item had before it."""
        at = time.monotonic()
        for other in WATCHED:
            read = before.get(other)
            self.operations.append(
                Operation(self.side, str(number), other, read, written if other == name else read, at)
            )


class Writer:
    """Writes a random item of its side, again and again, while ``allowed`` is set; in a thread of its own."""

    def __init__(self, dynamodb: Any, table: str, name: str, log: SideLog) -> None:
        self.dynamodb = dynamodb
        self.table = table
        self.side = log.side
        self.name = name
        self.log = log
        self.allowed = threading.Event()
        self.ended = threading.Event()
        self.failure: Exception | None = None
        self._idle = threading.Event()
        self._rng = random.Random(name)
        self._count = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Start the thread; it writes once ``allowed`` is set."""
        self._thread.start()

    def end(self) -> None:
        """Stop, and end the thread. Raises what one of its writes was refused with."""
        self.ended.set()
        self._thread.join(10)
        if self.failure is not None:
            raise self.failure

    def leave(self) -> None:
        """Stop writing. Returns once no write is in flight."""
        self.allowed.clear()
        self._idle.clear()
        self._idle.wait(10)

    def _run(self) -> None:
        while not self.ended.is_set():
            if not self.allowed.is_set():
                self._idle.set()
                time.sleep(0.01)  # real time, here and below: an application outside has no clock of the test's
                continue
            self._idle.clear()
            try:
                self._write_something()
            except Exception as error:  # noqa: BLE001 - raised in the test's thread by ``end``
                self.failure = error
                self._idle.set()
                return
            time.sleep(PAUSE_SECONDS * self._rng.random())

    def _write_something(self) -> None:
        self._count += 1
        number = self._rng.randrange(self._rng.choice((NUMBERS, NUMBERS, HOT_NUMBERS)))
        kinds = [self._set] * 6 + [self._increment] * 3 + [self._take_turn] * 3 + [self._copy]
        try:
            self._rng.choice(kinds)(number)
        except ClientError as error:
            if error.response["Error"]["Code"] != REFUSED:  # another writer was first, or the item is not there yet
                raise

    def _set(self, number: int) -> None:
        """Set a field, whatever it was."""
        self._update(number, self._rng.choice(FIELDS), self._own_value())

    def _increment(self, number: int) -> None:
        """One more than was read, if that is still there."""
        name = COUNTER[self.side]
        was = watched_of(self._read(number)).get(name)
        self._think()
        self._update(number, name, {"N": str(int(was["N"]) + 1 if was else 1)}, [was])

    def _take_turn(self, number: int) -> None:
        """A value of its own in place of what was read, if that is still there."""
        was = watched_of(self._read(number)).get(TURN[self.side])
        self._think()
        self._update(number, TURN[self.side], self._own_value(), [was])

    def _copy(self, number: int) -> None:
        """Put a copy of the item, its stamp included, under another id."""
        item = self._read(number)
        if "id" not in item:
            return
        new = NUMBERS + 1000 * int(self.name[-1]) + self._count + (10_000 if self.side == "v2" else 0)
        renamed: Item = {**key_of(self.side, new), "id": {"S": str(new)}}
        if self.side == "v2":
            renamed["GSI2SK"] = {"S": str(new)}
        (partition, *_) = key_of(self.side, new)
        self.dynamodb.put_item(
            TableName=self.table, Item={**item, **renamed}, ConditionExpression=f"attribute_not_exists({partition})"
        )
        self.log.copies.append(new)

    def _own_value(self) -> dict[str, str]:
        return {"S": f"{self.name}-{self._count}"}

    def _think(self) -> None:
        time.sleep(THINKING_SECONDS * self._rng.random())

    def _read(self, number: int) -> Item:
        """The item, or an empty one."""
        answer = self.dynamodb.get_item(TableName=self.table, Key=key_of(self.side, number), ConsistentRead=True)
        item: Item = answer.get("Item", {})
        return item

    def _update(self, number: int, name: str, value: dict[str, str], was: list[Any] | None = None) -> None:
        """Set a field; with ``was`` only if it still is that. A refusal for a transaction of the service's fails the test."""
        request = {"TableName": self.table, **update_of(self.side, number, name, value, was)}
        with self.log.locks[number]:
            answer = self.dynamodb.update_item(**request)
            self.log.note(number, watched_of(answer.get("Attributes", {})), name, value)


def update_of(side: Side, number: int, name: str, value: dict[str, str], was: list[Any] | None) -> dict[str, Any]:
    """The UpdateItem of one field, as this side's application knows where it lies. ``was``: what it must be (None: absent)."""
    path, names, values = "#f", {"#f": name}, {":v": value}
    if side == "v2" and name in GATHERED:
        path, names = "#c.#f", {"#c": "custom_fields", "#f": name}
    sets, conditions = [f"{path} = :v"], ["attribute_exists(id)"]
    if side == "v2" and name == "owner":
        sets.append("GSI2PK = :i")
        values[":i"] = {"S": f"OWNER#{value['S']}"}
    if was is not None:
        conditions.append(f"{path} = :w" if was[0] else f"attribute_not_exists({path})")
        values |= {":w": was[0]} if was[0] else {}
    return {
        "Key": key_of(side, number),
        "UpdateExpression": f"SET {', '.join(sets)}",
        "ConditionExpression": " AND ".join(conditions),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
        "ReturnValues": "ALL_OLD",
    }


def key_of(side: Side, number: int) -> Item:
    """The item's key on this side, by rules that are written here and not in the mapping."""
    if side == "old":
        return {"pk": {"S": f"DEAL#{number}"}, "sk": {"S": "METADATA"}}
    return {"PK": {"S": "DEAL"}, "SK": {"S": f"{MONTH}#{number}"}}


def old_items(numbers: int = NUMBERS) -> list[Item]:
    """The application's items at the start."""
    common = {"entity_type": {"S": "DEAL"}, "created_at": {"S": f"{MONTH}-15T10:00:00Z"}}
    return [
        {**key_of("old", number), **common, "id": {"S": str(number)}, **{name: {"S": "start"} for name in FIELDS}}
        for number in range(numbers)
    ]


def watched_of(item: Item) -> Item:
    """The watched fields of an item of either side."""
    content = {**item.get("custom_fields", {}).get("M", {}), **item}
    return {name: content[name] for name in WATCHED if name in content}


def fields_of(item: Item) -> dict[str, str]:
    """The fields of an item of either side that both sides set, as text."""
    return {name: value["S"] for name, value in watched_of(item).items() if name in FIELDS}
