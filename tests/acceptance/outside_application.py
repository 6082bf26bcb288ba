"""An application seen from outside: four writers of plain boto3, two on each side, with a log of every acknowledged write.

DynamoDB itself returns what each write replaced (ReturnValues), so the test does not depend on the service's records.
"""

import random
import threading
import time
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from service.core.item.wire import Item

NUMBERS = 150
FIELDS = ("title", "owner", "note")
PAUSE_SECONDS = 0.3
REFUSED = ("TransactionConflictException", "ConditionalCheckFailedException", "TransactionCanceledException")
MONTH = "2024-03"


@dataclass(frozen=True)
class Acknowledged:
    """A write that DynamoDB has acknowledged: the value that it wrote to a field, and the value that it replaced there."""

    side: str
    number: int
    field: str
    value: str
    replaced: str | None


class Writer:
    """Updates one field of a random item of its side, again and again, while ``allowed`` is set; in a thread of its own.

    log: what was acknowledged; waits: seconds that each write took.
    """

    def __init__(self, dynamodb: Any, table: str, side: str, name: str) -> None:
        self.dynamodb = dynamodb
        self.table = table
        self.side = side
        self.name = name
        self.log: list[Acknowledged] = []
        self.waits: list[float] = []
        self.allowed = threading.Event()
        self.ended = threading.Event()
        self._idle = threading.Event()
        self._rng = random.Random(name)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Start the thread; it writes once ``allowed`` is set."""
        self._thread.start()

    def end(self) -> None:
        """Stop, and end the thread."""
        self.ended.set()
        self._thread.join(10)

    def _run(self) -> None:
        count = 0
        while not self.ended.is_set():
            if not self.allowed.is_set():
                self._idle.set()
                time.sleep(0.01)  # real time, here and below: an application outside has no clock of the test's
                continue
            self._idle.clear()
            count += 1
            self._write(self._rng.randrange(NUMBERS), self._rng.choice(FIELDS), f"{self.name}-{count}")
            time.sleep(PAUSE_SECONDS * self._rng.random())

    def leave(self) -> None:
        """Stop writing. Returns once no write is in flight."""
        self.allowed.clear()
        self._idle.clear()
        self._idle.wait(10)

    def _write(self, number: int, name: str, value: str) -> None:
        began = time.monotonic()
        while True:
            try:
                answer = self.dynamodb.update_item(**self._update(number, name, value))
                break
            except ClientError as error:
                if error.response["Error"]["Code"] not in REFUSED:
                    raise
                time.sleep(0.01)
        self.waits.append(time.monotonic() - began)
        before = answer.get("Attributes", {})
        self.log.append(Acknowledged(self.side, number, name, value, fields_of(before).get(name)))

    def _update(self, number: int, name: str, value: str) -> dict[str, Any]:
        path, names, values = "#f", {"#f": name}, {":v": {"S": value}}
        if self.side == "v2" and name == "note":
            path, names = "#c.#f", {"#c": "custom_fields", "#f": name}
        sets = [f"{path} = :v"]
        if self.side == "v2" and name == "owner":
            sets.append("GSI2PK = :i")
            values[":i"] = {"S": f"OWNER#{value}"}
        return {
            "TableName": self.table,
            "Key": key_of(self.side, number),
            "UpdateExpression": f"SET {', '.join(sets)}",
            "ConditionExpression": "attribute_exists(id)",
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
            "ReturnValues": "ALL_OLD",
        }


def key_of(side: str, number: int) -> Item:
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


def fields_of(item: Item) -> dict[str, str]:
    """The watched fields of an item of either side."""
    content = {**item.get("custom_fields", {}).get("M", {}), **item}
    return {name: content[name]["S"] for name in FIELDS if name in content}


def lost(log: list[Acknowledged], final: dict[int, dict[str, str]], kept: set[tuple[int, str]]) -> list[Acknowledged]:
    """The writes that are neither present, nor replaced by a write, nor in the conflict log (``kept``: number and value)."""
    replaced = {(write.number, write.field, write.replaced) for write in log}
    return [
        write
        for write in log
        if final[write.number].get(write.field) != write.value
        and (write.number, write.field, write.value) not in replaced
        and (write.number, write.value) not in kept
    ]
