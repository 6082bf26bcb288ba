"""The entry point: the group of all commands, and usage errors as our errors."""

import sys

import click

from service.cli.answer import print_error
from service.cli.audit import audit
from service.cli.backfilling import full_migration, migrate
from service.cli.conflicts import conflicts
from service.cli.demo import demo
from service.cli.drill import drill
from service.cli.phases import complete, cutover, hold, release, rollback
from service.cli.quarantine import quarantine
from service.cli.remapping import remap
from service.cli.seeding import seed
from service.cli.syncing import sync
from service.cli.tables import create_tables, drop_tables, preflight
from service.cli.validating import validate
from service.cli.watching import status
from service.errors import Misconfigured


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="tablesplit")
def cli() -> None:
    """Move a live DynamoDB single table into v2 tables while the application keeps writing.

    Every command takes its configuration from the environment (and from .env): see the README's table of settings. Exit status: 0
    success, 1 the answer is no, 2 wrong usage or configuration, 3 a failure on the way.
    """


for command in (
    preflight,
    create_tables,
    migrate,
    sync,
    validate,
    full_migration,
    status,
    quarantine,
    conflicts,
    remap,
    audit,
    cutover,
    rollback,
    hold,
    release,
    complete,
    drill,
    drop_tables,
    demo,
    seed,
):
    cli.add_command(command)


def main() -> None:
    """Run the command line and exit."""
    try:
        cli.main(prog_name="tablesplit", standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.Abort:
        sys.exit(_refuse("stopped at the question: nothing was changed", ""))
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "tablesplit"
        sys.exit(_refuse(error.format_message(), f"see `{where} --help`"))


def _refuse(message: str, remedy: str) -> int:
    print_error(Misconfigured(message, remedy=remedy), as_json="--json" in sys.argv[1:])
    return Misconfigured.exit_status
