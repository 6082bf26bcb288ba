"""Large values in the control table: packed as base64 text of gzipped JSON, in chunks that fit into its records."""

import base64
import gzip
from typing import Any

import orjson
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

CHUNK_CHARACTERS = 300_000
"""Of base64 text, so that a record stays well below DynamoDB's 400 KB; two incompressible images of an item take three
chunks or four."""


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Chunk:
    """Part of a value."""

    text: str


def packed(value: Any) -> list[Chunk]:
    """A JSON value in chunks; the same again for the same value."""
    text = base64.b64encode(gzip.compress(orjson.dumps(value), mtime=0)).decode()
    return [Chunk(text[start : start + CHUNK_CHARACTERS]) for start in range(0, len(text), CHUNK_CHARACTERS)]


def unpacked(chunks: list[Chunk]) -> Any:
    """The value that ``packed`` has cut up."""
    return orjson.loads(gzip.decompress(base64.b64decode("".join(chunk.text for chunk in chunks))))
