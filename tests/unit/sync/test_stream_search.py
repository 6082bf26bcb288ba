"""The search for our own writes in the part of a stream that its lane has not passed."""

import asyncio
from dataclasses import dataclass, replace

import pytest

from service.control.checkpoints import Checkpoints
from service.control.state import MigrationState, new_state
from service.core.item.wire import Item
from service.core.item.write import Delete, Put
from service.core.shards import Position
from service.errors import IteratorExpired, StreamGone, Trimmed
from service.sync.stream_search import StreamSearch
from tests.builders.small_crm import MAPPING, lead, lead_key, v2_of
from tests.fakes.memory_stream import MemoryStream
from tests.worlds.start_world import Started

VERSION = f"0001.{'0' * 39}7"
NAMES = ("a", "b", "c", "d", "e")


@dataclass
class Searched:
    """A v2 table whose stream has several shards, and a search in it."""

    started: Started
    state: MigrationState
    search: StreamSearch

    @property
    def stream(self) -> MemoryStream:
        return self.started.db.stream("leads")

    def write(self, name: str, version: str = VERSION) -> None:
        """A write of ours."""
        item = v2_of(lead(name))
        item["_sync"]["M"]["v"] = {"S": version}
        self.started.db.apply(Put("leads", {**item, **key(name)}))

    async def has(self, name: str, version: str = VERSION) -> bool:
        return await self.search.has("leads", key(name), version)

    async def save(self, positions: dict[str, Position]) -> None:
        arn = self.state.v2_streams["leads"]
        checkpoints = Checkpoints(self.started.control, arn, MAPPING.hash)
        for shard, position in positions.items():
            await checkpoints.save(shard, position)

    def shard_of(self, name: str) -> str:
        sequences = {
            shard: [sequence for sequence, content in records.records if lead_name(content) == name]
            for shard, records in self.stream._all.items()
        }
        return next(shard for shard, found in sequences.items() if found)


def key(name: str) -> Item:
    """Partition keys that lie in different shards."""
    return {"PK": {"S": f"LEAD{name}"}, "SK": lead_key(name)["SK"]}


def lead_name(content: bytes) -> str:
    return content.decode().partition('"PK":{"S":"LEAD')[2][0]


@pytest.fixture
def searched() -> Searched:
    started = Started()
    arn = started.db.create_table("leads", ("PK", "SK"), shards=3)
    state = replace(new_state(MAPPING, 0.0), v2_streams={"leads": arn}, stream_arn=None)
    return Searched(started, state, StreamSearch(started.app, state))


async def test_a_write_is_found_in_whatever_shard_it_lies(searched: Searched) -> None:
    for name in NAMES:
        searched.write(name)
    assert len({searched.shard_of(name) for name in NAMES}) > 1
    assert all([await searched.has(name) for name in NAMES])
    assert not await searched.has("f")


@pytest.mark.parametrize(
    ("stamped", "found"),
    [(VERSION, True), (f"{VERSION}.0001", True), (f"0001.{'0' * 39}6", False), (f"0001.{'0' * 39}8", False)],
)
async def test_a_repetition_is_a_write_of_the_claim_and_another_version_is_none(
    searched: Searched, stamped: str, found: bool
) -> None:
    searched.write("a", stamped)
    assert await searched.has("a") is found


async def test_a_write_that_was_replaced_since_is_found(searched: Searched) -> None:
    searched.write("a")
    searched.started.db.apply(Put("leads", {**v2_of(lead("a"), _sync=None), **key("a")}))
    searched.started.db.apply(Delete("leads", key("a")))
    assert await searched.has("a")


async def test_a_copy_of_our_stamp_under_another_key_is_none(searched: Searched) -> None:
    item = {**v2_of(lead("a")), **key("a")}
    item["_sync"]["M"] |= {"v": {"S": VERSION}, "k": {"S": "00000000"}}
    searched.started.db.apply(Put("leads", item))
    assert not await searched.has("a")


async def test_only_what_the_lane_has_not_passed_is_read(searched: Searched) -> None:
    searched.write("a")
    shard = searched.shard_of("a")
    await searched.save({shard: Position(None, str(searched.stream.last_sequence(shard)))})
    assert not await searched.has("a")
    searched.write("a", f"{VERSION}.0001")
    assert await searched.has("a")


async def test_a_finished_shard_is_not_read_and_its_child_is(searched: Searched) -> None:
    searched.write("a")
    parent = searched.shard_of("a")
    (child,) = searched.stream.split(parent, 1)
    searched.write("a", f"{VERSION}.0001")
    last = str(searched.stream.last_sequence(parent))
    await searched.save({parent: Position(None, last, "finished")})
    assert await searched.has("a")
    sequence = str(searched.stream.last_sequence(child))
    await searched.save({parent: Position(None, last, "finished"), child: Position(parent, sequence)})
    assert not await searched.has("a")


async def test_one_search_answers_every_question_that_was_asked_before_it(searched: Searched) -> None:
    """The second and the third are asked while the first is answered."""
    clock = searched.started.clock
    searches: list[object] = []

    async def slowly(operation: str, subject: object) -> None:
        if operation == "describe_stream":
            searches.append(subject)
            await clock.sleep(1)

    searched.write("a")
    searched.started.db.before = slowly
    asked = [asyncio.ensure_future(searched.has(name)) for name in ("a", "b", "a")]
    await clock.advance(10)
    assert ([await one for one in asked], len(searches)) == ([True, False, True], 2)


async def test_a_later_question_is_answered_by_a_new_search(searched: Searched) -> None:
    assert not await searched.has("a")
    searched.write("a")
    assert await searched.has("a")


async def test_an_expired_iterator_is_replaced(searched: Searched) -> None:
    searched.write("a")

    async def expire(operation: str, subject: object) -> None:
        if operation == "get_records":
            searched.started.db.before = None
            raise IteratorExpired("expired")

    searched.started.db.before = expire
    assert await searched.has("a")


@pytest.mark.parametrize("failure", [Trimmed("trimmed"), StreamGone("gone")], ids=["trimmed", "gone"])
async def test_what_cannot_be_read_is_never_taken_for_not_found(searched: Searched, failure: Exception) -> None:
    async def fail(operation: str, subject: object) -> None:
        if operation == "shard_iterator":
            raise failure

    searched.started.db.before = fail
    with pytest.raises(type(failure)):
        await searched.has("a")
