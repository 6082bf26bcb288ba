"""Conditional updates of many items: one BatchExecuteStatement where the server has PartiQL, single requests elsewhere.

``WriteGroup`` holds the writes and their outcomes, ``PartiQLWrites`` sends them, and ``statement_of`` turns an update into a
statement that does exactly the same, if there is one. PartiQL's UPDATE makes no item, so it stands only for an update whose
condition requires the item; one that requires that there is none is an INSERT:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.update.html
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import orjson

from service.core.item.wire import AttributeValue, Item
from service.core.item.write import Absent, AllOf, Condition, Equals, Exists, Less, Path, Update
from service.dynamodb.caller import Answer, Caller
from service.dynamodb.error_answers import coded_error
from service.dynamodb.metering import MEASURED
from service.dynamodb.partiql import OPERATION, STATEMENT_LIMIT, TAKEN, insert_statement
from service.dynamodb.protocol import AskedWrite, Fence, WriteOutcome
from service.errors import Poison, Retryable, Stopped, Throttled

TryOne = Callable[[Update, Fence | None], Awaitable[WriteOutcome]]
Term = Absent | Equals | Exists | Less
Compared = tuple[type[Term], Path]
"""A term without its value."""

COMPARED = frozenset({"S", "N", "B", "BOOL"})
"""The types of value that PartiQL's ``=`` certainly compares as a condition expression does."""

STATEMENT_BYTES = 64 * 1024
"""The most that the parameters of one statement take: 25 of them stay far below the 16 MB of a request."""

PROBE = "tablesplit_probe"
REFUSED_PROBES = ["ValidationError", "ConditionalCheckFailed"]
"""How true PartiQL answers an insert without a key, and an update whose condition does not hold."""


class Statement(NamedTuple):
    """A statement of a batch."""

    text: str
    parameters: list[AttributeValue]
    certain: bool = True
    """Whether a refusal is final. Otherwise a list, map or set is compared, and an update of its own confirms the refusal: AWS
    documents how a condition expression compares them, and not how PartiQL does."""

    @property
    def request(self) -> dict[str, Any]:
        """It, as BatchExecuteStatement takes it."""
        return {"Statement": self.text, "Parameters": self.parameters}


def statement_of(update: Update) -> Statement | None:
    """The statement that does what ``update`` does; None: there is none, or it is too large for a batch."""
    terms = _terms(update.condition)
    if terms is None:
        return None
    if len(terms) == 1 and isinstance(terms[0], Absent) and terms[0].path[0] in update.key:
        return _insert(update)
    compared = [term.value for term in terms if isinstance(term, Equals | Less)]
    where = tuple([(type(term), term.path) for term in terms])
    return _limited(
        _update_text(update.table, tuple(update.key), tuple(update.set), update.remove, where),
        [*update.set.values(), *update.key.values(), *compared],
        all(value.keys() <= COMPARED for value in compared),
    )


def _insert(update: Update) -> Statement | None:
    item: Item = {**update.key, **update.set}
    if update.remove or not all(map(_is_plain, item)):
        return None
    return _limited(insert_statement(update.table, tuple(item)), list(item.values()))


@lru_cache(maxsize=4096)
def _update_text(
    table: str, key: tuple[str, ...], named: tuple[str, ...], removed: tuple[str, ...], where: tuple[Compared, ...]
) -> str | None:
    """The UPDATE of an item, its parameters in the order of ``named``, ``key`` and ``where``; None: there is none."""
    steps = [step for _, path in where for step in path]
    if not all(map(_is_plain, (*key, *named, *removed, *steps))) or any(path[0] in key for _, path in where):
        return None
    if all(kind is Absent for kind, _ in where):  # the update would make an item
        return None
    changes = [f'SET "{name}"=?' for name in named] + [f'REMOVE "{name}"' for name in removed]
    terms = [f'"{name}"=?' for name in key] + [_term(kind, path) for kind, path in where]
    return f'UPDATE "{table}" {" ".join(changes)} WHERE {" AND ".join(terms)}'


def _term(kind: type[Term], path: Path) -> str:
    name = ".".join([f'"{step}"' for step in path])
    if kind is Equals:
        return f"{name}=?"
    if kind is Less:
        return f"{name}<?"
    return f"{name} IS {'' if kind is Absent else 'NOT '}MISSING"


def _limited(text: str | None, parameters: list[AttributeValue], certain: bool = True) -> Statement | None:
    if text is None or len(text) > STATEMENT_LIMIT or sum(map(_bytes, parameters)) > STATEMENT_BYTES:
        return None
    return Statement(text, parameters, certain)


def _bytes(value: AttributeValue) -> int:
    """About the length of a parameter, quickly."""
    text = value.get("S")
    return len(text) if text is not None else len(orjson.dumps(value))


def _terms(condition: Condition | None) -> list[Term] | None:
    """The terms that must all hold, each about one path; None when the condition is of another form."""
    if isinstance(condition, AllOf):
        parts = [_terms(member) for member in condition.conditions]
        return None if None in parts else [term for part in parts if part is not None for term in part]
    return [condition] if isinstance(condition, Absent | Equals | Exists | Less) else None


def _is_plain(name: str) -> bool:
    """Whether a quoted name needs no escapes."""
    return '"' not in name and "\\" not in name


