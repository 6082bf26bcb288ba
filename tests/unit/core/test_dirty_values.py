"""Every row of DESIGN section 10, "Exact rules for dirty values", on the CRM mapping.

Each row: the old attribute (None: not there), the v2 field (None: not there), and whether the original goes to the residue.
Each row is also led back by the inverse.
"""

from typing import Any

import pytest

from service.core.item.stamp import V2Item, backfill_version, stamped
from service.core.item.wire import AttributeValue, Item
from service.core.mapping.inverse import inverse
from service.core.mapping.transform import forward
from tests.builders.mappings import crm
from tests.builders.marshalled import marshalled

FIXED = "1970-01-01T00:00:00.000Z"
BORN = "2024-03-05T10:00:00Z"


def old_item(entity: str, **attributes: AttributeValue | None) -> Item:
    item: dict[str, Any] = {
        "pk": {"S": f"{entity}#7"},
        "sk": {"S": "METADATA"},
        "entity_type": {"S": entity},
        "id": {"S": "7"},
        "created_at": {"S": BORN},
        "updated_at": {"S": BORN},
        **attributes,
    }
    return {name: value for name, value in item.items() if value is not None}


def transformed(old: Item) -> V2Item:
    """The v2 item, after a check that its inverse is the old item."""
    v2 = forward(crm(), old)
    assert inverse(crm(), stamped(v2, backfill_version(1), "_sync"), v2.table) == old
    return v2


def s(text: str) -> AttributeValue:
    return {"S": text}


def n(digits: str) -> AttributeValue:
    return {"N": digits}


def texts(*parts: str) -> AttributeValue:
    return {"L": [s(part) for part in parts]}


NULL: AttributeValue = {"NULL": True}
KEPT, NOTED, INVENTED = "kept", "noted", "invented"

