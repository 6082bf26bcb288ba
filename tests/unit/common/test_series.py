"""Plain counters on the page: as those of the library, and bounded."""

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from service.telemetry.series import OTHER, Cells, Counts

VOCABULARY = {"table": ("a", "b", OTHER), "kind": ("read", "write")}


def registered(*, plain: bool) -> CollectorRegistry:
    """A counter with two counts, of ours or of the library."""
    registry = CollectorRegistry()
    if plain:
        counts = Counts("units_seconds", "What is counted", "seconds", VOCABULARY)
        registry.register(counts)
        counts.add(("a", "read"))
        counts.add(("b", "write"), 2.5)
    else:
        cells = Cells(
            Counter("units", "What is counted", ("table", "kind"), unit="seconds", registry=registry), VOCABULARY
        )
        cells.at("a", "read").inc()
        cells.at("b", "write").inc(2.5)
    return registry


def test_the_page_is_that_of_the_library_s_counter() -> None:
    for page in (generate_latest, openmetrics.generate_latest):
        assert page(registered(plain=True)) == page(registered(plain=False))


def test_a_value_outside_the_vocabulary_counts_as_other_and_what_is_known_of_it_stays() -> None:
    counts = Counts("units", "What is counted", "", VOCABULARY)
    for table in ("strange", "stranger"):
        counts.add((table, "write"))
    assert counts.value((OTHER, "write")) == 2
    counts.add(("a", "strange"))
    assert counts.value(("a", OTHER)) == 1
    assert counts.value(("strange", "write")) == 0
