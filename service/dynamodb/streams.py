"""The operations of DynamoDB Streams."""

from typing import Any

from service.core.item.wire import AttributeValue, Item
from service.dynamodb.caller import Caller, Request
from service.dynamodb.protocol import IteratorType, RecordsPage, ShardDescription, StreamDescription


class StreamOperations:
    """Implements ``StreamStore``; the protocol documents the methods."""

    def __init__(self, caller: Caller) -> None:
        self._streams = caller

    async def describe_stream(
        self, arn: str, *, children_of: str | None = None, after: str | None = None, whole: bool = True
    ) -> StreamDescription:
        request: Request = {"StreamArn": arn}
        if after is not None:
            request["ExclusiveStartShardId"] = after
        if children_of is not None:
            request["ShardFilter"] = {"Type": "CHILD_SHARDS", "ShardId": children_of}
        shards: list[ShardDescription] = []
        while True:
            content = (await self._streams.call("DescribeStream", arn, request))["StreamDescription"]
            shards += [_shard(shard) for shard in content.get("Shards", ())]
            if (last := content.get("LastEvaluatedShardId")) is None or not whole:
                break
            request["ExclusiveStartShardId"] = last
        # A server that ignores ShardFilter (moto) lists every shard.
        listed = tuple(shard for shard in shards if children_of is None or shard.parent_id == children_of)
        return StreamDescription(arn, content["StreamStatus"], content["StreamViewType"], listed, last)

    async def shard_iterator(self, arn: str, shard_id: str, kind: IteratorType, sequence: str | None = None) -> str:
        request: Request = {"StreamArn": arn, "ShardId": shard_id, "ShardIteratorType": kind}
        if sequence is not None:
            request["SequenceNumber"] = sequence
        answer = await self._streams.call("GetShardIterator", f"{arn} shard {shard_id}", request)
        iterator: str = answer["ShardIterator"]
        return iterator

    async def get_records(self, iterator: str, limit: int = 1000) -> RecordsPage:
        answer = await self._streams.call("GetRecords", _arn_of(iterator), {"ShardIterator": iterator, "Limit": limit})
        return RecordsPage([_restored_record(record) for record in answer["Records"]], answer.get("NextShardIterator"))


def _shard(shard: dict[str, Any]) -> ShardDescription:
    numbers = shard["SequenceNumberRange"]
    return ShardDescription(
        shard_id=shard["ShardId"],
        parent_id=shard.get("ParentShardId"),
        starting=numbers["StartingSequenceNumber"],
        ending=numbers.get("EndingSequenceNumber"),
    )


def _restored_record(record: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = record["dynamodb"]
    images = {name: _restored_image(content[name]) for name in ("OldImage", "NewImage") if name in content}
    return {**record, "dynamodb": {**content, **images}}


def _restored_image(image: Item) -> Item:
    return {
        name: value if value and "M" not in value and "L" not in value else _restored(value)
        for name, value in image.items()
    }


def _restored(value: AttributeValue) -> AttributeValue:
    """The value, with empty maps restored: in a stream's images DynamoDB Local writes ``{}`` for ``{"M": {}}``, at any depth."""
    if not value:
        return {"M": {}}
    if "M" in value:
        return {"M": _restored_image(value["M"])}
    if "L" in value:
        return {"L": [_restored(element) for element in value["L"]]}
    return value


def _arn_of(iterator: str) -> str:
    """The ARN of an iterator's stream, for messages only. DynamoDB's iterators begin with the ARN and a bar."""
    head, bar, _ = iterator.partition("|")
    return head if bar else "a shard"
