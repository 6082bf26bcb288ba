"""The gate's settings are the migration's: another environment neither opens the gate nor leaves the hook out, and each change of
them is asked of the hook and audited."""

import asyncio
from dataclasses import replace
from importlib.metadata import version
from typing import Any, cast

import pytest

from service.app import App
from service.config import Settings
from service.control.audit import Audit
from service.control.gate_settings import NAME, PARTITION, GateSettings, read_gate_settings, read_hook_settings
from service.control.state import Move, change_state
from service.core.item.write import Delete, Put
from service.core.phases.moves import CUTOVER_TO_DUAL, CUTOVER_TO_REVERSE
from service.errors import Fatal, Misconfigured, Refused
from service.migration.phase.gate_change import GateSettingsView, show_gate_settings, store_gate_settings
from service.migration.phase.hook import HookSilent
from service.migration.phase.move_context import MoveContext, move_context
from service.migration.start import create_and_start
from service.migration.status.facts import CaughtUp
from service.migration.status.gate import ask_gate
from service.sync.forward_lane import ForwardLane
from service.sync.lane import LIMIT_SECONDS
from service.sync.positions import require_started
from tests.worlds.move_world import Hooks, Log
from tests.worlds.start_world import Started

SECRET = "a secret of the two"
HOOK = {"hook": "/hooks/gate", "hook_secret": SECRET, "hook_attempts": 1}
LAX: dict[str, Any] = {"gate_quiet_seconds": 1, "gate_lag_seconds": 3600, "gate_validation_age_seconds": 2_592_000}


def with_settings(app: App, **settings: Any) -> App:
    """The app in another environment."""
    cast(Any, app).settings = Settings(endpoint_url="http://memory", control_table="control", **settings)
    return app


async def started(**settings: Any) -> Started:
    """A migration that was started in an environment with these settings."""
    world = Started()
    await create_and_start(with_settings(world.app, **settings))
    return world


async def thresholds(app: App) -> dict[str, Any]:
    found: dict[str, Any] = {}
    state = await require_started(app)
    for move in (CUTOVER_TO_DUAL, CUTOVER_TO_REVERSE):
        gate = await ask_gate(app, state, move, caught_up=CaughtUp(True, True))
        found |= {condition.name: condition.threshold for condition in gate.conditions}
    return found


async def test_whoever_asks_does_not_move_the_gate_s_thresholds() -> None:
    world = await started(gate_quiet_seconds=77)
    as_started = await thresholds(world.app)
    assert as_started["quiet"] == "77 s"
    assert await thresholds(with_settings(world.app, **LAX)) == as_started


async def test_a_second_start_changes_nothing_and_says_what_does_not_count(capsys: pytest.CaptureFixture[str]) -> None:
    world = await started()
    capsys.readouterr()
    await create_and_start(with_settings(world.app, gate_quiet_seconds=1))
    assert (await read_gate_settings(world.control)).gate_quiet_seconds == 60
    logged = capsys.readouterr().out
    assert "the gate goes by the migration's settings" in logged
    assert "TABLESPLIT_GATE_QUIET_SECONDS" in logged


async def test_a_migration_of_an_earlier_version_has_the_defaults() -> None:
    world = await started(gate_quiet_seconds=1)
    world.db.apply(Delete("control", {"pk": {"S": PARTITION}, "sk": {"S": NAME}}))
    assert (await read_gate_settings(world.control)).gate_quiet_seconds == 60


async def test_the_lane_measures_low_lag_by_the_migration_s_limit() -> None:
    world = await started(gate_lag_seconds=120)
    lane = ForwardLane(with_settings(world.app))
    follow = asyncio.create_task(lane._follow_limit())
    await world.clock.advance(LIMIT_SECONDS + 1)
    follow.cancel()
    assert lane._low.note(60) is not None


