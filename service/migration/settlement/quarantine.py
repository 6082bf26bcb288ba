"""What an operator does about a key in quarantine: retry it by the rule in force, or drop it."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from service.app import App
from service.control.quarantine import NotInQuarantine, Quarantine, QuarantineHead
from service.control.repairs import registered, repairs_allowed, require_repairs_allowed
from service.control.state import MigrationState
from service.control.workers import BOTH, Workers, worker_id
from service.core.item.wire import plain_key
from service.migration.settlement.resolution import AppendAudit
from service.sync.guarded_retry import GuardedRetry
from service.sync.ledger_retry import LedgerRetry
from service.sync.left_quarantine import say_left
from service.sync.positions import require_started
from service.sync.sinks.context import ledger_access, sink_context
from service.sync.upkeep.retry import Retrier

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class RetryResult:
    """The outcome of a retry."""

    key_id: str
    failure: str | None
    """One line that says what is still wrong; None when the key has left the quarantine."""


async def each_key(ids: Iterable[str], act: Callable[[str], Awaitable[Result]]) -> tuple[dict[str, Result], list[str]]:
    """Do ``act`` for each of these ids of a list that a person has seen, one after the other.

    Returns what it gave, by id, and the ids whose keys have left quarantine since the list was read, as after a correction of
    the item: they do not keep the others from being done.
    """
    results: dict[str, Result] = {}
    gone = []
    for key_id in dict.fromkeys(ids):
        try:
            results[key_id] = await act(key_id)
        except NotInQuarantine:
            gone.append(key_id)
    return results, gone


async def retry_key(app: App, key_id: str) -> RetryResult:
    """Retry one key. Raises Misconfigured for an unknown id, Fenced when it takes too long, Refused while a phase move is under
    way."""
    state = await require_started(app)
    if state.rule == "guarded":
        return RetryResult(key_id, await _guarded_retry(app, state).retry(key_id))
    async with registered(app.control, app.clock, worker_id(), app.settings.lease_seconds) as fence:
        # Read again once registered: the state may have changed, and an epoch of the ledger outlives no retry that was
        # registered before it.
        state = await require_started(app)
        require_repairs_allowed(state)
        settled = partial(Workers(app.control, app.clock).caught_up, app.settings.lease_seconds / 2, BOTH)
        context = sink_context(app, state, "old", lambda _: None)
        failure = await LedgerRetry(ledger_access(app, state, fence), context, settled).retry(key_id)
        return RetryResult(key_id, failure)


def retry_document(results: Iterable[RetryResult], gone: Sequence[str]) -> dict[str, Any]:
    """The document of `quarantine retry --json`. ``gone``: the keys that had left already."""
    rows = [{"id": key.key_id, "applied": key.failure is None, "failure": key.failure} for key in results]
    return {"items": rows, "gone": list(gone)}


async def retry_what_may_leave(app: App) -> int:
    """Retry, by the guarded rule, every key that can leave quarantine now: under another mapping, for example. Returns how many
    have left. Raises Refused while a phase move is under way."""
    retry = _guarded_retry(app, await require_started(app))
    return await Retrier(
        Quarantine(app.control, app.clock), retry, app.clock, app.settings, app.metrics.count_retry
    ).retry_all()


async def drop_key(quarantine: Quarantine, key_id: str, append_audit: AppendAudit, why: str = "") -> int:
    """Drop the changes that wait for a key, and say so in the audit log. Returns how many are lost.

    Raises Misconfigured for an unknown id.
    """
    head = await drop_from_quarantine(quarantine, key_id)
    facts = {"id": key_id, "table": head.table, "key": plain_key(head.key), "changes_lost": head.waiting}
    await append_audit("quarantine dropped", why, facts)
    return head.waiting


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
    seconds = app.settings.lease_seconds
    return GuardedRetry(app.stores, state.generation, worker_id(), seconds, permitted, say_left(app.metrics))
