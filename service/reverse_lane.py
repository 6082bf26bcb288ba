"""The reverse lane: reads the v2 tables' streams; observes before the first `dual`, and carries to the old table from then on."""

from collections.abc import Coroutine
from typing import Any

from service.lane import Lane
from service.leases import Lease
from service.ledger_parts import ledger_parts, watch
from service.migration_state import MigrationState
from service.noting import Noting
from service.observer import Observer
from service.reverse_ledger import ReverseLedger
from service.start import REVERSE_LEASE, follow_v2_streams, require_same_v2_streams, require_started
from service.streams.embedded import EmbeddedEngine
from service.streams.engine import ShardSink


class ReverseLane(Lane):
    """v2 to old: one engine for each v2 table."""

    name = "reverse"
    lease = REVERSE_LEASE

    async def ready_state(self, lease: Lease) -> MigrationState:
        """The state, once the v2 tables' streams are those whose positions are saved; the first time, they are saved here."""
        state = await require_started(self.app)
        if state.phase == "complete":
            return state
        if state.rule == "guarded":
            state = await follow_v2_streams(self.app, state, lease.token)
        await require_same_v2_streams(self.app, state)
        return state

    def open(self, lease: Lease, state: MigrationState) -> tuple[list[EmbeddedEngine], list[Coroutine[Any, Any, None]]]:
        """An engine for each v2 table; none once the migration is complete."""
        if state.phase == "complete":
            return [], []
        streams = sorted(state.v2_streams.items())
        return [self.reading(lease, table, arn, self._sink(lease, state)) for table, arn in streams], []

    def _sink(self, lease: Lease, state: MigrationState) -> ShardSink:
        app = self.app
        observer = Observer(app.mapping, watch(app, state, "v2"))
        if not state.acting.forward_by_ledger:
            return observer
        parts = ledger_parts(app, state, lease.check, "v2", self.count)
        if not state.acting.reverse_carries:
            return Noting(parts, observer, app.settings.sync_concurrency)
        return ReverseLedger(parts, app.settings.sync_concurrency)
