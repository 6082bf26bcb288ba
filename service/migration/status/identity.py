"""Which migration it is: table, region, account and version, as every command, page and message names it."""

import asyncio
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from service.app import App
from service.control.state import MigrationState
from service.dynamodb.table_description import account_of
from service.errors import TablesplitError
from service.hosts import is_aws, without_password

ACCOUNT_SECONDS = 3.0
"""How long a command waits for the account."""


@dataclass(frozen=True, slots=True)
class MigrationIdentity:
    """What tells a migration from every other one."""

    old_table: str
    control_table: str
    region: str
    version: str
    """Of the program."""
    endpoint: str | None = None
    """URL of the server where it is not AWS's; it has neither regions nor accounts."""
    account: str | None = None
    """None: not known, or the server is not AWS's."""

    def to_json(self) -> dict[str, Any]:
        """For the documents of the command line, of the API and of the hook."""
        return asdict(self)

    def to_text(self) -> str:
        """The same in one line, for people."""
        account = "account not known" if self.account is None else f"account {self.account}"
        where = f"region {self.region}, {account}" if self.endpoint is None else f"server {self.endpoint}"
        return f"table {self.old_table}, {where}, tablesplit {self.version}"


def identity_of(app: App, arn: str | None = None) -> MigrationIdentity:
    """The identity of the migration of ``app``; ``arn``: of the old table or its stream, which says the account. Sends nothing."""
    settings = app.settings
    aws = is_aws(settings.endpoint_url)
    return MigrationIdentity(
        app.mapping.old.table,
        settings.control_table,
        settings.aws_region,
        version("tablesplit"),
        None if aws or settings.endpoint_url is None else without_password(settings.endpoint_url),
        account_of(arn) if aws and arn is not None else None,
    )


async def read_identity(app: App, state: MigrationState | None = None) -> MigrationIdentity:
    """The identity with the account: the stream's ARN in ``state`` says it, or DescribeTable of the old table.

    Raises nothing where AWS does not answer, since a name must not stop a command: the account is not known then.
    """
    if state is not None and state.stream_arn is not None:
        return identity_of(app, state.stream_arn)
    if not is_aws(app.settings.endpoint_url):
        return identity_of(app)
    try:
        async with asyncio.timeout(ACCOUNT_SECONDS):
            table = await app.tables.describe(app.mapping.old.table)
    except (TablesplitError, TimeoutError):
        return identity_of(app)
    return identity_of(app, None if table is None else table.arn)
