"""The migration's own record: its phase, the mapping it was begun with, and the generations of the old
table's stream."""

from collections.abc import Callable
from dataclasses import field, replace
from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from service.control_table import ControlTable, Records
from service.core.mapping import Mapping
from service.core.version import GENERATION_DIGITS
from service.errors import Fatal, Misconfigured

NAME = "migration"


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid", strict=True))
class MigrationState:
    """Where the migration stands. Times are epoch seconds.

    generations: every stream ARN that the old table has had, to its number; stream_arn: the one that is read
    now. gap_since: when the operator last accepted that stream records are lost; until a repair begun since has
    closed the gap. backfill_finished_at: None while a bulk copy is to be made or runs (also again).
    """

    phase: Literal["prepare", "forward"]
    phase_since: float
    mapping_hash: str
    old_table: str
    created_at: float
    generations: dict[str, int] = field(default_factory=dict)
    stream_arn: str | None = None
    gap_since: float | None = None
    backfill_finished_at: float | None = None

    @property
    def generation(self) -> int:
        """The number of the stream that is read now. Raises Fatal when there is none yet."""
        if self.stream_arn is None:
            raise Fatal("no stream position has been saved", remedy="run `tablesplit create-tables`")
        return self.generations[self.stream_arn]

    @property
    def started(self) -> bool:
        """Whether anything may have been written by the mapping recorded here."""
        return self.phase != "prepare"


def new_state(mapping: Mapping, now: float) -> MigrationState:
    """The record of a migration that has only been prepared."""
    return MigrationState(
        phase="prepare",
        phase_since=now,
        mapping_hash=mapping.hash,
        old_table=mapping.old.table,
        created_at=now,
    )


def with_stream(state: MigrationState, arn: str) -> MigrationState:
    """The state once ``arn`` is the stream to read: one not seen before gets the next generation, above all
    others."""
    number = state.generations.get(arn, max(state.generations.values(), default=0) + 1)
    if number >= 10**GENERATION_DIGITS:
        raise Fatal(f"old table {state.old_table} has had {number} streams, more than a version can count")
    return replace(state, generations={**state.generations, arn: number}, stream_arn=arn)


def in_forward(state: MigrationState, now: float) -> MigrationState:
    """The state in phase ``forward``, since ``now`` unless it was in it already."""
    return state if state.phase == "forward" else replace(state, phase="forward", phase_since=now)


async def load_state(control: ControlTable, mapping: Mapping) -> MigrationState | None:
    """The state, or None before `create-tables`.

    Raises Fatal when it was begun with another mapping or is damaged, Misconfigured when it is that of
    another old table.
    """
    stored = await _records(control).get(NAME)
    return None if stored is None else _checked(stored.value, mapping, control.table)


async def load_started_state(control: ControlTable, mapping: Mapping) -> MigrationState:
    """The state of a migration that has begun. Raises Misconfigured when it has not, and as ``load_state`` does."""
    state = await load_state(control, mapping)
    if state is None or not state.started:
        raise Misconfigured("the migration has not been started", remedy="start it with: tablesplit create-tables")
    return state


async def change_state(
    control: ControlTable, mapping: Mapping, now: float, change: Callable[[MigrationState], MigrationState]
) -> MigrationState:
    """Store ``change`` of the state (of a new one when there is none) and return it; made again when another
    writer was faster.

    ``change`` must give the same when it is applied to its own result. Raises as ``load_state`` does.
    """

    def apply(was: MigrationState | None) -> MigrationState:
        return change(new_state(mapping, now) if was is None else _checked(was, mapping, control.table))

    return await _records(control).change(NAME, apply)


def _records(control: ControlTable) -> Records[MigrationState]:
    return control.records("state", MigrationState)


def _checked(state: MigrationState, mapping: Mapping, table: str) -> MigrationState:
    if state.old_table != mapping.old.table:
        raise Misconfigured(
            f"control table {table} belongs to old table {state.old_table}, not {mapping.old.table}",
            remedy="set OLD_TABLE_NAME back, or give this migration its own TABLESPLIT_CONTROL_TABLE",
        )
    if state.mapping_hash == mapping.hash:
        return state
    if not state.started:
        return replace(state, mapping_hash=mapping.hash)
    raise Fatal(
        f"the migration was begun with mapping {state.mapping_hash}, but {mapping.name} is {mapping.hash}",
        remedy="set TABLESPLIT_MAPPING back to that mapping, or start over: `tablesplit drop-tables`, "
        "then `tablesplit create-tables`",
    )
