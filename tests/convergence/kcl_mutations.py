"""Rules of the kcl engine's own code, broken: what the random runs of ``kcl_runs`` must find."""

from collections.abc import Callable, Sequence
from typing import Any

from service.control.quarantine_cache import QuarantineCache
from service.streams.kcl import held_shard
from service.streams.kcl.held_shard import HeldShard


async def applied_at_once(held: HeldShard, _shard_id: str, _changes: object) -> None:
    """Report a page as applied before it is."""
    assert held._in_hand is not None
    held._in_hand.done.set_result(None)


async def never_refreshed(_suspects: QuarantineCache) -> None:
    """Keys that a shard's former owner has put into quarantine are not read."""


def skips_first_redelivered(records: Sequence[dict[str, Any]], sequence: str | None) -> list[dict[str, Any]]:
    """The first of the records that are delivered again counts as applied."""
    return list(records) if sequence is None else list(records)[1:]


MUTATIONS: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "a page is reported as applied before it is": (HeldShard, "apply", applied_at_once),
    "quarantine of a former owner unknown": (QuarantineCache, "refresh", never_refreshed),
    "a record delivered again is taken for applied": (held_shard, "after", skips_first_redelivered),
}
