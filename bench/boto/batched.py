"""Plain boto3 with as many items in a request as DynamoDB takes, and the guarantees of the single writes.

A copy is an INSERT, which a taken key refuses. A change is an UPDATE of the whole item over an older version; where there is no
older one it is put by itself, and so is a deletion. One request holds one change of a key: those before it are acknowledged first.
"""

import random
import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from bench.boto.single import put_if_newer, scan, validate_with
from bench.boto.stream import pages, save_position
from service.core.item.change import Change
from service.core.item.wire import Item, key_text
from service.core.item.write import Put
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward
from service.core.rules.guarded import change_writes, copy_write

STATEMENTS = 25
LATER = frozenset({"ThrottlingError", "ProvisionedThroughputExceeded", "RequestLimitExceeded", "TransactionConflict"})
TAKEN = frozenset({"DuplicateItem", "ConditionalCheckFailed"})
Statement = dict[str, Any]


def copy(dynamodb: Any, mapping: Mapping) -> int:
    """Copy the old table without overwriting anything; returns how many items were read."""
    items = 0
    for page in scan(dynamodb, mapping.old.table):
        statements = [_insert(copy_write(mapping, old, 1)) for old in page]
        for start in range(0, len(statements), STATEMENTS):
            execute(dynamodb, statements[start : start + STATEMENTS])
        items += len(page)
    return items


def apply(dynamodb: Any, mapping: Mapping, items: int) -> int:
    """Apply the changes of the old table's stream, each only over an older version; returns how many there were."""
    done = 0
    for changes in pages(dynamodb, mapping, items):
        for some in _of_distinct_keys(changes):
            _apply_some(dynamodb, mapping, some)
        save_position(dynamodb, changes[-1])
        done += len(changes)
    return done


def validate(dynamodb: Any, mapping: Mapping) -> int:
    """As the single one does, but of the old items that are only to exist it reads the key and what the key depends on."""
    names = {"#p": "pk", "#s": "sk"}
    return validate_with(dynamodb, mapping, {"ProjectionExpression": "#p, #s", "ExpressionAttributeNames": names})


def execute(dynamodb: Any, statements: list[Statement]) -> list[int]:
    """Execute them, those that are throttled again; returns the numbers of those that a condition has refused."""
    refused, left, wait = list[int](), list(range(len(statements))), 0.05
    while left:
        answer = dynamodb.batch_execute_statement(Statements=[statements[number] for number in left])
        codes = [response.get("Error", {}).get("Code") for response in answer["Responses"]]
        answered = list(zip(left, codes, strict=True))
        refused += [number for number, code in answered if code in TAKEN]
        left = [number for number, code in answered if code in LATER]
        assert all(code is None or code in TAKEN | LATER for code in codes), codes
        if left:
            time.sleep(
                random.uniform(0, wait)
            )  # real time: this program stands for a script, which has no clock to inject
            wait *= 2
    return refused


def _apply_some(dynamodb: Any, mapping: Mapping, changes: Sequence[Change]) -> None:
    puts, statements = list[Put](), list[Statement]()
    for change in changes:
        first, *others = change_writes(mapping, [change], 1)
        if others or change.old is None or change.new is None:
            for put in (first, *others):
                put_if_newer(dynamodb, mapping, put)
        else:
            puts.append(first)
            statements.append(_update(mapping, first, forward(mapping, change.old).item))
    for number in execute(dynamodb, statements) if statements else ():
        put_if_newer(dynamodb, mapping, puts[number])


def _insert(put: Put) -> Statement:
    return {"Statement": _insert_text(put.table, tuple(put.item)), "Parameters": list(put.item.values())}


@lru_cache
def _insert_text(table: str, names: tuple[str, ...]) -> str:
    content = ", ".join(f"'{name}': ?" for name in names)
    return f'INSERT INTO "{table}" VALUE {{{content}}}'


def _update(mapping: Mapping, put: Put, before: Item) -> Statement:
    """The whole item over an older version. ``before``: the item as the change before has left it, without its stamp."""
    key_names = mapping.tables[put.table].key_names
    names = tuple(name for name in put.item if name not in key_names)
    gone = tuple(name for name in before if name not in put.item)
    key = [put.item[name] for name in key_names]
    values = [*(put.item[name] for name in names), *key, put.item[mapping.stamp]["M"]["v"]]
    return {"Statement": _update_text(put.table, names, gone, key_names, mapping.stamp), "Parameters": values}


@lru_cache
def _update_text(table: str, names: tuple[str, ...], gone: tuple[str, ...], key: tuple[str, ...], stamp: str) -> str:
    sets = " ".join([*(f'SET "{name}"=?' for name in names), *(f'REMOVE "{name}"' for name in gone)])
    where = " AND ".join(f'"{name}"=?' for name in key)
    return f'UPDATE "{table}" {sets} WHERE {where} AND "{stamp}"."v" < ?'


def _of_distinct_keys(changes: Sequence[Change]) -> Iterator[list[Change]]:
    some: dict[str, Change] = {}
    for change in changes:
        key = key_text(change.key)
        if key in some or len(some) == STATEMENTS:
            yield list(some.values())
            some = {}
        some[key] = change
    yield list(some.values())
