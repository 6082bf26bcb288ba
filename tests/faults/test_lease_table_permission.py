"""A permission that is missing on KCL's lease table is reported like any other: the statement to add, and for which role."""

import asyncio

import pytest

from service.core.shards import Position
from service.dynamodb.control_plane import ControlPlane
from service.errors import Fatal
from service.streams.kcl.lease_table import LeaseTable, new_lease_table
from tests.builders.planes import open_plane, plane_settings
from tests.fakes.scripted_endpoint import Reply, error, fault_server

NAME = "tablesplit-kcl-crm"
TABLE = f"arn:aws:dynamodb:ap-southeast-2:1:table/{NAME}"
ROLE = "arn:aws:sts::1:assumed-role/tablesplit-sync/0123"


def denied(action: str) -> Reply:
    """AWS's refusal for a role."""
    why = "because no identity-based policy allows the action"
    return error(
        "AccessDeniedException", f"User: {ROLE} is not authorized to perform: {action} on resource: {TABLE} {why}"
    )


def require_statement(refused: Fatal, operation: str) -> None:
    """Assert that the error names the operation, and its remedy the statement and the role whose policy lacks it."""
    assert str(refused) == f"{operation} on {NAME}: no permission for dynamodb:{operation}"
    statement = f'{{"Effect":"Allow","Action":"dynamodb:{operation}","Resource":"{TABLE}"}}'
    assert refused.remedy == f"add {statement} to the policy of {ROLE}"


async def test_a_missing_permission_to_make_the_table_is_reported_with_its_statement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    async with fault_server(denied("dynamodb:CreateTable")) as server:
        control = ControlPlane(plane_settings(server.url))
        with pytest.raises(Fatal) as caught:
            await asyncio.to_thread(control.create_table, new_lease_table(NAME))
    require_statement(caught.value, "CreateTable")


async def test_a_missing_permission_to_read_its_rows_is_reported_with_its_statement() -> None:
    async with fault_server(denied("dynamodb:Scan")) as server, open_plane(server.url) as plane:
        with pytest.raises(Fatal) as caught:
            await LeaseTable(plane, NAME, "control").rows()
    require_statement(caught.value, "Scan")


async def test_a_missing_permission_to_write_a_row_is_reported_with_its_statement() -> None:
    async with fault_server(denied("dynamodb:PutItem")) as server, open_plane(server.url) as plane:
        with pytest.raises(Fatal) as caught:
            await LeaseTable(plane, NAME, "control").add("shardId-1", Position(None))
    require_statement(caught.value, "PutItem")
