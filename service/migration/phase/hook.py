"""Phase hooks: an executable or a URL that is called before each phase move, which it may veto, and after it.

The hook receives one JSON document: ``{"event": "before"|"after", "sent_at": ..., "move": {...}, "status": {...}}``, signed with
HMAC-SHA-256 over its bytes. A URL receives it as the body of a POST with the header ``X-Tablesplit-Signature: sha256=<hex>``; an
executable receives it on stdin, with the event and the signature as its arguments. It gets only the variables of the environment
that any program needs, and those that the settings name: neither credentials nor tokens.
"""

import asyncio
import hmac
import os
import shutil
import signal
from contextlib import suppress
from functools import partial
from subprocess import PIPE, STDOUT, Popen, TimeoutExpired
from typing import Any

import orjson

from service.clock import Clock, iso
from service.config import Settings
from service.environment import hook_variables
from service.errors import Misconfigured, Refused, Retryable
from service.log import get_logger
from service.retry import RetryCounter, RetryPolicy

SIGNATURE_HEADER = "X-Tablesplit-Signature"
SHOWN_CHARACTERS = 500


class HookSilent(Refused):
    """The hook gives no answer, and so refuses what it was asked."""


class PhaseHooks:
    """The hook that the settings name; without one, nothing is called. ``metrics`` counts each further attempt by its reason."""

    def __init__(self, settings: Settings, clock: Clock, metrics: RetryCounter) -> None:
        self._hook = settings.hook
        self._secret = settings.hook_secret.get_secret_value().encode() if settings.hook_secret else b""
        self._environment = hook_variables(settings)
        self._seconds = settings.hook_timeout_seconds
        self._clock = clock
        deadline = settings.hook_attempts * settings.hook_timeout_seconds
        self._retries = RetryPolicy(clock, settings.hook_attempts, deadline, metrics)

    async def before(self, move: dict[str, Any], status: dict[str, Any]) -> None:
        """Ask whether the move may begin. Raises Refused when the hook vetoes it, with the hook's reason, HookSilent when it does
        not answer, Misconfigured without the secret."""
        try:
            await self._call("before", move, status)
        except Retryable as silent:
            raise HookSilent(
                f"the hook {self._hook} does not answer: {silent.message}",
                remedy="fix the hook, or change it: tablesplit gate-settings --store",
            ) from silent

    async def after(self, move: dict[str, Any], status: dict[str, Any]) -> None:
        """Report that the move has ended. A hook that fails now undoes nothing; the failure is logged."""
        try:
            await self._call("after", move, status)
        except (Retryable, Refused, Misconfigured) as failure:
            get_logger().error("the hook has failed after the move", hook=self._hook, reason=failure.message)

    async def _call(self, event: str, move: dict[str, Any], status: dict[str, Any]) -> None:
        if self._hook is None:
            return
        if not self._secret:
            raise Misconfigured(
                f"the migration's hook {self._hook} needs TABLESPLIT_HOOK_SECRET, which signs the messages to it",
                remedy="set TABLESPLIT_HOOK_SECRET as where the migration was started",
            )
        body = orjson.dumps({"event": event, "sent_at": iso(self._clock.now()), "move": move, "status": status})
        signature = signature_of(body, self._secret)
        send = self._post if self._hook.startswith(("http://", "https://")) else self._execute
        attempt = partial(send, self._hook, event, body, signature)

        try:
            await attempt()
        except Retryable as first:
            await self._retries.again(attempt, first)

    async def _post(self, url: str, event: str, body: bytes, signature: str) -> None:  # noqa: ARG002 (it is in the body)
        import aiohttp  # few migrations have a hook, and fewer one that is a URL

        headers = {"Content-Type": "application/json", SIGNATURE_HEADER: f"sha256={signature}"}
        timeout = aiohttp.ClientTimeout(total=self._seconds)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as http,
                http.post(url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                reason = _line(await answer.content.read(4 * SHOWN_CHARACTERS))
        except TimeoutError as late:
            raise Retryable(f"no answer within {self._seconds:g} s", reason="hook_timeout") from late
        except aiohttp.ClientError as error:
            raise Retryable(str(error) or type(error).__name__, reason="hook_unreachable") from error
        if answer.status >= 500:
            raise Retryable(f"HTTP status {answer.status}: {reason}", reason="hook_failed")
        if answer.status >= 300:
            raise _veto(url, f"HTTP status {answer.status}: {reason}")

    async def _execute(self, path: str, event: str, body: bytes, signature: str) -> None:
        # In a thread, not by asyncio's own subprocesses: the pipes of a process that is killed there may outlive the event loop.
        status, output = await asyncio.to_thread(_run, [path, event, signature], self._environment, body, self._seconds)
        if status != 0:
            raise _veto(path, f"exit status {status}: {_line(output, last=True)}")


def _run(command: list[str], environment: dict[str, str], body: bytes, seconds: float) -> tuple[int, bytes]:
    """A command's exit status and output. After ``seconds`` it is killed together with its children. Raises Retryable."""
    if shutil.which(command[0]) is None:
        raise Retryable("No such file, or not executable", reason="hook_unreachable")
    try:
        process = Popen(command, env=environment, stdin=PIPE, stdout=PIPE, stderr=STDOUT, start_new_session=True)
    except OSError as error:
        raise Retryable(f"{error.strerror or error}", reason="hook_unreachable") from error
    with process:
        try:
            output, _ = process.communicate(body, timeout=seconds)
        except TimeoutExpired as late:
            raise Retryable(f"no answer within {seconds:g} s", reason="hook_timeout") from late
        finally:
            with suppress(ProcessLookupError):  # the whole group: a child may hold the output open
                os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, output


def signature_of(body: bytes, secret: bytes) -> str:
    """HMAC-SHA-256 over the bytes that are sent, in hex."""
    return hmac.digest(secret, body, "sha256").hex()


def _veto(hook: str, reason: str) -> Refused:
    return Refused(
        f"the hook {hook} vetoes the move: {reason}", remedy="do what it asks for, then run the command again"
    )


def _line(output: bytes, *, last: bool = False) -> str:
    """The first line that is not empty, or the last one; cut after SHOWN_CHARACTERS."""
    lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip()] or ["(nothing)"]
    return lines[-1 if last else 0][:SHOWN_CHARACTERS]
