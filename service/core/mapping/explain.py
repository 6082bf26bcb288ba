"""How one old item becomes a v2 item and comes back, attribute by attribute, with the rule that decided each.

The values are those of ``forward`` and ``inverse``; which rule it was, the parts of these say (``FieldRule.source``,
``inverse_parts``). So an explanation cannot disagree with what is written.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from service.core.item.stamp import Stamp, V2Item, decode_stamp
from service.core.item.wire import AttributeValue, Item, plain_key
from service.core.mapping.entity import Entity, FieldRule
from service.core.mapping.inverse import Part, inverse, inverse_parts
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import v2_place
from service.core.mapping.trial import differing_names, round_trip
from service.core.mapping.typed_text import edits_from_text
from service.errors import Poison

Given = tuple[str, AttributeValue]
"""An old attribute that comes back: name and value."""


@dataclass(frozen=True, slots=True)
class Row:
    """One attribute, and the rule that decided its value."""

    name: str
    value: AttributeValue | None
    """None: the attribute is absent."""
    rule: str
    """One word for programs. On v2: key_template, index_template, old_key, as_it_is, renamed, alias, converted, transform, default,
    absent, kept, gathered, stamp. On the way back: key_template, entity, field, transform, made, residue, kept, gathered."""
    why: str
    """The rule in words."""

    def to_json(self) -> dict[str, Any]:
        """Its row of `mapping explain --json`."""
        return {"name": self.name, "value": self.value, "rule": self.rule, "why": self.why}


@dataclass(frozen=True, slots=True)
class Edit:
    """What an edit by v2's application would give back."""

    changes: Item
    """The v2 attributes that are written."""
    old: tuple[Row, ...] = ()
    """The old attributes that come back other than they were, or new."""
    gone: tuple[str, ...] = ()
    """The old attributes that do not come back."""
    beside: tuple[Row, ...] = ()
    """The key and index attributes that v2's application has to write with it: those that are made of the edited fields."""
    moves: bool = False
    """Whether one of these is in the key: then the item moves to another v2 key."""
    refusal: Poison | None = None
    """Why the edited item cannot be carried to the old table."""

    def to_json(self) -> dict[str, Any]:
        """Its part of `mapping explain --json`."""
        return {
            "changes": self.changes,
            "old": [row.to_json() for row in self.old],
            "gone": list(self.gone),
            "write_with_it": [row.to_json() for row in self.beside],
            "moves": self.moves,
            "refused": _refused(self.refusal),
        }


@dataclass(frozen=True, slots=True)
class Explanation:
    """One old item there and back."""

    old: Item
    old_key: Item
    """Without the key attributes that the item does not have."""
    entity: str
    """UNKNOWN_ENTITY when the mapping has none for it."""
    left_out: bool = False
    """Whether the item stays behind by ``leave_out``; then nothing else is said about it."""
    refusal: Poison | None = None
    """Why the item goes to quarantine; then nothing else is said about it."""
    v2: V2Item | None = None
    made: tuple[Row, ...] = ()
    """Every attribute of the v2 item, and every field that is absent in it."""
    back: tuple[Row, ...] = ()
    """Every attribute of the old item that the inverse gives back."""
    differs: tuple[str, ...] = ()
    """The old attributes that do not come back byte for byte."""
    edit: Edit | None = None

    def to_json(self) -> dict[str, Any]:
        """Its part of `mapping explain --json`."""
        return {
            "old_key": plain_key(self.old_key),
            "old": self.old,
            "entity": self.entity,
            "left_out": self.left_out,
            "quarantined": _refused(self.refusal),
            "table": self.v2 and self.v2.table,
            "key": self.v2 and plain_key(self.v2.key),
            "v2": [row.to_json() for row in self.made],
            "back": [row.to_json() for row in self.back],
            "differs": list(self.differs),
            "edit": self.edit and self.edit.to_json(),
        }


def _refused(poison: Poison | None) -> dict[str, str] | None:
    if poison is None:
        return None
    return {"reason": poison.reason, "message": poison.message, "remedy": poison.remedy}


def explain(mapping: Mapping, old: Item, changes: Item | None = None) -> Explanation:
    """The explanation of an old item. ``changes``: the v2 attributes that an edit by v2's application writes."""
    key = {name: old[name] for name in mapping.old.key_names if name in old}
    name = mapping.entity_name_of(old)
    if mapping.leaves_out(old):
        return Explanation(old, key, name, left_out=True)
    try:
        trip = round_trip(mapping, old)
        if trip.failure is not None:
            raise trip.failure
    except Poison as poison:
        return Explanation(old, key, name, refusal=poison)
    entity = mapping.entities[trip.v2.entity]
    return Explanation(
        old=old,
        old_key=key,
        entity=entity.name,
        v2=trip.v2,
        made=tuple(_made(mapping, entity, old, trip.v2, trip.written)),
        back=tuple(_back(mapping, entity, trip.written)),
        differs=differing_names(old, trip.back or {}),
        edit=_edit(mapping, entity, old, {**trip.written, **changes}, changes) if changes else None,
    )


def explain_edits(mapping: Mapping, old: Item, assignments: Sequence[str]) -> Explanation:
    """The explanation of an old item, and of the edits ``assignments`` by v2's application, each ``field=value``.

    An item without a place on v2 is explained alone. Raises Misconfigured for an edit that is none.
    """
    entity = None if mapping.leaves_out(old) else mapping.entity_of(old)
    return explain(mapping, old, edits_from_text(mapping, entity, assignments) if entity is not None else None)


