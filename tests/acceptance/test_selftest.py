"""`tablesplit selftest` on DynamoDB Local and on moto: its answers, that it deletes what it made, and that it asks before AWS."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from service.app import open_app
from service.config import Settings
from service.errors import Fatal, Interrupted, Misconfigured, Refused
from service.rehearsal.selftest import run as selftest_run
from service.rehearsal.selftest.report import Finding
from service.rehearsal.selftest.run import QUESTIONS, Question, run_selftest
from service.rehearsal.selftest.site import PREFIX, Site
from tests.acceptance.in_process import World
from tests.documents.pages import ROOT

SHORT = 20.0
NAMES = [question.name for question in QUESTIONS]
UNSEEN = {"sequence-order-over-a-split", "ttl-records"}
"""What no local server shows within SHORT seconds."""

MOTO_LACKS = {"conditional-writes": "failed", "partiql-statements": "failed", "partiql-comparisons": "broken"}
"""moto fails to compare values of different types, and answers PartiQL's refusals with an error of its own, or not at all."""


@pytest.fixture(
    params=[
        pytest.param("dynamodb_local", marks=pytest.mark.local),
        pytest.param("moto_server", marks=pytest.mark.moto),
    ]
)
def url(request: pytest.FixtureRequest) -> str:
    """Of DynamoDB Local, then of moto."""
    endpoint: str = request.getfixturevalue(request.param)
    return endpoint


@pytest.fixture
def clean(url: str) -> Iterator[None]:
    """Fails when a table of a self-test is left."""
    yield
    assert tables(url) == []


def client(url: str) -> Any:
    return boto3.client("dynamodb", endpoint_url=url, region_name="ap-southeast-2")


def tables(url: str) -> list[str]:
    pages = client(url).get_paginator("list_tables").paginate()
    return [name for page in pages for name in page["TableNames"] if name.startswith(PREFIX)]


async def asked(
    url: str, monkeypatch: pytest.MonkeyPatch, *questions: Question, stop: asyncio.Event | None = None
) -> Any:
    monkeypatch.setattr(selftest_run, "QUESTIONS", questions)
    async with open_app(Settings(endpoint_url=url)) as app:
        return await run_selftest(app, aws=False, seconds=SHORT, stop=stop or asyncio.Event())


@pytest.mark.usefixtures("clean")
def test_what_a_local_server_can_show_holds_there(
    url: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Any
) -> None:
    world = World(monkeypatch, capsys, "", tmp_path, url)
    world.set(AWS_ENDPOINT_URL=url)
    result = world.run("selftest", "--seconds", str(SHORT), "--json")
    document = json.loads(result.out)
    outcomes = {each["name"]: each["outcome"] for each in document["assumptions"]}
    lacks = MOTO_LACKS if "moto" in request.node.name else {}
    expected = {name: "not seen" if name in UNSEEN else lacks.get(name, "held") for name in NAMES}
    assert outcomes == expected, result.out
    assert (result.status, document["result"], document["server"]) == (
        (1, "broken", "local") if lacks else (0, "held", "local")
    )


@pytest.mark.usefixtures("clean")
async def test_an_interrupted_one_deletes_what_it_made(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = asyncio.Event()

    async def interrupted(site: Site) -> Finding:
        await site.make("mine")
        stop.set()
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(Interrupted):
        await asked(url, monkeypatch, question(interrupted), stop=stop)


@pytest.mark.usefixtures("clean")
async def test_a_question_that_fails_is_said_and_the_others_are_asked(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(site: Site) -> Finding:
        await site.make("mine")
        raise Fatal("arn:aws:iam::123456789012:user/x may not: explicit deny")

    async def fine(_: Site) -> Finding:
        return Finding("held", "seen")

    report = await asked(url, monkeypatch, question(failing), question(fine))
    assert [each.finding for each in report.assumptions] == [
        Finding("failed", "(arn) may not: explicit deny"),
        Finding("held", "seen"),
    ]
    assert not report.ok


@pytest.mark.usefixtures("clean")
async def test_one_that_breaks_off_deletes_what_it_made(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def breaking(site: Site) -> Finding:
        await site.make("mine")
        raise KeyError("an answer that nobody expected")

    with pytest.raises(KeyError):
        await asked(url, monkeypatch, question(breaking))


async def test_a_table_that_cannot_be_deleted_is_named(moto_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    async def protected(site: Site) -> Finding:
        made.append(await site.make("mine"))
        return Finding("held", "")

    def refuse(_: object, name: str) -> None:
        raise Misconfigured(f"{name}: explicit deny")

    with monkeypatch.context() as patched:
        patched.setattr("service.dynamodb.control_plane.ControlPlane.delete_table", refuse)
        patched.setattr("service.rehearsal.selftest.site.ALL_SECONDS", 0.0)
        patched.setattr("service.rehearsal.selftest.site.DELETE_SECONDS", 0.5)
        with pytest.raises(Fatal, match="explicit deny") as left:
            await asked(moto_server, patched, question(protected))
    assert made[0] in left.value.message
    client(moto_server).delete_table(TableName=made[0])


async def test_an_endpoint_of_aws_is_refused_without_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    def request(*_: object) -> None:
        raise AssertionError("something was sent to AWS")

    monkeypatch.setattr("service.dynamodb.control_plane.ControlPlane.request", request)
    for endpoint in (None, "https://dynamodb.eu-west-1.amazonaws.com"):
        async with open_app(Settings(endpoint_url=endpoint)) as app:
            with pytest.raises(Refused, match="endpoint is one of AWS") as refused:
                await run_selftest(app, aws=False, seconds=SHORT, stop=asyncio.Event())
        assert "--aws" in refused.value.remedy


@pytest.mark.parametrize("rule", [question.rule for question in QUESTIONS])
def test_each_assumption_names_a_rule_of_the_design(rule: str) -> None:
    assert f"\n**{rule}**\n" in (ROOT / "docs/DESIGN.md").read_text(encoding="utf-8")


def question(ask: Any) -> Question:
    return Question("mine", "It holds.", "a rule", ask)
