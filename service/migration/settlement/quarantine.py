"""What an operator does about a key in quarantine: retry it by the rule in force, or drop it."""

from service.app import App
from service.control.quarantine import Quarantine, QuarantineHead
from service.control.repairs import registered, repairs_allowed, require_repairs_allowed
from service.control.state import MigrationState
from service.control.workers import worker_id
from service.migration.settlement.guarded_retry import GuardedRetry, RetryResult
from service.sync.ledger_retry import LedgerRetry
from service.sync.positions import require_started
from service.sync.sinks.context import ledger_access, sink_context


async def retry_key(app: App, key_id: str) -> RetryResult:
    """Retry one key. Raises Misconfigured for an unknown id, Fenced when it takes too long, Refused while a phase move is under
    way."""
    state = await require_started(app)
    if state.rule == "guarded":
        return await _guarded_retry(app, state).retry(key_id)
    async with registered(app.control, app.clock, worker_id(), app.settings.lease_seconds) as fence:
        # Read again once registered: the state may have changed, and an epoch of the ledger outlives no retry that was
        # registered before it.
        state = await require_started(app)
        require_repairs_allowed(state)
        access = ledger_access(app, state, fence)
        failure = await LedgerRetry(access, sink_context(app, state, "old", lambda _: None)).retry(key_id)
        return RetryResult(key_id, failure)


async def drop_from_quarantine(quarantine: Quarantine, key_id: str) -> QuarantineHead:
    """Take a key out of quarantine without applying the changes that wait: they are lost. Returns the key's head, so that the
    caller can show what was dropped.

    Raises Misconfigured for an unknown id.
    """
    while True:
        head = await quarantine.head(key_id)
        if await quarantine.remove_up_to(key_id, head):
            return head.value


def _guarded_retry(app: App, state: MigrationState) -> GuardedRetry:
    permitted = repairs_allowed(app.control, app.mapping, state.rule)
    return GuardedRetry(app.stores, state.generation, worker_id(), app.settings.lease_seconds, permitted)
