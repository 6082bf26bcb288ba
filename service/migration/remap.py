"""Changes the mapping before the first `dual`: the migration adopts the new one, then every item is transformed again.

No sync may run meanwhile: a worker that still has the former mapping would write by it. After a kill at any point, the same
command goes on.
"""

import asyncio
from dataclasses import asdict, dataclass, replace
from typing import Any

from service.app import App
from service.control.checkpoints import Checkpoints
from service.control.leases import REVERSE_LEASE, SYNC_LEASE
from service.control.state import MigrationState, change_any_state, load_any_state
from service.errors import Refused
from service.migration.settlement.quarantine import retry_what_may_leave
from service.migration.start import LIKE_OLD, lane_lease, make_missing
from service.migration.status.snapshot import log_status
from service.migration.validation import run_validation
from service.sync.worker import catch_up, sync_lanes
from service.validation.options import ValidationOptions
from service.validation.report import Report


@dataclass(frozen=True, slots=True)
class Remapped:
    """The result of a remap."""

    was: str
    """The former mapping's hash."""
    mapping: str
    """The new mapping's hash."""
    tables: dict[str, str]
    """``created`` or ``exists``, by table."""
    validation: Report
    """Of the repair that transformed every item again."""

    @property
    def ok(self) -> bool:
        """Whether every item is as the new mapping makes it."""
        return self.validation.equal

    def to_json(self) -> dict[str, Any]:
        """The document of `remap --json`."""
        fields = {name: value for name, value in asdict(self).items() if name != "validation"}
        return {"result": "equal" if self.ok else "different", **fields, "validation": self.validation.to_json()}

    def to_text(self) -> str:
        """The change, then the report."""
        changed = f"mapping {self.was} -> {self.mapping}"
        return "\n".join(
            [changed, self.validation.to_text().rstrip(), "next: start `tablesplit sync` with this mapping"]
        )


async def remap(app: App, stop: asyncio.Event) -> Remapped:
    """Adopt the configured mapping, retry what waits in quarantine, and rewrite every item that the mapping maps differently.

    Raises Refused after the first `dual`, while a sync runs, and for a mapping that lacks a table in use.
    """
    state = await load_any_state(app.control, app.mapping)
    _require_possible(app, state)
    tables = await make_missing(app, LIKE_OLD)
    await _adopt(app, state)
    async with sync_lanes(app, log_status(app)):
        await catch_up(app, stop)
        await retry_what_may_leave(app)  # a validation leaves a key in quarantine alone
        report = await run_validation(app, ValidationOptions(repair=True), stop)
    return Remapped(state.mapping_hash, app.mapping.hash, tables, report)


def _require_possible(app: App, state: MigrationState) -> None:
    if state.rule != "guarded" or state.phase != "forward" or state.move is not None:
        raise Refused(
            f"the phase is {state.phase}, and v2 has been open to the application or is about to be: a new transform would "
            "take its writes for differences",
            remedy="keep the mapping; a field can be added by the application itself, on v2",
        )
    if state.backfill_finished_at is None:
        raise Refused("the backfill has not finished", remedy="finish it with the former mapping: tablesplit migrate")
    lost = state.v2_streams.keys() - app.mapping.tables.keys()
    if lost:
        raise Refused(
            f"the mapping {app.mapping.name} has no table {', '.join(sorted(lost))}, which the migration has filled",
            remedy="keep its entity in the mapping, or start over: `tablesplit drop-tables`, then `tablesplit create-tables`",
        )


async def _adopt(app: App, state: MigrationState) -> None:
    """The owed repair first, then the positions, then the mapping: so a crash in between loses none of them."""
    now = app.clock.now()
    async with lane_lease(app, SYNC_LEASE) as forward, lane_lease(app, REVERSE_LEASE) as reverse:
        await change_any_state(app.control, app.mapping, lambda was: replace(was, gap_since=was.gap_since or now))
        if state.stream_arn is not None:
            await Checkpoints(app.control, state.stream_arn, app.mapping.hash, forward.token).adopt()
        for arn in state.v2_streams.values():
            await Checkpoints(app.control, arn, app.mapping.hash, reverse.token).adopt()
        await change_any_state(app.control, app.mapping, lambda was: replace(was, mapping_hash=app.mapping.hash))
