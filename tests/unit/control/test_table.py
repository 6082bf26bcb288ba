"""The control table: revisions, lost answers, tokens, and damaged records."""

from typing import Any

import pytest

from service.control.table import ControlTable, Records
from service.core.item.write import Put
from service.errors import Fatal, Retryable
from tests.fakes.memory import MemoryDynamoDB

CONTROL = "control"


@pytest.fixture
def store() -> MemoryDynamoDB:
    memory = MemoryDynamoDB()
    memory.create_table(CONTROL, ["pk", "sk"])
    return memory


@pytest.fixture
def records(store: MemoryDynamoDB) -> Records[dict[str, Any]]:
    return ControlTable(store, CONTROL).records("things", dict[str, Any])


async def test_a_record_is_read_back_as_it_was_written(records: Records[dict[str, Any]]) -> None:
    await records.put("a", {"n": 1, "text": "\u00fc"}, None)
    stored = await records.get("a")
    assert stored is not None
    assert stored.value == {"n": 1, "text": "\u00fc"}
    assert list(await records.all()) == ["a"]


async def test_a_write_on_an_outdated_revision_is_refused(records: Records[dict[str, Any]]) -> None:
    first = await records.put("a", {"n": 1}, None)
    assert await records.put("a", {"n": 2}, first) is not None
    assert await records.put("a", {"n": 3}, first) is None
    assert await records.put("a", {"n": 4}, None) is None
    assert first is not None
    assert not await records.remove("a", first)


async def test_a_write_whose_answer_was_lost_counts_as_written(
    store: MemoryDynamoDB, records: Records[dict[str, Any]]
) -> None:
    class Twice(MemoryDynamoDB):
        """Sends each write twice, as the data plane does when the first answer is lost."""

        async def write(self, write: Any, **kwargs: Any) -> bool:
            await store.write(write, **kwargs)
            return await store.write(write, **kwargs)

        async def get(self, table: str, key: Any) -> Any:
            return await store.get(table, key)

    retried = ControlTable(Twice(), CONTROL).records("things", dict[str, Any])
    stored = await retried.put("a", {"n": 1}, None)
    assert stored is not None
    assert stored == await records.get("a")


async def test_change_is_made_again_on_what_another_writer_left(
    store: MemoryDynamoDB, records: Records[dict[str, Any]]
) -> None:
    other = ControlTable(store, CONTROL).records("things", dict[str, Any])
    seen: list[object] = []

    async def meanwhile(operation: str, subject: object) -> None:
        if operation == "write" and not seen:
            seen.append(subject)
            await other.save("a", {"n": 41})

    store.before = meanwhile
    assert await records.change("a", lambda was: {"n": was["n"] + 1} if was else {"n": 0}) == {"n": 42}


async def test_change_gives_up_when_the_record_never_holds_still(
    store: MemoryDynamoDB, records: Records[dict[str, Any]]
) -> None:
    store_write = store.write

    async def always_late(write: Put, **_: Any) -> bool:
        return False

    store.write = always_late  # type: ignore[assignment, method-assign]
    with pytest.raises(Retryable, match="control table control: things/a is contended"):
        await records.change("a", lambda _: {"n": 0})
    store.write = store_write  # type: ignore[method-assign]


async def test_a_superseded_token_neither_writes_nor_deletes(records: Records[dict[str, Any]]) -> None:
    assert await records.save("a", {"by": 9}, token=9)
    assert await records.save("a", {"by": 10}, token=10)
    assert not await records.save("a", {"by": 9}, token=9)
    assert not await records.forget("a", token=9)
    stored = await records.get("a")
    assert stored is not None
    assert stored.value == {"by": 10}
    assert await records.forget("a", token=10)
    assert await records.get("a") is None


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"document": {"S": "{"}, "rev": {"S": "1"}}, "document: Invalid JSON"),
        ({"document": {"S": "[]"}, "rev": {"S": "1"}}, "document: Input should be an object"),
        ({"rev": {"S": "1"}}, "no attribute 'document'"),
        ({"document": {"S": "{}"}}, "no attribute 'rev'"),
    ],
)
async def test_an_edited_record_stops_with_the_remedy(
    store: MemoryDynamoDB, records: Records[dict[str, Any]], item: dict[str, Any], reason: str
) -> None:
    store.apply(Put(CONTROL, {"pk": {"S": "things"}, "sk": {"S": "a"}, **item}))
    with pytest.raises(Fatal) as stopped:
        await records.get("a")
    assert stopped.value.message.startswith(f"control table control: record things/a is damaged ({reason}")
    assert "restore the table" in stopped.value.remedy


async def test_records_are_read_page_by_page_after_a_name(records: Records[dict[str, Any]]) -> None:
    for name in "abcde":
        await records.put(name, {}, None)
    assert list(await records.after("", 2)) == ["a", "b"]
    assert list(await records.after("b", 2)) == ["c", "d"]
    assert list(await records.after("bb", None)) == ["c", "d", "e"]
    assert await records.after("e", 2) == {}
