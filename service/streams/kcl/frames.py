"""The protocol between a child of the Kinesis Client Library's daemon and the service, over a Unix socket.

The child asks and the service answers, one frame each: the length (4 bytes, big-endian), then a JSON document. The child needs
nothing else of tablesplit, so that a child for each shard stays small.

Questions: ``{"ask": "open", "stream": ARN, "shard": ID}``, ``{"ask": "apply", "records": [...]}`` (each as the adapter's JSON),
``{"ask": "end"}``, ``{"ask": "leave"}``. Answer: ``{"checkpoint": SEQUENCE or null, "lost": true or false}``.
"""

import json
import struct
from collections.abc import Iterable
from typing import Any

HEADER = struct.Struct(">I")

LONGEST_BYTES = 64 * 1024 * 1024
"""GetRecords answers with 1 MB at most, which grows a few times as JSON with binary as base64."""


def framed(document: bytes) -> bytes:
    """A JSON document as a frame."""
    return HEADER.pack(len(document)) + document


def frame_length(header: bytes) -> int:
    """How many bytes follow a header. Raises ConnectionError when the header cannot be one of this protocol."""
    length: int = HEADER.unpack(header)[0]
    if length > LONGEST_BYTES:
        raise ConnectionError(f"a frame of {length} bytes is too long for this protocol")
    return length


def opening(stream: str, shard: str) -> bytes:
    """The first question."""
    return json.dumps({"ask": "open", "stream": stream, "shard": shard}).encode()


def batch(records: Iterable[bytes]) -> bytes:
    """The question that delivers records, each a JSON document already."""
    return b'{"ask":"apply","records":[' + b",".join(records) + b"]}"


def bare(ask: str) -> bytes:
    """A question without content: ``end`` or ``leave``."""
    return json.dumps({"ask": ask}).encode()


def answer(checkpoint: str | None = None, *, lost: bool = False) -> bytes:
    """An answer to any question.

    ``checkpoint``: the sequence number up to which everything is applied and saved; None: nothing new. ``lost``: another worker
    has claimed the shard, and what was delivered is not applied.
    """
    return json.dumps({"checkpoint": checkpoint, "lost": lost}).encode()


def document(frame: bytes) -> dict[str, Any]:
    """The content of a frame. Raises ConnectionError when it is not a JSON object."""
    try:
        content = json.loads(frame)
    except ValueError as error:
        raise ConnectionError("a frame that is not JSON") from error
    if not isinstance(content, dict):
        raise ConnectionError("a frame that is not a JSON object")
    return content