async def test_damaged_gate_settings_stop_no_lane_and_the_gate_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    world = await started()
    lane = ForwardLane(world.app)
    assert lane._low.note(0) is not None
    newer = {"document": {"S": '{"gate_of_a_newer_version": 1}'}, "rev": {"S": "1"}}
    world.db.apply(Put("control", {"pk": {"S": PARTITION}, "sk": {"S": NAME}, **newer}))
    capsys.readouterr()
    follow = asyncio.create_task(lane._follow_limit())
    await world.clock.advance(3 * LIMIT_SECONDS)
    assert not follow.done()
    follow.cancel()
    assert lane._low.note(0) is None
    assert capsys.readouterr().out.count("lag counts as not low: its limit cannot be read") == 1
    with pytest.raises(Fatal, match="is damaged"):
        await ask_gate(world.app, await require_started(world.app), CUTOVER_TO_DUAL, caught_up=CaughtUp(True, True))


async def test_damaged_gate_settings_do_not_keep_a_sync_from_starting_again() -> None:
    world = await started()
    damaged = {"document": {"S": "?"}, "rev": {"S": "1"}}
    world.db.apply(Put("control", {"pk": {"S": PARTITION}, "sk": {"S": NAME}, **damaged}))
    assert (await create_and_start(world.app)).phase == "forward"


@pytest.mark.parametrize("environment", [{"hook_secret": SECRET}, {"hook": "/bin/true", "hook_secret": SECRET}])
async def test_the_hook_cannot_be_unset_or_replaced_by_the_caller(environment: dict[str, Any]) -> None:
    world = await started(**HOOK)
    context = await move_context(with_settings(world.app, **environment, hook_attempts=1))
    with pytest.raises(Refused, match="/hooks/gate"):
        await context.hooks.before({"to": "dual"}, {})


async def test_the_caller_does_not_make_the_hook_silent_by_asking_it_shorter() -> None:
    world = await started(hook="/hooks/gate", hook_secret=SECRET, hook_timeout_seconds=7, hook_attempts=2)
    hurried = Settings(control_table="control", hook_secret=SECRET, hook_timeout_seconds=0.1, hook_attempts=1)
    asked = await read_hook_settings(world.control, hurried)
    assert (asked.hook, asked.hook_timeout_seconds, asked.hook_attempts) == ("/hooks/gate", 7, 2)


async def test_the_caller_does_not_let_another_program_answer_for_the_hook() -> None:
    """BASH_ENV names a file that a hook in bash runs first: `exit 0` in it would be the answer."""
    world = await started(**HOOK, hook_environment="TICKET")
    other = Settings(control_table="control", hook_secret=SECRET, hook_environment="BASH_ENV,LD_PRELOAD")
    assert (await read_hook_settings(world.control, other)).hook_environment == "TICKET"


async def test_a_migration_whose_record_says_only_the_hook_asks_it_as_long_as_by_default() -> None:
    world = await started(**HOOK)
    records = world.control.records(PARTITION, dict[str, Any])
    late = {"hook_timeout_seconds", "hook_attempts"}
    await records.change(NAME, lambda was: {name: value for name, value in (was or {}).items() if name not in late})
    hurried = Settings(control_table="control", hook_secret=SECRET, hook_timeout_seconds=0.1, hook_attempts=1)
    asked = await read_hook_settings(world.control, hurried)
    assert (asked.hook_timeout_seconds, asked.hook_attempts) == (30, 3)


async def test_without_the_secret_a_migration_with_a_hook_is_not_moved() -> None:
    world = await started(**HOOK)
    context = await move_context(with_settings(world.app))
    with pytest.raises(Misconfigured, match="/hooks/gate needs TABLESPLIT_HOOK_SECRET"):
        await context.hooks.before({"to": "dual"}, {})


async def test_a_caller_may_add_a_hook_where_the_migration_has_none() -> None:
    world = await started()
    context = await move_context(with_settings(world.app, **HOOK))
    with pytest.raises(Refused, match="/hooks/gate"):
        await context.hooks.before({"to": "dual"}, {})


async def test_the_hook_learns_which_migration_is_to_be_moved() -> None:
    world = await started(**HOOK)
    context = await move_context(with_settings(world.app, **HOOK))
    told = (await context.status())["identity"]
    assert (told["old_table"], told["control_table"], told["version"]) == ("old", "control", version("tablesplit"))


