"""A wrong mapping is refused with one line: file, line, what is wrong, what to do."""

from pkgutil import resolve_name

import pytest

from service.core.mapping.mapping import load_mapping
from service.errors import Misconfigured

VALID = """\
version: 1
name: small
old:
  table: {variable: OLD, default: old}
  partition_key: pk
  sort_key: sk
  entity: kind
entities:
  LEAD:
    table: {variable: LEADS, default: leads}
    old_key: {pk: "LEAD#{id}", sk: META}
    key: {PK: LEAD, SK: "{born:month}#{id}"}
    indexes:
      GSI1: {GSI1PK: "S#{status}", GSI1SK: "{born}"}
    change_token: touched
    unmapped: gather into rest
    fields:
      id: {type: string, required: true}
      status: {type: string, default: new}
      company: {type: string}
      count: {type: int, default: 0, aliases: [n]}
      tags: {type: list}
      born: {type: date, default: "1970-01-01"}
      touched: {type: string, default: "{born}"}
  DEAL:
    table: {variable: DEALS, default: deals}
    old_key: {pk: "DEAL#{id}", sk: META}
    key: {PK: DEAL, SK: "{id}"}
    fields:
      id: {type: string, required: true}
"""

ROWS = {
    "empty file": (VALID, "# nothing\n", "1: the mapping is empty"),
    "YAML syntax": ("name: small", "name: [small", "3: not YAML: expected ',' or ']', but got ':'"),
    "YAML tab": (
        "  partition_key: pk",
        "\tpartition_key: pk",
        "5: not YAML: found character '\\t' that cannot start any token",
    ),
    "YAML control character": ("small", "sm\x07all", "2: not YAML: character '\\x07' is not allowed"),
    "YAML date that is none": (
        "name: small",
        "name: 2024-13-45",
        "2: not YAML: '2024-13-45': month must be in 1..12",
    ),
    "YAML anchor in itself": (
        "name: small",
        "name: &a [*a]",
        "1: not YAML: it nests too deeply, or an anchor contains itself",
    ),
    "key twice": (
        "      company:",
        "      status:",
        "20: key 'status' is given twice, first at line 19; remove one of them",
    ),
    "key not text": ("      company:", "      7:", "20: a key must be text; put it in quotes"),
    "not a map": (VALID, "- version\n", "1: the mapping: should be a map of keys and values"),
    "unknown key at the top": (
        "name:",
        "title:",
        "2: unknown key 'title'; known here: version, name, stamp, old, entities",
    ),
    "unknown key in an entity": (
        "    change_token: touched",
        "    token: touched",
        "15: unknown key 'token'; known here: "
        + ", ".join(
            [
                *("table", "when", "old_key", "old_made", "key", "indexes", "projections"),
                *("partition_attributes", "key_types", "change_token"),
                *("ttl", "unmapped", "groups", "merge", "fields"),
            ]
        ),
    ),
    "unknown key in a field": (
        "aliases: [n]",
        "alias: [n]",
        "21: unknown key 'alias'; known here: type, default, required, from, aliases, only_in_key, transform, elements, merge",
    ),
    "missing key": ("  partition_key: pk\n", "", "3: key 'partition_key' is missing"),
    "unknown version": ("version: 1", "version: 3", "1: version: input should be 1 or 2"),
    "unknown type": (
        "count: {type: int",
        "count: {type: integer",
        (
            "21: entities.LEAD.fields.count.type: input should be 'string', 'int', 'number', 'boolean', "
            "'date', 'epoch', 'epoch_ms', 'list', 'map', 'any' or 'binary'"
        ),
    ),
    "number for text": (
        "name: small",
        "name: 5",
        "2: name: should be text (in quotes when it looks like something else)",
    ),
    "unmapped neither kept nor gathered": (
        "gather into rest",
        "drop",
        "16: entities.LEAD.unmapped: should be keep, or gather into NAME",
    ),
    "three key attributes": (
        "key: {PK: LEAD,",
        "key: {PK: LEAD, X: x,",
        "12: entities.LEAD.key: at most 2 keys are allowed",
    ),
    "table name that DynamoDB refuses": (
        "default: leads",
        'default: "my leads"',
        "10: entities.LEAD.table.default: should be a table name: 3 to 255 letters, digits, _ . or -",
    ),
    "stray brace": (
        '"S#{status}"',
        '"S#{status"',
        "14: template 'S#{status' has an unmatched brace; write {{ or }} for the brace itself",
    ),
    "unknown modifier": (
        "{born:month}#",
        "{born:week}#",
        (
            "12: template '{born:week}#{id}' uses 'week'; known are year, month, day, hour, lower, upper, "
            "pad<digits> such as pad6, and shard<count> such as shard16"
        ),
    ),
    "empty template": ('"S#{status}"', '""', "14: template of 'GSI1PK' is empty: DynamoDB has no empty keys"),
    "template names no field": (
        "{status}",
        "{state}",
        "14: template names 'state', which is not a field; fields are id, status, company, count, tags, born, touched",
    ),
    "template names what can be absent": (
        "{status}",
        "{company}",
        "14: template names 'company', which can be absent or empty; write {company|fallback}",
    ),
    "template names what can be empty": (
        "default: new",
        'default: ""',
        "14: template names 'status', which can be absent or empty; write {status|fallback}",
    ),
    "template with an empty fallback": (
        "{status}",
        "{company|}",
        "14: template names 'company', which can be absent or empty; write {company|fallback}",
    ),
    "template names a list": (
        "{status}",
        "{tags}",
        "14: template names 'tags', of type list; a template needs a field that is always a single value",
    ),
    "template names a map": (
        "status: {type: string, default: new",
        "status: {type: map, default: {}",
        "14: template names 'status', of type map; a template needs a field that is always a single value",
    ),
    "template names any value": (
        "status: {type: string, default: new",
        "status: {type: any",
        "14: template names 'status', of type any; a template needs a field that is always a single value",
    ),
    "month of text": (
        "{born:month}#",
        "{status:month}#",
        "12: {status:month} needs a field of type date or epoch or epoch_ms, 'status' is of type string",
    ),
    "month of a fallback that is no date": (
        "{born:month}#",
        "{born:month|never}#",
        "12: fallback 'never' of {born:month} is not a date",
    ),
    "bad default for int": (
        "count: {type: int, default: 0",
        "count: {type: int, default: 0.5",
        "21: default 0.5 does not fit type int; write a whole number such as 0, or leave it out",
    ),
    "bad default for text": (
        "default: new",
        "default: yes",
        (
            '19: default True does not fit type string; write text such as "new" '
            "(in quotes when it looks like something else), or leave it out"
        ),
    ),
    "bad default for a date": (
        'default: "1970-01-01"',
        'default: "today"',
        (
            "23: default 'today' does not fit type date; write an ISO 8601 date in quotes such as "
            '"1970-01-01T00:00:00.000Z", or leave it out'
        ),
    ),
    "date default without quotes": (
        'default: "1970-01-01"',
        "default: 1970-01-01",
        "23: entities.LEAD.fields.born.default: should be a JSON value; put a date in quotes",
    ),
    "bad default for seconds": (
        'born: {type: date, default: "1970-01-01"',
        "born: {type: epoch, default: today",
        (
            "23: default 'today' does not fit type epoch; write seconds since 1970 such as 0, "
            'or a date in quotes such as "1970-01-01", or leave it out'
        ),
    ),
    "bad default for a map": (
        "tags: {type: list",
        "tags: {type: map, default: {a: 1}",
        "22: default {'a': 1} does not fit type map; write {}, or leave it out",
    ),
    "default for any value": (
        "tags: {type: list",
        "tags: {type: any, default: x",
        "22: default 'x' does not fit type any; write no default at all, or leave it out",
    ),
    "default that is null": (
        "tags: {type: list",
        "tags: {type: list, default: null",
        "22: default None does not fit type list; write a list of text such as [], or leave it out",
    ),
    "default of a required field": (
        "id: {type: string, required: true}\n      status",
        "id: {type: string, required: true, default: x}\n      status",
        "18: a required field takes no default: remove `required` or `default`",
    ),
    "default made of itself": (
        'default: "{born}"',
        'default: "{touched}"',
        "24: default of 'touched' uses 'touched', whose own default is a template; use a field without one",
    ),
    "elements of a field that is not a list": (
        "company: {type: string",
        "company: {type: string, elements: {fields: {a: {type: int}}}",
        "20: field 'company' cannot have elements; only a field of type list without a transform can",
    ),
    "bad default inside elements": (
        "tags: {type: list",
        "tags: {type: list, elements: {fields: {a: {type: int, default: x}}}",
        "22: default 'x' does not fit type int; write a whole number such as 0, or leave it out",
    ),
    "change token is no field": (
        "change_token: touched",
        "change_token: updated",
        "15: change_token names 'updated', which is not a field of this entity",
    ),
    "transform that is not there": (
        "company: {type: string",
        "company: {type: string, transform: {forward: 'no_such_module:f', inverse: 'json:dumps'}",
        "20: transform 'no_such_module:f' cannot be found: No module named 'no_such_module'",
    ),
    "transform that is no function": (
        "company: {type: string",
        "company: {type: string, transform: {forward: 'json:__name__', inverse: 'json:dumps'}",
        "20: transform 'json:__name__' is not a function; name one as module:function",
    ),
    "field named like a key attribute": (
        "      company:",
        "      GSI1PK:",
        "20: field 'GSI1PK' cannot have this name: it is a key, index or stamp attribute of the v2 table; choose another name",
    ),
    "field named like the stamp": (
        "      company:",
        "      _sync:",
        "20: field '_sync' cannot have this name: it is a key, index or stamp attribute of the v2 table; choose another name",
    ),
    "field named like the old key": (
        "      company:",
        "      pk:",
        (
            "20: field 'pk' cannot have this name: it is an attribute of the old key, of `when`, or the entity attribute; "
            "choose another name, or write `from`"
        ),
    ),
    "field named like the gathered map": (
        "      company:",
        "      rest:",
        "20: field 'rest' cannot have this name: it is the attribute for unmapped attributes; choose another name",
    ),
    "gathered into a key attribute": (
        "gather into rest",
        "gather into SK",
        "16: cannot gather into 'SK': it is a key, index or stamp attribute of the v2 table; choose another name",
    ),
    "alias of another field": (
        "aliases: [n]",
        "aliases: [status]",
        "21: alias 'status' of field 'count' is already field 'status'; remove the alias",
    ),
    "alias twice": (
        "aliases: [n]",
        "aliases: [n, n]",
        "21: alias 'n' of field 'count' is already an alias of field 'count'; remove the alias",
    ),
    "old key without its sort key": (
        ", sk: META}\n    key: {PK: LEAD",
        "}\n    key: {PK: LEAD",
        "11: old_key must have a template for each of pk, sk",
    ),
    "old key of an optional field": (
        'pk: "LEAD#{id}"',
        'pk: "LEAD#{status}"',
        (
            "11: {status} in an old key may be absent or changed: "
            "make it a required field without transform, of type string, int, number, date, epoch or epoch_ms, "
            "and write no fallback"
        ),
    ),
    "v2 key without the id": (
        '"{born:month}#{id}"',
        '"{born:month}#"',
        (
            "12: two old items could get the same v2 key, and only one would come back: a key template must hold {id}, "
            "beside text, months and shards only; or say in old.separator which text no value holds"
        ),
    ),
    "v2 key from which the id cannot be read": (
        '"{born:month}#{id}"',
        '"{status}#{id}"',
        (
            "12: two old items could get the same v2 key, and only one would come back: a key template must hold {id}, "
            "beside text, months and shards only; or say in old.separator which text no value holds"
        ),
    ),
    "v2 key with a shard of the id only": (
        '"{born:month}#{id}"',
        '"{id:shard16}"',
        (
            "12: two old items could get the same v2 key, and only one would come back: a key template must hold {id}, "
            "beside text, months and shards only; or say in old.separator which text no value holds"
        ),
    ),
    "index attribute with two templates": (
        'GSI1SK: "{born}"',
        'SK: "{born}"',
        "14: attribute 'SK' already has the template '{born:month}#{id}'; repeat it, or use another attribute",
    ),
    "v2 table is the old table": (
        "default: leads",
        "default: old",
        "10: entity LEAD would go to the old table 'old'; name another table",
    ),
    "two entities whose keys collide": (
        'default: deals}\n    old_key: {pk: "DEAL#{id}", sk: META}\n    key: {PK: DEAL',
        'default: leads}\n    old_key: {pk: "DEAL#{id}", sk: META}\n    key: {PK: LEAD',
        (
            "28: LEAD and DEAL share a table and could get the same key, and only one would come back; "
            "let a key template begin differently"
        ),
    ),
    "two entities in one table with other key attributes": (
        'default: deals}\n    old_key: {pk: "DEAL#{id}", sk: META}\n    key: {PK',
        'default: leads}\n    old_key: {pk: "DEAL#{id}", sk: META}\n    key: {P',
        "28: LEAD and DEAL share a table, so their keys must have the same attributes",
    ),
    "two entities in one table with another index": (
        'default: deals}\n    old_key: {pk: "DEAL#{id}", sk: META}\n',
        'default: leads}\n    old_key: {pk: "DEAL#{id}", sk: META}\n    indexes: {GSI1: {GSI1SK: x}}\n',
        "28: LEAD and DEAL share a table, but their GSI1 differs; give both the same attributes",
    ),
}


def test_the_mapping_that_the_rows_break_is_valid() -> None:
    assert load_mapping(VALID, source="m.yaml").name == "small"


@pytest.mark.parametrize("row", ROWS)
def test_a_wrong_mapping_is_refused_with_file_line_and_remedy(row: str) -> None:
    part, replacement, message = ROWS[row]
    assert VALID.count(part) == 1
    with pytest.raises(Misconfigured) as refusal:
        load_mapping(VALID.replace(part, replacement), source="m.yaml", resolve=resolve_name)
    assert str(refusal.value) == f"m.yaml:{message}"
    assert refusal.value.remedy


def test_a_collision_that_only_the_environment_makes_is_found() -> None:
    text = VALID.replace("key: {PK: DEAL", "key: {PK: LEAD")
    assert load_mapping(text, source="m.yaml").tables.keys() == {"leads", "deals"}
    with pytest.raises(Misconfigured, match="LEAD and DEAL share a table and could get the same key"):
        load_mapping(text, source="m.yaml", names=lambda variable, default: "one" if variable != "OLD" else default)
