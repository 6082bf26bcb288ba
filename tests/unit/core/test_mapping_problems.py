"""Everything that is wrong in a mapping file is found at once, and nothing that only follows from it."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.mapping.mapping import load_mapping
from service.core.mapping.yaml_document import read_yaml
from service.errors import Misconfigured, WrongMapping
from tests.builders.mappings import SHOP_TEXT

VALID = """\
version: 1
name: small
old: {table: {variable: OLD, default: old}, partition_key: pk, entity: kind}
entities:
  LEAD:
    table: {variable: LEADS, default: leads}
    old_key: {pk: "LEAD#{id}"}
    key: {PK: "{id}"}
    fields:
      id: {type: string, required: true}
      born: {type: date, default: "1970-01-01"}
      level: {type: int, default: 0}
  DEAL:
    table: {variable: DEALS, default: deals}
    old_key: {pk: "DEAL#{id}"}
    key: {PK: "{id}"}
    fields:
      id: {type: string, required: true}
      stage: {type: string, default: new}
"""

LEAD_KEY = 'LEAD#{id}"}\n    key: {PK: "{id}"}'
DEAL_KEY = 'DEAL#{id}"}\n    key: {PK: "{id}"}'

ROWS: dict[str, tuple[list[tuple[str, str]], list[str]]] = {
    "several keys of the vocabulary, in the order of the file": (
        [
            ("name: small", "name: Small"),
            ("type: int", "type: integer"),
            ("type: string, default", "type: text, default"),
        ],
        [
            "2: name: should be 1 to 63 lower-case letters, digits, _ or -, and begin with a letter or digit",
            (
                "12: entities.LEAD.fields.level.type: input should be 'string', 'int', 'number', 'boolean', 'date', 'epoch', "
                "'epoch_ms', 'list', 'map', 'any' or 'binary'"
            ),
            (
                "19: entities.DEAL.fields.stage.type: input should be 'string', 'int', 'number', 'boolean', 'date', 'epoch', "
                "'epoch_ms', 'list', 'map', 'any' or 'binary'"
            ),
        ],
    ),
    "vocabulary of one entity, and the meaning of another": (
        [
            ("name: small", "title: small"),
            ("default: 0}", "default: 0, size: 1}"),
            (DEAL_KEY, DEAL_KEY.replace('PK: "{id}"', 'PK: "{nr}"')),
        ],
        [
            "1: key 'name' is missing",
            "2: unknown key 'title'; known here: version, name, stamp, old, entities",
            "12: unknown key 'size'; known here: type, default, required, from, aliases, only_in_key, transform, elements, merge",
            "16: template names 'nr', which is not a field; fields are id, stage",
        ],
    ),
    "a key that is misspelt is not missing too": (
        [("partition_key: pk", "partition_kye: pk"), ("default: 0", "default: x")],
        [
            "3: unknown key 'partition_kye'; known here: table, partition_key, sort_key, entity, separator, leave_out, key_types"
        ],
    ),
    "meaning of both entities": (
        [("default: 0}", "default: x, aliases: [kind]}"), (DEAL_KEY, DEAL_KEY.replace('PK: "{id}"', 'PK: "{stage}"'))],
        [
            (
                "12: alias 'kind' of field 'level' is already an attribute of the old key, of `when`, or the entity attribute; "
                "remove the alias"
            ),
            "12: default 'x' does not fit type int; write a whole number such as 0, or leave it out",
            (
                "16: two old items could get the same v2 key, and only one would come back: a key template must hold {id}, "
                "beside text, months and shards only; "
                "or say in old.separator which text no value holds"
            ),
        ],
    ),
    "what relies on a default that is wrong is not asked": (
        [('"1970-01-01"', '"soon"'), (LEAD_KEY, LEAD_KEY.replace("{id}", "{born}"))],
        [
            (
                "11: default 'soon' does not fit type date; write an ISO 8601 date in quotes such as "
                '"1970-01-01T00:00:00.000Z", or leave it out'
            )
        ],
    ),
    "an alias that is taken, once each": (
        [("level: {type: int, default: 0}", "level: {type: int, default: 0, aliases: [born, _sync, id]}")],
        [
            (
                "12: alias '_sync' of field 'level' is already a key, index or stamp attribute of the v2 table; "
                "remove the alias"
            ),
            "12: alias 'born' of field 'level' is already field 'born'; remove the alias",
            "12: alias 'id' of field 'level' is already field 'id'; remove the alias",
        ],
    ),
    "what relies on a field that may be absent is not asked": (
        [("LEAD#{id}", "LEAD#{level}")],
        [
            (
                "7: {level} in an old key may be absent or changed: "
                "make it a required field without transform, of type "
                "string, int, number, date, epoch or epoch_ms, and write no fallback"
            )
        ],
    ),
    "only entities that are right are compared with each other": (
        [("default: deals", "default: leads"), ("default: new", "default: 7")],
        [
            (
                '19: default 7 does not fit type string; write text such as "new" '
                "(in quotes when it looks like something else), or leave it out"
            )
        ],
    ),
    "keys given twice, and the rest": (
        [
            ("      level:", "      born:"),
            ("      stage:", "      7:"),
            (LEAD_KEY, LEAD_KEY.replace('PK: "{id}"', 'PK: "{id}", PK: x')),
        ],
        [
            "8: key 'PK' is given twice, first at line 8; remove one of them",
            "12: key 'born' is given twice, first at line 11; remove one of them",
            "19: a key must be text; put it in quotes",
        ],
    ),
}


def wrong(text: str) -> WrongMapping:
    with pytest.raises(WrongMapping) as refused:
        load_mapping(text, source="m.yaml")
    return refused.value


@pytest.mark.parametrize("row", ROWS)
def test_every_problem_is_found_at_once_and_nothing_that_only_follows(row: str) -> None:
    changes, found = ROWS[row]
    text = VALID
    for part, replacement in changes:
        assert text.count(part) == 1, part
        text = text.replace(part, replacement)
    count = f"{len(found)} problem" if len(found) == 1 else f"{len(found)} problems"
    assert wrong(text).in_full().lines == (f"m.yaml has {count}", *(f"m.yaml:{line}" for line in found))


def test_what_is_wrong_in_the_same_words_on_one_line_is_said_once() -> None:
    content = yaml.safe_load(VALID)
    content["entities"]["LEAD"]["indexes"] = {"byNote": {"A": "{note}", "B": "{note}#"}}
    found = wrong(json.dumps(content)).in_full().lines
    assert found[0] == "m.yaml has 1 problem"
    assert found[1].startswith("m.yaml:1: template names 'note', which is not a field")


def test_what_needs_the_mapping_gets_one_line_and_is_told_how_many_more_there_are() -> None:
    error = wrong(VALID.replace("default: 0", "default: x").replace("default: new", "default: 7"))
    assert error.lines == (
        "m.yaml:12: default 'x' does not fit type int; write a whole number such as 0, or leave it out",
    )
    assert error.remedy.endswith("; it has 1 further problem: see `tablesplit mapping check m.yaml`")
    assert "further" not in wrong(VALID.replace("default: 0", "default: x")).remedy


def test_programs_get_the_line_of_each_problem() -> None:
    document = wrong(VALID.replace("default: 0", "default: x").replace("name: small", "name: A")).in_full().to_json()
    assert document["message"] == "m.yaml has 2 problems"
    assert [row["line"] for row in document["problems"]] == [2, 12]


def test_a_file_of_another_kind_is_refused_for_a_key_that_is_given_twice() -> None:
    with pytest.raises(Misconfigured, match=r"m\.yaml:2: key 'a' is given twice, first at line 1; remove one of them"):
        read_yaml("a: 1\na: 2\n", source="m.yaml")


def places(content: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


def changed(content: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The content with another value at ``path``; with the value DELETED, without it."""
    if not path:
        return value
    copy = content.copy()
    if value is DELETED and len(path) == 1:
        del copy[path[0]]
    else:
        copy[path[0]] = changed(copy[path[0]], path[1:], value)
    return copy


DELETED = object()
CONTENTS = [yaml.safe_load(text) for text in (VALID, SHOP_TEXT)]
WRONG = st.sampled_from(
    [DELETED, None, 7, True, "", "x", "{", "{id}", "{no}", "{id:month}", [], ["id"], {}, {"a": "b"}]
)


@st.composite
def broken(draw: Any) -> Any:
    """A mapping in which one to four places hold something else."""
    content = draw(st.sampled_from(CONTENTS))
    for _ in range(draw(st.integers(1, 4))):
        others = [place for place in places(content) if place]
        if others:
            content = changed(content, draw(st.sampled_from(others)), draw(WRONG))
    return content


@settings(max_examples=25)
@given(broken())
def test_whatever_is_in_a_file_is_loaded_or_refused_with_its_problems(content: Any) -> None:
    lines: tuple[str, ...] = ()
    try:
        load_mapping(json.dumps(content), source="m.yaml", resolve=lambda _: str)
    except WrongMapping as error:
        lines = (*error.in_full().lines, error.message)
    assert len(lines) - len(set(lines)) == bool(lines)  # each once, and the first among them
