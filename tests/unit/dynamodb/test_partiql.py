"""PartiQL's INSERT statements."""

import pytest

from service.dynamodb.partiql import insert_statement


@pytest.mark.parametrize(
    ("names", "statement"),
    [
        (("PK",), "INSERT INTO \"Leads\" VALUE {'PK': ?}"),
        (("PK", "it's"), "INSERT INTO \"Leads\" VALUE {'PK': ?, 'it''s': ?}"),
        (("'}--",), "INSERT INTO \"Leads\" VALUE {'''}--': ?}"),
    ],
)
def test_names_are_quoted_and_values_are_parameters(names: tuple[str, ...], statement: str) -> None:
    assert insert_statement("Leads", names) == statement
