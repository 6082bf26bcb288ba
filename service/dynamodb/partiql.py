"""Insert-if-absent of many items in one BatchExecuteStatement, where the server has PartiQL; conditional puts
elsewhere.

PartiQL's INSERT refuses a taken key with ``DuplicateItem``:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.insert.html
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


OPERATION = "BatchExecuteStatement"
TAKEN = ("DuplicateItem", "ConditionalCheckFailed")
STATEMENT_LIMIT = 8192
"""Characters in one statement
(https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchStatementRequest.html)."""

InsertOne = Callable[[str, Item, str, bool, Fence | None], Awaitable[bool]]


class PartiQLInserts:
    """Inserts groups of items; finds out once per table whether PartiQL is there and allowed."""

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
        """As ``ItemStore.insert_many`` promises."""
        group = InsertGroup(table, items, key_names)
        if await self._is_available(table):
            await self._insert_together(group, patient, fence)
        else:
            group.put_all_alone()
        await self._insert_alone(group, patient, fence)
        return group.verdict()

    async def _is_available(self, table: str) -> bool:
        if table not in self._available:
            self._available[table] = await self._caller.persist(partial(self._probe, table))
        return self._available[table]

    async def _probe(self, table: str) -> bool:
        """Ask for an insert that every true PartiQL refuses, because the key is missing, with a
        ValidationError.

        moto answers with status 500 (and would overwrite a taken key); a policy without
        dynamodb:PartiQLInsert denies it. In both cases conditional puts do the work.
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
            # One bad item can make the whole request invalid; only requests of their own tell which.
            group.put_all_alone()
        except Throttled as error:
            if patient:
                raise
            group.throttled = error

    def _statements(self, group: InsertGroup) -> dict[int, dict[str, Any]]:
        """The statements for what is still to be sent together, by index of the item."""
        statements = {}
        for index, item in group.waiting():
            statement = insert_statement(group.table, tuple(item))
            if len(statement) > STATEMENT_LIMIT:
                group.put_alone(index)
            else:
                statements[index] = {"Statement": statement, "Parameters": list(item.values())}
        return statements

    def _settle(self, group: InsertGroup, indexes: list[int], answer: Answer) -> None:
        """Take over each statement's outcome; raise the passing trouble that some met, so that those are sent
        again."""
        call = self._caller.transport.describe(OPERATION, group.table)
        passing: list[Retryable] = []
        for index, response in zip(indexes, answer["Responses"], strict=True):
            trouble = response.get("Error", {})
            if trouble.get("Code") in (None, *TAKEN):
                group.results[index] = not trouble
                continue
            error = coded_error(call, trouble["Code"], trouble.get("Message", ""))
            if isinstance(error, Poison):
                group.put_alone(index)
            elif isinstance(error, Retryable):
                passing.append(error)
            else:
                raise error
        if passing:
            raise next((error for error in passing if isinstance(error, Throttled)), passing[0])

    async def _insert_alone(self, group: InsertGroup, patient: bool, fence: Fence | None) -> None:
        async def one(index: int) -> None:
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

        # All are settled before the first failure is raised: nothing is left running that nobody waits for.
        for outcome in await asyncio.gather(*map(one, group.alone), return_exceptions=True):
            if outcome is not None:
                raise outcome

    async def _post(self, table: str, statements: list[dict[str, Any]], fence: Fence | None = None) -> Answer:
        return await self._caller.once(OPERATION, table, {"Statements": statements, **MEASURED}, fence)


@lru_cache(maxsize=1024)
def insert_statement(table: str, names: tuple[str, ...]) -> str:
    """``INSERT`` into ``table`` of one item with these attribute names, its values as parameters in the same
    order."""
    quoted = [name.replace("'", "''") for name in names]
    content = ", ".join([f"'{name}': ?" for name in quoted])
    return f'INSERT INTO "{table}" VALUE {{{content}}}'
