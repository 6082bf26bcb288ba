"""The migration's own record: its phase and rule, the move under way, the mapping it was begun with, and its streams."""

from collections.abc import Callable
from dataclasses import field, replace

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from service.control.table import ControlTable, Records
from service.core.item.stamp import GENERATION_DIGITS
from service.core.mapping.mapping import Mapping
from service.core.phases.acting import Acting, Phase, Rule
from service.errors import Fatal, Misconfigured

PARTITION, NAME = "state", "migration"
STRICT = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True, slots=True, config=STRICT)
class Move:
    """A phase move under way. step: the one that is being done (``core.phases``); since: when it began; by, why: for
    the audit log. forced: gate conditions that were overridden. Times are epoch seconds."""

    to: Phase
    step: str
    since: float
    begun_at: float
    by: str
    why: str = ""
    forced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, config=STRICT)
class Hold:
    """An operator has closed the gate."""

    why: str
    by: str
    at: float


@dataclass(frozen=True, slots=True, config=STRICT)
class MigrationState:
    """Where the migration stands. Times are epoch seconds.

    rule, epoch: how changes are applied, and the ledger's epoch (0 before the ledger rule). generations, v2_generations: every
    stream ARN that the old table, and the v2 tables, have had, to its number; stream_arn, v2_streams: those read now.
    gap_since, reverse_gap_since: when the operator last accepted that records of the old table's stream, or of a v2 table's,
    are lost; until a repair begun since has closed the gap. backfill_finished_at: None while a bulk copy is to be made or
    runs (also again).
    """

    phase: Phase
    phase_since: float
    mapping_hash: str
    old_table: str
    created_at: float
    generations: dict[str, int] = field(default_factory=dict)
    stream_arn: str | None = None
    gap_since: float | None = None
    backfill_finished_at: float | None = None
    rule: Rule = "guarded"
    epoch: int = 0
    move: Move | None = None
    hold: Hold | None = None
    v2_streams: dict[str, str] = field(default_factory=dict)
    v2_generations: dict[str, int] = field(default_factory=dict)
    reverse_gap_since: float | None = None

    @property
    def generation(self) -> int:
        """The number of the old table's stream that is read now. Raises Fatal when there is none yet."""
        if self.stream_arn is None:
            raise Fatal("no stream position has been saved", remedy="run `tablesplit create-tables`")
        return self.generations[self.stream_arn]

    @property
    def started(self) -> bool:
        """Whether anything may have been written by the mapping recorded here."""
        return self.phase != "prepare"

    @property
    def acting(self) -> Acting:
        """What a worker acts by."""
        return Acting(self.phase, self.rule, self.epoch)


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
    """The state once ``arn`` is the old table's stream to read: one not seen before gets the next generation, above all
    others."""
    return replace(state, generations=_numbered(state, state.generations, arn), stream_arn=arn)


def with_v2_stream(state: MigrationState, table: str, arn: str) -> MigrationState:
    """The same for the stream of a v2 table."""
    generations = _numbered(state, state.v2_generations, arn)
    return replace(state, v2_generations=generations, v2_streams={**state.v2_streams, table: arn})


def _numbered(state: MigrationState, generations: dict[str, int], arn: str) -> dict[str, int]:
    number = generations.get(arn, max(generations.values(), default=0) + 1)
    if number >= 10**GENERATION_DIGITS:
        raise Fatal(f"the tables of {state.old_table} have had {number} streams, more than a version can count")
    return {**generations, arn: number}


def in_forward(state: MigrationState, now: float) -> MigrationState:
    """The state of a prepared migration once it is in phase ``forward``, since ``now``; one that is further on stays."""
    return replace(state, phase="forward", phase_since=now) if state.phase == "prepare" else state


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


async def load_any_state(control: ControlTable, mapping: Mapping) -> MigrationState:
    """The state of a migration that has begun, whatever mapping it was begun with. Raises Misconfigured when there is none, or
    it is that of another old table."""
    stored = await _records(control).get(NAME)
    if stored is None or not stored.value.started:
        raise Misconfigured("the migration has not been started", remedy="start it with: tablesplit create-tables")
    return _of_table(stored.value, mapping, control.table)


async def change_any_state(
    control: ControlTable, mapping: Mapping, change: Callable[[MigrationState], MigrationState]
) -> MigrationState:
    """As ``change_state``, for a migration that may have been begun with another mapping. Raises as ``load_any_state`` does."""
    await load_any_state(control, mapping)

    def apply(was: MigrationState | None) -> MigrationState:
        assert was is not None
        return change(_of_table(was, mapping, control.table))

    return await _records(control).change(NAME, apply)


def _records(control: ControlTable) -> Records[MigrationState]:
    return control.records(PARTITION, MigrationState)


def _of_table(state: MigrationState, mapping: Mapping, table: str) -> MigrationState:
    if state.old_table != mapping.old.table:
        raise Misconfigured(
            f"control table {table} belongs to old table {state.old_table}, not {mapping.old.table}",
            remedy="set OLD_TABLE_NAME back, or give this migration its own TABLESPLIT_CONTROL_TABLE",
        )
    return state


def _checked(state: MigrationState, mapping: Mapping, table: str) -> MigrationState:
    state = _of_table(state, mapping, table)
    if state.mapping_hash == mapping.hash:
        return state
    if not state.started:
        return replace(state, mapping_hash=mapping.hash)
    raise Fatal(
        f"the migration was begun with mapping {state.mapping_hash}, but {mapping.name} is {mapping.hash}",
        remedy="set TABLESPLIT_MAPPING back to that mapping, or go over to the new one: `tablesplit remap`",
    )
