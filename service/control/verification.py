"""What the re-verification of touched keys last found, in the control table."""

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from service.control.table import ControlTable
from service.core.item.wire import Item

NAME = "latest"
LISTED = 100


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Verification:
    """The last walk over the ledger. checked: entries found equal; pending: not quiet yet; differences: old keys that differ,
    at most LISTED of them. finished_at: epoch seconds."""

    checked: int
    pending: int
    differences: tuple[Item, ...]
    finished_at: float


async def read_verification(control: ControlTable) -> Verification | None:
    """The latest walk, or None."""
    stored = await control.records("verification", Verification).get(NAME)
    return None if stored is None else stored.value


async def save_verification(control: ControlTable, found: Verification) -> None:
    """Replace the latest walk."""
    await control.records("verification", Verification).save(NAME, found)
