"""The result of the last walk that verified touched keys, in the control table."""

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from service.control.table import ControlTable
from service.core.item.wire import Item

NAME = "latest"
LISTED = 100
"""How many differing keys are listed at most."""


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Verification:
    """The last walk over the ledger."""

    checked: int
    """How many entries were found equal on both sides."""
    pending: int
    """How many entries were not quiet yet."""
    differences: tuple[Item, ...]
    """The old keys that differ, at most LISTED of them."""
    finished_at: float
    """Epoch seconds."""


async def read_verification(control: ControlTable) -> Verification | None:
    """The result of the last walk, or None."""
    stored = await control.records("verification", Verification).get(NAME)
    return None if stored is None else stored.value


async def save_verification(control: ControlTable, result: Verification) -> None:
    """Replace the result of the last walk."""
    await control.records("verification", Verification).save(NAME, result)
