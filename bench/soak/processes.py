"""``tablesplit`` commands as real processes.

They are forked from a process that has imported the program, and nothing else has happened in: a new Python would take two seconds
of a processor to start, five hundred times. What ``kill -9`` leaves of them is what it leaves of any process.
"""

import multiprocessing
import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path

import psutil

from service.failpoints import VARIABLE

FORKED = multiprocessing.get_context("forkserver")
IMPORTED = [
    "service.cli.main",
    "service.cli.sync",
    "service.cli.phase",
    "service.cli.backfill",
    "service.http_api.server",
]


def prepare() -> None:
    """Say what is imported before the first fork."""
    FORKED.set_forkserver_preload(IMPORTED)


class Command:
    """A running command."""

    def __init__(
        self, arguments: tuple[str, ...], environment: dict[str, str], folder: Path, log: str, armed: str | None = None
    ) -> None:
        """``log``: the name of the file in ``folder`` that gets its output. ``armed``: as ``failpoints.arm`` takes it."""
        variables = environment if armed is None else environment | {VARIABLE: armed}
        self._process = FORKED.Process(target=_run, args=(arguments, variables, str(folder), log))
        self._process.start()

    @property
    def exit_code(self) -> int | None:
        """Its exit status, or the negative signal; None while it lives."""
        return self._process.exitcode

    @property
    def stands_still(self) -> bool:
        """Whether a signal has stopped it."""
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self._process.pid).status() == psutil.STATUS_STOPPED
        return False

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; nothing if it has ended."""
        if self._process.pid is not None and self.exit_code is None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self._process.kill()
        self._process.join()


def _run(arguments: tuple[str, ...], variables: dict[str, str], folder: str, log: str) -> None:
    """The forked process: the command line, as if it had been typed."""
    from service.cli.main import main

    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.chdir(folder)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = ["tablesplit", *arguments]
    main()


def _end_with_parent() -> None:
    """So that none is left when the soak itself is killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGKILL)
