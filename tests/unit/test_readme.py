"""The README says what the code says."""

from tests.readme_settings import README, with_current_settings


def test_the_table_of_settings_is_current() -> None:
    text = README.read_text(encoding="utf-8")
    assert text == with_current_settings(text), "run `make settings`"
