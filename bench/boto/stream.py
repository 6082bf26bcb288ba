"""Clients, and the old table's stream read with plain boto3. How far it was read is saved after each page."""

import time
from collections.abc import Iterator
from typing import Any

import boto3

from service.config import Settings
from service.core.item.change import Change, parse_record
from service.core.mapping.mapping import Mapping

PAUSE_SECONDS = 0.2


def client(url: str, service: str = "dynamodb") -> Any:
    """A boto3 client of the server at ``url``."""
    credentials = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    return boto3.client(service, endpoint_url=url, region_name="ap-southeast-2", **credentials)


def pages(dynamodb: Any, mapping: Mapping, changes: int, table: str | None = None) -> Iterator[list[Change]]:
    """The first ``changes`` changes of a table's stream, page by page. ``table``: None: the old one."""
    table = table or mapping.old.table
    streams = client(dynamodb.meta.endpoint_url, "dynamodbstreams")
    arn = dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    shards = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    for shard_id in [shard["ShardId"] for shard in shards]:
        position = {"StreamArn": arn, "ShardId": shard_id, "ShardIteratorType": "TRIM_HORIZON"}
        iterator = streams.get_shard_iterator(**position)["ShardIterator"]
        while iterator is not None and changes > 0:
            answer = streams.get_records(ShardIterator=iterator, Limit=1000)
            iterator = answer.get("NextShardIterator")
            if answer["Records"]:
                changes -= len(answer["Records"])
                yield [parse_record(_dated(record), table=table, shard_id=shard_id) for record in answer["Records"]]
            else:
                time.sleep(PAUSE_SECONDS)  # real time, as in a script: the stream has nothing new yet


def save_position(dynamodb: Any, change: Change) -> None:
    """Save that everything up to ``change`` is applied."""
    key = {"pk": {"S": f"position#{change.table}"}, "sk": {"S": change.shard_id}}
    dynamodb.put_item(TableName=Settings().control_table, Item={**key, "sequence": {"S": change.sequence}})


def _dated(record: dict[str, Any]) -> dict[str, Any]:
    """The record with its date as the number that boto3 has made a datetime of."""
    content = record["dynamodb"]
    return {
        **record,
        "dynamodb": {**content, "ApproximateCreationDateTime": content["ApproximateCreationDateTime"].timestamp()},
    }
