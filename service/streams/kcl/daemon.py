"""The Kinesis Client Library's daemon: a Java process beside the service, which reads the streams and starts a child for a shard.

It is started anew when it ends, since it ends for much that passes: a child that gave up, a lost connection. What it had in
hand is delivered again.
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
from service.errors import Fatal, Misconfigured, Retryable
from service.log import get_logger
from service.streams.kcl.properties import DaemonOptions

MAIN = "org.tablesplit.kcl.StreamsMultiLangDaemon"
JAR = "streams-multilang-daemon.jar"

BAD_INPUT, TRIMMED = 2, 4
"""Exit statuses of the daemon (deploy/kcl/README.md)."""

STOP_SECONDS = 20.0
"""How long it may take to give its leases back; killed then, they run out by themselves."""

LONGEST_WAIT_SECONDS = 30.0
LAST_LINES = 5
FUTILE_RUNS = 3
"""After so many ends before anything was read the lane says so, and begins anew by itself."""

LONGEST_LINE_BYTES = 1 << 20

BUILD_REMEDY = (
    "make kcl builds it (Maven, Java 17); TABLESPLIT_KCL_JARS names the folder; the image tablesplit-kcl has it"
)


def require_daemon(options: DaemonOptions) -> str:
    """The Java program. Raises Misconfigured when Java, our jar or amazon_kclpy is missing, with what to install."""
    java = shutil.which("java")
    if java is None:
        raise Misconfigured(
            "the kcl engine needs Java, and there is no `java`",
            remedy="install a Java 17 runtime, or use --engine embedded",
        )
    if not (options.jars / JAR).is_file():
        raise Misconfigured(f"the kcl engine's {JAR} is not in {options.jars}", remedy=BUILD_REMEDY)
    try:
        import amazon_kclpy  # noqa: F401 (the children import it; here it is only asked for)
    except ImportError:
        raise Misconfigured(
            "the kcl engine needs the Python package amazon_kclpy", remedy="pip install 'tablesplit[kcl]'"
        ) from None
    return java


class Daemon:
    """Keeps one daemon running. restarted: told the reason of each further start. lost: raises when unread changes are gone; asked
    when the daemon has ended because it was told so. served: how many children have come by now."""

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
        jars = f"{options.jars / JAR}{os.pathsep}{options.jars / 'lib'}/*"
        self._command = (java, f"-Xmx{options.heap_mb}m", "-cp", jars, MAIN, *map(str, files))
        self._clock = clock
        self._restarted = restarted
        self._lost = lost
        self._served = served
        self._futile = 0
        self._process: asyncio.subprocess.Process | None = None
        self._last: deque[str] = deque(maxlen=LAST_LINES)

    async def run(self) -> NoReturn:
        """Keep it running until cancelled; then it gives its leases back.

        Raises Misconfigured when it refuses what it was given, Fatal when it has ended several times in a row before it read
        anything, and what ``lost`` raises.
        """
        while True:
            retrying = AsyncRetrying(
                retry=retry_if_exception_type(Retryable),
                wait=wait_random_exponential(multiplier=1.0, max=LONGEST_WAIT_SECONDS),
                sleep=self._clock.sleep,
                before_sleep=self._tell,
            )
            await retrying(self._run_once)
            self._restarted("kcl_daemon_ended")

    def kill(self) -> None:
        """End it, and all its children, at once."""
        if self._process is not None and self._process.returncode is None:  # else its number may be another's by now
            _kill_session(self._process)

    async def _run_once(self) -> None:
        """Run it once. Raises Retryable when it has read nothing."""
        self._last.clear()
        before = self._served()
        status = await self._run_to_its_end()
        said = " | ".join(self._last) or "nothing"
        if status == BAD_INPUT:
            raise Misconfigured(f"KCL's daemon refuses what it was given: {said}", remedy="correct what it names")
        if status == TRIMMED:
            await self._lost()
        get_logger().warning("KCL's daemon has ended and is started anew", status=status, said=said)
        self._futile = self._futile + 1 if self._served() == before else 0
        if self._futile >= FUTILE_RUNS:
            why = f"KCL's daemon has ended {self._futile} times in a row without reading anything: {said}"
            raise Fatal(
                why,
                remedy="most often a permission, an endpoint or too little memory (TABLESPLIT_KCL_HEAP_MB): see its log",
            )
        if self._futile:
            raise Retryable(f"KCL's daemon has ended with {status}: {said}", reason="kcl_daemon_ended")

    async def _run_to_its_end(self) -> int:
        pipe = asyncio.subprocess.PIPE
        # its stdin stays open as long as this process lives: at its end the daemon leaves at once. A session of its own, because
        # Ctrl-C would reach the children too, and break off what they have in hand.
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=pipe, stdout=pipe, stderr=pipe, limit=LONGEST_LINE_BYTES, start_new_session=True
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
                _kill_session(process)  # a child that is left, or all of it when even this wait is broken off
            await reading

    async def _follow(self, output: asyncio.StreamReader) -> None:
        """Log what it says: events of ours on stdout, its log and its children's on stderr."""
        while True:
            try:
                line = await output.readline()
            except ValueError:  # longer than anybody reads; the rest of it follows as lines of its own
                continue
            if not line:
                return
            text = line.decode(errors="replace").rstrip()
            if text:
                self._last.append(text)
                _log(text)

    def _tell(self, state: RetryCallState) -> None:
        failure = state.outcome.exception() if state.outcome else None
        if isinstance(failure, Retryable):
            self._restarted(failure.reason)


def _log(text: str) -> None:
    """A line of its log: ``time level logger ...``; a child's, and an event, have no level."""
    level = text.split(maxsplit=2)[1:2]
    logger = get_logger()
    say = {"ERROR": logger.error, "WARN": logger.warning}.get("".join(level), logger.info)
    say("kcl", said=text)


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
