"""The compiled mapping of one entity: what the transform and its inverse run on, item after item."""

from collections.abc import Callable
from dataclasses import dataclass

from service.core.item.wire import AttributeValue, Item
from service.core.mapping.convert import Converter, is_absent
from service.core.mapping.template import Template


@dataclass(frozen=True, slots=True)
class KeySchema:
    """The names of a key's attributes."""

    partition: str
    sort: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """One or two names, the partition key's first."""
        return (self.partition,) if self.sort is None else (self.partition, self.sort)


@dataclass(frozen=True, slots=True, eq=False)
class FieldRule:
    """How one v2 attribute comes from the old item, and goes back.

    names: the old attributes that may hold it, its own name first: its *group*. invert: None when the value
    goes back as it is. default: the value, or none, given the fields that stand already. plain: what stands
    under its own name is all that can have made it, and goes back unchanged.
    """

    name: str
    names: tuple[str, ...]
    type: str
    convert: Converter
    invert: Converter | None
    default: Callable[[Item], AttributeValue | None]
    required: bool
    plain: bool

    def value(self, originals: Item, fields: Item) -> AttributeValue | None:
        """The field made from ``originals``: the first of the group that is not absent, converted; otherwise
        the default."""
        for name in self.names:
            original = originals.get(name)
            if original is not None and not is_absent(original):
                converted = self.convert(original)
                return self.default(fields) if converted is None else converted
        return self.default(fields)

    def given_back(self, value: AttributeValue | None) -> Item:
        """The old attributes that the inverse makes of the field's ``value`` alone."""
        original = self.invert(value) if self.invert and value is not None else value
        return {} if original is None else {self.name: original}


@dataclass(frozen=True, slots=True, eq=False)
class Entity:
    """One entity of the mapping; ``table`` is the name of the table it goes to.

    rules: in the order in which fields are made; key_rules: those that the key is made of. group_of: each old
    attribute name that a field reads, to its rule. own: the old attributes that are not unmapped (fields,
    aliases, old key, entity). made: the v2 attributes that forward makes of something else than an attribute
    of that name, and the fields. reserved: those of the v2 table that no field or unmapped attribute may take
    (key, indexes, stamp). gather: the attribute that unmapped attributes are gathered into, None: kept.
    """

    name: str
    table: str
    old_key: dict[str, Template]
    key: dict[str, Template]
    indexes: dict[str, dict[str, Template]]
    derived: tuple[tuple[str, Template], ...]
    rules: tuple[FieldRule, ...]
    key_rules: tuple[FieldRule, ...]
    group_of: dict[str, FieldRule]
    own: frozenset[str]
    made: frozenset[str]
    reserved: frozenset[str]
    gather: str | None
    change_token: str | None

    @property
    def fields(self) -> dict[str, FieldRule]:
        """Field name to its rule."""
        return {rule.name: rule for rule in self.rules}

    def holds(self, item: Item) -> bool:
        """Whether the v2 ``item`` has a key of this entity (entities that share a table differ in what their
        keys begin with)."""
        return all(_fits(template, item[name].get("S", "")) for name, template in self.key.items())


def _fits(template: Template, text: str) -> bool:
    return text == template.literal_prefix if template.constant else text.startswith(template.literal_prefix)
