"""What warm throughput costs: DynamoDB prepares new v2 tables and their indexes for a rate of requests, and is paid for it once.

Without it a new table takes DEFAULT units at once, and more only as its traffic grows. The price is that of the units above them
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput.html, https://aws.amazon.com/dynamodb/pricing/).
"""

from dataclasses import dataclass

from service.app import App
from service.dynamodb.prices import Prices, load_prices
from service.dynamodb.table_features import DEFAULT_WARM, Warm


@dataclass(frozen=True, slots=True)
class WarmPrice:
    """What it costs once, in US dollars; None: the price file has no price for it."""

    places: int
    """Tables and indexes that are to be made: each is paid."""
    dollars: float | None

    def question(self) -> str:
        """What the operator confirms."""
        cost = "an unknown sum: the price file has none" if self.dollars is None else f"about {self.dollars:.2f} USD"
        return (
            f"Warm throughput of {self.places} new tables and indexes costs {cost}, once, and cannot be lowered again."
        )


async def warm_price(app: App, warm: Warm) -> WarmPrice:
    """The price for the v2 tables that do not exist yet, and their indexes."""
    places = 0
    for name, shape in app.mapping.tables.items():
        if await app.tables.describe(name) is None:
            places += 1 + len(shape.indexes)
    return WarmPrice(places, dollars_of(warm, places, load_prices(app.settings.price_file)))


def dollars_of(warm: Warm, places: int, prices: Prices) -> float | None:
    """The price of ``places`` tables or indexes."""
    reads = max(0, (warm.reads or 0) - (DEFAULT_WARM.reads or 0))
    writes = max(0, (warm.writes or 0) - (DEFAULT_WARM.writes or 0))
    each = prices.of_warm(writes, reads)
    return None if each is None else places * each
