"""What is measured of several processes: the stream that they share, and the tables of docs/SCALE.md."""

import orjson
import pytest

from bench import site
from bench.cores import MARKED, PAGE, PARTS, filled
from bench.items import Kinds
from bench.memory.stream import FIRST, MemoryStream

ITEMS, SHARDS = 25, 4
ARN = "arn:aws:dynamodb:eu-central-1:1:table/old/stream/2026-01-01T00:00:00.000"


@pytest.fixture(scope="module")
def stream() -> MemoryStream:
    return MemoryStream(Kinds(site.mapping(), ITEMS), ITEMS, SHARDS, created=1)


def numbers(stream: MemoryStream, iterator: str) -> list[int]:
    """The changes from an iterator on, three in a page."""
    found: list[int] = []
    while True:
        answer = orjson.loads(stream.records({"ShardIterator": iterator, "Limit": 3}))
        if not answer["Records"]:
            return found
        found += [int(record["dynamodb"]["SequenceNumber"]) - FIRST for record in answer["Records"]]
        iterator = answer["NextShardIterator"]


def shards(stream: MemoryStream, **asked: object) -> list[str]:
    description = stream.description({"StreamArn": ARN, **asked})
    assert description is not None
    return [shard["ShardId"] for shard in orjson.loads(description)["StreamDescription"]["Shards"]]


def iterator(stream: MemoryStream, shard: str, **after: str) -> str:
    answer: str = orjson.loads(stream.iterator({"ShardId": shard, "ShardIteratorType": "TRIM_HORIZON", **after}))[
        "ShardIterator"
    ]
    return answer


def test_the_shards_share_all_changes(stream: MemoryStream) -> None:
    of_shards = [numbers(stream, iterator(stream, shard)) for shard in shards(stream)]
    assert len(of_shards) == SHARDS
    assert sorted(number for found in of_shards for number in found) == list(range(ITEMS))
    assert shards(stream, ShardFilter={"Type": "CHILD_SHARDS", "ShardId": "any"}) == []


def test_a_shard_is_read_on_after_the_change_that_was_read_last(stream: MemoryStream) -> None:
    shard = shards(stream)[1]
    whole = numbers(stream, iterator(stream, shard))
    for place, number in enumerate(whole):
        after = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": str(FIRST + number)}
        assert numbers(stream, iterator(stream, shard, **after)) == whole[place + 1 :]


def test_a_single_shard_is_described_by_the_other_server() -> None:
    assert MemoryStream(Kinds(site.mapping(), ITEMS), ITEMS, 1, created=1).description({"StreamArn": ARN}) is None


def test_the_page_has_the_tables_of_both_parts() -> None:
    page = PAGE.read_text(encoding="utf-8")
    marked = {mark["name"]: mark[0] for mark in MARKED.finditer(page)}
    assert marked.keys() == PARTS.keys()
    assert all("\n|---|" in table for table in marked.values()), "run `make cores`"


def test_a_part_that_was_not_measured_keeps_its_table() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert filled(page, {}) == page
    assert "| new |" in filled(page, {"workers": ["| new |"]})
