"""The PartiQL statement for an update, and which updates have none."""

import pytest

from service.core.item.write import Absent, AllOf, AnyOf, Condition, Equals, Exists, Less, Update
from service.dynamodb.partiql_writes import statement_of

KEY = {"pk": {"S": "a"}, "sk": {"S": "b"}}
REV = Equals(("rev",), {"S": "r1"})


def update(condition: Condition | None, remove: tuple[str, ...] = (), **names: str) -> Update:
    return Update("Control", KEY, {name: {"S": value} for name, value in names.items()}, remove, condition)


def test_an_update_of_an_item_as_it_was_read() -> None:
    condition = AllOf((REV, AllOf((Absent(("other",)), Exists(("epoch",))))))
    assert statement_of(update(condition, ("gone",), forward="f", key="k")) == {
        "Statement": 'UPDATE "Control" SET "forward"=? SET "key"=? REMOVE "gone" '
        'WHERE "pk"=? AND "sk"=? AND "rev"=? AND "other" IS MISSING AND "epoch" IS NOT MISSING',
        "Parameters": [{"S": "f"}, {"S": "k"}, {"S": "a"}, {"S": "b"}, {"S": "r1"}],
    }


def test_an_update_that_requires_that_there_is_no_item_is_an_insert() -> None:
    assert statement_of(update(Absent(("pk",)), forward="f")) == {
        "Statement": "INSERT INTO \"Control\" VALUE {'pk': ?, 'sk': ?, 'forward': ?}",
        "Parameters": [{"S": "a"}, {"S": "b"}, {"S": "f"}],
    }


@pytest.mark.parametrize(
    "condition",
    [
        None,
        Absent(("rev",)),  # true for no item: UpdateItem makes one, PartiQL's UPDATE does not
        AllOf((Absent(("rev",)), Absent(("epoch",)))),
        AnyOf((REV, Absent(("rev",)))),
        AllOf((REV, AnyOf((REV,)))),
        Less(("rev",), {"S": "r1"}),
        Equals(("rev", "inner"), {"S": "r1"}),
        Equals(("rev",), {"NULL": True}),
        Equals(("rev",), {"M": {}}),
        AllOf((REV, Equals(("pk",), {"S": "a"}))),
        AllOf((REV, Absent(('a"b',)))),
    ],
)
def test_other_updates_have_no_statement(condition: Condition | None) -> None:
    assert statement_of(update(condition, forward="f")) is None


def test_an_update_that_would_be_too_long_or_remove_from_no_item_has_no_statement() -> None:
    assert statement_of(update(REV, **{f"attribute{number:0500d}": "x" for number in range(20)})) is None
    assert statement_of(update(Absent(("pk",)), ("gone",), forward="f")) is None
    assert statement_of(update(REV, **{'a"b': "x"})) is None