def _made(mapping: Mapping, entity: Entity, old: Item, v2: V2Item, written: Item) -> Iterator[Row]:
    yield from _derived(entity, {**v2.item})
    for rule in entity.rules:
        how, why = _how_made(rule, old, v2.item.get(rule.name))
        yield Row(rule.name, v2.item.get(rule.name), how, f"{why}{_remembered(rule, v2)}")
    for name, value in v2.item.items():
        if name == entity.gather:
            yield Row(name, value, "gathered", f"the attributes without a field: {', '.join(value.get('M', ()))}")
        elif name not in entity.made:
            yield Row(name, value, "kept", "has no field, and keeps its name")
    yield Row(mapping.stamp, written[mapping.stamp], "stamp", "tablesplit's own: version, residue, absent names")


def _derived(entity: Entity, item: dict[str, AttributeValue | None]) -> Iterator[Row]:
    for name, template in entity.derived:
        indexes = [index for index, templates in entity.indexes.items() if name in templates]
        kind = "key_template" if name in entity.key else "index_template"
        of = "key template" if name in entity.key else f"template of index {', '.join(indexes)}"
        yield Row(name, item.get(name), kind, f"{of} {template.text!r}")


def _how_made(rule: FieldRule, old: Item, value: AttributeValue | None) -> tuple[str, str]:
    """The rule by which a field has its value."""
    if rule.in_key is not None:
        return "old_key", f"read out of {rule.in_key[0]}"
    source = rule.source(old)
    original = None if source is None else old[source]
    converted = None if original is None else rule.convert(original)
    if converted is None:
        absent = " and ".join(rule.names) if source is None else source
        because = f"{absent} is absent" if source is None else f"{absent} cannot be converted to {rule.type}"
        return ("absent", f"{because}, no default") if value is None else ("default", f"default: {because}")
    if converted is original:
        return ("as_it_is", "as it is") if source == rule.name else _other_name(rule, source)
    how = "transform" if rule.invert is not None else "converted"
    by = "by the field's transform" if rule.invert is not None else f"converted to {rule.type}"
    return how, by if source == rule.name else f"{_other_name(rule, source)[1]}, {by}"


def _other_name(rule: FieldRule, source: str | None) -> tuple[str, str]:
    return ("renamed", f"from {source}") if source == rule.names[0] else ("alias", f"alias {source}")


def _remembered(rule: FieldRule, v2: V2Item) -> str:
    """What the stamp keeps of the field's old attributes."""
    originals = [name for name in rule.names if name in v2.residue]
    residue = f"; residue: the original of {', '.join(originals)}" if originals else ""
    return f"{residue}; the stamp notes its absence" if v2.absent.intersection(rule.names) else residue


def _back(mapping: Mapping, entity: Entity, v2_item: Item) -> Iterator[Row]:
    stamp = decode_stamp(v2_item, mapping.stamp) or Stamp(version="")
    seen: set[str] = set()
    for part, attributes in inverse_parts(entity, v2_item, stamp):
        for name, value in attributes.items():
            if name not in seen:
                yield Row(name, value, *_how_back(entity, part, (name, value), v2_item, stamp.residue))
        seen |= attributes.keys()


def _how_back(entity: Entity, part: Part, given: Given, v2_item: Item, residue: Item) -> tuple[str, str]:
    """The rule by which an old attribute comes back."""
    name, value = given
    match part:
        case "key_and_constants":
            template = entity.old_key.get(name)
            return (
                ("key_template", f"old key {template.text!r}")
                if template
                else ("entity", f"tells entity {entity.name}")
            )
        case "fields":
            return _how_field_back(entity.group_of[name], original=value is residue.get(name))
        case "made":
            template = entity.old_made[name]
            made = value == template.value_or_none(v2_item)
            return (
                ("made", f"made again by {template.text!r}") if made else ("residue", "the original, from the residue")
            )
        case "residue":
            return "residue", "the original, from the residue: v2 has an attribute of its own under this name"
        case "unmapped":
            kept = name in v2_item and name not in entity.made
            return ("kept", "has no field") if kept else ("gathered", f"has no field: out of {entity.gather}")


def _how_field_back(rule: FieldRule, *, original: bool) -> tuple[str, str]:
    if original:
        return "residue", f"the original, from the residue: it still makes field {rule.name} what it is"
    return (
        ("field", f"field {rule.name}")
        if rule.invert is None
        else ("transform", f"field {rule.name}, by its transform")
    )


def _edit(mapping: Mapping, entity: Entity, old: Item, edited: Item, changes: Item) -> Edit:
    try:
        back = inverse(mapping, edited, entity.table)
        _, key = v2_place(mapping, back)
        derived = _derived(entity, {name: template.value_or_none(edited) for name, template in entity.derived})
    except Poison as poison:
        return Edit(changes, refusal=poison)
    return Edit(
        changes,
        old=tuple(row for row in _back(mapping, entity, edited) if old.get(row.name) != row.value),
        gone=tuple(sorted(old.keys() - back.keys())),
        beside=tuple(row for row in derived if row.value != edited.get(row.name)),
        moves=any(edited.get(name) != value for name, value in key.items()),
    )
