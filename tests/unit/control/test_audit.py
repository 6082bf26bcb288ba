"""The audit log: what was done stands there, and what was done to it shows."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest
import structlog
from structlog.testing import capture_logs

from service.config import Settings
from service.control.audit import Audit
from service.control.table import ControlTable
from service.core.item.write import Delete, Put
from service.log import configure_log
from tests.fakes.clocks import VirtualClock
from tests.fakes.memory import MemoryDynamoDB

Tamper = Callable[[MemoryDynamoDB], Awaitable[object]]


def key(number: int) -> dict[str, Any]:
    return {"pk": {"S": "audit"}, "sk": {"S": f"{number:012d}"}}


@pytest.fixture
def memory() -> MemoryDynamoDB:
    db = MemoryDynamoDB()
    db.create_table("control", ("pk", "sk"))
    return db


def log(memory: MemoryDynamoDB, who: str = "ada") -> Audit:
    return Audit(ControlTable(memory, "control"), VirtualClock(), who)


async def filled(memory: MemoryDynamoDB) -> Audit:
    audit = log(memory)
    for number in range(4):
        await audit.append("move begun", f"reason {number}", {"to": "dual"})
    return audit


async def test_an_untouched_log_is_whole(memory: MemoryDynamoDB) -> None:
    audit = await filled(memory)
    assert (await audit.verify()).to_json()["result"] == "ok"
    assert [(one.number, one.who, one.why) for one in await audit.all()][2] == (3, "ada", "reason 2")


async def test_an_empty_log_is_whole(memory: MemoryDynamoDB) -> None:
    assert (await log(memory).verify()).ok


async def test_two_writers_at_once_make_one_chain(memory: MemoryDynamoDB) -> None:
    async def let_go(operation: str, subject: object) -> None:
        await asyncio.sleep(0)

    memory.before = let_go
    both = (log(memory, "ada"), log(memory, "bob"))
    await asyncio.gather(*(audit.append("hold", "", {}) for audit in both for _ in range(5)))
    verdict = await both[0].verify()
    assert (verdict.ok, verdict.records) == (True, 10)


def edit(memory: MemoryDynamoDB, number: int, **changes: Any) -> None:
    item = memory.item("control", key(number))
    assert item is not None
    document = {**orjson.loads(item["document"]["S"]), **changes}
    memory.apply(Put("control", {**item, "document": {"S": orjson.dumps(document).decode()}}))


def renumber(memory: MemoryDynamoDB) -> None:
    """Remove the third record, and move the fourth into its place."""
    item = memory.item("control", key(4))
    assert item is not None
    document = {**orjson.loads(item["document"]["S"]), "number": 3}
    memory.apply(Put("control", {**item, **key(3), "document": {"S": orjson.dumps(document).decode()}}))
    memory.apply(Delete("control", key(4)))


@pytest.mark.parametrize(
    ("tamper", "message"),
    [
        (lambda memory: edit(memory, 2, why="another reason"), "record 2 was edited"),
        (lambda memory: edit(memory, 2, who="eve"), "record 2 was edited"),
        (lambda memory: edit(memory, 2, facts={"to": "forward"}), "record 2 was edited"),
        (lambda memory: edit(memory, 2, at=0.0), "record 2 was edited"),
        (lambda memory: memory.apply(Delete("control", key(2))), "record 2 is missing"),
        (lambda memory: memory.apply(Delete("control", key(1))), "record 1 is missing"),
        (lambda memory: memory.apply(Delete("control", key(4))), "the log ends at 3; it should end at 4"),
        (renumber, "record 3 does not follow on the one before it"),
    ],
)
async def test_what_is_done_to_the_log_shows(
    memory: MemoryDynamoDB, tamper: Callable[[MemoryDynamoDB], object], message: str
) -> None:
    audit = await filled(memory)
    tamper(memory)
    verdict = await audit.verify()
    assert not verdict.ok
    assert message in verdict.broken


async def test_a_log_that_is_gone_shows(memory: MemoryDynamoDB) -> None:
    audit = await filled(memory)
    for number in range(1, 5):
        memory.apply(Delete("control", key(number)))
    assert (await audit.verify()).broken == ("the log ends at 0; it should end at 4",)


async def test_a_log_that_was_written_anew_does_not_have_the_hash_that_was_kept(memory: MemoryDynamoDB) -> None:
    audit = await filled(memory)
    kept = [record.hash for record in await audit.all()]
    for number in range(1, 5):
        memory.apply(Delete("control", key(number)))
    memory.apply(Delete("control", {"pk": {"S": "audit end"}, "sk": {"S": "end"}}))
    for number in range(4):
        await log(memory, "eve").append("move begun", f"reason {number}", {"to": "dual"})
    assert (await audit.verify()).ok
    verdict = await audit.verify([kept[2]])
    assert verdict.broken == (f"no record has the hash {kept[2]}: the log was written anew, or cut off",)
    assert verdict.to_json()["result"] == "broken"


async def test_a_hash_that_was_kept_proves_the_log_up_to_its_record(memory: MemoryDynamoDB) -> None:
    audit = await filled(memory)
    kept = [record.hash for record in await audit.all()]
    assert "by itself only" in (await audit.verify()).to_text()
    verdict = await audit.verify([kept[0], kept[2]])
    assert (verdict.ok, verdict.proven) == (True, 3)
    assert "proven up to record 3" in verdict.to_text()


async def test_a_hash_proves_nothing_in_a_log_that_was_edited_before_it(memory: MemoryDynamoDB) -> None:
    audit = await filled(memory)
    kept = (await audit.all())[3].hash
    edit(memory, 2, who="eve")
    verdict = await audit.verify([kept])
    assert (verdict.ok, verdict.proven) == (False, 0)


async def test_the_hash_of_each_record_is_logged(memory: MemoryDynamoDB) -> None:
    with capture_logs() as lines:
        newest = await log(memory).append("hold", "why", {})
    (line,) = lines
    assert (line["event"], line["number"], line["hash"]) == ("audit record", newest.number, newest.hash)
    assert newest.hash == (await log(memory).all())[0].hash


@pytest.mark.parametrize("level", ["warning", "error"])
async def test_the_hash_is_logged_whatever_the_level_is(
    memory: MemoryDynamoDB, capsys: pytest.CaptureFixture[str], level: Any
) -> None:
    configure_log(Settings(log_format="json", log_level=level))
    try:
        newest = await log(memory).append("hold", "why", {})
    finally:
        structlog.reset_defaults()
    assert orjson.loads(capsys.readouterr().err)["hash"] == newest.hash
