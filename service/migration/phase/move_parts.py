"""What a phase move is made with, put together for a command or for the service."""

import asyncio
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from service.app import App
from service.config import Settings
from service.control.audit import Audit
from service.control.workers import worker_id
from service.migration.completion import strip_stamps
from service.migration.phase.hook import PhaseHooks
from service.migration.phase.move import MoveParts
from service.migration.status.snapshot import take_snapshot

PATIENCE = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 1})


async def caller_identity(settings: Settings) -> str:
    """The caller's ARN. Where AWS can't be asked (a local server has no STS): the access key's id, and this process's name."""
    return await asyncio.to_thread(_identity, settings)


def _identity(settings: Settings) -> str:
    session = boto3.Session(region_name=settings.aws_region)
    if settings.endpoint_url is None:
        try:
            return str(session.client("sts", config=PATIENCE).get_caller_identity()["Arn"])
        except (BotoCoreError, ClientError):
            pass  # who it was is told as well as it can be: a log must not keep anybody from a rollback
    credentials = session.get_credentials()
    key = credentials.get_frozen_credentials().access_key if credentials is not None else "no credentials"
    return f"access key {key}, {worker_id()}"


async def move_parts(app: App) -> MoveParts:
    """The parts, ready for use."""

    async def status() -> dict[str, Any]:
        """For the hook only: it takes some seconds to ask the workers."""
        return {} if app.settings.hook is None else (await take_snapshot(app)).to_json()

    who = await caller_identity(app.settings)
    hooks = PhaseHooks(app.settings, app.clock, app.metrics)
    return MoveParts(app, who, Audit(app.control, app.clock, who), hooks, status, strip_stamps)
