"""The compiled mapping of one entity: the rules that the transform and its inverse apply to every item."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from service.core.item.size import KeyLimits
from service.core.item.wire import AttributeValue, Item
from service.core.mapping.convert import Converter, is_absent
from service.core.mapping.key_pattern import KeyPattern
from service.core.mapping.template import Renderer, Template

Merge = Literal["v2", "agree", "add", "union"]
"""What becomes of a field that both sides have written. ``v2``: v2's value stays. ``agree``: so too, but equal numbers are no
conflict. ``add``: the differences of numbers add up. ``union``: each element of a set or list is carried by itself."""


Separated = tuple[tuple[str, Renderer], ...]
"""Values that a key joins with others, so that they may not hold the separator: the field's name, and what gives the text."""


@dataclass(frozen=True, slots=True)
class KeySchema:
    """The names of a key's attributes."""

    partition: str
    sort: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """One or two names, the partition key's first."""
        return (self.partition,) if self.sort is None else (self.partition, self.sort)


@dataclass(frozen=True, slots=True)
class IndexSchema:
    """The names of an index key's attributes: one to four of the partition key, none to four of the sort key
    (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.DesignPattern.MultiAttributeKeys.html)."""

    partition: tuple[str, ...]
    sort: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All names, the partition key's first."""
        return self.partition + self.sort


@dataclass(frozen=True, slots=True, eq=False)
class FieldRule:
    """How one v2 attribute is made from the old item, and how it goes back."""

    name: str
    names: tuple[str, ...]
    """The old attributes that may hold the field, the one that the inverse writes first: the field's *group*. None for a field that
    is only in the old key."""
    in_key: tuple[str, KeyPattern] | None
    """Of a field that is only in the old key: the attribute that has it, and how it is read."""
    type: str
    convert: Converter
    invert: Converter | None
    """None when the value goes back as it is."""
    default: Callable[[Item], AttributeValue] | None
    """Makes the default from the fields made so far. None: there is no default."""
    required: bool
    merge: Merge
    """The fields of one of ``Entity.groups`` have the same, and it is ``v2`` or ``agree``."""

    def source(self, originals: Item) -> str | None:
        """The one of the old attributes ``originals`` that the field is made of: the first of the group that is not absent."""
        for name in self.names:
            original = originals.get(name)
            if original is not None and not is_absent(original):
                return name
        return None

    def value(self, originals: Item, fields: Item) -> AttributeValue | None:
        """The field's value from the old attributes ``originals``: its source, converted.

        The default when there is none, or it cannot be converted.
        """
        if self.in_key is not None:
            return self._read_key(originals)
        source = self.source(originals)
        converted = None if source is None else self.convert(originals[source])
        if converted is None and self.default is not None:
            return self.default(fields)
        return converted

    def given_back(self, value: AttributeValue | None) -> Item:
        """The old attributes that the inverse makes from the field's ``value`` alone."""
        original = self.invert(value) if self.invert and value is not None else value
        return {} if original is None or not self.names else {self.names[0]: original}

    def _read_key(self, originals: Item) -> AttributeValue | None:
        assert self.in_key is not None
        attribute, pattern = self.in_key
        texts = pattern.read(originals.get(attribute))
        return None if texts is None else self.convert({pattern.template.kind: texts[self.name]})


class Step(NamedTuple):
    """How the transform makes one field: the *clean* values of ``source`` (``convert.CLEAN``) it takes as they are, without a trace
    in the residue; of all others ``rule`` decides."""

    source: str
    name: str
    """The field's."""
    tag: str
    """The type tag of the clean values; empty: there are none."""
    holds: Callable[[Any], object] | None
    """What must hold of a clean value's content, which is not empty."""
    may_be_absent: bool
    """Without ``source`` the field is its default, if it has one; the stamp then says that ``source`` was absent."""
    rule: FieldRule

    def is_clean(self, value: AttributeValue) -> bool:
        """Whether the field is ``value`` itself."""
        content = value.get(self.tag)
        return bool(content) and (self.holds is None or bool(self.holds(content)))


