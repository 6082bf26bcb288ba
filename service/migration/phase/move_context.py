"""The context of a phase move: operator, audit log, hooks, the status for them, and gate; and the identity of the operator."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from service.app import App
from service.config import Settings
from service.control.audit import Audit, End
from service.control.gate_settings import read_hook_settings
from service.control.state import MigrationState
from service.control.workers import worker_id
from service.core.phases.acting import Phase
from service.core.phases.gate import Gate
from service.core.phases.left_behind import LeftBehind
from service.core.phases.moves import PhaseMove, Step
from service.errors import TablesplitError
from service.hosts import is_aws
from service.log import get_logger
from service.migration.completion import finish_v2
from service.migration.phase.hook import PhaseHooks
from service.migration.phase.steps import Strip
from service.migration.status.gate import ask_gate
from service.migration.status.left_behind import read_left_behind
from service.migration.status.snapshot import take_snapshot
from service.sync.positions import require_started


class AuditLog(Protocol):
    """Records every move (``service.control.audit``)."""

    async def append(self, action: str, why: str, facts: dict[str, Any]) -> End: ...


class Hooks(Protocol):
    """Called before and after a move (``service.migration.phase.hook``). ``before`` raises Refused to veto it."""

    async def before(self, move: dict[str, Any], status: dict[str, Any]) -> None: ...

    async def after(self, move: dict[str, Any], status: dict[str, Any]) -> None: ...


class MoveProgress(Protocol):
    """Shows the steps of a move as it makes them."""

    def begins(self, to: Phase, step: Step) -> None: ...

    def waits(self, text: str) -> None: ...

    def ends(self, to: Phase, step: Step, seconds: float) -> None: ...


class LoggedProgress:
    """Logs each step once it is done."""

    def begins(self, to: Phase, step: Step) -> None:
        """Nothing: only what was done is logged."""

    def waits(self, text: str) -> None:
        """Nothing, as above."""

    def ends(self, to: Phase, step: Step, seconds: float) -> None:
        get_logger().info("step of a move is done", to=to, step=step, seconds=seconds)


@dataclass(frozen=True, slots=True)
class MoveContext:
    """Everything that a phase move needs beside the request."""

    app: App
    by: str
    """The operator, for the audit log."""
    audit: AuditLog
    hooks: Hooks
    status: Callable[[], Awaitable[dict[str, Any]]]
    """The document of `status --json`, for the hooks."""
    strip: Strip
    """Removes the stamps from v2 when the migration is completed, and lets its items expire."""
    gate: Callable[[App, MigrationState, PhaseMove], Awaitable[Gate]] = ask_gate
    left_behind: Callable[[App], Awaitable[LeftBehind]] = read_left_behind
    """What a rollback would leave behind now."""
    progress: MoveProgress = field(default_factory=LoggedProgress)


async def move_context(app: App, asked_by: str = "") -> MoveContext:
    """The context for the operator who runs this process, or for who asked it over HTTP, with the migration's hook.

    Raises Misconfigured before the start.
    """
    await require_started(app)
    settings = await read_hook_settings(app.control, app.settings)

    async def status() -> dict[str, Any]:
        """Taken only for a hook: asking the workers takes some seconds."""
        return {} if settings.hook is None else (await take_snapshot(app)).to_json()

    operator = await caller_identity(app.settings)
    if asked_by:
        operator = f"{asked_by}, over HTTP through {operator}"
    hooks = PhaseHooks(settings, app.clock, app.metrics)
    return MoveContext(app, operator, Audit(app.control, app.clock, operator), hooks, status, finish_v2)


async def caller_identity(settings: Settings) -> str:
    """The caller's ARN. Where STS does not answer (a local server has none): the access key's id, and this process's name."""
    return await asyncio.to_thread(_identity, settings)


def _identity(settings: Settings) -> str:
    # not above: `conflicts list` and `quarantine list` import this module, and ask nobody
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    from service.dynamodb.aws_session import aws_session

    session = aws_session(settings)
    limits = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 1})
    if is_aws(settings.endpoint_url):
        try:
            return str(session.client("sts", config=limits).get_caller_identity()["Arn"])
        except (BotoCoreError, ClientError, TablesplitError):
            pass  # the access key has to do: the audit log must not prevent a rollback
    credentials = session.get_credentials()
    key = credentials.get_frozen_credentials().access_key if credentials is not None else "no credentials"
    return f"access key {key}, {worker_id()}"
