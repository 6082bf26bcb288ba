"""How long the bulk copy takes at least, and what it costs, from a sample of the old table."""

from dataclasses import dataclass

from service.trial import Trial

PARTITION_WRITE_UNITS_PER_SECOND = 1000
"""DynamoDB's limit for one partition, so for one partition key until DynamoDB splits it
(Developer Guide, "Partitions and data distribution")."""

DOLLARS_PER_MILLION_WRITE_UNITS = 0.625
"""On-demand write request units at the list price of us-east-1; other regions differ."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """For the whole table. hottest_share: part of the write units that falls on the busiest partition key."""

    write_units: float
    hottest_share: float
    seconds: float
    dollars: float


def forecast(trial: Trial, items: int) -> Forecast:
    """Extrapolate ``trial`` (at least one item mapped) to a table of ``items`` items, or to the sample's size if that is larger."""
    scale = max(items, trial.items) / trial.items
    units = sum(trial.write_units.values()) * scale
    hottest = max(trial.write_units.values()) * scale
    return Forecast(
        write_units=units,
        hottest_share=hottest / units,
        seconds=hottest / PARTITION_WRITE_UNITS_PER_SECOND,
        dollars=units / 1e6 * DOLLARS_PER_MILLION_WRITE_UNITS,
    )
