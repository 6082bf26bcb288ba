"""The item operations of the data plane: reads, conditional writes, transactions."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import orjson

from service.core.item.wire import Item
from service.core.item.write import Absent, Check, Delete, Put, TransactItem, Update, Write
from service.dynamodb.caller import Answer, Caller, Request
from service.dynamodb.expressions import Placeholders, condition_fields, update_fields
from service.dynamodb.metering import MEASURED
from service.dynamodb.partiql import PartiQLInserts
from service.dynamodb.partiql_writes import PartiQLWrites
from service.dynamodb.protocol import AskedWrite, Fence, Page, WriteOutcome
from service.errors import ConditionRefusedError, Retryable, Throttled

GET_MANY_KEYS = 100
"""BatchGetItem takes at most 100 keys
(https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html)."""


class ItemOperations:
    """Implements ``BatchStore``; the protocol documents the methods."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._inserts = PartiQLInserts(caller, self._insert_one)
        self._writes = PartiQLWrites(caller, self._try_one)

    async def scan(
        self,
        table: str,
        *,
        segment: int,
        segments: int,
        start: Item | None,
        limit: int,
        consistent: bool = True,
    ) -> Page:
        request: Request = {
            "TableName": table,
            "Segment": segment,
            "TotalSegments": segments,
            "Limit": limit,
            "ConsistentRead": consistent,
            **MEASURED,
        }
        if start is not None:
            request["ExclusiveStartKey"] = start
        return _page(await self._caller.call("Scan", table, request))

    async def query(
        self,
        table: str,
        key: Item,
        *,
        index: str | None = None,
        start: Item | None = None,
        limit: int | None = None,
        consistent: bool = False,
    ) -> Page:
        placeholders = Placeholders()
        terms = [f"{placeholders.path((name,))} = {placeholders.value(value)}" for name, value in key.items()]
        optional = {"IndexName": index, "ExclusiveStartKey": start, "Limit": limit}
        request: Request = {
            "TableName": table,
            "KeyConditionExpression": " AND ".join(terms),
            "ExpressionAttributeNames": placeholders.names(),
            "ExpressionAttributeValues": placeholders.values,
            "ConsistentRead": consistent,
            **MEASURED,
        } | {name: value for name, value in optional.items() if value is not None}
        return _page(await self._caller.call("Query", table, request))

    async def get(self, table: str, key: Item) -> Item | None:
        request: Request = {"TableName": table, "Key": key, "ConsistentRead": True, **MEASURED}
        answer = await self._caller.call("GetItem", table, request)
        return answer.get("Item")

    async def get_many(self, table: str, keys: Sequence[Item]) -> list[Item]:
        if _has_duplicates(keys):
            raise ValueError(f"get_many on {table}: the keys are not distinct")
        items: list[Item] = []
        for chunk in _chunks(keys, GET_MANY_KEYS):
            await self._get_chunk(table, chunk, items)
        return items

    async def _get_chunk(self, table: str, keys: list[Item], items: list[Item]) -> None:
        """Append to ``items`` those at ``keys``."""
        left = keys

        async def attempt() -> None:
            nonlocal left
            while left:
                requested = {table: {"Keys": left, "ConsistentRead": True}}
                answer = await self._caller.once("BatchGetItem", table, {"RequestItems": requested, **MEASURED})
                items.extend(answer["Responses"].get(table, ()))
                before, left = len(left), answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
                # A full answer (16 MB) leaves keys unprocessed too: only an answer without any progress is throttling.
                if len(left) == before:
                    raise Throttled(f"BatchGetItem on {table}: throttled by DynamoDB ({before} keys unprocessed)")

        await self._caller.persist(attempt)

    async def write(self, write: Write, *, patient: bool = True, fence: Fence | None = None) -> bool:
        operation, request = _operation(write)
        return await self._conditional(operation, write.table, request, patient=patient, fence=fence)

    async def try_write(self, write: Write, *, fence: Fence | None = None) -> WriteOutcome:
        operation, request = _operation(write)
        lost = False

        async def attempt() -> None:
            nonlocal lost
            try:
                await self._caller.once(operation, write.table, {**request, **MEASURED}, fence)
            except Retryable as failure:
                lost = lost or not isinstance(failure, Throttled)
                raise

        try:
            await self._caller.persist(attempt)
        except ConditionRefusedError:
            return "unknown" if lost else "refused"
        return "written"

    async def try_write_many(self, table: str, asked: Sequence[AskedWrite], *, fence: Fence | None = None) -> None:
        await self._writes.write(table, asked, fence)

    async def _try_one(self, write: Update, fence: Fence | None) -> WriteOutcome:
        return await self.try_write(write, fence=fence)

    async def insert_many(
        self,
        table: str,
        items: Sequence[Item],
        key_names: tuple[str, ...],
        *,
        patient: bool = True,
        fence: Fence | None = None,
    ) -> list[bool]:
        return await self._inserts.insert(table, items, key_names, patient=patient, fence=fence)

    async def _insert_one(self, table: str, item: Item, key_name: str, patient: bool, fence: Fence | None) -> bool:
        return await self.write(Put(table, item, Absent((key_name,))), patient=patient, fence=fence)

    async def transact(self, items: Sequence[TransactItem], *, fence: Fence | None = None) -> bool:
        request: Request = {
            "TransactItems": [_transact_item(item) for item in items],
            "ClientRequestToken": uuid.uuid4().hex,
        }
        tables = _tables(item.table for item in items)
        return await self._conditional("TransactWriteItems", tables, request, patient=True, fence=fence)

    async def _conditional(
        self, operation: str, subject: str, request: Request, *, patient: bool, fence: Fence | None
    ) -> bool:
        try:
            await self._caller.call(operation, subject, {**request, **MEASURED}, patient=patient, fence=fence)
        except ConditionRefusedError:
            return False
        return True


def _has_duplicates(values: Sequence[object]) -> bool:
    return len({orjson.dumps(value, option=orjson.OPT_SORT_KEYS) for value in values}) < len(values)


def _page(answer: Answer) -> Page:
    units: float = answer.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0)
    return Page(answer["Items"], answer.get("LastEvaluatedKey"), units)


def _tables(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names)))


def _operation(write: Write) -> tuple[str, Request]:
    match write:
        case Put():
            return "PutItem", _put(write)
        case Update():
            return "UpdateItem", _update(write)
    return "DeleteItem", _keyed(write)


def _update(update: Update) -> Request:
    return {"TableName": update.table, "Key": update.key, **update_fields(update)}


def _put(put: Put) -> Request:
    return {"TableName": put.table, "Item": put.item, **condition_fields(put.condition)}


def _keyed(write: Delete | Check) -> Request:
    return {"TableName": write.table, "Key": write.key, **condition_fields(write.condition)}


def _transact_item(item: TransactItem) -> dict[str, Any]:
    match item:
        case Put():
            return {"Put": _put(item)}
        case Update():
            return {"Update": _update(item)}
    return {"ConditionCheck" if isinstance(item, Check) else "Delete": _keyed(item)}


def _chunks(keys: Sequence[Item], size: int) -> Iterator[list[Item]]:
    left = iter(keys)
    while chunk := list(islice(left, size)):
        yield chunk
