"""A mapping that says something impossible about fields that both sides write is refused with one line."""

from pkgutil import resolve_name

import pytest

from service.core.mapping.mapping import load_mapping
from service.errors import Misconfigured

VALID = """\
version: 1
name: small
old: {table: {variable: OLD, default: old}, partition_key: pk, entity: kind}
entities:
  LEAD:
    table: {variable: LEADS, default: leads}
    old_key: {pk: "LEAD#{id}"}
    key: {PK: "{id}", SK: "{level}"}
    indexes:
      GSI1: {GSI1PK: "{status}{label}"}
    change_token: touched
    unmapped: gather into rest
    groups:
      - [amount, currency]
      - [first, last]
    merge: {likes: add, words: union, other: v2}
    fields:
      id: {type: string, required: true}
      status: {type: string, default: new}
      label: {type: string, default: "{score}"}
      level: {type: int, default: 0}
      score: {type: number, default: 0}
      visits: {type: int, merge: add}
      sum: {type: number, required: true, merge: add}
      tags: {type: list, merge: union}
      stages: {type: list, elements: {fields: {a: {type: int}}}}
      amount: {type: number, aliases: [n]}
      currency: {type: string}
      first: {type: string, merge: agree}
      last: {type: string, merge: agree}
      weight:
        type: number
        transform: {forward: "tests.builders.mappings:grams", inverse: "tests.builders.mappings:kilograms"}
      words_of_old:
        type: list
        merge: union
        transform: {forward: "tests.builders.mappings:grams", inverse: "tests.builders.mappings:kilograms"}
      touched: {type: string, default: new}
"""

ONLY_NUMBERS = "cannot have `merge: add`; only a field of type int or number without a transform can"
OTHER_NAMES = (
    "because the first name that is there counts, so a change of another one would be missed; remove one of the two"
)
IN_A_KEY = "cannot have `merge: add`, because a key or index is made of it; use v2 or agree"
ONLY_LISTS = "cannot have `merge: union`; only a field of type list without elements can"