@dataclass(frozen=True, slots=True, eq=False)
class Entity:
    """One entity of the mapping, compiled."""

    name: str
    table: str
    """The name of its v2 table."""
    when: dict[str, tuple[AttributeValue, ...]]
    """What attributes of an old item must be for it to be of this entity: one of these values each."""
    old_key: dict[str, Template]
    patterns: dict[str, KeyPattern]
    """How ``old_key`` is read, by attribute."""
    separator: str | None
    """A text that no value in a key may hold."""
    in_old_key: Separated
    """What the old key joins; nothing without a separator."""
    in_keys: Separated
    """What the old key joins, or the v2 key."""
    old_made: dict[str, Template]
    """The old attributes, beside the key, that the old application makes of others: not carried, and made again."""
    key: dict[str, Template]
    indexes: dict[str, dict[str, Template]]
    """By index, the templates of its key's attributes, the partition key's first."""
    partition_attributes: dict[str, int]
    """How many of an index's attributes are its partition key, where it is not one."""
    projections: dict[str, tuple[str, ...]]
    """The attributes that an index has beside the keys, where it has not all."""
    key_limits: KeyLimits
    """Of the v2 key."""
    index_limits: KeyLimits
    derived: tuple[tuple[str, Template], ...]
    """The attributes of key and indexes that are no fields themselves, each once, with their templates."""
    rules: tuple[FieldRule, ...]
    """In the order in which the fields are made."""
    fields: dict[str, FieldRule]
    """The rules by field name."""
    steps: tuple[Step, ...]
    """One for each of ``rules``."""
    plain: dict[str, Step]
    """The steps of fields that no key uses, by ``source``: where that changes between two clean values, nothing but the field and
    ``derived`` change in v2."""
    key_rules: tuple[FieldRule, ...]
    """The rules of the fields that the keys, old and v2, use."""
    group_of: dict[str, FieldRule]
    """The rule that reads an old attribute, by the attribute's name."""
    own: frozenset[str]
    """The old attributes that are mapped: fields, aliases, old key, what tells the entity, and what is made of others."""
    made: frozenset[str]
    """The v2 attributes that are not unmapped ones: key, indexes, stamp, fields, and ``gather``."""
    reserved: frozenset[str]
    """The attributes of the v2 table that no unmapped attribute may take: key, indexes, stamp, and fields that have another name in
    the old table."""
    gather: str | None
    """The attribute that unmapped attributes are gathered into; None: they keep their own names."""
    change_token: str | None
    """The field that the application changes with every write."""
    ttl: str | None
    """The attribute that is the time to live of the v2 table, as the mapping says; None: it says nothing."""
    groups: tuple[tuple[str, ...], ...]
    """The names of fields that the application keeps consistent with each other: each tuple is merged as one field. No name is in
    two of them."""
    unmapped_merge: dict[str, Merge]
    """How attributes that no field is made of are merged, by name, where it is not ``v2``'s way."""
    merged_by: dict[Merge, frozenset[str]]
    """The names of fields and of ``unmapped_merge`` by how they are merged; every way has its names, or none."""
    no_units: frozenset[str]
    """The old attributes that are no units of their own (``rules.units``): the key never changes, fields are units by their own
    names, and attributes that are made of others are made again."""

    def index_schema(self, index: str) -> IndexSchema:
        """The key of one of its indexes."""
        names, count = tuple(self.indexes[index]), self.partition_attributes.get(index, 1)
        return IndexSchema(names[:count], names[count:])

    def is_entity_of(self, old: Item) -> bool:
        """Whether the attributes of an old item that tell its entity are those of this one; its key may still read otherwise."""
        return all(old.get(name) in values for name, values in self.when.items())

    def reads_key(self, old: Item) -> bool:
        """Whether the key of an old item reads like this entity's."""
        return all(pattern.read(old.get(name)) is not None for name, pattern in self.patterns.items())

    def fields_of(self, old_item: Item) -> Item:
        """The fields that the rules make of an old item, whether it can be mapped or not. Raises Poison when a transform of the
        mapping's own fails on it."""
        fields: Item = {}
        for rule in self.rules:
            value = rule.value(old_item, fields)
            if value is not None:
                fields[rule.name] = value
        return fields

    def constants(self) -> Item:
        """The attributes that every old item of this entity has, beside its key."""
        return {name: values[0] for name, values in self.when.items() if len(values) == 1}

    def merge_of(self, name: str) -> Merge:
        """How a field is merged, by its own name and not by those that it has in the old table; or an attribute without a field."""
        rule = self.fields.get(name)
        return rule.merge if rule is not None else self.unmapped_merge.get(name, "v2")

    def holds(self, item: Item) -> bool:
        """Whether the v2 ``item`` has a key of this entity. Entities that share a table have keys that begin differently."""
        return all(_matches(template, item[name].get("S", "")) for name, template in self.key.items())


def _matches(template: Template, text: str) -> bool:
    return text == template.literal_prefix if template.constant else text.startswith(template.literal_prefix)
