"""One lead of `merge_mapping` on both sides of `dual`: its items, places, stamps and readings, for tests of the pure rules."""

from service.core.item.stamp import Stamp, stream_version
from service.core.item.wire import AttributeValue, Item
from service.core.mapping.transform import forward
from service.core.rules.images import v2_form
from service.core.rules.ledger import Place, count_version
from service.core.rules.ledger_writes import PlaceReading, stamp_value
from service.core.rules.units import ELEMENT, GROUP, Form
from tests.builders.mappings import merge_mapping

MAPPING = merge_mapping()
LEAD = MAPPING.entities["LEAD"]
KEY: Item = {"pk": {"S": "LEAD#7"}, "sk": {"S": "METADATA"}}
TABLE = "leads"
EPOCH = 1
MARCH, MAY, JULY = "2024-03", "2024-05", "2024-07"
PRICE = f"amount{GROUP}currency"
"""The unit of the mapping's one group."""


def value(content: str | int | AttributeValue) -> AttributeValue:
    """A text, a whole number, or a value as it is."""
    if isinstance(content, str):
        return {"S": content}
    return {"N": str(content)} if isinstance(content, int) else content


def attributes(**contents: str | int | AttributeValue) -> Item:
    return {name: value(content) for name, content in contents.items()}


def lead(month: str = MARCH, **contents: str | int | AttributeValue) -> Item:
    """The old lead, which belongs at the v2 place of ``month``."""
    own = attributes(entity_type="LEAD", id="7", created_at=f"{month}-05")
    return {**KEY, **own, **attributes(**contents)}


def place(month: str = MARCH) -> Place:
    return Place(TABLE, {"PK": {"S": "LEAD"}, "SK": {"S": f"{month}#7"}})


def version(sequence: int) -> str:
    return stream_version(1, str(sequence))


def count(number: int) -> str:
    return count_version(EPOCH, number)


def stamped_v2(stamp: Stamp, content: Item, month: str = MARCH) -> Item:
    """A v2 item with this stamp, bound to the key of ``month``."""
    key = place(month).key
    return {**content, **key, MAPPING.stamp: stamp_value(key, stamp)}


def by_forward(old: Item, sequence: int = 40, base: int = 0, **more: str | int | AttributeValue) -> Item:
    """The v2 item that forward makes of an old one, with ``more`` that v2's application has written since by an update."""
    made = forward(MAPPING, old)
    stamp = Stamp(version(sequence), residue=made.residue, absent=made.absent, base=count(base))
    return {**made.item, MAPPING.stamp: stamp_value(made.key, stamp), **attributes(**more)}


def by_application(old: Item, **more: str | int | AttributeValue) -> Item:
    """The v2 item that v2's application puts: without a stamp."""
    return {**forward(MAPPING, old).item, **attributes(**more)}


def tombstone(sequence: int = 40, month: str = MARCH, base: int = 0) -> Item:
    """Forward's bare tombstone."""
    return stamped_v2(Stamp(version(sequence), base=count(base), tombstone=True), {}, month)


def reading(item: Item | None, month: str = MARCH) -> PlaceReading:
    return PlaceReading(place(month), item)


def form_of(item: Item, month: str = MARCH) -> Form:
    """The units of a v2 item."""
    return v2_form(MAPPING, place(month), item)


def element(union: str, text: str) -> str:
    """The unit of an element of a union, a text."""
    return f'{union}{ELEMENT}{{"S":"{text}"}}'
