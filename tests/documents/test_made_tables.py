"""The documents' tables say what the code says."""

import pytest

from tests.documents.made_tables import MADE


@pytest.mark.parametrize("name", MADE)
def test_the_table_is_current(name: str) -> None:
    assert MADE[name].text() == MADE[name].current(), f"run `make {name}`"
