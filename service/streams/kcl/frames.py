"""What a child of the Kinesis Client Library's daemon and the service say to each other, over a Unix socket.

The child asks, the service answers, one frame each: the length (4 bytes, big-endian), then a JSON document. It is all that
the child needs of tablesplit, so that a child for each shard stays small.

questions: ``{"ask": "open", "stream": ARN, "shard": ID}``, ``{"ask": "apply", "records": [...]}`` (each as the adapter's JSON),
``{"ask": "end"}``, ``{"ask": "leave"}``. answer: ``{"checkpoint": SEQUENCE or null, "lost": true or false}``.
"""

import json
import struct
from collections.abc import Iterable
from typing import Any

HEADER = struct.Struct(">I")

LONGEST_BYTES = 64 * 1024 * 1024
"""GetRecords answers with 1 MB at most, which as JSON, binary as base64, grows a few times."""


def framed(document: bytes) -> bytes:
    """A JSON document as a frame."""
    return HEADER.pack(len(document)) + document


def frame_length(header: bytes) -> int:
    """How many bytes follow a header. Raises ConnectionError when it cannot be one of ours."""
    length: int = HEADER.unpack(header)[0]
    if length > LONGEST_BYTES:
        raise ConnectionError(f"a frame of {length} bytes: not of ours")
    return length


def opening(stream: str, shard: str) -> bytes:
    """The question that comes first."""
    return json.dumps({"ask": "open", "stream": stream, "shard": shard}).encode()


def batch(records: Iterable[bytes]) -> bytes:
    """The question that brings records, each a JSON document already."""
    return b'{"ask":"apply","records":[' + b",".join(records) + b"]}"


def bare(ask: str) -> bytes:
    """A question without more: ``end`` or ``leave``."""
    return json.dumps({"ask": ask}).encode()


def answer(checkpoint: str | None = None, *, lost: bool = False) -> bytes:
    """checkpoint: the sequence number up to which everything is applied and saved; None: nothing new. lost: another worker has
    claimed the shard, what was brought is not applied."""
    return json.dumps({"checkpoint": checkpoint, "lost": lost}).encode()


def document(frame: bytes) -> dict[str, Any]:
    """The content of a frame. Raises ConnectionError for what is no JSON object."""
    try:
        content = json.loads(frame)
    except ValueError as error:
        raise ConnectionError("a frame that is no JSON") from error
    if not isinstance(content, dict):
        raise ConnectionError("a frame that is no JSON object")
    return content