STRINGS = [
    ("status", s("open"), s("open"), KEPT),
    ("status", s("0"), s("0"), KEPT),
    ("status", s(" "), s(" "), KEPT),
    ("status", None, s("new"), INVENTED),
    ("status", NULL, s("new"), NOTED),
    ("status", s(""), s("new"), NOTED),
    ("status", n("5"), s("5"), NOTED),
    ("status", {"BOOL": False}, s("false"), NOTED),
    ("status", {"BOOL": True}, s("true"), NOTED),
    ("status", texts("a"), s("new"), NOTED),
    ("status", {"M": {}}, s("new"), NOTED),
    ("status", {"B": "AAE="}, s("new"), NOTED),
    ("status", {"SS": ["a"]}, s("new"), NOTED),
    ("name", s(""), s(""), KEPT),
    ("name", None, s(""), INVENTED),
    ("name", NULL, s(""), NOTED),
    ("website", None, None, KEPT),
    ("website", s(""), None, NOTED),
    ("website", NULL, None, NOTED),
    ("website", {"NS": ["1"]}, None, NOTED),
    ("website", n("0"), s("0"), NOTED),
]
INTS = [
    ("bio_match", n("85"), n("85"), KEPT),
    ("bio_match", n("0"), n("0"), KEPT),
    ("bio_match", n("-85"), n("-85"), KEPT),
    ("bio_match", n("9" * 38), n("9" * 38), KEPT),
    ("bio_match", n("12.9"), n("12"), NOTED),
    ("bio_match", n("-0.5"), n("0"), NOTED),
    ("bio_match", s("85"), n("85"), NOTED),
    ("bio_match", s('"85"'), n("85"), NOTED),
    ("bio_match", s(" '85' \n"), n("85"), NOTED),
    ("bio_match", s("\u201c85\u201d"), n("85"), NOTED),
    ("bio_match", s("+85"), n("85"), NOTED),
    ("bio_match", s("1,054"), n("1054"), NOTED),
    ("bio_match", s("1,234,567.8"), n("1234567"), NOTED),
    ("bio_match", s("10,54"), n("0"), NOTED),
    ("bio_match", s("1e3"), n("1000"), NOTED),
    ("bio_match", s("-12.9"), n("-12"), NOTED),
    ("bio_match", s(".9"), n("0"), NOTED),
    ("bio_match", s("0085"), n("85"), NOTED),
    ("bio_match", s("-0"), n("0"), NOTED),
    ("bio_match", s("1e125"), n("1" + "0" * 125), NOTED),
    ("bio_match", s("1e126"), n("0"), NOTED),
    ("bio_match", s("1e99999"), n("0"), NOTED),
    ("bio_match", s("1" * 38), n("1" * 38), NOTED),
    ("bio_match", s("1" * 39), n("0"), NOTED),
    ("bio_match", s("\u0668\u0665"), n("0"), NOTED),
    ("bio_match", s("85%"), n("0"), NOTED),
    ("bio_match", s("8 5"), n("0"), NOTED),
    ("bio_match", s("NaN"), n("0"), NOTED),
    ("bio_match", s("Infinity"), n("0"), NOTED),
    ("bio_match", s("0x10"), n("0"), NOTED),
    ("bio_match", s("1_000"), n("0"), NOTED),
    ("bio_match", s(""), n("0"), NOTED),
    ("bio_match", NULL, n("0"), NOTED),
    ("bio_match", None, n("0"), INVENTED),
    ("bio_match", {"BOOL": True}, n("0"), NOTED),
    ("bio_match", {"NS": ["1"]}, n("0"), NOTED),
]
TAGS = [
    ("tags", texts("a", ""), texts("a", ""), KEPT),
    ("tags", {"L": []}, {"L": []}, KEPT),
    ("tags", None, {"L": []}, INVENTED),
    ("tags", NULL, {"L": []}, NOTED),
    ("tags", s(""), {"L": []}, NOTED),
    ("tags", s(" , "), {"L": []}, NOTED),
    ("tags", s('["AI", "b"]'), texts("AI", "b"), NOTED),
    ("tags", s(' ["AI"] '), texts("AI"), NOTED),
    ("tags", s("[]"), {"L": []}, NOTED),
    (
        "tags",
        s('[1.50, true, null, {"a": 1}, ["x", ""]]'),
        {"L": [n("1.5"), {"BOOL": True}, NULL, {"M": {"a": n("1")}}, texts("x", "")]},
        NOTED,
    ),
    (
        "tags",
        s("[12345678901234567890123456789012345678]"),
        {"L": [n("12345678901234567890123456789012345678")]},
        NOTED,
    ),
    ("tags", s("[1e400, " + "1" * 39 + "]"), texts("1e400", "1" * 39), NOTED),
    ("tags", s('[{"S":"AI"},{"S":""}]'), texts("AI", ""), NOTED),
    (
        "tags",
        s(
            '[{"N":"7"},{"BOOL":false},{"NULL":true},{"B":"AAE="},{"SS":["x"]},{"NS":["1"]},{"L":[{"S":"a"}]},{"M":{"k":{"S":"v"}}}]'
        ),
        {
            "L": [
                *(n("7"), {"BOOL": False}, NULL, {"B": "AAE="}),
                *({"SS": ["x"]}, {"NS": ["1"]}, texts("a"), {"M": {"k": s("v")}}),
            ]
        },
        NOTED,
    ),
    ("tags", s('[{"S":"AI"},"b"]'), {"L": [{"M": {"S": s("AI")}}, s("b")]}, NOTED),
    ("tags", s('[{"S":5}]'), {"L": [{"M": {"S": n("5")}}]}, NOTED),
    ("tags", s('[{"N":"x"}]'), {"L": [{"M": {"N": s("x")}}]}, NOTED),
    ("tags", s('[{"N":"NaN"}]'), {"L": [{"M": {"N": s("NaN")}}]}, NOTED),
    ("tags", s('[{"NULL":false}]'), {"L": [{"M": {"NULL": {"BOOL": False}}}]}, NOTED),
    ("tags", s('[{"SS":["x","x"]}]'), {"L": [{"M": {"SS": texts("x", "x")}}]}, NOTED),
    ("tags", s('[{"NS":["1","1.0"]}]'), {"L": [{"M": {"NS": texts("1", "1.0")}}]}, NOTED),
    ("tags", s('[{"B":"x"}]'), {"L": [{"M": {"B": s("x")}}]}, NOTED),
    ("tags", s('[{"S":"a","N":"1"}]'), {"L": [{"M": {"S": s("a"), "N": s("1")}}]}, NOTED),
    ("tags", s("AI, ml ,,web"), texts("AI", "ml", "web"), NOTED),
    ("tags", s("AI"), texts("AI"), NOTED),
    ("tags", s('{"a": 1}'), texts('{"a": 1}'), NOTED),
    ("tags", s('"AI"'), texts('"AI"'), NOTED),
    ("tags", s("[AI, ml]"), texts("[AI", "ml]"), NOTED),
    ("tags", s("[NaN]"), texts("[NaN]"), NOTED),
    ("tags", s('["\\ud800"]'), texts('["\\ud800"]'), NOTED),
    ("tags", s('["\\u00e9"]'), texts("é"), NOTED),
    ("tags", s('[{"":1}]'), texts('[{"":1}]'), NOTED),
    ("tags", s("[" * 32 + "]" * 32), texts("[" * 32 + "]" * 32), NOTED),
    ("tags", s("[" * 5000), texts("[" * 5000), NOTED),
    ("tags", {"SS": ["b", "a", "B"]}, texts("B", "a", "b"), NOTED),
    ("tags", {"NS": ["10", "9", "-1.5"]}, {"L": [n("-1.5"), n("9"), n("10")]}, NOTED),
    ("tags", {"BS": ["/w==", "AA=="]}, {"L": [{"B": "AA=="}, {"B": "/w=="}]}, NOTED),
    ("tags", n("5"), {"L": []}, NOTED),
    ("tags", {"M": {}}, {"L": []}, NOTED),
    ("tags", {"L": [marshalled(s("AI")), marshalled(n("7"))]}, {"L": [s("AI"), n("7")]}, NOTED),
    ("tags", {"L": [marshalled(marshalled(s("AI")))]}, texts("AI"), NOTED),
    ("tags", {"L": [marshalled(s("AI")), s("b")]}, {"L": [marshalled(s("AI")), s("b")]}, KEPT),
    ("tags", marshalled(texts("AI", "")), texts("AI", ""), NOTED),
    ("tags", {"M": {"L": texts("AI")}}, {"L": []}, NOTED),
    ("tags", marshalled(s("AI")), {"L": []}, NOTED),
    *(
        ("tags", {"L": [{"M": alike}]}, {"L": [{"M": alike}]}, KEPT)
        for alike in ({"S": n("5")}, {"S": s("a"), "N": s("1")}, {"s": s("a")}, {"M": {"M": {"a": s("b")}}})
    ),
    ("tags", {"BOOL": True}, {"L": []}, NOTED),
]


