"""What a backfill costs while it runs, and the cap that pauses it."""

from dataclasses import dataclass, replace
from math import ceil

from backfill.options import BackfillOptions
from backfill.segments import Spent
from service.config import Settings
from service.dynamodb.prices import Prices, load_prices
from service.errors import Paused


@dataclass(frozen=True, slots=True)
class Budget:
    """US dollars by ``prices``. max_cost: how many a whole run may cost, over all its restarts; None: any.

    What counts is the old table's Scan and the copies into v2, as the saved segments say it: not the few records of the control
    table, nor what a worker that was killed or stopped had sent of the windows that it had not saved yet.
    """

    prices: Prices
    max_cost: float | None = None

    def cost(self, spent: Spent) -> float:
        """What those units cost."""
        return self.prices.of_units(spent.write_units, spent.read_units)

    def used_up(self, spent: Spent) -> bool:
        """Whether no further window may be read once a run has ``spent`` that. Those under way are finished, so that a pause loses
        nothing: the run may cost that much more than the cap."""
        return self.max_cost is not None and self.cost(spent) >= self.max_cost

    def paused(self, spent: Spent, progress: str, options: BackfillOptions) -> Paused:
        """The error to raise once the budget is used up. ``progress``: how far the run is."""
        cost = self.cost(spent)
        raised = ceil(200 * max(cost, self.max_cost or 0.0)) / 100
        return Paused(
            f"paused at --max-cost {self.max_cost:g}: about {cost:.2f} USD are spent; {progress}",
            remedy=f"go on with a higher cap: {replace(options, max_cost=raised).command()}",
        )


def budget_of(settings: Settings, options: BackfillOptions) -> Budget:
    """What the operator allows, by the configured prices. Raises Misconfigured when the price file is wrong."""
    return Budget(load_prices(settings.price_file), options.max_cost or settings.max_cost)
