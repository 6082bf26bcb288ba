"""Mappings for tests: the packaged CRM, a shop that uses what the CRM does not, a small CRM with every way to merge, and a library
whose items are told by their keys."""

from functools import cache
from pathlib import Path
from pkgutil import resolve_name

import service
from service.core.item.wire import AttributeValue, Item
from service.core.mapping.mapping import Mapping, load_mapping

CRM_TEXT = (Path(service.__file__).parent / "mappings" / "crm.yaml").read_text(encoding="utf-8")

SHOP_TEXT = """
version: 1
name: shop
stamp: _s
old:
  table: {variable: OLD_TABLE_NAME, default: shop}
  partition_key: hash
  entity: kind
entities:
  ORDER:
    table: {variable: ORDERS_TABLE, default: Orders-v2}
    old_key: {hash: "ORDER/{customer}/{id}"}
    key: {PK: "O{id:shard16}#{id}", SK: "{placed:month}/{customer}"}
    indexes:
      total: {total_key: "{paid|no}{total}"}
    unmapped: gather into rest
    fields:
      id: {type: string, required: true, aliases: [order_id, nr]}
      customer: {type: string, required: true}
      total: {type: number, default: 0.5, aliases: [sum]}
      paid: {type: boolean, aliases: [done]}
      placed: {type: date, default: "2000-02-29"}
      label: {type: string, default: "{{{customer}}} owes {total}", aliases: [title]}
      lines: {type: list, default: [], aliases: [items]}
      weight:
        type: number
        transform: {forward: "tests.builders.mappings:grams", inverse: "tests.builders.mappings:kilograms"}
  REFUND:
    table: {variable: ORDERS_TABLE, default: Orders-v2}
    old_key: {hash: "REFUND/{id}"}
    key: {PK: "R{id}", SK: "-"}
    fields:
      id: {type: string, required: true}
      amount: {type: int, aliases: [sum]}
"""

PARCELS_TEXT = """
version: 1
name: parcels
old: {table: {variable: OLD, default: old}, partition_key: pk, sort_key: sk, entity: kind}
entities:
  PARCEL:
    table: {variable: PARCELS, default: parcels}
    old_key: {pk: "PARCEL#{id}", sk: META}
    key: {PK: PARCEL, SK: "{created_at:month}#{id}"}
    indexes:
      BySent: {sent_month: "{sent:month}", sent_key: "{sent}"}
    key_types: {sent_key: number}
    fields:
      id: {type: string, required: true}
      created_at: {type: epoch, default: 0, aliases: [created]}
      sent: {type: epoch_ms, default: "2000-02-29T12:00:00.5Z"}
      seen: {type: epoch}
      size: {type: map, default: {}}
      extra: {type: any, aliases: [more]}
      label: {type: string, default: "of {created_at:month}"}
      steps:
        type: list
        elements:
          fields:
            S: {type: string, default: none}
            at: {type: epoch}
            meta: {type: map}
            note: {type: any}
            parts: {type: list}
"""

CRM_LEAD: Item = {
    "pk": {"S": "LEAD#7"},
    "sk": {"S": "METADATA"},
    "entity_type": {"S": "LEAD"},
    "id": {"S": "7"},
    "created_at": {"S": "2024-03-05"},
}
"""The least that a lead of the packaged mapping may be."""

SINGLE_TEXT = """
version: 2
name: single
old: {table: old, partition_key: pk, sort_key: sk}
entities:
  FRONT:
    table: front
    old_key: {pk: FRONT, sk: FRONT}
    key: {id: FRONT}
  ISSUE_REACTION:
    table: reactions
    when: {kind: reaction}
    old_key: {pk: "ISSUE#{issue}", sk: "REACTION#{user}"}
    key: {subject: "ISSUE#{issue}", user: "{user}"}
    fields:
      issue: {type: string, required: true}
      user: {type: string, required: true}
  COMMENT_REACTION:
    table: reactions
    when: {kind: reaction}
    old_key: {pk: "COMMENT#{comment}", sk: "REACTION#{user}"}
    key: {subject: "COMMENT#{comment}", user: "{user}"}
    fields:
      comment: {type: string, required: true}
      user: {type: string, required: true}
"""

