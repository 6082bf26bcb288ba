"""Stream records as the Kinesis adapter hands them over, in the wire form of GetRecords."""

from collections.abc import Sequence
from typing import Any

MILLISECONDS = 1000


def wire_record(record: dict[str, Any]) -> dict[str, Any]:
    """The adapter's JSON as GetRecords answers it. They differ in one thing: ApproximateCreationDateTime is in milliseconds.
    (An absent image is ``{}``; ``core.change`` takes that for none.)"""
    content = record["dynamodb"]
    created = content.get("ApproximateCreationDateTime")
    if created is None:
        return record
    return {**record, "dynamodb": {**content, "ApproximateCreationDateTime": created / MILLISECONDS}}


def after(records: Sequence[dict[str, Any]], sequence: str | None) -> list[dict[str, Any]]:
    """The records of one shard that come after ``sequence`` (None: all). KCL delivers from its own checkpoint, which may lie
    behind the saved position, never beyond it."""
    if sequence is None:
        return list(records)
    last = int(sequence)
    return [record for record in records if int(record["dynamodb"]["SequenceNumber"]) > last]


def lower(one: str | None, other: str | None) -> str | None:
    """The lower of two sequence numbers of one shard; None when either is."""
    return None if one is None or other is None else min(one, other, key=int)