@pytest.mark.parametrize(("name", "original", "field", "fate"), [*STRINGS, *INTS, *TAGS])
def test_lead(name: str, original: AttributeValue | None, field: AttributeValue | None, fate: str) -> None:
    v2 = transformed(old_item("LEAD", **{name: original}))
    assert v2.item.get(name) == field
    assert v2.residue == ({name: original} if fate == NOTED else {})
    assert (name in v2.absent) == (fate == INVENTED)


@pytest.mark.parametrize(
    ("original", "field"),
    [
        (n("0.1"), n("0.1")),
        (n("1" + "0" * 30 + ".5"), n("1" + "0" * 30 + ".5")),
        (s("1,054.50"), n("1054.5")),
        (s("1e-130"), n("0." + "0" * 129 + "1")),
        (s("1e-131"), n("0")),
        (s("5."), n("5")),
        (s("much"), n("0")),
        ({"BOOL": True}, n("0")),
        (None, n("0")),
    ],
)
def test_deal_value(original: AttributeValue | None, field: AttributeValue) -> None:
    assert transformed(old_item("DEAL", value=original)).item["value"] == field


@pytest.mark.parametrize(
    ("original", "field", "key"),
    [
        ({"BOOL": True}, {"BOOL": True}, "DEFAULT#true"),
        ({"BOOL": False}, {"BOOL": False}, "DEFAULT#false"),
        (s("true"), {"BOOL": True}, "DEFAULT#true"),
        (s("TRUE"), {"BOOL": True}, "DEFAULT#true"),
        (s(" 'Yes' "), {"BOOL": True}, "DEFAULT#true"),
        (s("1"), {"BOOL": True}, "DEFAULT#true"),
        (s("False"), {"BOOL": False}, "DEFAULT#false"),
        (s("no"), {"BOOL": False}, "DEFAULT#false"),
        (s("0"), {"BOOL": False}, "DEFAULT#false"),
        (n("0"), {"BOOL": False}, "DEFAULT#false"),
        (n("-0.0"), {"BOOL": False}, "DEFAULT#false"),
        (n("0E+5"), {"BOOL": False}, "DEFAULT#false"),
        (n("2"), {"BOOL": True}, "DEFAULT#true"),
        (n("1E-10"), {"BOOL": True}, "DEFAULT#true"),
        (s("maybe"), None, "DEFAULT#false"),
        (s(""), None, "DEFAULT#false"),
        (NULL, None, "DEFAULT#false"),
        (texts("true"), None, "DEFAULT#false"),
        (None, None, "DEFAULT#false"),
    ],
)
def test_is_default(original: AttributeValue | None, field: AttributeValue | None, key: str) -> None:
    v2 = transformed(old_item("PIPELINE", is_default=original))
    assert (v2.item.get("is_default"), v2.item["GSI1PK"]) == (field, s(key))