MERGE_TEXT = """
version: 1
name: merge
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
    groups: [[amount, currency]]
    merge: {likes: add, labels: union}
    fields:
      id: {type: string, required: true}
      created_at: {type: date, default: "1970-01-01T00:00:00.000Z"}
      status: {type: string, default: new}
      company: {type: string, default: ""}
      followers: {type: int, default: 0}
      visits: {type: int, default: 0, merge: add}
      tags: {type: list, default: [], merge: union}
      stage: {type: string, default: contacted, aliases: [phase], merge: agree}
      amount: {type: number}
      currency: {type: string}
      updated_at: {type: string, default: "{created_at}"}
  DEAL:
    table: {variable: DEALS, default: deals}
    old_key: {pk: "DEAL#{id}", sk: METADATA}
    key: {PK: DEAL, SK: "{created_at:month}#{id}"}
    indexes:
      GSI1: {GSI1PK: "STAGE#{stage}", GSI1SK: "{created_at}"}
    unmapped: keep
    merge: {likes: add, labels: union}
    fields:
      id: {type: string, required: true}
      created_at: {type: date, default: "1970-01-01T00:00:00.000Z"}
      stage: {type: string, default: contacted}
      value: {type: number, default: 0}
"""


LIBRARY_TEXT = """
version: 2
name: library
old:
  table: library
  partition_key: pk
  sort_key: sk
  separator: /
  leave_out:
    - {pk: "LOCK/*"}
entities:
  loan:
    table: loans
    old_key: {pk: "L/{branch}/{number:pad6}", sk: "{day}"}
    old_made: {due_key: "DUE/{due?}", title_key: "{branch}/{title|none}"}
    key: {branch_key: "{branch}", item: "{number}/{day}"}
    indexes:
      by-due: [due, number]
      by-title: {lower_title: "{title:lower?}"}
    projections: {by-due: KEYS_ONLY, by-title: [title]}
    unmapped: gather into rest
    fields:
      number: {type: int, required: true, only_in_key: true}
      day: {type: string, required: true, from: d}
      title: {type: string, from: t, aliases: [name]}
      due: {type: string}
      fee: {type: number, default: 0}
  member:
    table: members
    when: {level: [1, 2], v: "1"}
    old_key: {pk: "M/{id:upper}", sk: "{sk}"}
    key: [id, sk]
    fields:
      id: {type: string, required: true}
      level: {type: int, required: true}
"""


@cache
def library() -> Mapping:
    """What the second version of the vocabulary has: keys that are read, fields as keys, made attributes, sparse indexes."""
    return load_mapping(LIBRARY_TEXT, source="library.yaml")


@cache
def crm() -> Mapping:
    """The default mapping with its default table names."""
    return load_mapping(CRM_TEXT, source="crm.yaml")


@cache
def shop() -> Mapping:
    """Aliases, a transform hook, a sharded key, no old sort key, two entities in one v2 table."""
    return load_mapping(SHOP_TEXT, source="shop.yaml", resolve=resolve_name)


@cache
def parcels() -> Mapping:
    """Dates that are numbers, also in keys; fields of type map and any, also inside a list whose maps have a field named S."""
    return load_mapping(PARCELS_TEXT, source="parcels.yaml")


@cache
def single() -> Mapping:
    """One item with a constant key, and items of which an attribute and the key together tell the kind."""
    return load_mapping(SINGLE_TEXT, source="single.yaml")


@cache
def merge_mapping() -> Mapping:
    """The mapping of ``small_crm`` with a field of each way to merge, also unmapped, and a group: its keys are made the same."""
    return load_mapping(MERGE_TEXT, source="merge.yaml")


def grams(value: AttributeValue) -> AttributeValue | None:
    """Whole kilograms to grams; None for anything else."""
    content = value.get("N", "")
    return {"N": content + "000"} if content.isdigit() and len(content) < 20 else None


def kilograms(value: AttributeValue) -> AttributeValue | None:
    """The inverse of ``grams``."""
    return {"N": str(int(value["N"]) // 1000)} if value["N"].isdigit() else value
