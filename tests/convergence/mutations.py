"""Each rule of DESIGN sections 4, 5 and 8 switched off: the random search must find the violation.

A mutation replaces a real function of service.core, or, where a rule is an order of requests, the actor that makes them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest

from service.core import shards as lineage
from service.core.item.change import Change
from service.core.item.wire import Item
from service.core.item.write import Delete, Put
from service.core.mapping.mapping import Mapping
from service.core.rules import guarded as apply_rule
from service.core.rules import purge
from service.core.rules.purge import PurgeFacts, PurgeVerdict
from service.core.shards import Position
from tests.convergence.repairing import Repair
from tests.convergence.runs import Cast
from tests.convergence.sync_process import SyncProcess

REAL: dict[str, Any] = {
    "change_writes": apply_rule.change_writes,
    "copy_write": apply_rule.copy_write,
    "repair_write": apply_rule.repair_write,
    "purge_write": apply_rule.purge_write,
    "may_purge": purge.may_purge,
}


@dataclass(frozen=True, slots=True)
class Mutation:
    """A rule switched off: its name, how, and a seed at or after which the search finds it."""

    name: str
    module: Any
    attribute: str
    broken: Any
    seed: int


def no_guard(_stamp_name: str, _version: str) -> None:
    """Every change is written, whatever v2 holds."""


def no_tombstone(table: str, key: Item, _version: str, _stamp_name: str) -> Delete:
    """A removal leaves no tombstone."""
    return Delete(table, key)


def unpadded(generation: int, sequence: str) -> str:
    """Sequence numbers as the stream gives them."""
    return f"{generation:04}.{sequence}"


def forget_vacated(mapping: Mapping, changes: Sequence[Change], generation: int) -> tuple[Put, ...]:
    """Of a coalesced run only the last change's keys are cleared."""
    return tuple(REAL["change_writes"](mapping, changes[-1:], generation))


def leave_vacated(mapping: Mapping, changes: Sequence[Change], generation: int) -> tuple[Put, ...]:
    """A moved item stays at its earlier key as well."""
    return tuple(REAL["change_writes"](mapping, changes, generation)[:1])


def unconditional(rule: str, *arguments: Any) -> Any:
    """The rule's write without its condition."""
    write = REAL[rule](*arguments)
    return None if write is None else replace(write, condition=None)


def blind_purge(facts: PurgeFacts, *, horizon: float, grace: float, **ignored: Any) -> PurgeVerdict:
    """The purger assumes the value of a fact instead of knowing it."""
    return PurgeVerdict(REAL["may_purge"](replace(facts, **ignored), horizon=horizon, grace=grace).allowed, "none")


def children_at_once(known: dict[str, Position], shard_id: str) -> bool:
    """A shard is read whether or not its parent has ended."""
    return known[shard_id].state == "reading"


class CheckpointFirst(SyncProcess):
    """Saves a position before its effects (against I4)."""

    async def take(self, shard_id: str, changes: Sequence[Change], *, finished: bool) -> None:
        await self.advance(shard_id, changes, finished=finished)
        await self.apply(changes)


class OldFirst(Repair):
    """Reads the old item before the v2 item."""

    async def read(self, table: str, key: Item) -> tuple[Item | None, Item | None]:
        old = await self.world.memory.get(self.world.mapping.old.table, self.old_key)
        return await self.world.memory.get(table, key), old


def _rule(name: str, attribute: str, broken: Callable[..., Any], seed: int = 0) -> Mutation:
    return Mutation(name, apply_rule, attribute, broken, seed)


def _purge(name: str, seed: int = 0, **ignored: Any) -> Mutation:
    return Mutation(name, purge, "may_purge", partial(blind_purge, **ignored), seed)


MUTATIONS = (
    _rule("guard dropped", "older_than", no_guard, seed=0),
    _rule("no tombstone", "tombstone", no_tombstone, seed=2),
    _rule("versions not padded", "stream_version", unpadded, seed=0),
    _rule("coalescing forgets vacated keys", "change_writes", forget_vacated, seed=1),
    _rule("a move leaves the earlier key", "change_writes", leave_vacated, seed=0),
    _rule("backfill overwrites", "copy_write", partial(unconditional, "copy_write"), seed=2),
    _rule("repair writes whatever is there", "repair_write", partial(unconditional, "repair_write"), seed=33),
    _rule("purge deletes whatever is there", "purge_write", partial(unconditional, "purge_write"), seed=583),
    _purge("purge during the backfill", backfill_finished_age=9.0, seed=198),
    _purge("purge with a superseded owner", ownership_age=9.0, seed=150),
    _purge("purge before the checkpoint", read_past=True, seed=0),
    _purge("purge during a repair", oldest_repair_age=None, seed=112),
    Mutation("children before their parents", lineage, "may_open", children_at_once, seed=120),
    Mutation("checkpoint before effect", Cast, "process", CheckpointFirst, seed=106),
    Mutation("repair reads the old item first", Cast, "repair", OldFirst, seed=499),
)


def apply_mutation(mutation: Mutation, patch: pytest.MonkeyPatch) -> None:
    """Switch the rule off until the patch is undone."""
    patch.setattr(mutation.module, mutation.attribute, mutation.broken)
