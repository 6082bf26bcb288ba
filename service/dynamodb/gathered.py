"""A store that gathers what concurrent tasks ask for into batches: the keys of one page are read, and claimed, together.

A task asks for one item as with any other store, and waits. What is asked for in one turn of the event loop is sent as one request;
while that is on its way, further questions are gathered, up to a full batch. So a single task waits for nothing but its own
request, and the more tasks ask, the fewer requests each of them costs.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from service.core.item.wire import Item, key_text
from service.core.item.write import TransactItem, Update, Write
from service.dynamodb.items import GET_MANY_KEYS
from service.dynamodb.protocol import AskedWrite, BatchStore, Fence, Page, WriteOutcome
from service.errors import Poison

Q = TypeVar("Q")
A = TypeVar("A")

STATEMENTS = 25
"""BatchExecuteStatement takes at most 25 statements
(https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html)."""


class Asked(Generic[Q, A]):
    """A question that somebody waits for."""

    def __init__(self, name: Hashable, question: Q) -> None:
        self.name = name
        self.question = question
        self.answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self.batch: Batch[Q, A] | None = None
        """None: not sent yet."""

    def settle(self, answer: A) -> None:
        """Give it its answer, if somebody still waits."""
        if not self.answer.done():
            self.answer.set_result(answer)

    def fail(self, error: Exception) -> None:
        """Give it an error as its answer, if somebody still waits."""
        if not self.answer.done():
            self.answer.set_exception(error)
            self.answer.exception()  # whoever asked may be cancelled before it is woken: then nobody reads it


class Batch(Generic[Q, A]):
    """Questions that are sent together."""

    def __init__(self, asked: Sequence[Asked[Q, A]]) -> None:
        self.asked = asked
        self.task: asyncio.Task[None] | None = None
        self.answered = False
        """Whether any of the questions has an answer."""

    def fail(self, error: Exception) -> None:
        """Give every question without an answer this error."""
        for asked in self.asked:
            asked.fail(error)

    def drop(self) -> None:
        """Cancel every question without an answer."""
        for asked in self._open():
            asked.answer.cancel()

    async def abandoned(self) -> None:
        """Once nobody waits for an answer any more, end the request."""
        if self.task is not None and not self._open():
            self.task.cancel()
            await asyncio.wait([self.task])

    def _open(self) -> list[Asked[Q, A]]:
        return [asked for asked in self.asked if not asked.answer.done()]


class Batches(Generic[Q, A]):
    """Gathers questions of one kind, and sends them in batches of at most ``size``.

    A batch is sent when it is full, or when no other is on its way of which nothing is known yet. ``send`` gives each question of
    a batch its answer; what it raises is the answer of the others. No question is sent before it was asked. Questions of one
    ``name`` ask for the same item: they share a place in a batch if ``shared``, else they are sent in different ones.
    """

    def __init__(self, size: int, send: Callable[[Sequence[Asked[Q, A]]], Awaitable[None]], *, shared: bool) -> None:
        self._size = size
        self._send = send
        self._shared = shared
        self._waiting: list[Asked[Q, A]] = []
        self._unanswered = 0
        self._due = False

    async def ask(self, name: Hashable, question: Q) -> A:
        """The answer to a question, sent after this was called."""
        asked: Asked[Q, A] = Asked(name, question)
        self._waiting.append(asked)
        self._send_soon()
        try:
            return await asked.answer
        finally:
            if asked.answer.cancelled() and asked.batch is not None:
                await asked.batch.abandoned()

    def _send_soon(self) -> None:
        """Send after this turn of the event loop, in which others may ask."""
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._send_waiting)

    def _send_waiting(self) -> None:
        self._due = False
        self._waiting = [asked for asked in self._waiting if not asked.answer.done()]
        while self._waiting and (self._unanswered == 0 or len(self._waiting) >= self._size):
            batch = Batch(self._take())
            self._unanswered += 1
            for asked in batch.asked:
                asked.batch = batch
                asked.answer.add_done_callback(partial(self._note_answer, batch))
            batch.task = asyncio.get_running_loop().create_task(self._run(batch))

    def _take(self) -> list[Asked[Q, A]]:
        """The questions of the next batch, in the order they were asked."""
        taken: list[Asked[Q, A]] = []
        names: set[Hashable] = set()
        left: list[Asked[Q, A]] = []
        for asked in self._waiting:
            known = asked.name in names
            if (known and self._shared) or (not known and len(names) < self._size):
                names.add(asked.name)
                taken.append(asked)
            else:
                left.append(asked)
        self._waiting = left
        return taken

    async def _run(self, batch: Batch[Q, A]) -> None:
        try:
            await self._send(batch.asked)
        except Exception as error:  # noqa: BLE001 - whoever asked raises it
            batch.fail(error)
        finally:
            batch.drop()

    def _note_answer(self, batch: Batch[Q, A], _: asyncio.Future[A]) -> None:
        if not batch.answered:
            batch.answered = True
            self._unanswered -= 1
            self._send_soon()


class GatheredStore:
    """Implements ``ItemStore`` over another one: gathers reads of single items and updates, each by table.

    Everything else is passed on as it is. A read begins after it was asked for. Each update keeps its own condition and its own
    outcome, and its fence is checked before every attempt.
    """

    def __init__(self, store: BatchStore) -> None:
        self._store = store
        self._reads: dict[str, Batches[Item, Item | None]] = {}
        self._writes: dict[tuple[str, Fence | None], Batches[Update, WriteOutcome]] = {}

    async def get(self, table: str, key: Item) -> Item | None:
        if any("S" not in value for value in key.values()):  # one number has many texts
            return await self._store.get(table, key)
        if table not in self._reads:
            self._reads[table] = Batches(GET_MANY_KEYS, partial(self._read, table), shared=True)
        return await self._reads[table].ask(key_text(key), key)

    async def _read(self, table: str, asked: Sequence[Asked[Item, Item | None]]) -> None:
        keys = {one.name: one.question for one in asked}
        try:
            found = await self._found(table, list(keys.values()))
        except Poison:  # one bad key makes the whole request invalid
            await asyncio.gather(*[self._read_alone(table, one) for one in asked])
            return
        for one in asked:
            one.settle(found.get(one.name))

    async def _found(self, table: str, keys: list[Item]) -> dict[Hashable, Item | None]:
        if len(keys) == 1:
            return {key_text(keys[0]): await self._store.get(table, keys[0])}
        items = await self._store.get_many(table, keys)
        return {key_text({name: item[name] for name in keys[0]}): item for item in items}

    async def _read_alone(self, table: str, asked: Asked[Item, Item | None]) -> None:
        try:
            item = await self._store.get(table, asked.question)
        except Poison as poison:
            asked.fail(poison)
        else:
            asked.settle(item)

    async def try_write(self, write: Write, *, fence: Fence | None = None) -> WriteOutcome:
        if not isinstance(write, Update):
            return await self._store.try_write(write, fence=fence)
        among = write.table, fence
        if among not in self._writes:
            self._writes[among] = Batches(STATEMENTS, partial(self._write, *among), shared=False)
        return await self._writes[among].ask(key_text(write.key), write)

    async def _write(self, table: str, fence: Fence | None, asked: Sequence[Asked[Update, WriteOutcome]]) -> None:
        if len(asked) == 1:
            outcome = await self._store.try_write(asked[0].question, fence=fence)
            asked[0].settle(outcome)
            return
        writes = [AskedWrite(one.question, one.answer) for one in asked]
        await self._store.try_write_many(table, writes, fence=fence)

    async def write(self, write: Write, *, patient: bool = True, fence: Fence | None = None) -> bool:
        if patient and isinstance(write, Update):
            return await self.try_write(write, fence=fence) == "written"
        return await self._store.write(write, patient=patient, fence=fence)

    # Passed on.

    async def scan(self, table: str, **page: Any) -> Page:
        return await self._store.scan(table, **page)

    async def query(self, table: str, key: Item, **page: Any) -> Page:
        return await self._store.query(table, key, **page)

    async def get_many(self, table: str, keys: Sequence[Item]) -> list[Item]:
        return await self._store.get_many(table, keys)

    async def insert_many(
        self, table: str, items: Sequence[Item], key_names: tuple[str, ...], **how: Any
    ) -> list[bool]:
        return await self._store.insert_many(table, items, key_names, **how)

    async def transact(self, items: Sequence[TransactItem], *, fence: Fence | None = None) -> bool:
        return await self._store.transact(items, fence=fence)
