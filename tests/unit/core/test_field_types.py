"""Fields of type epoch, epoch_ms, map and any: what becomes of each value, in a field, in a key, and inside a list."""

import pytest

from service.core.item.stamp import V2Item, backfill_version, stamped
from service.core.item.wire import AttributeValue, Item
from service.core.mapping.dates import DATE_TYPES, moment_of, number_of_moment
from service.core.mapping.expiry import carried_expiry
from service.core.mapping.inverse import inverse
from service.core.mapping.key_pattern import key_pattern
from service.core.mapping.mapping import load_mapping
from service.core.mapping.model_parts import constant_value
from service.core.mapping.template import parse_template
from service.core.mapping.transform import forward
from service.errors import Poison
from tests.builders.mappings import PARCELS_TEXT, parcels
from tests.builders.typed_keys import TYPED_TEXT, reading


def parcel(**contents: AttributeValue) -> Item:
    own: Item = {"pk": {"S": "PARCEL#7"}, "sk": {"S": "META"}, "kind": {"S": "PARCEL"}, "id": {"S": "7"}}
    return {**own, **contents}


def transformed(old: Item) -> V2Item:
    """The v2 item, after a check that its inverse is the old item."""
    v2 = forward(parcels(), old)
    assert inverse(parcels(), stamped(v2, backfill_version(1), "_sync"), v2.table) == old
    return v2


def s(text: str) -> AttributeValue:
    return {"S": text}


def n(digits: str) -> AttributeValue:
    return {"N": digits}


FIRST, LAST = -62_135_596_800, 253_402_300_799
"""The first and the last second of the years 1 to 9999."""

SECONDS = [
    (n("1709633000"), n("1709633000"), "2024-03"),
    (n("1709251199.9"), n("1709251199.9"), "2024-02"),
    (n("-0.5"), n("-0.5"), "1969-12"),
    (n("1.709633E+9"), n("1.709633E+9"), "2024-03"),
    (n(str(FIRST)), n(str(FIRST)), "0001-01"),
    (n(str(FIRST - 1)), n("0"), "1970-01"),
    (n(str(LAST)), n(str(LAST)), "9999-12"),
    (n(str(LAST + 1)), n("0"), "1970-01"),
    (n("9" * 38), n("0"), "1970-01"),
    (n("1" + "0" * 125), n("0"), "1970-01"),
    (n("1709633000000"), n("0"), "1970-01"),
    (s("1709633000"), n("1709633000"), "2024-03"),
    (s(" '1,709,633,000.50' "), n("1709633000.5"), "2024-03"),
    (s("20240305"), n("20240305"), "1970-08"),
    (s("2024-03-05"), n("1709596800"), "2024-03"),
    (s("2024-03-01T00:10:00+09:00"), n("1709219400"), "2024-02"),
    (s("1969-12-31T23:59:59.5Z"), n("-1"), "1969-12"),
    (s("9999-12-31T23:59:59-14:00"), n("0"), "1970-01"),
    (s(str(LAST + 1)), n("0"), "1970-01"),
    (s("yesterday"), n("0"), "1970-01"),
    (s(""), n("0"), "1970-01"),
    ({"NULL": True}, n("0"), "1970-01"),
    ({"BOOL": True}, n("0"), "1970-01"),
    ({"M": {}}, n("0"), "1970-01"),
]


@pytest.mark.parametrize(("original", "field", "month"), SECONDS)
def test_seconds(original: AttributeValue, field: AttributeValue, month: str) -> None:
    v2 = transformed(parcel(created_at=original))
    assert v2.item["created_at"] == field
    assert v2.key["SK"] == s(f"{month}#7")
    assert v2.item["label"] == s(f"of {month}")
    assert v2.residue == ({} if field == original else {"created_at": original})


MILLISECONDS = [
    (n("1709633000123"), n("1709633000123"), "2024-03"),
    (n("1709251199999.9"), n("1709251199999.9"), "2024-02"),
    (n(str(FIRST * 1000)), n(str(FIRST * 1000)), "0001-01"),
    (n(str(FIRST * 1000 - 1)), n("951825600500"), "2000-02"),
    (n(str(LAST * 1000 + 999)), n(str(LAST * 1000 + 999)), "9999-12"),
    (n(str(LAST * 1000 + 1000)), n("951825600500"), "2000-02"),
    (s("2024-03-05T10:03:20.123456Z"), n("1709633000123"), "2024-03"),
    (s("1709633000123"), n("1709633000123"), "2024-03"),
]


