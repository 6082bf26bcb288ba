"""The migration's own record: its phase and rule, the move under way, the mapping it was started with, and its streams."""

from collections.abc import Callable
from dataclasses import field, replace

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from service.control.table import ControlTable, Records
from service.core.item.stamp import GENERATION_DIGITS
from service.core.mapping.mapping import Mapping
from service.core.phases.acting import Acting, Phase, Rule
from service.errors import Fatal, Misconfigured
from service.failpoints import failpoint

PARTITION, NAME = "state", "migration"
STRICT = ConfigDict(extra="forbid", strict=True, defer_build=True)


@dataclass(frozen=True, slots=True, config=STRICT)
class Move:
    """A phase move under way. Times are epoch seconds."""

    to: Phase
    step: str
    """The step that is being done (``core.phases.moves``)."""
    since: float
    """When the step began."""
    begun_at: float
    """When the move began."""
    by: str
    """Who makes the move, for the audit log."""
    why: str = ""
    """The reason given, for the audit log."""
    forced: tuple[str, ...] = ()
    """The gate conditions that were overridden."""
    left_behind: int = 0
    """How many keys the operator leaves behind, in a rollback."""


@dataclass(frozen=True, slots=True, config=STRICT)
class Hold:
    """An operator has closed the gate."""

    why: str
    by: str
    at: float
    """Epoch seconds."""


@dataclass(frozen=True, slots=True, config=STRICT)
class MigrationState:
    """Where the migration stands. Times are epoch seconds."""

    phase: Phase
    phase_since: float
    mapping_hash: str
    old_table: str
    created_at: float
    generations: dict[str, int] = field(default_factory=dict)
    """The number of every stream that the old table has had, by ARN."""
    stream_arn: str | None = None
    """The stream of the old table that is read now."""
    gap_since: float | None = None
    """When the operator last accepted that changes of the old table's stream are lost; None: there is no gap, or a repair that
    began later has closed it."""
    backfill_finished_at: float | None = None
    """None while a backfill is still to be made or is running, a repeated one too."""
    rule: Rule = "guarded"
    """How changes are applied."""
    epoch: int = 0
    """The ledger's epoch; 0 before the ledger rule."""
    move: Move | None = None
    hold: Hold | None = None
    v2_streams: dict[str, str] = field(default_factory=dict)
    """The stream of each v2 table that is read now, by table."""
    v2_generations: dict[str, int] = field(default_factory=dict)
    """The number of every stream that the v2 tables have had, by ARN."""
    reverse_gap_since: float | None = None
    """As ``gap_since``, for the streams of the v2 tables."""

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
        """The phase, rule and epoch that a worker acts by."""
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
    """The state once ``arn`` is the old table's stream to read. An ARN not seen before gets the next generation, above all
    others."""
    return replace(state, generations=_numbered(state, state.generations, arn), stream_arn=arn)


def with_v2_stream(state: MigrationState, table: str, arn: str) -> MigrationState:
    """As ``with_stream``, for the stream of a v2 table."""
    generations = _numbered(state, state.v2_generations, arn)
    return replace(state, v2_generations=generations, v2_streams={**state.v2_streams, table: arn})


def _numbered(state: MigrationState, generations: dict[str, int], arn: str) -> dict[str, int]:
    number = generations.get(arn, max(generations.values(), default=0) + 1)
    if number >= 10**GENERATION_DIGITS:
        raise Fatal(f"the tables of {state.old_table} have had {number} streams, more than a version can count")
    return {**generations, arn: number}


def in_forward(state: MigrationState, now: float) -> MigrationState:
    """The state of a prepared migration once it is in phase ``forward``, since ``now``. A migration that is further on stays as
    it is."""
    return replace(state, phase="forward", phase_since=now) if state.phase == "prepare" else state


async def load_state(control: ControlTable, mapping: Mapping) -> MigrationState | None:
    """The state, or None before `create-tables`.

    Raises Fatal when the migration was started with another mapping or the record is damaged, Misconfigured when it belongs to
    another old table.
    """
    stored = await _records(control).get(NAME)
    return None if stored is None else _checked(stored.value, mapping, control.table)


async def load_started_state(control: ControlTable, mapping: Mapping) -> MigrationState:
    """The state of a migration that has started. Raises Misconfigured when it has not, and as ``load_state`` does."""
    state = await load_state(control, mapping)
    if state is None or not state.started:
        raise Misconfigured("the migration has not been started", remedy="start it with: tablesplit create-tables")
    return state


async def change_state(
    control: ControlTable, mapping: Mapping, now: float, change: Callable[[MigrationState], MigrationState]
) -> MigrationState:
    """Store ``change`` of the state (of a new one when there is none) and return it. If another writer comes first, change it
    again.

    ``change`` must return its own result unchanged when it is applied to it. Raises as ``load_state`` does.
    """

    def apply(was: MigrationState | None) -> MigrationState:
        return change(new_state(mapping, now) if was is None else _checked(was, mapping, control.table))

    state = await _records(control).change(NAME, apply)
    failpoint("state_saved")
    return state


async def load_any_state(control: ControlTable, mapping: Mapping) -> MigrationState:
    """The state of a migration that has started, whatever mapping it was started with.

    Raises Misconfigured when there is none, or it belongs to another old table.
    """
    stored = await _records(control).get(NAME)
    if stored is None or not stored.value.started:
        raise Misconfigured("the migration has not been started", remedy="start it with: tablesplit create-tables")
    return _of_table(stored.value, mapping, control.table)


async def change_any_state(
    control: ControlTable, mapping: Mapping, change: Callable[[MigrationState], MigrationState]
) -> MigrationState:
    """As ``change_state``, for a migration that may have been started with another mapping. Raises as ``load_any_state`` does."""
    await load_any_state(control, mapping)

    def apply(was: MigrationState | None) -> MigrationState:
        assert was is not None
        return change(_of_table(was, mapping, control.table))

    return await _records(control).change(NAME, apply)


def _records(control: ControlTable) -> Records[MigrationState]:
    return control.records(PARTITION, MigrationState)


def require_old_table(recorded: str, mapping: Mapping, control_table: str) -> None:
    """Raises Misconfigured unless the mapping's old table is the one ``recorded`` in the control table."""
    if recorded != mapping.old.table:
        raise Misconfigured(
            f"control table {control_table} belongs to old table {recorded}, not {mapping.old.table}",
            remedy="set OLD_TABLE_NAME back, or give this migration its own TABLESPLIT_CONTROL_TABLE",
        )


def _of_table(state: MigrationState, mapping: Mapping, table: str) -> MigrationState:
    require_old_table(state.old_table, mapping, table)
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