ROWS = {
    "unknown way": (
        "tags: {type: list, merge: union",
        "tags: {type: list, merge: max",
        "25: entities.LEAD.fields.tags.merge: input should be 'v2', 'agree', 'add' or 'union'",
    ),
    "unknown way of an unmapped attribute": (
        "words: union",
        "words: max",
        "16: entities.LEAD.merge.words: input should be 'v2', 'agree', 'add' or 'union'",
    ),
    "adding text": (
        "currency: {type: string",
        "currency: {type: string, merge: add",
        f"28: field 'currency' {ONLY_NUMBERS}",
    ),
    "adding times": (
        "currency: {type: string",
        "currency: {type: epoch, merge: add",
        f"28: field 'currency' {ONLY_NUMBERS}",
    ),
    "adding what a hook makes": (
        "weight:\n",
        "weight:\n        merge: add\n",
        f"32: field 'weight' {ONLY_NUMBERS}",
    ),
    "adding the field of a v2 key": (
        "level: {type: int",
        "level: {type: int, merge: add",
        f"21: field 'level' {IN_A_KEY}",
    ),
    "adding what the default of an index field is made of": (
        "score: {type: number",
        "score: {type: number, merge: add",
        f"22: field 'score' {IN_A_KEY}",
    ),
    "adding the change token": (
        "touched: {type: string, default: new",
        "touched: {type: int, merge: add",
        "38: field 'touched' is the change token, of which the larger value stays: remove `merge`",
    ),
    "change token that agrees": (
        "touched: {type: string, default: new",
        "touched: {type: string, merge: agree",
        "38: field 'touched' is the change token, of which the larger value stays: remove `merge`",
    ),
    "adding what has two names": (
        "visits: {type: int",
        "visits: {type: int, aliases: [seen]",
        f"23: field 'visits' has aliases and cannot have `merge: add`, {OTHER_NAMES}",
    ),
    "union of what has two names": (
        "tags: {type: list",
        "tags: {type: list, aliases: [labels]",
        f"25: field 'tags' has aliases and cannot have `merge: union`, {OTHER_NAMES}",
    ),
    "union of numbers": (
        "score: {type: number",
        "score: {type: number, merge: union",
        f"22: field 'score' {ONLY_LISTS}",
    ),
    "union of maps with fields": (
        "stages: {type: list",
        "stages: {type: list, merge: union",
        f"26: field 'stages' {ONLY_LISTS}",
    ),
    "groups that are no lists": (
        "- [first, last]",
        "- first",
        "15: entities.LEAD.groups.1: input should be a valid list",
    ),
    "group of one": (
        "[first, last]",
        "[first]",
        "15: group first needs at least two fields; name them, or remove it",
    ),
    "group of none": ("[first, last]", "[]", "15: group [] needs at least two fields; name them, or remove it"),
    "group of an alias": (
        "[first, last]",
        "[first, n]",
        (
            "15: groups names 'n', which is not a field; fields are id, status, label, level, score, visits, sum, tags, "
            "stages, amount, currency, first, last, weight, words_of_old, touched"
        ),
    ),
    "field in two groups": (
        "[first, last]",
        "[first, amount]",
        "15: field 'amount' is in a group already; name it once, in the group to which it belongs",
    ),
    "field twice in a group": (
        "[first, last]",
        "[first, first]",
        "15: field 'first' is in a group already; name it once, in the group to which it belongs",
    ),
    "change token in a group": (
        "[amount, currency]",
        "[amount, touched]",
        "14: field 'touched' is the change token, which belongs to every write: remove it from the group",
    ),
    "counter in a group": (
        "[amount, currency]",
        "[amount, visits]",
        "14: field 'visits' has `merge: add` and cannot be in a group; remove one of the two",
    ),
    "union in a group": (
        "[amount, currency]",
        "[tags, currency]",
        "14: field 'tags' has `merge: union` and cannot be in a group; remove one of the two",
    ),
    "group of two ways": (
        "last: {type: string, merge: agree",
        "last: {type: string",
        "15: fields first, last are one group, so all of them need the same `merge`, v2 or agree",
    ),
    "field as an unmapped attribute": (
        "likes: add",
        "sum: add",
        "16: attribute 'sum' belongs to field 'sum'; write `merge` at that field",
    ),
    "alias as an unmapped attribute": (
        "likes: add",
        "n: add",
        "16: attribute 'n' belongs to field 'amount'; write `merge` at that field",
    ),
    "old key as an unmapped attribute": (
        "likes: add",
        "pk: add",
        "16: attribute 'pk' is made by the mapping itself: remove it from `merge`",
    ),
    "index key as an unmapped attribute": (
        "likes: add",
        "GSI1PK: agree",
        "16: attribute 'GSI1PK' is made by the mapping itself: remove it from `merge`",
    ),
    "gathered map as an unmapped attribute": (
        "likes: add",
        "rest: union",
        "16: attribute 'rest' is made by the mapping itself: remove it from `merge`",
    ),
}


def test_the_mapping_that_the_rows_break_is_valid() -> None:
    lead = load_mapping(VALID, source="m.yaml", resolve=resolve_name).entities["LEAD"]
    assert lead.groups == (("amount", "currency"), ("first", "last"))
    assert lead.unmapped_merge == {"likes": "add", "words": "union"}


@pytest.mark.parametrize("row", ROWS)
def test_a_wrong_mapping_is_refused_with_file_line_and_remedy(row: str) -> None:
    part, replacement, message = ROWS[row]
    assert VALID.count(part) == 1
    with pytest.raises(Misconfigured) as refusal:
        load_mapping(VALID.replace(part, replacement), source="m.yaml", resolve=resolve_name)
    assert str(refusal.value) == f"m.yaml:{message}"
    assert refusal.value.remedy