class WriteGroup:
    """The writes of one call, and what is known of them."""

    def __init__(self, asked: Sequence[AskedWrite], statements: Sequence[Statement | None]) -> None:
        self.asked = asked
        self.statements = statements
        self.alone = {index for index, statement in enumerate(statements) if statement is None}
        self._lost: set[int] = set()

    def together(self) -> dict[int, Statement]:
        """The statements that are still to be sent with others, by index of the write."""
        open_writes = [index for index in self._open() if index not in self.alone]
        return {index: statement for index in open_writes if (statement := self.statements[index]) is not None}

    def by_themselves(self) -> list[int]:
        """The writes that are still to be sent in requests of their own."""
        return [index for index in self._open() if index in self.alone]

    def put_all_alone(self) -> None:
        """Have every write that is not settled sent in a request of its own."""
        self.alone.update(self._open())

    def lose(self, indexes: Iterable[int]) -> None:
        """Record that these writes may have been made though no answer said so."""
        self._lost.update(indexes)

    def settle(self, index: int, outcome: WriteOutcome) -> None:
        """Give a write its outcome. One that is refused after a lost answer may have been made."""
        answer = self.asked[index].outcome
        if not answer.done():
            answer.set_result("unknown" if outcome == "refused" and index in self._lost else outcome)

    def refuse(self, index: int) -> None:
        """Record that a statement was refused."""
        statement = self.statements[index]
        if statement is not None and not statement.certain:
            self.alone.add(index)
        else:
            self.settle(index, "refused")

    def fail(self, index: int, error: Exception) -> None:
        """Give a write an error as its outcome."""
        answer = self.asked[index].outcome
        if not answer.done():
            answer.set_exception(error)
            answer.exception()  # whoever asked may have been cancelled: then nobody reads it

    def _open(self) -> Iterator[int]:
        """The writes without an outcome for which somebody still waits."""
        return (index for index, asked in enumerate(self.asked) if not asked.outcome.done())


class PartiQLWrites:
    """Makes groups of conditional updates. It finds out once per table whether the server has PartiQL and allows it."""

    def __init__(self, caller: Caller, try_one: TryOne) -> None:
        self._caller = caller
        self._try_one = try_one
        self._available: dict[str, bool] = {}

    async def write(self, table: str, asked: Sequence[AskedWrite], fence: Fence | None) -> None:
        """See ``BatchStore.try_write_many``."""
        available = await self._is_available(table, asked[0].write.key)
        group = WriteGroup(asked, [statement_of(one.write) if available else None for one in asked])
        await self._write_together(table, group, fence)
        await self._write_alone(group, fence)

    async def _is_available(self, table: str, key: Item) -> bool:
        if table not in self._available:
            self._available[table] = await self._caller.persist(partial(self._probe, table, key))
        return self._available[table]

    async def _probe(self, table: str, key: Item) -> bool:
        """Whether PartiQL can be used: send two statements that only true PartiQL refuses, each for its own reason.

        moto answers with status 500; a policy without dynamodb:PartiQLInsert and dynamodb:PartiQLUpdate denies the request.
        """
        value = {"S": "x"}
        update = statement_of(Update(table, key, {PROBE: value}, condition=Equals((PROBE,), value)))
        if update is None:
            return False
        insert = Statement(insert_statement(table, (PROBE,)), [value])
        try:
            answer = await self._post(table, [insert, update], None)
        except (Stopped, Poison):
            return False
        except Retryable as error:
            if error.reason != "server_error":
                raise
            return False
        return [response.get("Error", {}).get("Code") for response in answer["Responses"]] == REFUSED_PROBES

    async def _write_together(self, table: str, group: WriteGroup, fence: Fence | None) -> None:
        async def attempt() -> None:
            statements = group.together()
            if not statements:
                return
            try:
                answer = await self._post(table, list(statements.values()), fence)
            except Retryable as failure:
                if not isinstance(failure, Throttled):
                    group.lose(list(statements))
                raise
            self._settle(table, group, list(statements), answer)

        try:
            await self._caller.persist(attempt)
        except Poison:
            # One bad item can make the whole request invalid; separate requests show which one it is.
            group.put_all_alone()

    def _settle(self, table: str, group: WriteGroup, indexes: list[int], answer: Answer) -> None:
        """Give each write its outcome. Raises a temporary error that a statement met, so that the caller sends it again."""
        call = self._caller.transport.describe(OPERATION, table)
        temporary: list[Retryable] = []
        for index, response in zip(indexes, answer["Responses"], strict=True):
            failure = response.get("Error", {})
            if not failure:
                group.settle(index, "written")
                continue
            if failure["Code"] in TAKEN:
                group.refuse(index)
                continue
            error = coded_error(call, failure["Code"], failure.get("Message", ""))
            if isinstance(error, Poison):
                group.alone.add(index)
            elif isinstance(error, Retryable):
                temporary.append(error)
                if not isinstance(error, Throttled):
                    group.lose([index])
            else:
                group.fail(index, error)
        if temporary:
            raise next((error for error in temporary if isinstance(error, Throttled)), temporary[0])

    async def _write_alone(self, group: WriteGroup, fence: Fence | None) -> None:
        async def write(index: int) -> None:
            try:
                group.settle(index, await self._try_one(group.asked[index].write, fence))
            except Exception as error:  # noqa: BLE001 - whoever asked for the write raises it
                group.fail(index, error)

        await asyncio.gather(*map(write, group.by_themselves()))

    async def _post(self, table: str, statements: list[Statement], fence: Fence | None) -> Answer:
        requests = [statement.request for statement in statements]
        return await self._caller.once(OPERATION, table, {"Statements": requests, **MEASURED}, fence)
