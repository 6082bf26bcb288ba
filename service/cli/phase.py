"""`cutover`, `rollback`, `complete`, `hold`, `release`: move the phase, or prevent it from moving."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import click

from service.app import App
from service.cli.answer import Answer, print_error
from service.cli.checklist import Checklist
from service.cli.options import FiniteRange, as_json, table_name, yes
from service.cli.run import confirm, confirm_table, run_command
from service.core.phases.gate import GateClosed
from service.core.phases.left_behind import KeysLeftBehind, LeftBehind
from service.core.phases.moves import Command
from service.escape import escaped
from service.migration.phase.hold import hold as hold_gate
from service.migration.phase.hold import release as release_gate
from service.migration.phase.move import MoveRequest, make_move, preview_move
from service.migration.phase.move_context import MoveContext, move_context

MAX_WAIT_SECONDS = 7 * 86_400
PAGE_KEYS = 20
"""A list of more keys than these is shown page by page on a terminal."""
QUESTIONS: dict[Command, str] = {
    "cutover": "This moves the phase on to dual: the application may write both sides then.",
    "cutover --finish": "This moves the phase on to reverse: the application writes v2 only then.",
    "rollback": "This moves the phase one back, or gives up a cutover that has only begun.",
    "complete": "This ends sync in both directions, removes the stamps from v2, and cannot be undone.",
}
"""What a move does, for the question that confirms it."""


def move_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--wait, --force, --force-again, --why, --table, --yes and --json."""
    for option in (
        as_json,
        yes,
        table_name,
        click.option("--why", default="", help="The reason, for the audit log."),
        click.option(
            "--force-again", "again", multiple=True, help="The same condition again: for use without a terminal."
        ),
        click.option("--force", "forced", multiple=True, metavar="NAME", help="Override this condition of the gate."),
        click.option(
            "--wait",
            "wait",
            type=FiniteRange(0, MAX_WAIT_SECONDS),
            default=0,
            help="Seconds to wait for the gate to open.",
        ),
    ):
        command = option(command)
    return command


dry_run = click.option(
    "--dry-run", "dry", is_flag=True, help="Print the gate and what the move would do; change nothing."
)


@click.command()
@click.option(
    "--finish", is_flag=True, help="Move from `dual` to `reverse`: the application no longer writes the old table."
)
@dry_run
@move_options
def cutover(finish: bool, dry: bool, yes: bool, as_json: bool, **asked: Any) -> None:
    """Move on: forward to dual, with --finish dual to reverse. Exit status 1 while the gate is closed. `rollback` undoes it."""
    _run("cutover --finish" if finish else "cutover", asked, dry=dry, yes=yes, as_json=as_json)


@click.command()
@click.option(
    "--leave-behind",
    "leave_behind",
    type=click.IntRange(0),
    metavar="N",
    help="Go back although the old table does not have everything that was written at N keys.",
)
@dry_run
@move_options
def rollback(dry: bool, yes: bool, as_json: bool, **asked: Any) -> None:
    """Move one phase back: reverse to dual, dual to forward. Gives up a cutover that has only begun.

    Where the old table does not have everything that was written (quarantine, open conflicts, differences), it prints every such
    key and refuses, unless N is their number. What is left behind stays where it is, and is listed as before.
    """
    _run("rollback", asked, dry=dry, yes=yes, as_json=as_json)


@click.command()
@dry_run
@move_options
def complete(dry: bool, yes: bool, as_json: bool, **asked: Any) -> None:
    """End the migration: sync stops, and the stamps are removed from v2. Cannot be undone. The old table stays as it is."""
    _run("complete", asked, dry=dry, yes=yes, as_json=as_json)


@click.command()
@click.option("--why", required=True, help="The reason, shown with the gate.")
@as_json
def hold(why: str, as_json: bool) -> None:
    """Close the gate of every move until `release`."""

    async def body(app: App, _: asyncio.Event) -> Answer:
        held = await hold_gate(await move_context(app), why)
        return Answer({"hold": asdict(held)}, escaped(f"the gate is held: {why}"))

    run_command(body, as_json=as_json, acts=True)


@click.command()
@as_json
def release(as_json: bool) -> None:
    """Remove the hold."""

    async def body(app: App, _: asyncio.Event) -> Answer:
        held = await release_gate(await move_context(app))
        text = "there was no hold" if held is None else escaped(f"released: {held.why} (by {held.by})")
        return Answer({"released": None if held is None else asdict(held)}, text)

    run_command(body, as_json=as_json, acts=True)


def _run(command: Command, asked: dict[str, Any], *, dry: bool, yes: bool, as_json: bool) -> None:
    if dry:
        _preview(command, asked, as_json=as_json)
        return
    confirm_override(asked["forced"], asked["again"], yes=yes)
    confirm_table(QUESTIONS[command], asked["table"], yes=yes)
    ask = MoveRequest(command, asked["why"], asked["forced"], asked["wait"], asked.get("leave_behind"))

    async def body(app: App, _: asyncio.Event) -> Answer:
        try:
            moved = await make_move(_with_checklist(await move_context(app), app), ask)
        except GateClosed as closed:
            return _closed(closed)
        return Answer(moved.to_json(), moved.to_text(), long=_is_long(moved.behind))

    run_command(body, as_json=as_json, acts=True)


def _with_checklist(context: MoveContext, app: App) -> MoveContext:
    """On a terminal the steps are shown as they are made, instead of being logged."""
    if not sys.stderr.isatty() or app.settings.log_format == "json":
        return context
    return replace(context, progress=Checklist(app.settings.writer_horizon_seconds))


def _preview(command: Command, asked: dict[str, Any], *, as_json: bool) -> None:
    if asked["forced"] or asked["again"] or asked["wait"] or asked.get("leave_behind") is not None:
        raise click.UsageError(
            "--dry-run changes nothing: it cannot be combined with --wait, --force or --leave-behind."
        )

    async def body(app: App, _: asyncio.Event) -> Answer:
        preview = await preview_move(app, command)
        return Answer(preview.to_json(), preview.to_text(), ok=preview.ok, long=_is_long(preview.behind))

    run_command(body, as_json=as_json)


def confirm_override(forced: tuple[str, ...], again: tuple[str, ...], *, yes: bool) -> None:
    """Require that an override is confirmed twice: on a terminal, or by --yes and the same names in --force-again.

    Raises click.UsageError (exit status 2) when a confirmation is missing.
    """
    names = " ".join(forced)
    if set(again) != set(forced) and (again or yes or not sys.stdin.isatty()):
        wanted = " ".join(f"--force-again {name}" for name in forced) or "name it in --force too"
        raise click.UsageError(f"An override must be confirmed twice: --yes, and {wanted}.")
    if forced and not yes:
        confirm(f"This overrides {names}: the gate prevents the loss of writes.", "force", yes=False)
        confirm("Once more: name the overridden conditions.", names, yes=False)


def _closed(closed: GateClosed) -> Answer:
    print_error(closed, as_json=False)  # the document has it with the gate
    document = {"error": closed.to_json(), "gate": closed.gate.to_json()}
    if not isinstance(closed, KeysLeftBehind):
        return Answer(document, closed.gate.to_text(), ok=False)
    text = f"{closed.gate.to_text()}\n{closed.behind.to_text()}"
    return Answer(document | {"left_behind": closed.behind.to_json()}, text, ok=False, long=_is_long(closed.behind))


def _is_long(behind: LeftBehind | None) -> bool:
    return behind is not None and len(behind.keys) > PAGE_KEYS
