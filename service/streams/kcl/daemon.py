"""The Kinesis Client Library's daemon: a Java process beside the service, which reads the streams and starts a child for each
shard.

It is restarted whenever it ends, because most reasons for its end pass: a child that gave up, a lost connection. What it was
delivering is delivered again.
"""

import asyncio
import os
import shutil
import signal
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from service.clock import Clock
from service.environment import daemon_variables
from service.errors import Fatal, Misconfigured, Retryable
from service.log import get_logger
from service.streams.kcl.properties import DaemonOptions

MAIN = "org.tablesplit.kcl.StreamsMultiLangDaemon"
JAR = "streams-multilang-daemon.jar"

BAD_INPUT, TRIMMED = 2, 4
"""Exit statuses of the daemon (deploy/kcl/README.md)."""

STOP_SECONDS = 20.0
"""How long the daemon may take to give its leases back. If it is killed then, they run out by themselves."""

LONGEST_WAIT_SECONDS = 30.0
LAST_LINES = 5
FUTILE_RUNS = 3
"""After so many runs in a row that read nothing, the lane reports a failure, and starts again by itself."""

LONGEST_LINE_BYTES = 1 << 20

BUILD_REMEDY = (
    "make kcl builds it (Maven, Java 17); TABLESPLIT_KCL_JARS names the folder; the image tablesplit-kcl has it"
)


def require_daemon(options: DaemonOptions) -> str:
    """The path of the Java program. Raises Misconfigured when Java, our jar or amazon_kclpy is missing, with what to install."""
    java = shutil.which("java")
    if java is None:
        raise Misconfigured(
            "the kcl engine needs Java, and there is no `java`",
            remedy="install a Java 17 runtime, or use --engine embedded",
        )
    if not (options.jars / JAR).is_file():
        raise Misconfigured(f"the kcl engine's {JAR} is not in {options.jars}", remedy=BUILD_REMEDY)
    try:
        import amazon_kclpy  # noqa: F401 (the children import it; here only its presence is checked)
    except ImportError:
        raise Misconfigured(
            "the kcl engine needs the Python package amazon_kclpy", remedy="pip install 'tablesplit[kcl]'"
        ) from None
    return java


class Daemon:
    """Keeps one daemon running."""

    def __init__(
        self,
        java: str,
        options: DaemonOptions,
        files: Sequence[Path],
        clock: Clock,
        restarted: Callable[[str], None],
        *,
        lost: Callable[[], Awaitable[None]],
        served: Callable[[], int],
    ) -> None:
        """``restarted`` is called with the reason of each further start. ``lost`` raises when unread changes are gone; it is
        called when the daemon has ended with the status for that. ``served`` returns how many children have connected so far."""
        jars = f"{options.jars / JAR}{os.pathsep}{options.jars / 'lib'}/*"
        self._command = (java, f"-Xmx{options.heap_mb}m", "-cp", jars, MAIN, *map(str, files))
        self._clock = clock
        self._restarted = restarted
        self._lost = lost
        self._served = served
        self._futile = 0
        self._process: asyncio.subprocess.Process | None = None
        self._last_lines: deque[str] = deque(maxlen=LAST_LINES)

    async def run(self) -> NoReturn:
        """Keep it running until cancelled; then it gives its leases back.

        Raises Misconfigured when it refuses its configuration, Fatal when it has ended several times in a row before it read
        anything, and what ``lost`` raises.
        """
        while True:
            retrying = AsyncRetrying(
                retry=retry_if_exception_type(Retryable),
                wait=wait_random_exponential(multiplier=1.0, max=LONGEST_WAIT_SECONDS),
                sleep=self._clock.sleep,
                before_sleep=self._report_restart,
            )
            await retrying(self._run_once)
            self._restarted("kcl_daemon_ended")

    def kill(self) -> None:
        """Kill it and all its children at once."""
        # once it has ended, its process id may belong to another process
        if self._process is not None and self._process.returncode is None:
            _kill_session(self._process)

    async def _run_once(self) -> None:
        """Run it until it ends. Raises Retryable when it has read nothing."""
        self._last_lines.clear()
        before = self._served()
        status = await self._run_to_its_end()
        output = " | ".join(self._last_lines) or "nothing"
        if status == BAD_INPUT:
            raise Misconfigured(
                f"KCL's daemon refuses what it was given: {output}", remedy="correct the setting that it names"
            )
        if status == TRIMMED:
            await self._lost()
        get_logger().warning("KCL's daemon has ended and is started anew", status=status, said=output)
        self._futile = self._futile + 1 if self._served() == before else 0
        if self._futile >= FUTILE_RUNS:
            why = f"KCL's daemon has ended {self._futile} times in a row without reading anything: {output}"
            raise Fatal(
                why,
                remedy="most often a permission, an endpoint or too little memory (TABLESPLIT_KCL_HEAP_MB): see its log",
            )
        if self._futile:
            raise Retryable(f"KCL's daemon has ended with {status}: {output}", reason="kcl_daemon_ended")

    async def _run_to_its_end(self) -> int:
        pipe = asyncio.subprocess.PIPE
        # Its stdin stays open as long as this process lives; when it closes, the daemon exits at once. It has a session of its
        # own, because Ctrl-C would reach the children too, and stop them in the middle of a batch.
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env=daemon_variables(),
            limit=LONGEST_LINE_BYTES,
            start_new_session=True,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        self._process = process
        reading = asyncio.gather(self._follow(process.stdout), self._follow(process.stderr))
        try:
            return await process.wait()
        finally:
            try:
                await _stop(process)
            finally:
                _kill_session(process)  # children that are left, or everything if even this wait is cancelled
            await reading

    async def _follow(self, output: asyncio.StreamReader) -> None:
        """Log its output: events of ours on stdout, its own log and its children's on stderr."""
        while True:
            try:
                line = await output.readline()
            except ValueError:  # too long a line; the rest of it follows as further lines
                continue
            if not line:
                return
            text = line.decode(errors="replace").rstrip()
            if text:
                self._last_lines.append(text)
                _log(text)

    def _report_restart(self, state: RetryCallState) -> None:
        failure = state.outcome.exception() if state.outcome else None
        if isinstance(failure, Retryable):
            self._restarted(failure.reason)


def _log(text: str) -> None:
    """Log a line of its output: ``time level logger ...``. A child's line, and an event, have no level."""
    level = text.split(maxsplit=2)[1:2]
    logger = get_logger()
    log = {"ERROR": logger.error, "WARN": logger.warning}.get("".join(level), logger.info)
    log("kcl", said=text)


def _kill_session(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Let it give its leases back; kill it when that takes too long."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
