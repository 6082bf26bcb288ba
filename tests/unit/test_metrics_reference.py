"""docs/METRICS.md says what the registry says."""

from tests.metrics_reference import PAGE, with_current_metrics


def test_the_table_of_metrics_is_current() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == with_current_metrics(text), "run `make metrics`"
