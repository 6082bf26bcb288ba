"""What a backfill costs while it runs, and the cost cap that pauses it."""

from dataclasses import dataclass, replace
from math import ceil

from backfill.options import BackfillOptions
from backfill.segments import Spent
from service.config import Settings
from service.dynamodb.prices import Prices, load_prices
from service.errors import Paused


@dataclass(frozen=True, slots=True)
class CostBudget:
    """What a whole run may cost, over all its restarts.

    Counted are the Scan of the old table and the copies into v2, as the saved segments record them. Not counted are the few
    records of the control table, and the requests of a killed or stopped worker for windows that it had not saved yet.
    """

    prices: Prices
    max_cost: float | None = None
    """US dollars; None: no cap."""

    def cost(self, spent: Spent) -> float:
        """The price of ``spent``, in US dollars."""
        return self.prices.of_units(spent.write_units, spent.read_units)

    def used_up(self, spent: Spent) -> bool:
        """Whether a run that has ``spent`` so much may read no further window.

        Windows that are being copied are finished, so that a pause loses nothing: their cost may come on top of the cap.
        """
        return self.max_cost is not None and self.cost(spent) >= self.max_cost

    def paused(self, spent: Spent, progress: str, options: BackfillOptions) -> Paused:
        """The error to raise once the budget is used up. ``progress``: how far the run is, as text."""
        cost = self.cost(spent)
        higher_cap = ceil(200 * max(cost, self.max_cost or 0.0)) / 100
        return Paused(
            f"paused at --max-cost {self.max_cost:g}: about {cost:.2f} USD are spent; {progress}",
            remedy=f"go on with a higher cap: {replace(options, max_cost=higher_cap).command()}",
        )


def budget_of(settings: Settings, options: BackfillOptions) -> CostBudget:
    """The cap of the command line or else of the settings, at the configured prices.

    Raises Misconfigured when the price file is wrong.
    """
    return CostBudget(load_prices(settings.price_file), options.max_cost or settings.max_cost)
