"""What is said of a key that has left quarantine by itself: it is counted, and the log has a line.

The key is in the log at level debug only, as everywhere.
"""

from collections.abc import Callable

from service.core.item.wire import Item, plain_key
from service.core.rules.quarantine import Left
from service.log import get_logger
from service.telemetry.metrics import Metrics

SayLeft = Callable[[str, Item, Left], None]
"""Called with the table and the key of an item that has left quarantine, and how it has."""


def say_left(metrics: Metrics) -> SayLeft:
    """Count in ``metrics`` each key that has left, and log it."""

    def left(table: str, key: Item, how: Left) -> None:
        metrics.count_left(how)
        get_logger().info("a key has left quarantine", table=table, outcome=how)
        get_logger().debug("left quarantine", table=table, key=plain_key(key), outcome=how)

    return left


def say_nothing(table: str, key: Item, how: Left) -> None:
    """For a command, which tells its operator itself."""
