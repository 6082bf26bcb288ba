"""The vocabulary of a mapping file, as pydantic models, and the JSON Schema of it for editors.

It defines which keys and values exist; ``check`` and the modules that it calls check that they make sense together.
"""

import json
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from service.core.mapping.entity import Merge

Name = Annotated[str, Field(min_length=1, max_length=255)]
TemplateText = Annotated[
    str,
    Field(description="Text with {field}, {field|fallback}, {field?}, {date:month}, {field:pad6}, {field:shard16}."),
]
Templates = Annotated[dict[Name, TemplateText], Field(min_length=1)]
OldKey = Annotated[dict[Name, TemplateText], Field(min_length=1, max_length=2)]
Constant = Annotated[JsonValue, Field(description="Text, a whole number, true or false.")]


def _named(key: Any) -> Any:
    """The templates by name of a key that is a list of fields; and None for a template that is the field of its own name."""
    if isinstance(key, list) and all(isinstance(name, str) for name in key):
        return dict.fromkeys(key)
    if isinstance(key, dict):
        return {name: None if text == f"{{{name}}}" else text for name, text in key.items()}
    return key


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _projected(value: Any) -> Any:
    return [] if value == "KEYS_ONLY" else value


def _or(**other: Any) -> Callable[[dict[str, Any]], None]:
    """What the editor's schema allows too: it is turned into the other form before it is checked."""

    def add(schema: dict[str, Any]) -> None:
        form = {name: schema.pop(name) for name in list(schema) if name not in ("title", "description", "default")}
        schema["anyOf"] = [form, other]

    return add


NAMES = {"type": "array", "items": {"type": "string"}, "minItems": 1}
KeyTexts = Annotated[dict[Name, TemplateText | None], BeforeValidator(_named)]
"""The templates of key attributes by name; None: the field of that name is the attribute itself. Also a list of fields."""
V2Key = Annotated[KeyTexts, Field(min_length=1, max_length=2, json_schema_extra=_or(**NAMES, maxItems=2))]
IndexKey = Annotated[KeyTexts, Field(min_length=1, max_length=8, json_schema_extra=_or(**NAMES, maxItems=8))]
Constants = Annotated[
    list[Constant], BeforeValidator(_listed), Field(min_length=1, json_schema_extra=_or(type="string"))
]
Projection = Annotated[
    list[Name], BeforeValidator(_projected), Field(json_schema_extra=_or(type="string", enum=["KEYS_ONLY"]))
]
"""The attributes that an index has beside the keys."""
FieldType = Literal["string", "int", "number", "boolean", "date", "epoch", "epoch_ms", "list", "map", "any", "binary"]
KeyTypes = dict[Name, Literal["string", "number", "binary"]]
KEEP = "keep"
GATHER = "gather into "
TABLE_NAME = r"^[A-Za-z0-9_.-]{3,255}$"
MAPPING_NAME = r"^[a-z0-9][a-z0-9_-]{0,62}$"
HOOK = r"^[\w.]+:[\w.]+$"
UNMAPPED = rf"^({KEEP}|{GATHER}\S+)$"
PATTERN_MEANINGS = {
    TABLE_NAME: "should be a table name: 3 to 255 letters, digits, _ . or -",
    MAPPING_NAME: "should be 1 to 63 lower-case letters, digits, _ or -, and begin with a letter or digit",
    HOOK: "should be module:function",
    UNMAPPED: "should be keep, or gather into NAME",
}
"""What a text must be that does not match a pattern, for error messages."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


def _or_name(schema: dict[str, Any]) -> None:
    table = dict(schema)
    schema.clear()
    schema |= {"anyOf": [table, {"type": "string", "pattern": TABLE_NAME}]}


class TableModel(_Model):
    """A table: its name; or the environment variable that names it, and its name when the variable is not set."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", json_schema_extra=_or_name)

    variable: Annotated[str, Field(max_length=255)] = ""
    default: Annotated[str, Field(pattern=TABLE_NAME)]

    @model_validator(mode="before")
    @classmethod
    def _of_name(cls, table: Any) -> Any:
        return {"default": table} if isinstance(table, str) else table


class OldModel(_Model):
    """The table that is migrated."""

    table: TableModel
    partition_key: Name
    sort_key: Name | None = None
    entity: Annotated[
        Name | None,
        Field(description="The attribute that names an item's entity; without it the key tells the entity."),
    ] = None
    separator: Annotated[
        str | None,
        Field(
            min_length=1, description="A text in keys that no value holds; an item whose value has it is quarantined."
        ),
    ] = None
    leave_out: Annotated[
        list[Templates],
        Field(description="Items that stay behind: patterns with * of key attributes, or of the entity attribute."),
    ] = []
    key_types: Annotated[KeyTypes, Field(description="The types of key attributes that are no strings.")] = {}


