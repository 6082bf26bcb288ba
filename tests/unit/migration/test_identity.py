"""Which migration it is: what a command, the status and the metrics say of table, region, account and version."""

import asyncio
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client.parser import text_string_to_metric_families as parsed

from service.app import App
from service.config import Settings
from service.dynamodb.table_description import account_of
from service.errors import Retryable
from service.migration.status.identity import read_identity
from service.migration.status.snapshot import take_snapshot
from service.telemetry.metrics import Metrics
from tests.builders.small_crm import MAPPING
from tests.worlds.start_world import Started

ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/old"


def of_table(answer: object, **settings: str) -> App:
    """An App whose old table is described by ``answer``: an ARN, None (there is none), or what is raised."""

    async def describe(name: str) -> object:
        assert name == "old"
        if isinstance(answer, Exception):
            raise answer
        if answer == "late":
            await asyncio.Event().wait()
        return None if answer is None else SimpleNamespace(arn=answer)

    known: dict[str, Any] = {"aws_region": "eu-west-1", **settings}
    return cast(
        App, SimpleNamespace(settings=Settings(**known), mapping=MAPPING, tables=SimpleNamespace(describe=describe))
    )


@pytest.mark.parametrize(
    ("answer", "account"),
    [
        (ARN, "account 123456789012"),
        (None, "account not known"),
        (Retryable("no answer", reason="timeout"), "account not known"),
        ("late", "account not known"),
    ],
)
async def test_the_account_is_told_where_the_table_says_it_and_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, answer: object, account: str
) -> None:
    monkeypatch.setattr("service.migration.status.identity.ACCOUNT_SECONDS", 0.01)
    identity = await read_identity(of_table(answer))
    assert identity.to_text() == f"table old, region eu-west-1, {account}, tablesplit {version('tablesplit')}"


async def test_a_local_server_is_named_by_its_address_and_is_not_asked() -> None:
    asked = AssertionError("a local server has no account")
    identity = await read_identity(of_table(asked, endpoint_url="http://ann:secret@localhost:8000"))
    assert identity.to_text() == f"table old, server http://localhost:8000, tablesplit {version('tablesplit')}"
    assert identity.account is None


@pytest.mark.parametrize(
    ("arn", "account"),
    [
        (ARN, "123456789012"),
        (f"{ARN}/stream/2026-01-01T00:00:00.000", "123456789012"),
        ("arn:aws:x:::y", None),
        ("x", None),
    ],
)
def test_an_arn_says_the_account(arn: str, account: str | None) -> None:
    assert account_of(arn) == account


async def test_where_nothing_was_started_the_status_says_that_and_what_to_do() -> None:
    world = Started()
    cast(Any, world.app.tables).describe = lambda _: asyncio.sleep(0)
    status = await take_snapshot(world.app)
    assert status.started is False
    assert status.to_json()["identity"]["old_table"] == "old"
    which, phase, what = status.to_text().split("\n")
    assert which.startswith("migration    table old, region ")
    assert phase == "phase        none: nothing has been started here"
    assert what == "what to do   run `tablesplit preflight`, then `tablesplit create-tables`"


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text"])
def test_every_series_says_which_migration_it_is_of(accept: str) -> None:
    page, _ = Metrics(migration='a"b').page(accept)
    samples = [sample for family in parsed(page.decode()) for sample in family.samples]
    assert {sample.labels.get("migration") for sample in samples} == {'a"b'}
    assert len({(sample.name, *sorted(sample.labels.items())) for sample in samples}) == len(samples) > 100
