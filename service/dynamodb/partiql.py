"""Insert-if-absent of many items: one BatchExecuteStatement where the server has PartiQL, conditional puts elsewhere.

``InsertGroup`` holds the items and their results, ``PartiQLInserts`` sends them. PartiQL's INSERT refuses a taken key with
``DuplicateItem``: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.insert.html
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any

import orjson

from service.core.item.wire import Item
from service.dynamodb.caller import Answer, Caller
from service.dynamodb.error_answers import coded_error
from service.dynamodb.metering import MEASURED
from service.dynamodb.protocol import Fence, InsertRefused, InsertThrottled
from service.errors import Poison, Retryable, Stopped, Throttled


class InsertGroup:
    """The items of one ``insert_many``, and the results so far.

    ``results`` has one entry for each item, in their order: True: inserted; False: the key was taken; None: not known yet.
    """

    def __init__(self, table: str, items: Sequence[Item], key_names: tuple[str, ...]) -> None:
        self.table = table
        self.items = items
        self.key_names = key_names
        self.results: list[bool | None] = [None] * len(items)
        self.alone: set[int] = set()
        self.refused: dict[int, Poison] = {}
        self.throttled: Throttled | None = None

    def unsettled(self) -> Iterator[tuple[int, Item]]:
        """Index and item of each item that is still to be sent together with others."""
        for index, item in enumerate(self.items):
            if self.results[index] is None and index not in self.alone:
                yield index, item

    def put_alone(self, index: int) -> None:
        """Have this item sent in a request of its own, so that the answer concerns only this item."""
        self.alone.add(index)

    def put_all_alone(self) -> None:
        """Have every item without a result sent in a request of its own."""
        self.alone.update([index for index, result in enumerate(self.results) if result is None])

    def refuse(self, index: int, poison: Poison) -> None:
        """Record that the server refuses this item itself. The item's key is added to the message."""
        key = {name: self.items[index].get(name) for name in self.key_names}
        message = f"{poison.message} (key {orjson.dumps(key).decode()})"
        self.refused[index] = Poison(message, reason=poison.reason, remedy=poison.remedy)

    def final_results(self) -> list[bool]:
        """The results. Raises InsertThrottled when throttling left items unsent, else InsertRefused when items were refused."""
        if self.throttled is not None:
            first = self.throttled
            raise InsertThrottled(first.message, self.results, limit=first.limit, remedy=first.remedy) from first
        if self.refused:
            raise InsertRefused(self.results, self.refused)
        return [result is True for result in self.results]


OPERATION = "BatchExecuteStatement"
TAKEN = ("DuplicateItem", "ConditionalCheckFailed")
STATEMENT_LIMIT = 8192
"""The most characters in one statement
(https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchStatementRequest.html)."""

InsertOne = Callable[[str, Item, str, bool, Fence | None], Awaitable[bool]]


class PartiQLInserts:
    """Inserts groups of items. It finds out once per table whether the server has PartiQL and allows it."""

    def __init__(self, caller: Caller, insert_one: InsertOne) -> None:
        self._caller = caller
        self._insert_one = insert_one
        self._available: dict[str, bool] = {}

    async def insert(
        self,
        table: str,
        items: Sequence[Item],
        key_names: tuple[str, ...],
        *,
        patient: bool,
        fence: Fence | None,
    ) -> list[bool]:
        """See ``ItemStore.insert_many``."""
        group = InsertGroup(table, items, key_names)
        if await self._is_available(table):
            await self._insert_together(group, patient, fence)
        else:
            group.put_all_alone()
        await self._insert_alone(group, patient, fence)
        return group.final_results()

    async def _is_available(self, table: str) -> bool:
        if table not in self._available:
            self._available[table] = await self._caller.persist(partial(self._probe, table))
        return self._available[table]

    async def _probe(self, table: str) -> bool:
        """Whether PartiQL can be used: send an insert without a key, which real PartiQL refuses with a ValidationError.

        moto answers with status 500 (and would overwrite a taken key); a policy without dynamodb:PartiQLInsert denies the request.
        In both cases conditional puts are used.
        """
        probe = [{"Statement": insert_statement(table, ("tablesplit_probe",)), "Parameters": [{"S": "x"}]}]
        try:
            answer = await self._post(table, probe)
        except (Stopped, Poison):
            return False
        except Retryable as error:
            if error.reason != "server_error":
                raise
            return False
        return bool(answer["Responses"][0].get("Error", {}).get("Code") == "ValidationError")

    async def _insert_together(self, group: InsertGroup, patient: bool, fence: Fence | None) -> None:
        async def attempt() -> None:
            statements = self._statements(group)
            if not statements:
                return
            answer = await self._post(group.table, list(statements.values()), fence)
            self._settle(group, list(statements), answer)

        try:
            await self._caller.persist(attempt, patient=patient)
        except Poison:
            # One bad item can make the whole request invalid; separate requests show which one it is.
            group.put_all_alone()
        except Throttled as error:
            if patient:
                raise
            group.throttled = error

    def _statements(self, group: InsertGroup) -> dict[int, dict[str, Any]]:
        """The statements for the items to send together, by index of the item. An item with too long a statement is put alone."""
        statements = {}
        for index, item in group.unsettled():
            statement = insert_statement(group.table, tuple(item))
            if len(statement) > STATEMENT_LIMIT:
                group.put_alone(index)
            else:
                statements[index] = {"Statement": statement, "Parameters": list(item.values())}
        return statements

    def _settle(self, group: InsertGroup, indexes: list[int], answer: Answer) -> None:
        """Record each statement's result. Raises a temporary error that a statement met, so that the caller sends it again."""
        call = self._caller.transport.describe(OPERATION, group.table)
        temporary: list[Retryable] = []
        for index, response in zip(indexes, answer["Responses"], strict=True):
            failure = response.get("Error", {})
            if failure.get("Code") in (None, *TAKEN):
                group.results[index] = not failure
                continue
            error = coded_error(call, failure["Code"], failure.get("Message", ""))
            if isinstance(error, Poison):
                group.put_alone(index)
            elif isinstance(error, Retryable):
                temporary.append(error)
            else:
                raise error
        if temporary:
            raise next((error for error in temporary if isinstance(error, Throttled)), temporary[0])

    async def _insert_alone(self, group: InsertGroup, patient: bool, fence: Fence | None) -> None:
        async def insert(index: int) -> None:
            try:
                group.results[index] = await self._insert_one(
                    group.table, group.items[index], group.key_names[0], patient, fence
                )
            except Poison as poison:
                group.refuse(index, poison)
            except Throttled as error:
                if patient:
                    raise
                group.throttled = error

        # Wait for all before raising the first failure, so that no insert is left running in the background.
        for outcome in await asyncio.gather(*map(insert, group.alone), return_exceptions=True):
            if outcome is not None:
                raise outcome

    async def _post(self, table: str, statements: list[dict[str, Any]], fence: Fence | None = None) -> Answer:
        return await self._caller.once(OPERATION, table, {"Statements": statements, **MEASURED}, fence)


@lru_cache(maxsize=1024)
def insert_statement(table: str, names: tuple[str, ...]) -> str:
    """The INSERT of one item with these attribute names into ``table``; its values are parameters in the same order."""
    quoted = [name.replace("'", "''") for name in names]
    content = ", ".join([f"'{name}': ?" for name in quoted])
    return f'INSERT INTO "{table}" VALUE {{{content}}}'
