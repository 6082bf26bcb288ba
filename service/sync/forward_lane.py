"""The forward lane: it reads the old table's stream and applies it to v2 by the rule in force.

The worker that holds its lease also purges v2's tombstones, retries the keys in quarantine and, under the ledger rule, verifies
the keys that were touched.
"""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from service.app import App
from service.control.conflicts import Conflicts
from service.control.leases import SYNC_LEASE, Lease
from service.control.ledger import Ledger
from service.control.quarantine import Quarantine
from service.control.repairs import repairs_allowed
from service.control.state import MigrationState
from service.control.workers import BOTH, Workers, worker_id
from service.core.item.wire import Item
from service.core.item.write import Put
from service.core.rules.quarantine import Left
from service.dynamodb.gathered import GatheredStore
from service.streams.engine import ShardSink
from service.sync.guarded_retry import GuardedRetry
from service.sync.lane import Lane, Reading, Work
from service.sync.ledger_retry import LedgerRetry
from service.sync.left_quarantine import say_left
from service.sync.positions import require_same_stream, require_started
from service.sync.sinks.context import ledger_access, sink_context
from service.sync.sinks.forward import ForwardSink
from service.sync.sinks.guarded import GuardedSink, GuardedSinkContext
from service.sync.upkeep.expire import Expirer
from service.sync.upkeep.purge import Purger
from service.sync.upkeep.retry import Retrier
from service.sync.upkeep.trim import UPKEEP_CATCH_UP_SECONDS, Trimmer
from service.sync.upkeep.verify import Verifier


class ForwardLane(Lane):
    """Old to v2."""

    name = "forward"
    lease = SYNC_LEASE

    def __init__(self, app: App, read: Callable[[Lane], Awaitable[None]] | None = None) -> None:
        super().__init__(app, read)
        self._purger: Purger | None = None

    async def ready_state(self, lease: Lease | None) -> MigrationState:  # noqa: ARG002 (the reverse lane needs it)
        """The state, once the migration has started and the old table's stream is the one whose positions are saved."""
        state = await require_started(self.app)
        if state.phase != "complete":
            await require_same_stream(self.app, state)
        return state

    def streams(self, state: MigrationState) -> dict[str, str]:
        """The old table's stream."""
        if state.phase == "complete" or state.stream_arn is None:
            return {}
        return {self.app.mapping.old.table: state.stream_arn}

    def open(self, reading: Reading, state: MigrationState) -> Work:
        """The engine that reads the old table's stream and, in the worker that holds the lease, what runs beside it."""
        self._purger = None
        if state.phase == "complete":
            return Work(())
        others = [] if reading.lease is None else self._beside(reading.lease, state)
        sink = self._ledger if state.acting.forward_by_ledger else self._guarded
        return Work(reading.engines(self.streams(state), lambda: sink(reading, state)), others)

    def _beside(self, lease: Lease, state: MigrationState) -> list[Coroutine[Any, Any, None]]:
        self._purger = self._new_purger(lease)
        always = [self._purger.run(), self._expirer().run()]
        if state.rule == "entering":
            return always
        always.append(self._retrier(lease, state).run())
        return always if state.rule == "guarded" else [*always, self._verifier(lease, state).run()]

    def overdue(self) -> int:
        """Tombstones on v2 that should have been purged by now."""
        return self._purger.overdue() if self._purger is not None else 0

    def _guarded(self, reading: Reading, state: MigrationState) -> ShardSink:
        app = self.app
        stores = replace(app.stores, store=GatheredStore(app.store))
        context = GuardedSinkContext(stores, state.generation, reading.fence, _ForwardEvents(self, reading))
        return GuardedSink(context, app.settings.sync_concurrency)

    def remember(self, tombstone: Put) -> None:
        """Pass a tombstone that has just been written to the purger. If the purger runs in another worker, its sweep finds the
        tombstone."""
        if self._purger is not None:
            self._purger.add(tombstone)

    def _ledger(self, reading: Reading, state: MigrationState) -> ShardSink:
        app = self.app
        access = ledger_access(app, state, reading.fence, reading.taken_over)
        context = sink_context(app, state, "old", self.count, reading.taken_over)
        return ForwardSink(access, context, app.settings.sync_concurrency)

    def _new_purger(self, lease: Lease) -> Purger:
        app = self.app
        metrics = app.metrics
        return Purger(
            app.stores, app.settings, lease, rounds=self.rounds, count=metrics.count_purge, retried=metrics.count_retry
        )

    def _expirer(self) -> Expirer:
        app = self.app
        return Expirer(Conflicts(app.control), app.clock, app.settings, app.metrics.count_retry)

    def _verifier(self, lease: Lease, state: MigrationState) -> Verifier:
        app = self.app
        ledger = Ledger(app.control, app.clock, app.mapping.old.table, state.epoch)
        return Verifier(app.stores, app.settings, ledger, Trimmer(app.stores, app.settings, ledger, lease.check))

    def _retrier(self, lease: Lease, state: MigrationState) -> Retrier:
        app = self.app
        retry = self._ledger_retry(lease, state) if state.rule == "ledger" else self._guarded_retry(state)
        return Retrier(Quarantine(app.control, app.clock), retry, app.clock, app.settings, app.metrics.count_retry)

    def _guarded_retry(self, state: MigrationState) -> GuardedRetry:
        app = self.app
        permitted = repairs_allowed(app.control, app.mapping, state.rule)
        seconds, left = app.settings.lease_seconds, say_left(app.metrics)
        return GuardedRetry(app.stores, state.generation, worker_id(), seconds, permitted, left)

    def _ledger_retry(self, lease: Lease, state: MigrationState) -> LedgerRetry:
        app = self.app
        workers = Workers(app.control, app.clock)
        settled = partial(workers.caught_up, UPKEEP_CATCH_UP_SECONDS, BOTH)
        context = sink_context(app, state, "old", lambda _: None)
        return LedgerRetry(ledger_access(app, state, lease.check), context, settled)


@dataclass(frozen=True, slots=True)
class _ForwardEvents:
    """Implements ``SinkEvents`` for the forward lane."""

    lane: ForwardLane
    reading: Reading

    def count(self, outcome: str) -> None:
        self.lane.count(outcome)

    def tombstone(self, put: Put) -> None:
        self.lane.remember(put)

    def left(self, table: str, key: Item, how: Left) -> None:
        say_left(self.lane.app.metrics)(table, key, how)

    def taken_over(self) -> int:
        return self.reading.taken_over()
