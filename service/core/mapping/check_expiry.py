"""Checks ``ttl`` of a mapping, the time to live of its v2 tables: DynamoDB ignores in silence what is no number of seconds.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-before-you-start.html
"""

from collections.abc import Iterator, Mapping
from itertools import combinations

from service.core.mapping.dates import SECONDS_TYPES
from service.core.mapping.model_parts import TableNames, gather_name, old_attributes, old_names, table_name
from service.core.mapping.problem import Problem
from service.core.mapping.schema import EntityModel, FieldModel, MappingModel
from service.core.mapping.yaml_document import Path


def expiry_problems(here: Path, model: MappingModel, entity_name: str, reserved: frozenset[str]) -> Iterator[Problem]:
    """The mistake in ``ttl`` of an entity, if there is one. Its fields and names must be right.

    ``reserved`` are the names that no unmapped attribute can have in v2.
    """
    entity = model.entities[entity_name]
    if entity.ttl is None:
        return
    field = entity.fields.get(entity.ttl)
    not_carried = {*reserved, *old_attributes(model, entity_name)}
    problem = _unmapped_problem(entity, entity.ttl, not_carried) if field is None else _field_problem(entity.ttl, field)
    if problem is not None:
        yield (*here, "ttl"), problem


def _field_problem(name: str, field: FieldModel) -> str | None:
    if field.type not in SECONDS_TYPES:
        unit = ", and would take milliseconds for seconds" if field.type == "epoch_ms" else ""
        types = " or ".join(SECONDS_TYPES)
        return (
            f"ttl names field {name!r} of type {field.type}: DynamoDB lets items expire by a number of seconds only{unit}; "
            f"name a field of type {types}"
        )
    if field.default is not None:
        return (
            f"ttl names field {name!r}, whose default would let items expire that have no time of their own: remove it"
        )
    return None


def _unmapped_problem(entity: EntityModel, name: str, not_carried: set[str]) -> str | None:
    """Of an attribute without a field: only one that is kept is an attribute of v2, under its own name."""
    of = next((field for field, model in entity.fields.items() if name in old_names(field, model)), None)
    if of is not None:
        return f"ttl names {name!r}, which is field {of!r} on v2: name that"
    if name in not_carried:
        return f"ttl names {name!r}, which is a key, index or stamp attribute, or is not carried to v2; name a field"
    gathered = gather_name(entity)
    if gathered is not None:
        return (
            f"ttl names {name!r}, which is no field, so it is gathered into {gathered!r}, where DynamoDB does not look; "
            "make it a field of type epoch"
        )
    return None


def shared_expiry_problems(model: MappingModel, names: TableNames) -> Iterator[Problem]:
    """Where entities of one v2 table do not agree on its time to live: DynamoDB has one attribute for the whole table."""
    for first, second in combinations(model.entities, 2):
        tables = [table_name(model.entities[name], names) for name in (first, second)]
        if tables[0] == tables[1]:
            yield from _disagreement(model.entities, first, second)


def _disagreement(entities: Mapping[str, EntityModel], first: str, second: str) -> Iterator[Problem]:
    told = [name for name in (first, second) if entities[name].ttl is not None]
    if len(told) == 2 and entities[first].ttl != entities[second].ttl:
        both = f"not both {entities[first].ttl!r} and {entities[second].ttl!r}"
        problem = f"{first} and {second} share a table, which has one time to live, {both}: give the fields one name"
        yield ("entities", second, "ttl"), problem
    if len(told) == 1:
        stated, other = entities[told[0]].ttl, second if told == [first] else first
        if stated in entities[other].fields or gather_name(entities[other]) is None:
            remedy = f"write `ttl: {stated}` here too, or give that attribute another name"
            problem = f"{told[0]} of the same table has `ttl: {stated}`, by which items of {other} would expire, too"
            yield ("entities", other), f"{problem}: {remedy}"
