"""What a migration costs by a price file: the copy once, and each month that both sides run. Arithmetic, without I/O."""

from dataclasses import dataclass

from service.dynamodb.prices import Prices
from service.migration.preflight.forecast import Forecast, dual_change

MONTH_SECONDS = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars. The ``_month`` fields are for each month until `complete`, on top of what the application pays today."""

    base_writes: float
    """Of the copy."""
    index_writes: float
    """Of the copy."""
    reads: float
    """Of the copy."""
    v2_storage_month: float
    v2_recovery_month: float | None
    """Point-in-time recovery of the v2 tables; None when the price file has no price for it."""
    stream_reads_month: float
    """Of reading empty shards, at least one of the old table and of each v2 table."""
    million_changes: float
    """Of carrying a million writes of the application to v2 in phase `forward`, each as large as the mean item and with unchanged
    index keys."""
    million_changes_in_dual: float
    """As ``million_changes``, from the first `dual` on: with the ledger, and what is read."""

    @property
    def backfill(self) -> float:
        """The copy, once."""
        return self.base_writes + self.index_writes + self.reads

    @property
    def dual_running_month(self) -> float:
        """A month of both sides, without the writes of the application."""
        return self.v2_storage_month + (self.v2_recovery_month or 0.0) + self.stream_reads_month


def cost_of(expected: Forecast, prices: Prices, *, streams: int, poll_seconds: float) -> Cost:
    """``streams``: how many streams sync reads; ``poll_seconds``: its pause after an empty read."""
    change = dual_change(expected)
    return Cost(
        base_writes=prices.of_units(expected.base_write_units, 0),
        index_writes=prices.of_units(expected.index_write_units, 0),
        reads=prices.of_units(0, expected.read_units),
        v2_storage_month=prices.of_storage(expected.v2_bytes),
        v2_recovery_month=prices.of_recovery(expected.v2_bytes),
        stream_reads_month=prices.of_stream_reads(streams * MONTH_SECONDS / poll_seconds),
        million_changes=prices.of_units(1e6 * expected.write_units / expected.items, 0),
        million_changes_in_dual=prices.of_units(1e6 * change.write_units, 1e6 * change.read_units),
    )
