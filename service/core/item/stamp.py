"""The stamp: the one attribute (``_sync``) that every item written by tablesplit carries."""

from dataclasses import dataclass, field
from typing import Any

from service.core.item.wire import AttributeValue, Item
from service.errors import Poison


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a stamp says.

    version: see ``core.version``; the only part that orders writes.
    content_hash: short hash of what the write intended; a diagnostic that decides nothing.
    residue, absent: original attributes that the inverse would not give back, and names that it would invent.
    base: highest reverse count seen, only under the ledger rule.
    tombstone: the item was deleted at ``version``.
    """

    version: str
    content_hash: str | None = None
    residue: Item = field(default_factory=dict)
    absent: frozenset[str] = frozenset()
    base: str | None = None
    tombstone: bool = False


def encode_stamp(stamp: Stamp) -> AttributeValue:
    """The stamp as an attribute value; parts that say nothing are left out."""
    content: Item = {"v": {"S": stamp.version}}
    if stamp.content_hash is not None:
        content["h"] = {"S": stamp.content_hash}
    if stamp.base is not None:
        content["b"] = {"S": stamp.base}
    if stamp.residue:
        content["r"] = {"M": stamp.residue}
    if stamp.absent:
        content["a"] = {"SS": sorted(stamp.absent)}
    if stamp.tombstone:
        content["d"] = {"BOOL": True}
    return {"M": content}


def decode_stamp(item: Item, name: str) -> Stamp | None:
    """The stamp of ``item`` under attribute ``name``, or None when it carries none.

    Raises Poison (``damaged_stamp``) when the attribute is there but is not a stamp.
    """
    value = item.get(name)
    if value is None:
        return None
    content: Any = value.get("M")
    try:
        return Stamp(
            version=content["v"]["S"],
            content_hash=content["h"]["S"] if "h" in content else None,
            residue=content["r"]["M"] if "r" in content else {},
            absent=frozenset(content["a"]["SS"]) if "a" in content else frozenset(),
            base=content["b"]["S"] if "b" in content else None,
            tombstone=bool(content["d"]["BOOL"]) if "d" in content else False,
        )
    except (KeyError, TypeError) as error:
        raise Poison(f"attribute {name!r} is not a tablesplit stamp", reason="damaged_stamp") from error


GENERATION_DIGITS = 4
SEQUENCE_DIGITS = 40


def stream_version(generation: int, sequence_number: str) -> str:
    """The version of a change: 4-digit generation, a dot, the sequence number padded to 40 digits.

    Raises ValueError when either does not fit; a stream that gives such a number is not DynamoDB's.
    """
    if not (sequence_number.isascii() and sequence_number.isdigit()) or len(sequence_number) > SEQUENCE_DIGITS:
        raise ValueError(f"not a stream sequence number: {sequence_number!r}")
    if not 0 <= generation < 10**GENERATION_DIGITS:
        raise ValueError(f"stream generation out of range: {generation}")
    return f"{generation:0{GENERATION_DIGITS}d}.{sequence_number:0>{SEQUENCE_DIGITS}}"


def backfill_version(generation: int) -> str:
    """The version of a backfill copy: below every change of its generation."""
    return stream_version(generation, "0")
