"""What reads and writes the tables: item store, control table, mapping, clock."""

from dataclasses import dataclass

from service.clock import Clock
from service.control.table import ControlTable
from service.core.mapping.mapping import Mapping
from service.dynamodb.protocol import ItemStore


@dataclass(frozen=True, slots=True)
class Stores:
    """The old table and the v2 tables, the control table, the mapping between them, and the clock."""

    store: ItemStore
    control: ControlTable
    mapping: Mapping
    clock: Clock
