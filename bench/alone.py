"""What the mapping costs alone, without any input or output: the part of the work that boto3's programs share with tablesplit.

``python -m bench.alone copy|apply|validate ITEMS`` prints the microseconds of CPU for an item as JSON.
"""

import json
import sys
import time
from collections.abc import Callable

from bench import site
from bench.items import many_items
from service.core.item.change import Change
from service.core.item.compare import differences
from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward, old_key
from service.core.rules.guarded import change_writes, copy_write

SEQUENCE = "1".zfill(21)


def copy(mapping: Mapping, old: Item) -> object:
    """The copy of an item, as all three programs make it."""
    return copy_write(mapping, old, 1)


def apply(mapping: Mapping, old: Item) -> object:
    """The writes for a change of an item, as all three programs make them."""
    return change_writes(mapping, [Change(mapping.old.table, "shard", SEQUENCE, old_key(mapping, old), old, old)], 1)


def validate(mapping: Mapping, old: Item) -> object:
    """The comparison with the v2 item, as both boto3 programs make it."""
    v2 = forward(mapping, old)
    return differences(v2.item, dict(v2.item))


WORK: dict[str, Callable[[Mapping, Item], object]] = {"copy": copy, "apply": apply, "validate": validate}


def alone(work: str, items: int) -> float:
    """Microseconds of CPU for an item."""
    mapping, old = site.mapping(), list(many_items(items))
    cpu = time.process_time()
    for item in old:
        WORK[work](mapping, item)
    return (time.process_time() - cpu) / items * 1e6


def main() -> None:
    """Measure one piece of work and print it."""
    work, items = sys.argv[1:]
    print(json.dumps(alone(work, int(items))))


if __name__ == "__main__":
    main()
