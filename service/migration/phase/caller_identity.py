"""Who runs a command: what AWS says of the credentials, for the audit log."""

import asyncio

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from service.config import Settings
from service.control.identity import worker_id

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
