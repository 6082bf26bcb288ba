"""The vocabulary of a mapping file, as pydantic models; also the JSON Schema that editors complete and check
with.

Here is what can be said; ``mapping_check`` has what must also be true of it.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Name = Annotated[str, Field(min_length=1, max_length=255)]
TemplateText = Annotated[str, Field(description="Text with {field}, {field|fallback}, {date:month}, {field:shard16}.")]
KeyTemplates = Annotated[dict[Name, TemplateText], Field(min_length=1, max_length=2)]
FieldType = Literal["string", "int", "number", "boolean", "date", "list"]
KEEP = "keep"
GATHER = "gather into "
TABLE_NAME = r"^[A-Za-z0-9_.-]{3,255}$"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class TableModel(_Model):
    """A table: the environment variable that names it, and its name when that is not set."""

    variable: Name
    default: Annotated[str, Field(pattern=TABLE_NAME)]


class OldModel(_Model):
    """The table that is migrated."""

    table: TableModel
    partition_key: Name
    sort_key: Name | None = None
    entity: Annotated[Name, Field(description="The attribute that says which entity an item is.")]


class TransformModel(_Model):
    """Functions for what the vocabulary cannot say, each ``module:function`` from attribute value to
    attribute value."""

    forward: Annotated[
        str, Field(pattern=r"^[\w.]+:[\w.]+$", description="Gives None when the default is to be taken.")
    ]
    inverse: Annotated[
        str, Field(pattern=r"^[\w.]+:[\w.]+$", description="Gives None when the old attribute is absent.")
    ]


class ElementFieldModel(_Model):
    """A field inside the maps of a list."""

    type: FieldType
    default: JsonValue = None


class ElementsModel(_Model):
    """What the maps in a list hold."""

    fields: Annotated[dict[Name, ElementFieldModel], Field(min_length=1)]


class FieldModel(_Model):
    """One attribute of the v2 item."""

    type: FieldType
    default: Annotated[
        JsonValue, Field(description="When absent or not convertible; for a string field a template.")
    ] = None
    required: Annotated[bool, Field(description="An item without it is quarantined.")] = False
    aliases: Annotated[list[Name], Field(description="Other names in the old table; the own name comes first.")] = []
    transform: TransformModel | None = None
    elements: ElementsModel | None = None


class EntityModel(_Model):
    """One kind of item: where it goes and what becomes of its attributes."""

    table: TableModel
    old_key: KeyTemplates
    key: KeyTemplates
    indexes: dict[Name, KeyTemplates] = {}
    change_token: Annotated[Name | None, Field(description="The field that changes with every write.")] = None
    unmapped: Annotated[
        str,
        Field(
            pattern=rf"^({KEEP}|{GATHER}\S+)$",
            description="Attributes without a field: kept under their own names, or gathered into one map.",
        ),
    ] = KEEP
    fields: Annotated[dict[Name, FieldModel], Field(min_length=1)]


class MappingModel(_Model):
    """What becomes of the items of one old table."""

    version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    stamp: Annotated[Name, Field(description="The attribute that tablesplit adds to each item it writes.")] = "_sync"
    old: OldModel
    entities: Annotated[dict[Name, EntityModel], Field(min_length=1)]


def editor_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a mapping file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **MappingModel.model_json_schema()}


def editor_schema_text() -> str:
    """The schema as it is shipped in ``service/mappings/mapping.schema.json``."""
    return json.dumps(editor_schema(), indent=2, ensure_ascii=False) + "\n"


def known_keys(path: tuple[str | int, ...]) -> list[str]:
    """The keys that the vocabulary has at ``path``; none where names are free."""
    schema = editor_schema()
    definitions, here = schema["$defs"], schema
    for step in path:
        here = here.get("properties", {}).get(step) or here.get("additionalProperties") or {}
        alternatives = [here, *here.get("anyOf", [])]
        reference = next((part["$ref"] for part in alternatives if "$ref" in part), None)
        here = definitions[reference.rpartition("/")[2]] if reference else here
    return list(here.get("properties", {}))
