"""Running one command: open the App, handle signals, print the answer or the error, exit with its status."""

import asyncio
import shlex
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import click

from service.app import App, open_app
from service.aws_profile import default_region_note
from service.cli.answer import Answer, print_answer
from service.cli.output import say
from service.config import Settings
from service.environment import load_configured_mapping, load_settings
from service.errors import Interrupted, as_ours
from service.log import get_logger
from service.migration.status.identity import read_identity

STOP_GRACE_SECONDS = 4.0
"""How long a command may take to stop by itself after Ctrl-C before it is cancelled: it must end within 5 s."""

Body = Callable[[App, asyncio.Event], Awaitable[Answer]]
T = TypeVar("T")


def run_command(
    body: Body,
    *,
    as_json: bool,
    acts: bool = False,
    grace: Callable[[Settings], float] = lambda _: STOP_GRACE_SECONDS,
    **changes: Any,
) -> None:
    """Run ``body`` with an open App and a stop event that Ctrl-C and SIGTERM set; print its answer; exit with its status.

    acts: the command changes something, so its first line says of which migration. grace: seconds that the body may take to stop,
    by the settings. changes: settings given by options; None: not given.
    """
    settings = _load(**{name: value for name, value in changes.items() if value is not None})

    async def opened(stop: asyncio.Event) -> Answer:
        async with open_app(settings) as app:
            if acts:
                await _say_which(app)
            return await body(app, stop)

    run_alone(opened, as_json=as_json, grace_seconds=grace(settings))


def read_first(body: Callable[[App], Awaitable[T]]) -> T:
    """Say which migration it is, and run ``body`` with an open App, before the command asks its question."""

    async def opened() -> T:
        async with open_app(_load()) as app:
            await _say_which(app)
            return await body(app)

    return asyncio.run(opened())


async def _say_which(app: App) -> None:
    """The first line of a command that changes something, once. Where the log is for programs, it is a line of the log."""
    if not _first_time("which migration"):
        return
    identity = await read_identity(app)
    if app.settings.log_format == "json":
        get_logger().info("migration", **identity.to_json())
    else:
        say(f"migration: {identity.to_text()}")


def _load(**changes: Any) -> Settings:
    """The settings. When no region is set, the command's first line says so, once."""
    settings = load_settings(**changes)
    note = default_region_note(settings.endpoint_url, settings.streams_endpoint_url)
    if note is not None and _first_time(note):
        say(f"note: {note}")
    return settings


def _first_time(what: str) -> bool:
    """Whether this command has not said it yet; from now on it has."""
    said = click.get_current_context().find_root().meta
    first: bool = what not in said
    said[what] = True
    return first


def run_alone(
    body: Callable[[asyncio.Event], Coroutine[Any, Any, Answer]],
    *,
    as_json: bool,
    grace_seconds: float = STOP_GRACE_SECONDS,
) -> None:
    """As ``run_command``, for a ``body`` that needs no App."""
    try:
        answer = asyncio.run(stoppable(body, this_command(), grace_seconds))
    except OSError as error:  # click would end with status 1 for a closed pipe
        raise as_ours(error) from error
    print_answer(answer, as_json=as_json)
    sys.exit(answer.exit_status)


async def stoppable(
    body: Callable[[asyncio.Event], Coroutine[Any, Any, Answer]],
    command: str,
    grace_seconds: float = STOP_GRACE_SECONDS,
) -> Answer:
    """Run ``body`` until it ends; after SIGINT or SIGTERM, cancel it once ``grace_seconds`` are over.

    Raises Interrupted, with ``command`` to continue with, when it was cancelled, or when Ctrl-C stopped a command that runs until
    it is stopped.
    """
    stop, interrupt = asyncio.Event(), asyncio.Event()
    _listen(stop, interrupt)
    work = asyncio.create_task(body(stop))
    signalled = asyncio.create_task(stop.wait())
    await asyncio.wait({work, signalled}, return_when=asyncio.FIRST_COMPLETED)
    signalled.cancel()
    if not work.done():
        await asyncio.wait({work}, timeout=grace_seconds)
    work.cancel()
    try:
        answer = await work
    except asyncio.CancelledError:
        raise Interrupted("stopped on the way", remedy=f"go on with: {command}") from None
    if answer.stopped and interrupt.is_set():
        raise Interrupted(answer.text, remedy=f"go on with: {command}")
    return answer


def _listen(stop: asyncio.Event, interrupt: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)

    def on_interrupt() -> None:
        interrupt.set()
        stop.set()

    loop.add_signal_handler(signal.SIGINT, on_interrupt)


def this_command() -> str:
    """The command line as it was typed, to type again."""
    return shlex.join(["tablesplit", *sys.argv[1:]])


def confirm(question: str, word: str, *, yes: bool) -> None:
    """Ask for ``word`` on a terminal, unless ``yes``. Raises click.UsageError (exit status 2) without a terminal, and on any other
    answer."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} Confirm with --yes, or run this on a terminal.")
    if click.prompt(f"{question} Type {word!r} to go on", err=True) != word:
        raise click.UsageError("Not confirmed: nothing was changed.")


def confirm_table(question: str, table: str | None, *, yes: bool) -> None:
    """Confirm a move or a deletion by the name of the old table: on a terminal it is asked for; ``table`` has it in advance.

    ``yes`` confirms it whatever the name. Raises click.UsageError (exit status 2) for another name, and without a terminal.
    """
    name = load_configured_mapping(_load()).old.table
    if table not in (None, name):
        raise click.UsageError(f"--table {table}: this is the migration of table {name}. Nothing was changed.")
    if yes or table == name:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} Confirm with --table {name} or --yes, or run this on a terminal.")
    read_first(_nothing)
    if click.prompt(f"{question} Type the table's name, {name}, to go on", err=True) != name:
        raise click.UsageError("Not confirmed: nothing was changed.")


async def _nothing(_: App) -> None:
    """``read_first`` says which migration it is; nothing more is to be read."""
