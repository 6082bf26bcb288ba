"""Rules broken inside the real service code: what the random runs of ``live_runs`` must find."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from service.control.quarantine import Quarantine, QuarantineHead
from service.control.waiting_changes import WaitingChange
from service.core.item.change import Change
from service.core.item.wire import Item
from service.core.rules import guarded as apply_rule
from service.errors import Poison
from service.sync.guarded_retry import GuardedRetry
from service.sync.sinks.guarded import GuardedSink
from tests.convergence.mutations import no_guard, no_tombstone

REAL_APPLY = GuardedSink.apply
KEPT: set[asyncio.Task[None]] = set()


async def checkpoint_first(sink: GuardedSink, shard_id: str, changes: Sequence[Change]) -> None:
    """Report the changes as applied at once, and apply them in the background."""
    KEPT.add(asyncio.create_task(_in_background(sink, shard_id, changes)))


async def _in_background(sink: GuardedSink, shard_id: str, changes: Sequence[Change]) -> None:
    try:
        await REAL_APPLY(sink, shard_id, changes)
    except Exception:  # noqa: BLE001 - the process was killed, or the mutation shows
        return


async def drop_poison(_sink: GuardedSink, _change: Change, _poison: Poison) -> None:
    """Continue as if the change had been put into quarantine."""


async def forgets_waiting_changes(quarantine: Quarantine, waiting: WaitingChange, _fence: object = None) -> bool:
    """A change of a key in quarantine is reported as waiting, but not stored."""
    return await quarantine.holds(waiting.change.table, waiting.change.key)


async def goes_by_the_table(
    retry: GuardedRetry, key_id: str, head: QuarantineHead
) -> tuple[Sequence[WaitingChange], Item | None]:
    """What waits is dropped if the item is gone at the moment; else the item as it is now counts."""
    now = await retry.stores.store.get(head.table, head.key)
    return [] if now is None else await Quarantine(retry.stores.control, retry.stores.clock).changes(key_id), now


MUTATIONS: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "checkpoint before effect": (GuardedSink, "apply", checkpoint_first),
    "poison is logged and dropped": (GuardedSink, "_to_quarantine", drop_poison),
    "changes behind the poison are forgotten": (Quarantine, "wait_behind", forgets_waiting_changes),
    "a key whose item is gone leaves quarantine": (GuardedRetry, "_found", goes_by_the_table),
    "guard dropped": (apply_rule, "older_than", no_guard),
    "no tombstone": (apply_rule, "tombstone", no_tombstone),
}
