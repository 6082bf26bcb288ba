"""The PartiQL statement for an update, and which updates have none."""

import pytest

from service.core.item.wire import AttributeValue
from service.core.item.write import Absent, AllOf, AnyOf, Condition, Equals, Exists, Less, Update
from service.dynamodb.partiql_writes import STATEMENT_BYTES, Statement, statement_of

KEY = {"pk": {"S": "a"}, "sk": {"S": "b"}}
REV = Equals(("rev",), {"S": "r1"})


def update(condition: Condition | None, remove: tuple[str, ...] = (), **names: str) -> Update:
    return Update("Control", KEY, {name: {"S": value} for name, value in names.items()}, remove, condition)


def test_an_update_of_an_item_as_it_was_read() -> None:
    condition = AllOf((REV, AllOf((Absent(("other",)), Exists(("epoch",))))))
    assert statement_of(update(condition, ("gone",), forward="f", key="k")) == Statement(
        'UPDATE "Control" SET "forward"=? SET "key"=? REMOVE "gone" '
        'WHERE "pk"=? AND "sk"=? AND "rev"=? AND "other" IS MISSING AND "epoch" IS NOT MISSING',
        [{"S": "f"}, {"S": "k"}, {"S": "a"}, {"S": "b"}, {"S": "r1"}],
    )


def test_an_update_by_what_is_inside_a_map() -> None:
    condition = AllOf((Equals(("_sync", "h"), {"S": "ab"}), Less(("_sync", "v"), {"S": "0001"})))
    assert statement_of(update(condition, name="x")) == Statement(
        'UPDATE "Control" SET "name"=? WHERE "pk"=? AND "sk"=? AND "_sync"."h"=? AND "_sync"."v"<?',
        [{"S": "x"}, {"S": "a"}, {"S": "b"}, {"S": "ab"}, {"S": "0001"}],
    )


@pytest.mark.parametrize(
    "value", [{"NULL": True}, {"M": {}}, {"L": []}, {"SS": ["a"]}], ids=lambda value: next(iter(value))
)
def test_a_refusal_that_rests_on_how_partiql_compares_containers_is_not_certain(value: AttributeValue) -> None:
    statement = statement_of(update(AllOf((REV, Equals(("rev",), value))), forward="f"))
    assert statement is not None
    assert not statement.certain


def test_an_update_that_requires_that_there_is_no_item_is_an_insert() -> None:
    assert statement_of(update(Absent(("pk",)), forward="f")) == Statement(
        "INSERT INTO \"Control\" VALUE {'pk': ?, 'sk': ?, 'forward': ?}", [{"S": "a"}, {"S": "b"}, {"S": "f"}]
    )


@pytest.mark.parametrize(
    "condition",
    [
        None,
        Absent(("rev",)),  # true for no item: UpdateItem makes one, PartiQL's UPDATE does not
        AllOf((Absent(("rev",)), Absent(("epoch",)))),
        AnyOf((REV, Absent(("rev",)))),
        AllOf((REV, AnyOf((REV,)))),
        Equals(("rev", 'in"ner'), {"S": "r1"}),
        AllOf((REV, Equals(("pk",), {"S": "a"}))),
        AllOf((REV, Absent(('a"b',)))),
    ],
)
def test_other_updates_have_no_statement(condition: Condition | None) -> None:
    assert statement_of(update(condition, forward="f")) is None


def test_what_is_too_large_for_a_batch_has_no_statement() -> None:
    """A batch of 25 updates of 400 KB each would be near DynamoDB's limit of a request, and beyond that of many proxies."""
    assert statement_of(update(REV, text="x" * (STATEMENT_BYTES - 10))) is not None
    assert statement_of(update(REV, text="x" * STATEMENT_BYTES)) is None
    nested = {"L": [{"S": "x" * STATEMENT_BYTES}]}
    assert statement_of(Update("Control", KEY, {"list": nested}, (), REV)) is None


def test_an_update_that_would_be_too_long_or_remove_from_no_item_has_no_statement() -> None:
    assert statement_of(update(REV, **{f"attribute{number:0500d}": "x" for number in range(20)})) is None
    assert statement_of(update(Absent(("pk",)), ("gone",), forward="f")) is None
    assert statement_of(update(REV, **{'a"b': "x"})) is None