@pytest.mark.parametrize(
    ("original", "field", "month"),
    [
        (s("2024-03-05T10:00:00.000Z"), "2024-03-05T10:00:00.000Z", "2024-03"),
        (s("2024-03-05"), "2024-03-05", "2024-03"),
        (s("20240305"), "20240305", "2024-03"),
        (s("2024-03-05 10:00:00"), "2024-03-05 10:00:00", "2024-03"),
        (s("2024-02-29T23:30:00-05:00"), "2024-02-29T23:30:00-05:00", "2024-03"),
        (s("2024-03-01T00:10:00+09:00"), "2024-03-01T00:10:00+09:00", "2024-02"),
        (s("2024-12-31T23:59:59.999999"), "2024-12-31T23:59:59.999999", "2024-12"),
        (s("0001-01-01T00:00:00Z"), "0001-01-01T00:00:00Z", "0001-01"),
        (s("0001-01-01T00:00:00+01:00"), FIXED, "1970-01"),
        (s("9999-12-31T23:59:59-14:00"), FIXED, "1970-01"),
        (s("2024-02-30"), FIXED, "1970-01"),
        (s("2024-03-05x10:00:00"), FIXED, "1970-01"),
        (s("2024-03-05  10:00"), FIXED, "1970-01"),
        (s(" 2024-03-05"), FIXED, "1970-01"),
        (s("2024-03-05\n"), FIXED, "1970-01"),
        (s("\u0662\u0660\u0662\u0664-03-05"), FIXED, "1970-01"),
        (s("yesterday"), FIXED, "1970-01"),
        (s("1709633000"), FIXED, "1970-01"),
        (n("1709633000"), FIXED, "1970-01"),
        (s(""), FIXED, "1970-01"),
        (NULL, FIXED, "1970-01"),
        ({"BOOL": True}, FIXED, "1970-01"),
        (None, FIXED, "1970-01"),
    ],
)
def test_created_at(original: AttributeValue | None, field: str, month: str) -> None:
    v2 = transformed(old_item("LEAD", created_at=original, updated_at=None))
    assert v2.item["created_at"] == v2.item["GSI1SK"] == s(field)
    assert v2.key == {"PK": s("LEAD"), "SK": s(f"{month}#7")}
    assert v2.item["updated_at"] == s(field)
    assert v2.residue == ({} if original in (None, s(field)) else {"created_at": original})
    assert ("created_at" in v2.absent) == (original is None)


@pytest.mark.parametrize(
    ("company", "key", "title"),
    [
        (s("Acme"), "COMPANY#Acme", "Deal with Acme"),
        (n("3"), "COMPANY#3", "Deal with 3"),
        ({"BOOL": False}, "COMPANY#false", "Deal with false"),
        (s(""), "COMPANY#unknown", "Deal with unknown"),
        (None, "COMPANY#unknown", "Deal with unknown"),
        (texts("Acme"), "COMPANY#unknown", "Deal with unknown"),
    ],
)
def test_index_key_and_default_title_from_the_company(company: AttributeValue | None, key: str, title: str) -> None:
    assert transformed(old_item("LEAD", company=company)).item["GSI2PK"] == s(key)
    assert transformed(old_item("DEAL", company=company)).item["title"] == s(title)


STAGE = {"id": s("s1"), "name": s("New"), "color": s("#fff"), "order": n("1")}


