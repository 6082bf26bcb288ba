"""``ttl`` of a mapping: what names no time to live that DynamoDB heeds is refused, and from when on v2's items expire."""

import pytest

from service.core.item.wire import AttributeValue
from service.core.mapping.expiry import early_expiry, never_expires, stated_expiry
from service.core.mapping.mapping import Mapping, load_mapping
from service.errors import WrongMapping

TEXT = """\
version: 1
name: sessions
old: {table: {variable: OLD, default: old}, partition_key: pk, entity: kind}
entities:
  SESSION:
    table: sessions
    old_key: {pk: "SESSION#{id}"}
    key: {PK: "SESSION#{id}"}
    indexes: {byEnd: {end_key: "{ends?}"}}
    ttl: ends
    unmapped: keep
    fields:
      id: {type: string, required: true}
      ends: {type: epoch, from: expires, aliases: [expiry]}
      seen: {type: epoch_ms}
      text: {type: string}
      size: {type: int, default: 0}
  TOKEN:
    table: sessions
    old_key: {pk: "TOKEN#{id}"}
    key: {PK: "TOKEN#{id}"}
    unmapped: gather into more
    fields:
      id: {type: string, required: true}
"""


def loaded(*changes: tuple[str, str]) -> Mapping:
    text = TEXT
    for part, other in changes:
        assert part in text
        text = text.replace(part, other)
    return load_mapping(text, source="m.yaml")


TOKEN_FIELDS = "unmapped: gather into more\n    fields:\n      id: {type: string, required: true}"
ROWS = {
    "text": (
        ("ttl: ends", "ttl: text"),
        (
            "10: ttl names field 'text' of type string: DynamoDB lets items expire by a number of seconds only; "
            "name a field of type int or number or epoch"
        ),
    ),
    "milliseconds": (
        ("ttl: ends", "ttl: seen"),
        (
            "10: ttl names field 'seen' of type epoch_ms: DynamoDB lets items expire by a number of seconds only, and would take "
            "milliseconds for seconds; name a field of type int or number or epoch"
        ),
    ),
    "a default": (
        ("ttl: ends", "ttl: size"),
        "10: ttl names field 'size', whose default would let items expire that have no time of their own: remove it",
    ),
    "the old name of a field": (
        ("ttl: ends", "ttl: expires"),
        "10: ttl names 'expires', which is field 'ends' on v2: name that",
    ),
    "an alias of a field": (
        ("ttl: ends", "ttl: expiry"),
        "10: ttl names 'expiry', which is field 'ends' on v2: name that",
    ),
    "an index key": (
        ("ttl: ends", "ttl: end_key"),
        "10: ttl names 'end_key', which is a key, index or stamp attribute, or is not carried to v2; name a field",
    ),
    "the stamp": (
        ("ttl: ends", "ttl: _sync"),
        "10: ttl names '_sync', which is a key, index or stamp attribute, or is not carried to v2; name a field",
    ),
    "an attribute of the old key": (
        ("ttl: ends", "ttl: pk"),
        "10: ttl names 'pk', which is a key, index or stamp attribute, or is not carried to v2; name a field",
    ),
    "a gathered attribute": (
        ("gather into more", "gather into more\n    ttl: ends"),
        (
            "23: ttl names 'ends', which is no field, so it is gathered into 'more', where DynamoDB does not look; "
            "make it a field of type epoch"
        ),
    ),
    "another one in an entity of the same table": (
        (TOKEN_FIELDS, f"ttl: until\n    {TOKEN_FIELDS}\n      until: {{type: int}}"),
        "22: SESSION and TOKEN share a table, which has one time to live, not both 'ends' and 'until': give the fields one name",
    ),
    "none in an entity of the same table that has such a field": (
        (TOKEN_FIELDS, f"{TOKEN_FIELDS}\n      ends: {{type: int}}"),
        (
            "18: SESSION of the same table has `ttl: ends`, by which items of TOKEN would expire, too: "
            "write `ttl: ends` here too, or give that attribute another name"
        ),
    ),
    "none in an entity of the same table that may have such an attribute": (
        ("gather into more", "keep"),
        (
            "18: SESSION of the same table has `ttl: ends`, by which items of TOKEN would expire, too: "
            "write `ttl: ends` here too, or give that attribute another name"
        ),
    ),
}


@pytest.mark.parametrize(("change", "message"), ROWS.values(), ids=ROWS)
def test_what_dynamodb_would_ignore_or_take_for_more_is_refused(change: tuple[str, str], message: str) -> None:
    with pytest.raises(WrongMapping) as refused:
        loaded(change)
    assert str(refused.value) == f"m.yaml:{message}"


def test_a_field_of_seconds_an_attribute_as_it_is_and_entities_that_agree_are_good() -> None:
    for change in (
        ("ttl: ends", "ttl: ends  # a field"),
        ("ends: {type: epoch", "ends: {type: number"),
        ("unmapped: gather into more", "ttl: ends\n    unmapped: keep"),
    ):
        assert stated_expiry(loaded(change), "sessions") == "ends"
    kept = loaded(("ttl: ends", "ttl: gone"))
    assert stated_expiry(kept, "sessions") == "gone"
    assert stated_expiry(loaded(("    ttl: ends\n", "")), "sessions") is None


def test_it_changes_no_item_so_it_may_be_added_while_a_migration_runs() -> None:
    assert loaded().hash == loaded(("    ttl: ends\n", "")).hash


def test_v2_expires_from_the_first_only_by_what_the_old_items_expire_by() -> None:
    alone = ('table: sessions\n    old_key: {pk: "TOKEN', 'table: tokens\n    old_key: {pk: "TOKEN')
    stated, silent = loaded(alone), loaded(alone, ("    ttl: ends\n", ""))
    assert early_expiry(stated, "sessions", "expires") == early_expiry(silent, "sessions", "expires") == "ends"
    # by another attribute the old items would stay, and v2's delete them there from the first dual on
    assert early_expiry(stated, "sessions", "gone") is None
    assert early_expiry(silent, "sessions", "gone") == "gone"
    assert early_expiry(stated, "tokens", "expires") is None


@pytest.mark.parametrize(
    ("value", "never"),
    [
        ({"N": "1709633000"}, False),
        ({"N": "1709633000.5"}, False),
        ({"N": "253402300799"}, False),
        ({"N": "1709633000000"}, True),
        ({"S": "1709633000"}, True),
        ({"NULL": True}, True),
    ],
)
def test_only_a_number_of_seconds_lets_an_item_expire(value: AttributeValue, never: bool) -> None:
    assert never_expires(value) is never
