"""AWS's answers about a plain old table of the small CRM, as data; a test changes what it is about."""

from typing import Any

from tests.fakes.aws_account import Answer, Refusal

ARN = "arn:aws:dynamodb:ap-southeast-2:123456789012:table/old"
STREAM = f"{ARN}/stream/2026-01-02T03:04:05.678"
KEY = "arn:aws:kms:ap-southeast-2:123456789012:key/0b1c2d3e"
PLAIN: dict[str, Any] = {
    "TableName": "old",
    "TableArn": ARN,
    "TableStatus": "ACTIVE",
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
    "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
    "ProvisionedThroughput": {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
    "ItemCount": 3,
    "TableSizeBytes": 999,
    "WarmThroughput": {"ReadUnitsPerSecond": 12000, "WriteUnitsPerSecond": 4000, "Status": "ACTIVE"},
}
WITH_STREAM = {
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    "LatestStreamArn": STREAM,
}
SCALED = {
    "ServiceNamespace": "dynamodb",
    "ResourceId": "table/old",
    "RoleARN": "r",
    "CreationTime": 1,
    "MinCapacity": 1,
}


def answers(table: dict[str, Any] | None = None, **changes: Answer | Refusal) -> dict[str, Answer | Refusal]:
    """The answers of every call that preflight makes about the old table; ``table``: what its description has more."""
    return {
        "DescribeTable": {"Table": {**PLAIN, **(table or {})}},
        "DescribeContinuousBackups": recovery("DISABLED"),
        "DescribeTimeToLive": {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}},
        "ListTagsOfResource": {"Tags": []},
        "GetResourcePolicy": Refusal("PolicyNotFoundException", "Resource-based policy not found for the provided ARN"),
        "DescribeKinesisStreamingDestination": {"TableName": "old", "KinesisDataStreamDestinations": []},
        "DescribeScalableTargets": {"ScalableTargets": []},
        "ListEventSourceMappings": {"EventSourceMappings": []},
        "ListPipes": {"Pipes": []},
        "ListTables": {"TableNames": ["old"]},
        **changes,
    }


def recovery(status: str, **more: Any) -> Answer:
    """The answer of DescribeContinuousBackups."""
    return {
        "ContinuousBackupsDescription": {
            "ContinuousBackupsStatus": "ENABLED",
            "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": status, **more},
        }
    }


def tags(**values: str) -> Answer:
    """The answer of ListTagsOfResource; ``_`` in a name stands for ``:``."""
    return {"Tags": [{"Key": name.replace("_", ":"), "Value": value} for name, value in values.items()]}