@pytest.mark.parametrize(("original", "field", "month"), MILLISECONDS)
def test_milliseconds_in_an_index(original: AttributeValue, field: AttributeValue, month: str) -> None:
    item = transformed(parcel(sent=original)).item
    assert (item["sent"], item["sent_month"], item["sent_key"]) == (field, s(month), field)


def test_a_time_without_a_default_stays_absent() -> None:
    v2 = transformed(parcel(seen=s("soon")))
    assert ("seen" in v2.item, v2.residue) == (False, {"seen": s("soon")})


def test_after_an_edit_in_v2_the_time_goes_back_as_the_number_that_v2_has() -> None:
    old = parcel(created=s("2024-03-05"), seen=s("2024-03-05"))
    v2 = stamped(forward(parcels(), old), backfill_version(1), "_sync")
    back = inverse(parcels(), {**v2, "seen": n("1709596801")}, "parcels")
    assert back == {**old, "seen": n("1709596801")}
    assert inverse(parcels(), {**v2, "seen": n("1709596800.0")}, "parcels") == old, "the same time"


def test_a_moment_has_the_parts_of_a_date_in_utc() -> None:
    for kind, text in zip(DATE_TYPES, ("2024-03-05T11:03:20+01:00", "1709633000", "1709633000999"), strict=True):
        moment = moment_of(kind, text)
        assert moment is not None
        assert (moment.year, moment.month, moment.day, moment.hour, moment.minute) == (2024, 3, 5, 10, 3)
        assert kind == "date" or str(number_of_moment(kind, moment))[:10] == "1709633000"


def test_a_time_may_be_the_number_of_an_old_key() -> None:
    mapping = load_mapping(TYPED_TEXT.replace("time: {type: number", "time: {type: epoch_ms"), source="m.yaml")
    assert forward(mapping, reading("AAE=", "1709633000123")).key["SK"] == n("1709633000123")
    with pytest.raises(Poison, match="time is absent, or not of type epoch_ms"):
        forward(mapping, reading("AAE=", "1" + "0" * 20))


def test_a_time_may_be_a_key_of_its_own_and_stand_in_the_text_of_an_old_key() -> None:
    text = PARCELS_TEXT.replace("sk: META}", 'sk: "{made}"}').replace(
        'key: {PK: PARCEL, SK: "{created_at:month}#{id}"}', "key: [id, made]"
    )
    mapping = load_mapping(
        text.replace("      seen:", "      made: {type: epoch, required: true}\n      seen:"), source="m.yaml"
    )
    old = {**parcel(made=n("1709633000")), "sk": s("1709633000")}
    v2 = forward(mapping, old)
    assert v2.key == {"id": s("7"), "made": n("1709633000")}
    assert inverse(mapping, stamped(v2, backfill_version(1), "_sync"), v2.table) == old


@pytest.mark.parametrize(
    ("part", "text"), [("year", "2024"), ("month", "2024-03"), ("day", "2024-03-05"), ("hour", "2024-03-05T10")]
)
def test_a_part_of_a_date_in_a_key_is_read_out_of_it(part: str, text: str) -> None:
    pattern = key_pattern(parse_template(f"{{id}}{{at:{part}}}", field_types={"at": "epoch"}), None)
    made = pattern.template.render({"id": s("7-"), "at": n("1709633000")})
    assert made == f"7-{text}"
    assert pattern.read(s(made)) == {"id": "7-", "at": text}


def test_items_expire_by_seconds_without_a_default_and_not_by_milliseconds() -> None:
    assert carried_expiry(parcels(), "parcels", "seen") == "seen"
    assert carried_expiry(parcels(), "parcels", "created_at") is None
    in_milliseconds = load_mapping(
        PARCELS_TEXT.replace("seen: {type: epoch}", "seen: {type: epoch_ms}"), source="m.yaml"
    )
    assert carried_expiry(in_milliseconds, "parcels", "seen") is None


