"""STS, SSO and the services of instances and containers in trouble: what is kept, and what the operator is told."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from pathlib import Path

import pytest
import structlog

from service.dynamodb.control_plane import ControlPlane
from service.dynamodb.credential_chain import ChainProvider
from service.errors import Misconfigured, Retryable, TablesplitError
from tests.builders.planes import plane_settings
from tests.fakes import aws_answers as aws
from tests.fakes.scripted_endpoint import FaultServer, Reply, answer, fault_server

ROLE = """
[profile app]
role_arn = arn:aws:iam::111122223333:role/sync
source_profile = keys
region = eu-central-1
[profile keys]
aws_access_key_id = source
aws_secret_access_key = secret
"""
SSO = """
[profile app]
sso_start_url = https://example.awsapps.com/start
sso_region = eu-central-1
sso_account_id = 111122223333
sso_role_name = sync
region = eu-central-1
"""


@pytest.fixture(autouse=True)
def one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore's own retries take seconds."""
    monkeypatch.setattr("service.dynamodb.aws_session.ATTEMPTS", 1)


def use_profile(monkeypatch: pytest.MonkeyPatch, folder: Path, content: str, **endpoints: FaultServer) -> None:
    """Choose the profile ``app`` of a configuration file, and send the requests of some services to servers."""
    (folder / "config").write_text(content)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    monkeypatch.setenv("AWS_PROFILE", "app")
    monkeypatch.setenv("HOME", str(folder))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for service, server in endpoints.items():
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", server.url)


async def test_throttled_by_sts_the_credentials_in_hand_are_used_until_they_expire(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    script = (aws.assumed_role("first", 540), aws.STS_BUSY, aws.STS_BUSY, aws.assumed_role("second", 3600))
    async with fault_server(*script) as sts:
        use_profile(monkeypatch, tmp_path, ROLE, STS=sts)
        provider = await asyncio.to_thread(ChainProvider, plane_settings(None))
        with structlog.testing.capture_logs() as lines:
            given = [await asyncio.to_thread(provider.current) for _ in range(4)]
    assert [credentials.access_key for credentials in given] == ["first", "first", "first", "second"]
    assert [line["reason"] for line in lines] == [
        "AWS STS gives no AWS credentials: AssumeRole: Throttling: Rate exceeded"
    ]
    assert not provider.failed()
    assert "Traceback" not in capfd.readouterr().err


async def test_the_chain_asks_the_region_s_own_sts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with fault_server(aws.assumed_role("first", 3600)) as sts:
        use_profile(monkeypatch, tmp_path, ROLE, STS=sts)
        provider = await asyncio.to_thread(ChainProvider, plane_settings(None, aws_region="cn-north-1"))
        await asyncio.to_thread(provider.current)
        assert "/cn-north-1/sts/aws4_request" in sts.received[0].headers["authorization"]


TROUBLES: list[tuple[Reply, type[TablesplitError], str, str]] = [
    (
        aws.STS_BUSY,
        Retryable,
        "AWS STS gives no AWS credentials: AssumeRole: Throttling: Rate exceeded",
        "it is tried again; if it lasts, see AWS's health page, and whether this machine reaches AWS STS",
    ),
    (
        aws.STS_DENIED,
        Misconfigured,
        "AWS STS gives no AWS credentials: AssumeRole: AccessDenied: User: arn:aws:iam::111122223333:user/eve",
        'add {"Effect":"Allow","Action":"sts:AssumeRole","Resource":"arn:aws:iam::111122223333:role/sync"} to the policy of',
    ),
    (
        aws.STS_KEY,
        Misconfigured,
        "AWS STS gives no AWS credentials: AssumeRole: InvalidClientTokenId: ",
        "check AWS_PROFILE, the role and the key that it names, and the region",
    ),
]


@pytest.mark.parametrize(("reply", "kind", "message", "remedy"), TROUBLES)
async def test_trouble_with_sts_is_said_as_such_by_both_planes(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    reply: Reply,
    kind: type[TablesplitError],
    message: str,
    remedy: str,
) -> None:
    async with fault_server(reply, reply) as sts, fault_server() as tables:
        use_profile(monkeypatch, tmp_path, ROLE, STS=sts)
        settings = plane_settings(tables.url)
        for ask in (ChainProvider(settings).current, lambda: ControlPlane(settings).describe_table("Leads")):
            with pytest.raises(TablesplitError) as caught:
                await asyncio.to_thread(ask)
            assert type(caught.value) is kind
            assert str(caught.value).startswith(message)
            assert caught.value.remedy.startswith(remedy)
            assert caught.value.request_id == aws.STS_REQUEST_ID
        assert tables.received == []


async def test_an_sts_that_is_down_is_passing_trouble(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with fault_server() as sts:
        use_profile(monkeypatch, tmp_path, ROLE, STS=sts)
    provider = await asyncio.to_thread(ChainProvider, plane_settings(None))
    with pytest.raises(Retryable, match="does not answer: Could not connect to the endpoint URL") as caught:
        await asyncio.to_thread(provider.current)
    assert caught.value.reason == "credentials_not_renewed"


async def test_an_ended_sso_session_asks_for_a_login(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with fault_server(aws.SSO_ENDED) as sso:
        use_profile(monkeypatch, tmp_path, SSO, SSO=sso)
        cache = tmp_path / ".aws" / "sso" / "cache"
        cache.mkdir(parents=True)
        until = (datetime.fromtimestamp(time.time(), UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        name = sha1(b"https://example.awsapps.com/start").hexdigest()
        (cache / f"{name}.json").write_text(json.dumps({"accessToken": "token", "expiresAt": until}))
        provider = await asyncio.to_thread(ChainProvider, plane_settings(None))
        with pytest.raises(Misconfigured) as caught:
            await asyncio.to_thread(provider.current)
    assert caught.value.remedy.startswith("log in again (aws sso login")


async def test_without_an_sso_login_the_error_asks_for_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use_profile(monkeypatch, tmp_path, SSO)
    provider = await asyncio.to_thread(ChainProvider, plane_settings(None))
    with pytest.raises(Misconfigured) as caught:
        await asyncio.to_thread(provider.current)
    assert caught.value.remedy.startswith("log in again (aws sso login")


async def test_a_container_s_service_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.RETRY_ATTEMPTS", 1)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    async with fault_server(answer({"message": "busy"}, status=500)) as service:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{service.url}/role")
        with pytest.raises(Retryable, match="the container's credential service does not answer"):
            await asyncio.to_thread(lambda: ChainProvider(plane_settings(None)).current())


async def test_a_process_that_gives_no_credentials_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use_profile(monkeypatch, tmp_path, "[profile app]\ncredential_process = /nonexistent/program\n")
    with pytest.raises(Misconfigured) as caught:
        await asyncio.to_thread(lambda: ChainProvider(plane_settings(None)).current())
    assert caught.value.remedy == "correct credential_process in the AWS config file"


def ask_the_instance(monkeypatch: pytest.MonkeyPatch, server: FaultServer) -> None:
    """As on an EC2 instance whose metadata service is ``server``."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")


async def test_an_instance_that_gives_no_credentials_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async with fault_server(*[answer({}, status=500)] * 4) as service:
        ask_the_instance(monkeypatch, service)
        with pytest.raises(Misconfigured, match=r"and EC2's metadata service \(IMDS\) gives none$") as caught:
            await asyncio.to_thread(ChainProvider, plane_settings(None))
    assert "give it a role, and for a container there set the hop limit" in caught.value.remedy