class TransformModel(_Model):
    """Functions for what the vocabulary cannot express, each ``module:function``, from attribute value to attribute value."""

    forward: Annotated[str, Field(pattern=HOOK, description="Returns None to take the default.")]
    inverse: Annotated[str, Field(pattern=HOOK, description="Returns None when the old attribute is absent.")]


class ElementFieldModel(_Model):
    """A field inside the maps of a list."""

    type: FieldType
    default: JsonValue = None


class ElementsModel(_Model):
    """The fields of the maps in a list."""

    fields: Annotated[dict[Name, ElementFieldModel], Field(min_length=1)]


class FieldModel(_Model):
    """One attribute of the v2 item."""

    type: FieldType
    default: Annotated[
        JsonValue, Field(description="The value when absent or not convertible; for a string field a template.")
    ] = None
    required: Annotated[bool, Field(description="An item without it is quarantined.")] = False
    source: Annotated[
        Name | None, Field(alias="from", description="Its name in the old table, if that is another one.")
    ] = None
    aliases: Annotated[list[Name], Field(description="Further names in the old table, after its own.")] = []
    only_in_key: Annotated[bool, Field(description="The old item has it in its key only, and no attribute for it.")] = (
        False
    )
    transform: TransformModel | None = None
    elements: ElementsModel | None = None
    merge: Annotated[Merge, Field(description="What becomes of the field when both sides write it.")] = "v2"


class EntityModel(_Model):
    """One kind of item: its v2 table, its keys, and its attributes."""

    table: TableModel
    when: Annotated[
        dict[Name, Constants],
        Field(description="Attributes of the old item that are to have this value, or one of these values."),
    ] = {}
    old_key: OldKey
    old_made: Annotated[
        dict[Name, TemplateText],
        Field(description="Attributes that the old application makes of others, such as index keys."),
    ] = {}
    key: V2Key
    indexes: dict[Name, IndexKey] = {}
    projections: Annotated[
        dict[Name, Projection],
        Field(description="What an index has of its items, where it has not all: KEYS_ONLY, or a list of attributes."),
    ] = {}
    partition_attributes: Annotated[
        dict[Name, Annotated[int, Field(ge=1, le=4)]],
        Field(description="How many attributes of an index are its partition key, where it is not the first alone."),
    ] = {}
    key_types: Annotated[KeyTypes, Field(description="The types of key and index attributes that are no strings.")] = {}
    change_token: Annotated[Name | None, Field(description="The field that changes with every write.")] = None
    ttl: Annotated[
        Name | None,
        Field(description="The attribute, a number of seconds since 1970, by which DynamoDB deletes v2's items."),
    ] = None
    unmapped: Annotated[
        str,
        Field(
            pattern=UNMAPPED,
            description="Attributes without a field: kept under their own names, or gathered into one map.",
        ),
    ] = KEEP
    groups: Annotated[
        list[list[Name]], Field(description="Fields that belong together: each list is merged as one field.")
    ] = []
    merge: Annotated[dict[Name, Merge], Field(description="As `merge` of a field, for attributes without one.")] = {}
    fields: Annotated[
        dict[Name, FieldModel],
        Field(description="The v2 attributes that are made; none for a single item, whose key is constant."),
    ] = {}


class MappingModel(_Model):
    """How the items of one old table become v2 items."""

    version: Literal[1, 2]
    name: Annotated[str, Field(pattern=MAPPING_NAME)]
    stamp: Annotated[Name, Field(description="The attribute that tablesplit adds to each item it writes.")] = "_sync"
    old: OldModel
    entities: Annotated[dict[Name, EntityModel], Field(min_length=1)]


def editor_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a mapping file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **MappingModel.model_json_schema()}


def editor_schema_text() -> str:
    """The text of ``service/mappings/mapping.schema.json``: to regenerate it, and to check that it is current."""
    return json.dumps(editor_schema(), indent=2, ensure_ascii=False) + "\n"


def known_keys(path: tuple[str | int, ...]) -> list[str]:
    """The keys that the vocabulary has at ``path``; empty where any name is allowed."""
    schema = editor_schema()
    definitions, here = schema["$defs"], schema
    for step in path:
        here = here.get("properties", {}).get(step) or here.get("additionalProperties") or {}
        alternatives = [here, *here.get("anyOf", [])]
        reference = next((alternative["$ref"] for alternative in alternatives if "$ref" in alternative), None)
        here = definitions[reference.rpartition("/")[2]] if reference else here
        here = next((one for one in here.get("anyOf", []) if "properties" in one), here)
    return list(here.get("properties", {}))