@pytest.mark.parametrize(
    ("original", "field", "fate"),
    [
        ({"L": [{"M": STAGE}]}, {"L": [{"M": STAGE}]}, KEPT),
        (
            {"L": [{"M": {"id": n("1"), "order": s("2"), "more": NULL}}, s("x")]},
            {"L": [{"M": {"id": s("1"), "order": n("2"), "color": s("#3B82F6"), "more": NULL}}, s("x")]},
            NOTED,
        ),
        (
            {"L": [{"M": {**STAGE, "name": NULL}}]},
            {"L": [{"M": {k: STAGE[k] for k in ("id", "color", "order")}}]},
            NOTED,
        ),
        ({"L": [{"M": {**STAGE, "color": s("")}}]}, {"L": [{"M": {**STAGE, "color": s("#3B82F6")}}]}, NOTED),
        ({"L": [{"M": {**STAGE, "order": n("1.5")}}]}, {"L": [{"M": STAGE}]}, NOTED),
        (s('[{"id":"s1","name":"New","color":"#fff","order":1}]'), {"L": [{"M": STAGE}]}, NOTED),
        (
            s('[{"M":{"id":{"S":"s1"},"name":{"S":"New"},"color":{"S":"#fff"},"order":{"N":"1"}}}]'),
            {"L": [{"M": STAGE}]},
            NOTED,
        ),
        (s("a,b"), texts("a", "b"), NOTED),
        (n("1"), None, NOTED),
        (None, None, KEPT),
        ({"L": [marshalled({"M": STAGE})]}, {"L": [{"M": STAGE}]}, NOTED),
        ({"L": [marshalled({"M": STAGE}), {"M": STAGE}]}, {"L": [{"M": STAGE}] * 2}, NOTED),
        (marshalled({"L": [{"M": STAGE}]}), {"L": [{"M": STAGE}]}, NOTED),
        ({"L": [{"M": {name: marshalled(value) for name, value in STAGE.items()}}]}, {"L": [{"M": STAGE}]}, NOTED),
        (
            {"L": [marshalled({"M": {"id": n("1"), "order": s("2"), "more": NULL, "name": s("")}})]},
            {"L": [{"M": {"id": s("1"), "order": n("2"), "color": s("#3B82F6"), "more": NULL}}]},
            NOTED,
        ),
        (
            {"L": [{"M": {**STAGE, "more": marshalled(s("x"))}}]},
            {"L": [{"M": {**STAGE, "more": marshalled(s("x"))}}]},
            KEPT,
        ),
        (
            {"L": [{"M": {**STAGE, "name": {"M": {"S": n("5")}}}}]},
            {"L": [{"M": {k: STAGE[k] for k in ("id", "color", "order")}}]},
            NOTED,
        ),
    ],
)
def test_stages(original: AttributeValue | None, field: AttributeValue | None, fate: str) -> None:
    v2 = transformed(old_item("PIPELINE", stages=original))
    assert v2.item.get("stages") == field
    assert v2.residue == ({"stages": original} if fate == NOTED else {})


def test_after_an_edit_in_v2_the_stages_go_back_as_v2_has_them() -> None:
    """Marshalled twice is what a tool did by mistake, and no application writes it so again."""
    old = old_item("PIPELINE", stages={"L": [marshalled({"M": STAGE})]})
    v2 = stamped(forward(crm(), old), backfill_version(1), "_sync")
    stages: AttributeValue = {"L": [{"M": {**STAGE, "order": n("2")}}]}
    assert inverse(crm(), {**v2, "name": s("Sales")}, "CRM-Pipelines-v2") == {**old, "name": s("Sales")}
    assert inverse(crm(), {**v2, "stages": stages}, "CRM-Pipelines-v2") == {**old, "stages": stages}


def test_unmapped_attributes_of_leads_and_deals_are_gathered_with_their_own_types() -> None:
    others: Item = {
        "notes": s(""),
        "flag": {"BOOL": False},
        "zero": n("0"),
        "nothing": NULL,
        "custom_fields": n("1"),
    }
    for entity in ("LEAD", "DEAL"):
        v2 = transformed(old_item(entity, **others))
        assert v2.item["custom_fields"] == {"M": others}
        assert not others.keys() & v2.item.keys() - {"custom_fields"}
        assert "custom_fields" not in transformed(old_item(entity)).item


def test_unmapped_attributes_of_resources_and_pipelines_stay_at_top_level() -> None:
    others: Item = {"notes": s(""), "flag": {"BOOL": False}, "nothing": NULL, "custom_fields": {"M": {}}}
    for entity in ("RESOURCE", "PIPELINE"):
        item = transformed(old_item(entity, **others)).item
        assert {name: item[name] for name in others} == others


@pytest.mark.parametrize("entity", ["LEAD", "DEAL", "RESOURCE"])
@pytest.mark.parametrize("name", ["PK", "SK", "GSI1PK", "GSI1SK", "GSI2PK", "GSI2SK", "_sync"])
@pytest.mark.parametrize("value", [s("x"), n("1"), {"M": {"v": s("fake")}}])
def test_names_that_collide_go_to_the_residue(entity: str, name: str, value: AttributeValue) -> None:
    v2 = transformed(old_item(entity, **{name: value}))
    assert v2.residue == {name: value}
    assert v2.item.get(name) != value
    assert "custom_fields" not in v2.item


def test_the_old_key_and_the_entity_are_not_v2_attributes() -> None:
    assert not {"pk", "sk", "entity_type"} & transformed(old_item("RESOURCE")).item.keys()


def test_an_id_that_is_a_number_is_text_in_v2() -> None:
    v2 = transformed(old_item("LEAD", id=n("7")))
    assert (v2.item["id"], v2.key["SK"], v2.residue) == (s("7"), s("2024-03#7"), {"id": n("7")})
