"""What a lead or deal looks like in its v2 table, by the rules of the mapping (service/mappings/crm.yaml)."""

from examples.before import without
from examples.entities import Changes, Entity, Item, Ref, ref_of

STAMP = "_sync"
CUSTOM = "custom_fields"
KEYS = frozenset({"PK", "SK", "GSI1PK", "GSI1SK", "GSI2PK", "GSI2SK"})


def v2_key(entity: Entity, ref: Ref) -> Item:
    """The key of a record."""
    return {"PK": entity.name, "SK": f"{ref.month}#{ref.id}"}


def v2_item(entity: Entity, record: Item) -> Item:
    """The whole item of a record, without a stamp: keys, index keys, fields with their defaults, the rest in `custom_fields`."""
    fields = v2_fields(entity, record)
    keys = {**v2_key(entity, ref_of(fields)), "GSI2SK": fields["id"], **index_keys(entity, fields)}
    custom = {name: value for name, value in record.items() if name not in entity.fields and value is not None}
    return {**keys, **fields, **({CUSTOM: custom} if custom else {})}


def v2_fields(entity: Entity, record: Item) -> Item:
    """The fields of a record. An absent or empty field takes its default; without a default it is left out."""
    given = {name: value for name, value in record.items() if name in entity.fields and value not in (None, "")}
    created_at = ref_of(record).created_at
    defaults = {**entity.defaults, "updated_at": created_at}
    if entity.name == "DEAL":
        defaults["title"] = f"Deal with {given.get('company', 'unknown')}"
    return {**defaults, **given, "created_at": created_at}


def index_keys(entity: Entity, fields: Item) -> Item:
    """The index keys that follow from these fields: of a whole record, or of the fields that change."""
    keys = {
        key: f"{begin}{fields[field] or 'unknown'}" for key, (begin, field) in entity.index.items() if field in fields
    }
    return {**keys, "GSI1SK": fields["created_at"]} if "created_at" in fields else keys


def plain_changes(entity: Entity, changes: Changes) -> Item | None:
    """``changes`` as attributes of the item, index keys included (None: remove). Returns None when the whole record is needed
    for that: a key moves, or an attribute in `custom_fields` changes."""
    if changes.keys() - entity.fields or changes.keys() & {"title", "created_at"}:
        return None
    fields = {name: entity.defaults.get(name) if value in (None, "") else value for name, value in changes.items()}
    return {**fields, **index_keys(entity, fields)}


def record_of(item: Item) -> Item:
    """The record in a v2 item: fields and `custom_fields` side by side, as the old table has them."""
    return {**item.get(CUSTOM, {}), **without(item, KEYS | {STAMP, CUSTOM})}


def is_record(item: Item | None) -> bool:
    """Whether there is a record. For a moment after a delete, tablesplit leaves a tombstone: only the key and a stamp."""
    return item is not None and "id" in item