MAPS = [
    ({"M": {"a": n("1")}}, {"M": {"a": n("1")}}),
    ({"M": {}}, {"M": {}}),
    ({"M": {"S": s("as it is")}}, {"M": {"S": s("as it is")}}),
    (s('{"a": 1}'), {"M": {"a": n("1")}}),
    (s('{"a": {"S": "x"}}'), {"M": {"a": s("x")}}),
    (s("a, b"), {"M": {}}),
    (s("[1]"), {"M": {}}),
    ({"L": []}, {"M": {}}),
    (n("1"), {"M": {}}),
    ({"NULL": True}, {"M": {}}),
    (s(""), {"M": {}}),
]


@pytest.mark.parametrize(("original", "field"), MAPS)
def test_a_map(original: AttributeValue, field: AttributeValue) -> None:
    v2 = transformed(parcel(size=original))
    assert v2.item["size"] == field
    assert v2.residue == ({} if field == original else {"size": original})


@pytest.mark.parametrize(
    "value", [s("a"), n("1.50"), {"B": "AAE="}, {"BOOL": False}, {"L": []}, {"M": {"S": s("a")}}, {"SS": ["b", "a"]}]
)
def test_any_value_stays_as_it_is(value: AttributeValue) -> None:
    v2 = transformed(parcel(extra=value))
    assert (v2.item["extra"], v2.residue) == (value, {})


@pytest.mark.parametrize("value", [s(""), {"NULL": True}])
def test_of_any_field_the_absent_values_are_absent(value: AttributeValue) -> None:
    v2 = transformed(parcel(extra=value))
    assert ("extra" in v2.item, v2.residue) == (False, {"extra": value})
    assert transformed(parcel(extra=value, more=n("1"))).item["extra"] == n("1")


STEPS = [
    ({"M": {"S": s("a")}}, {"S": s("a")}),
    ({"M": {"M": {"M": {"S": {"M": {"S": s("a")}}}}}}, {"S": s("a")}),
    ({"M": {"S": {"M": {"S": s("a")}}}}, {"S": s("a")}),
    ({"M": {"N": s("1")}}, None),
    ({"M": {"at": s("2024-03-05"), "S": s("a")}}, {"S": s("a"), "at": n("1709596800")}),
    ({"M": {"S": s("a"), "meta": {"M": {"S": s("b")}}}}, {"S": s("a"), "meta": {"M": {"S": s("b")}}}),
    ({"M": {"S": s("a"), "note": {"M": {"S": s("b")}}}}, {"S": s("a"), "note": {"M": {"S": s("b")}}}),
    ({"M": {"S": s("a"), "parts": {"L": [{"M": {"S": s("b")}}]}}}, {"S": s("a"), "parts": {"L": [s("b")]}}),
    ({"M": {"S": {"M": {"NULL": {"BOOL": True}}}}}, {"S": s("none")}),
]


@pytest.mark.parametrize(("element", "content"), STEPS)
def test_a_field_named_like_a_type_word_is_no_type_word(element: AttributeValue, content: Item | None) -> None:
    held = transformed(parcel(steps={"L": [element]})).item["steps"]
    assert held == {"L": [n("1") if content is None else {"M": content}]}


def test_in_text_too_a_field_named_like_a_type_word_is_no_type_word() -> None:
    assert transformed(parcel(steps=s('[{"S": "a"}]'))).item["steps"] == {"L": [{"M": {"S": s("a")}}]}
    assert transformed(parcel(steps=s('[{"N": "1"}, "b"]'))).item["steps"] == {"L": [n("1"), s("b")]}


DEFAULTS = [
    ("epoch", 0, n("0")),
    ("epoch", 1.5, n("1.5")),
    ("epoch", "1970-01-02", n("86400")),
    ("epoch_ms", "1970-01-02", n("86400000")),
    ("epoch", 10**12, None),
    ("epoch", True, None),
    ("epoch", "soon", None),
    ("map", {}, {"M": {}}),
    ("map", {"a": 1}, None),
    ("map", [], None),
    ("map", "{}", None),
    ("any", "x", None),
    ("any", {}, None),
]


@pytest.mark.parametrize(("kind", "default", "value"), DEFAULTS)
def test_a_default(kind: str, default: object, value: AttributeValue | None) -> None:
    assert constant_value(kind, default) == value
