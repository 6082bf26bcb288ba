"""Phase hooks: an executable or a URL that is asked before each phase move, and told after it.

It gets one JSON document: ``{"event": "before"|"after", "sent_at": ..., "move": {...}, "status": {...}}``, signed with HMAC-SHA-256
over its bytes. A URL gets it as the body of a POST with the header ``X-Tablesplit-Signature: sha256=<hex>``; an executable gets it
on stdin, and event and signature as its arguments.
"""

import asyncio
import hmac
import os
import shutil
import signal
from contextlib import suppress
from subprocess import PIPE, STDOUT, Popen, TimeoutExpired
from typing import Any

import aiohttp
import orjson

from service.clock import Clock, iso
from service.config import Settings
from service.errors import Refused, Retryable
from service.log import get_logger
from service.retry import RetryCounter, RetryPolicy

Document = dict[str, Any]
SIGNATURE_HEADER = "X-Tablesplit-Signature"
SHOWN_CHARACTERS = 500


class PhaseHooks:
    """The hook that the settings name; without one nobody is asked. metrics: told the reason of each further attempt."""

    def __init__(self, settings: Settings, clock: Clock, metrics: RetryCounter) -> None:
        self._hook = settings.hook
        self._secret = settings.hook_secret.get_secret_value().encode() if settings.hook_secret else b""
        self._seconds = settings.hook_timeout_seconds
        self._clock = clock
        deadline = settings.hook_attempts * settings.hook_timeout_seconds
        self._retries = RetryPolicy(clock, settings.hook_attempts, deadline, metrics)

    async def before(self, move: Document, status: Document) -> None:
        """Ask whether the move may begin. Raises Refused when the hook says no, with its reason, or does not answer."""
        try:
            await self._tell("before", move, status)
        except Retryable as silent:
            raise Refused(
                f"the hook {self._hook} does not answer: {silent.message}",
                remedy="mend the hook, or unset TABLESPLIT_HOOK",
            ) from silent

    async def after(self, move: Document, status: Document) -> None:
        """Tell that the move is made. A hook that fails now undoes nothing; it is logged."""
        try:
            await self._tell("after", move, status)
        except (Retryable, Refused) as failure:
            get_logger().error("the hook has failed after the move", hook=self._hook, reason=failure.message)

    async def _tell(self, event: str, move: Document, status: Document) -> None:
        if self._hook is None:
            return
        body = orjson.dumps({"event": event, "sent_at": iso(self._clock.now()), "move": move, "status": status})
        signature = signature_of(body, self._secret)
        ask = self._post if self._hook.startswith(("http://", "https://")) else self._execute

        async def attempt() -> None:
            await ask(self._hook or "", event, body, signature)

        try:
            await attempt()
        except Retryable as first:
            await self._retries.again(attempt, first)

    async def _post(self, url: str, event: str, body: bytes, signature: str) -> None:  # noqa: ARG002 (it is in the body)
        headers = {"Content-Type": "application/json", SIGNATURE_HEADER: f"sha256={signature}"}
        timeout = aiohttp.ClientTimeout(total=self._seconds)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as http,
                http.post(url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                said = _line(await answer.content.read(4 * SHOWN_CHARACTERS))
        except TimeoutError as late:
            raise Retryable(f"no answer within {self._seconds:g} s", reason="hook_timeout") from late
        except aiohttp.ClientError as error:
            raise Retryable(str(error) or type(error).__name__, reason="hook_unreachable") from error
        if answer.status >= 500:
            raise Retryable(f"HTTP status {answer.status}: {said}", reason="hook_failed")
        if answer.status >= 300:
            raise _veto(url, f"HTTP status {answer.status}: {said}")

    async def _execute(self, path: str, event: str, body: bytes, signature: str) -> None:
        # a thread, and not asyncio's own: the pipes of a process killed there may outlive the event loop
        status, said = await asyncio.to_thread(_run, [path, event, signature], body, self._seconds)
        if status != 0:
            raise _veto(path, f"exit status {status}: {_line(said, last=True)}")


def _run(command: list[str], body: bytes, seconds: float) -> tuple[int, bytes]:
    """A command's exit status and what it said; ended with its children after so many seconds. Raises Retryable."""
    if shutil.which(command[0]) is None:
        raise Retryable("No such file, or not executable", reason="hook_unreachable")
    try:
        process = Popen(command, stdin=PIPE, stdout=PIPE, stderr=STDOUT, start_new_session=True)
    except OSError as error:
        raise Retryable(f"{error.strerror or error}", reason="hook_unreachable") from error
    with process:
        try:
            said, _ = process.communicate(body, timeout=seconds)
        except TimeoutExpired as late:
            raise Retryable(f"no answer within {seconds:g} s", reason="hook_timeout") from late
        finally:
            with suppress(ProcessLookupError):  # with its children, which may hold its output open
                os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, said


def signature_of(body: bytes, secret: bytes) -> str:
    """HMAC-SHA-256 over the bytes that are sent, in hex."""
    return hmac.digest(secret, body, "sha256").hex()


def _veto(hook: str, said: str) -> Refused:
    return Refused(f"the hook {hook} vetoes the move: {said}", remedy="do what it asks for, then run the command again")


def _line(said: bytes, *, last: bool = False) -> str:
    """The first line that says something, or the last."""
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()] or ["(nothing)"]
    return lines[-1 if last else 0][:SHOWN_CHARACTERS]
