"""A small mapping of two entities, and items and keys of both sides for it."""

from typing import Any

from service.core.item.stamp import Stamp, encode_stamp, stamped
from service.core.item.wire import Item
from service.core.mapping.mapping import load_mapping
from service.core.mapping.transform import forward

MAPPING = load_mapping(
    """
version: 1
name: small
old: {table: {variable: OLD, default: old}, partition_key: pk, sort_key: sk, entity: entity_type}
entities:
  LEAD:
    table: {variable: LEADS, default: leads}
    old_key: {pk: "LEAD#{id}", sk: METADATA}
    key: {PK: LEAD, SK: "{created_at:month}#{id}"}
    indexes:
      GSI1: {GSI1PK: "STATUS#{status}", GSI1SK: "{created_at}"}
      GSI2: {GSI2PK: "COMPANY#{company|unknown}", GSI2SK: "{id}"}
    change_token: updated_at
    unmapped: gather into custom_fields
    fields:
      id: {type: string, required: true}
      created_at: {type: date, default: "1970-01-01T00:00:00.000Z"}
      status: {type: string, default: new}
      company: {type: string, default: ""}
      followers: {type: int, default: 0}
      updated_at: {type: string, default: "{created_at}"}
  DEAL:
    table: {variable: DEALS, default: deals}
    old_key: {pk: "DEAL#{id}", sk: METADATA}
    key: {PK: DEAL, SK: "{created_at:month}#{id}"}
    indexes:
      GSI1: {GSI1PK: "STAGE#{stage}", GSI1SK: "{created_at}"}
    unmapped: keep
    fields:
      id: {type: string, required: true}
      created_at: {type: date, default: "1970-01-01T00:00:00.000Z"}
      stage: {type: string, default: contacted}
      value: {type: number, default: 0}
""",
    source="small.yaml",
)
CREATED = "2024-05-06T07:08:09Z"
GENERATION = 1


def old_key(entity: str, name: str) -> Item:
    return {"pk": {"S": f"{entity}#{name}"}, "sk": {"S": "METADATA"}}


def lead(name: str, **attributes: Any) -> Item:
    return old_item("LEAD", name, **attributes)


def deal(name: str, **attributes: Any) -> Item:
    return old_item("DEAL", name, **attributes)


def old_item(entity: str, name: str, created: str = CREATED, **attributes: Any) -> Item:
    own = {"id": {"S": name}, "created_at": {"S": created}, "entity_type": {"S": entity}}
    return {**old_key(entity, name), **own, **attributes}


def lead_key(name: str, month: str = "2024-05") -> Item:
    return {"PK": {"S": "LEAD"}, "SK": {"S": f"{month}#{name}"}}


COUNT = "0001." + "0" * 19 + "1"
"""The stamp version of reverse's first write of an item in the ledger's first epoch."""
BASE = "0001." + "0" * 20


def v2_of(old: Item, **attributes: Any) -> Item:
    """The v2 item of an old one as forward writes it under the ledger rule, with ``attributes`` added (None removes one)."""
    made = stamped(forward(MAPPING, old), f"0001.{'0' * 39}1", MAPPING.stamp, base=BASE)
    return {name: value for name, value in {**made, **attributes}.items() if value is not None}


def by_reverse(old: Item) -> Item:
    """An old item as reverse writes it."""
    return {**old, MAPPING.stamp: encode_stamp(Stamp(COUNT))}