class Changed:
    """A started migration, and another environment that is to be stored."""

    def __init__(self, world: Started) -> None:
        self.app = with_settings(world.app, **LAX)
        self.log, self.hooks = Log(), Hooks()

    async def store(self, *forced: str) -> GateSettingsView:
        return await store_gate_settings(self.context, "the week-end", forced)

    @property
    def context(self) -> MoveContext:
        async def status() -> dict[str, Any]:
            return {}

        return MoveContext(self.app, "ann", self.log, self.hooks, status, cast(Any, None))

    async def in_force(self) -> GateSettings:
        return await read_gate_settings(self.app.control)


async def test_a_change_is_asked_of_the_hook_audited_and_in_force() -> None:
    changed = Changed(await started())
    shown = await show_gate_settings(changed.context)
    assert "TABLESPLIT_GATE_QUIET_SECONDS=60   (this environment: 1)" in shown.to_text()
    assert (await changed.store()).changed
    assert (await changed.in_force()).gate_quiet_seconds == 1
    ((action, why, facts),) = changed.log.entries
    assert (action, why) == ("gate settings", "the week-end")
    name = "TABLESPLIT_GATE_QUIET_SECONDS"
    assert (facts["before"][name], facts["after"][name]) == (60, 1)
    assert [event for event, _ in changed.hooks.called] == ["before", "after"]
    assert changed.hooks.called[1][1]["audit"]["number"] == 1


async def test_what_is_stored_already_is_not_changed() -> None:
    changed = Changed(await started())
    await changed.store()
    assert not (await changed.store()).changed
    assert changed.log.actions == ["gate settings"]


async def test_the_hook_may_veto_a_change_and_no_override_helps() -> None:
    changed = Changed(await started())
    changed.hooks.veto = "not at night"
    with pytest.raises(Refused, match="not at night"):
        await changed.store("hook")
    assert (await changed.in_force()).gate_quiet_seconds == 60
    assert changed.log.actions == ["gate settings vetoed"]


async def test_a_hook_that_is_gone_is_left_out_only_by_an_override_that_is_audited() -> None:
    changed = Changed(await started())

    async def silent(move: Any, status: Any) -> None:
        raise HookSilent("the hook does not answer")

    changed.hooks.before = silent  # type: ignore[method-assign]
    with pytest.raises(Refused, match="does not answer") as refused:
        await changed.store()
    assert refused.value.remedy == "fix the hook; if it is gone for good: --force hook"
    assert (await changed.store("hook")).changed
    assert changed.log.entries[0][2]["forced"] == ["hook"]


async def test_nothing_else_can_be_overridden() -> None:
    with pytest.raises(Misconfigured, match="quarantine cannot be overridden here"):
        await Changed(await started()).store("quarantine")


async def test_nothing_changes_while_a_move_is_under_way() -> None:
    changed = Changed(await started())
    move = Move("dual", "settle", 1.0, 1.0, "bob")
    app = changed.app
    await change_state(app.control, app.mapping, 0.0, lambda was: replace(was, move=move))
    with pytest.raises(Refused, match="a move is under way: to dual: settle"):
        await changed.store()


async def test_a_move_that_began_before_the_lease_was_taken_is_seen() -> None:
    world = await started()
    changed = Changed(world)
    move = Move("dual", "settle", 1.0, 1.0, "bob")

    async def begin(operation: str, subject: object) -> None:
        if isinstance(subject, Put) and subject.item["pk"] == {"S": "lease"}:
            world.db.before = None
            await change_state(world.control, world.app.mapping, 0.0, lambda was: replace(was, move=move))

    world.db.before = begin
    with pytest.raises(Refused, match="a move is under way: to dual: settle"):
        await changed.store()
    assert changed.log.entries == []


async def test_the_audit_log_itself_has_the_change() -> None:
    world = await started()
    context = await move_context(with_settings(world.app, **LAX))
    await store_gate_settings(context, "the week-end")
    audit = Audit(world.control, world.clock, "")
    assert [record.action for record in await audit.all()] == ["gate settings"]
    assert (await audit.verify()).ok
