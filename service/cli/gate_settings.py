"""`gate-settings`: the thresholds and the hook that every phase move of this migration goes by."""

import asyncio

import click

from service.app import App
from service.cli.answer import Answer
from service.cli.options import as_json, yes
from service.cli.phase import confirm_override
from service.cli.run import run_command
from service.migration.phase.gate_change import show_gate_settings, store_gate_settings
from service.migration.phase.move_context import move_context


@click.command("gate-settings")
@click.option("--store", is_flag=True, help="Make those of this environment the migration's; needs --why.")
@click.option("--why", default="", help="The reason, for the audit log.")
@click.option("--force", "forced", multiple=True, metavar="NAME", help="`hook`: go on though the hook does not answer.")
@click.option("--force-again", "again", multiple=True, help="The same again: for use without a terminal.")
@yes
@as_json
def gate_settings(
    store: bool, why: str, forced: tuple[str, ...], again: tuple[str, ...], yes: bool, as_json: bool
) -> None:
    """Show the gate's thresholds and the hook of this migration. With --store, change them to this environment's.

    They are kept in the control table from `create-tables` on; the TABLESPLIT_GATE_* variables and TABLESPLIT_HOOK of whoever
    moves the phase do not count. The hook is asked before a change, which is written to the audit log.
    """
    if store and not why:
        raise click.UsageError("--store needs --why, the reason for the audit log.")
    if not store and (why or forced or again):
        raise click.UsageError("--why and --force are for --store.")
    if store:
        confirm_override(forced, again, yes=yes)

    async def body(app: App, _: asyncio.Event) -> Answer:
        context = await move_context(app)
        view = await (store_gate_settings(context, why, forced) if store else show_gate_settings(context))
        return Answer(view.to_json(), view.to_text())

    run_command(body, as_json=as_json, acts=store)
