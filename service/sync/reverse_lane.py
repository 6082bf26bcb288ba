"""The reverse lane: it reads the v2 tables' streams. Before the first `dual` it only observes; from then on it carries to the
old table."""

from service.control.leases import REVERSE_LEASE, Lease
from service.control.state import MigrationState
from service.streams.engine import ShardSink
from service.sync.lane import Lane, Reading, Work
from service.sync.positions import follow_v2_streams, require_same_v2_streams, require_started
from service.sync.sinks.before_dual import EnteringSink, RogueWriteSink
from service.sync.sinks.context import activity_recorder, ledger_access, sink_context
from service.sync.sinks.reverse import ReverseSink


class ReverseLane(Lane):
    """v2 to old: one engine for each v2 table."""

    name = "reverse"
    lease = REVERSE_LEASE

    async def ready_state(self, lease: Lease | None) -> MigrationState:
        """The state, once the v2 tables' streams are those whose positions are saved.

        The first time, the worker that holds the lease saves their first positions.
        """
        state = await require_started(self.app)
        if state.phase == "complete":
            return state
        if state.rule == "guarded" and lease is not None:
            state = await follow_v2_streams(self.app, state, lease.token)
        await require_same_v2_streams(self.app, state)
        return state

    def streams(self, state: MigrationState) -> dict[str, str]:
        """The v2 tables' streams."""
        return {} if state.phase == "complete" else dict(state.v2_streams)

    def open(self, reading: Reading, state: MigrationState) -> Work:
        """The engines that read the v2 tables' streams."""
        in_flight: set[str] = set()
        return Work(reading.engines(self.streams(state), lambda: self._sink(reading, state, in_flight)))

    def _sink(self, reading: Reading, state: MigrationState, in_flight: set[str]) -> ShardSink:
        app = self.app
        rogue_writes = RogueWriteSink(app.mapping, activity_recorder(app, state, "v2"))
        if not state.acting.forward_by_ledger:
            return rogue_writes
        access = ledger_access(app, state, reading.fence, reading.taken_over, in_flight)
        context = sink_context(app, state, "v2", self.count, reading.taken_over)
        if not state.acting.reverse_carries:
            return EnteringSink(access, rogue_writes, context.generations, app.settings.sync_concurrency)
        return ReverseSink(access, context, app.settings.sync_concurrency)
