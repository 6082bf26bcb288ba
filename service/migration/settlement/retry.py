"""A retry of a key in quarantine by the rule in force."""

from service.app import App
from service.control.repairs import registered, repairs_allowed, require_repairs_allowed
from service.control.state import MigrationState
from service.control.workers import worker_id
from service.migration.settlement.guarded_retry import Retried, Retry
from service.migration.settlement.ledger_retry import LedgerRetry
from service.sync.positions import require_started
from service.sync.sinks.context import ledger_transaction, sink_context


async def retry_key(app: App, key_id: str) -> Retried:
    """Retry one key. Raises as ``Retry.retry`` does, and Refused while a phase move is under way."""
    state = await require_started(app)
    if state.rule == "guarded":
        return await _by_guarded_rule(app, state).retry(key_id)
    async with registered(app.control, app.clock, worker_id(), app.settings.lease_seconds) as fence:
        state = await require_started(
            app
        )  # once registered: an epoch of the ledger, too, outlives no retry begun before it
        require_repairs_allowed(state)
        transaction = ledger_transaction(app, state, fence)
        return await LedgerRetry(transaction, sink_context(app, state, "old", lambda _: None)).retry(key_id)


def _by_guarded_rule(app: App, state: MigrationState) -> Retry:
    return Retry(
        app.store,
        app.control,
        app.mapping,
        app.clock,
        state.generation,
        worker_id(),
        app.settings.lease_seconds,
        repairs_allowed(app.control, app.mapping, state.rule),
    )
