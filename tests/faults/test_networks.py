"""Both planes in the networks of companies: a proxy, a private certificate authority, VPC endpoints, IPv6, FIPS."""

import asyncio
import socket
from pathlib import Path

import pytest

from service.config import Settings
from service.dynamodb.client import DynamoDBClient
from service.dynamodb.control_plane import ControlPlane
from service.dynamodb.credential_chain import ChainProvider
from service.environment import load_settings
from service.errors import Misconfigured, Retryable, TablesplitError
from tests.builders.planes import RetryLog, WaitlessClock, fixed_credentials, plane_settings
from tests.fakes import aws_answers as aws
from tests.fakes.certificates import Authority, private_authority
from tests.fakes.connect_proxy import connect_proxy
from tests.fakes.scripted_endpoint import FaultServer, answer, error, fault_server, raw

KEY = {"PK": {"S": "a"}, "SK": {"S": "b"}}
STREAM = "arn:aws:dynamodb:eu-central-1:1:table/old/stream/2026-01-01T00:00:00.000"
STREAMING = answer({"StreamDescription": {"StreamStatus": "ENABLED", "StreamViewType": "NEW_AND_OLD_IMAGES"}})
TABLE = error("ResourceNotFoundException", "Requested resource not found: Table: Leads not found")
ITEMS, STREAMS = "dynamodb.eu-central-1.amazonaws.com:443", "streams.dynamodb.eu-central-1.amazonaws.com:443"

VPC_ENDPOINT = "https://vpce-1.dynamodb.eu-central-1.vpce.amazonaws.com"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return private_authority(tmp_path)


@pytest.fixture(autouse=True)
def plain_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No proxy and no certificates of this machine; one attempt of each request; a folder without `.env`."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("TABLESPLIT_MAX_ATTEMPTS", "1")
    for module in ("botocore_calls", "aws_session"):
        monkeypatch.setattr(f"service.dynamodb.{module}.ATTEMPTS", 1)
    monkeypatch.chdir(tmp_path)


async def ask(settings: Settings) -> list[TablesplitError | None]:
    """What GetItem, DescribeStream and, of the control plane, DescribeTable raise; None: they were answered."""
    clock = WaitlessClock()
    raised: list[TablesplitError | None] = []
    async with DynamoDBClient.open(settings, RetryLog(), clock, credentials=fixed_credentials(clock)) as plane:
        control = ControlPlane(settings)
        requests = (
            plane.get("Leads", KEY),
            plane.describe_stream(STREAM),
            asyncio.to_thread(control.describe_table, "Leads"),
        )
        for request in requests:
            try:
                await request
                raised.append(None)
            except TablesplitError as failure:
                raised.append(failure)
    return raised


async def answered(settings: Settings, *servers: FaultServer) -> list[str]:
    """The operations that the servers got, when both planes were answered."""
    assert await ask(settings) == [None] * 3
    return [operation for server in servers for operation in server.operations()]


SCRIPT = (answer({}), STREAMING, TABLE)
ALL = ["GetItem", "DescribeStream", "DescribeTable"]


@pytest.mark.parametrize("bundle", ["AWS_CA_BUNDLE", "SSL_CERT_FILE"])
async def test_both_planes_go_through_the_proxy_and_trust_the_private_authority(
    monkeypatch: pytest.MonkeyPatch, authority: Authority, bundle: str
) -> None:
    async with (
        fault_server(*SCRIPT, tls=authority.server) as server,
        connect_proxy(server.url.replace("https", "http")) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//user:secret@"))
        monkeypatch.setenv(bundle, str(authority.bundle))
        assert await answered(load_settings(), server) == ALL
        assert proxy.connected == [ITEMS, STREAMS, ITEMS]
        assert all("proxy-authorization: basic dxnlcjpzzwnyzxq=" in head for head in proxy.headers)


async def test_what_no_proxy_names_is_reached_directly(monkeypatch: pytest.MonkeyPatch, authority: Authority) -> None:
    async with fault_server(*SCRIPT, tls=authority.server) as server, connect_proxy(server.url) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "localhost")
        monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.bundle))
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url.replace("127.0.0.1", "localhost"))
        assert await answered(load_settings(), server) == ALL
        assert proxy.connected == []


@pytest.mark.parametrize("general", ["", VPC_ENDPOINT])
async def test_the_credential_chain_goes_the_same_way(
    monkeypatch: pytest.MonkeyPatch, authority: Authority, tmp_path: Path, general: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", general)
    profile = "[profile app]\nrole_arn = arn:aws:iam::1:role/sync\nsource_profile = keys\n"
    (tmp_path / "config").write_text(f"{profile}[profile keys]\naws_access_key_id = a\naws_secret_access_key = b\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "app")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    async with (
        fault_server(aws.assumed_role("first", 3600), tls=authority.server) as server,
        connect_proxy(server.url.replace("https", "http")) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.bundle))
        provider = await asyncio.to_thread(ChainProvider, load_settings())
        assert (await asyncio.to_thread(provider.current)).access_key == "first"
        assert proxy.connected == ["sts.eu-central-1.amazonaws.com:443"]


async def test_an_unknown_authority_is_named_with_what_to_set(
    monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    async with (
        fault_server(tls=authority.server) as server,
        connect_proxy(server.url.replace("https", "http")) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        for failure in await ask(load_settings()):
            assert isinstance(failure, Misconfigured)
            assert ".amazonaws.com is not trusted: " in failure.message
            assert "AWS_CA_BUNDLE" in failure.remedy


PROXIES = [
    (407, Misconfigured, "status 407", "write the proxy's user and password into HTTPS_PROXY"),
    (403, Misconfigured, "status 403", "check HTTPS_PROXY, and NO_PROXY"),
    (502, Retryable, "status 502", "check HTTPS_PROXY, and NO_PROXY"),
]


@pytest.mark.parametrize(("status", "kind", "message", "remedy"), PROXIES)
async def test_a_proxy_that_refuses_is_named(
    monkeypatch: pytest.MonkeyPatch, status: int, kind: type[TablesplitError], message: str, remedy: str
) -> None:
    for module in ("botocore_calls", "aws_session"):
        monkeypatch.setattr(f"service.dynamodb.{module}.ATTEMPTS", 2)
    async with connect_proxy("http://127.0.0.1:1", status) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        failures = await ask(load_settings())
    for failure in failures:
        assert type(failure) is kind
        assert message in str(failure)
        assert failure.remedy.startswith(remedy)
    assert len(proxy.connected) == (4 if kind is Retryable else 3), "what the proxy refuses is not sent again"


async def test_a_proxy_that_refuses_the_credential_chain_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/sync")
    (tmp_path / "token").write_text("token")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    async with connect_proxy("http://127.0.0.1:1", 407) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        provider = await asyncio.to_thread(ChainProvider, load_settings())
        with pytest.raises(Misconfigured, match="status 407") as refused:
            await asyncio.to_thread(provider.current)
    assert refused.value.remedy.startswith("write the proxy's user and password into HTTPS_PROXY")
    assert proxy.connected == ["sts.eu-central-1.amazonaws.com:443"]


async def test_a_proxy_that_asks_for_a_password_in_its_own_answer_is_named() -> None:
    """As one does through which plain HTTP goes, without CONNECT."""
    async with fault_server(*[raw(b"", status=407)] * 3) as server:
        for failure in await ask(plane_settings(server.url)):
            assert isinstance(failure, Misconfigured)
            assert failure.remedy.startswith("write the proxy's user and password into HTTPS_PROXY")


@pytest.mark.parametrize(
    ("variable", "said", "shown"),
    [
        ("HTTPS_PROXY", "not a url", "not a url"),
        ("https_proxy", "http://user:secret@host:port", "host:port"),
        ("HTTPS_PROXY", "socks5://127.0.0.1:1", "socks5://127.0.0.1:1"),
    ],
)
async def test_a_proxy_that_cannot_be_one_is_refused_by_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, said: str, shown: str
) -> None:
    monkeypatch.setenv(variable, said)
    settings, clock = load_settings(), WaitlessClock()
    line = f"{variable}={shown}: not the URL of an HTTP proxy"
    with pytest.raises(Misconfigured) as refused:
        ControlPlane(settings).describe_table("Leads")
    assert str(refused.value) == line
    with pytest.raises(Misconfigured) as refused:
        async with DynamoDBClient.open(settings, RetryLog(), clock, credentials=fixed_credentials(clock)):
            pass
    assert str(refused.value) == line


async def test_a_proxy_that_is_down_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async with connect_proxy("http://127.0.0.1:1") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    for failure in await ask(load_settings()):
        assert isinstance(failure, Retryable)
        assert "proxy" in failure.message
        assert failure.remedy.startswith("check HTTPS_PROXY")


async def test_each_service_has_its_own_vpc_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    async with fault_server(answer({}), TABLE) as items, fault_server(STREAMING) as streams:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", items.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", streams.url)
        assert await answered(load_settings(), items, streams) == ["GetItem", "DescribeTable", "DescribeStream"]


async def test_a_profile_s_endpoint_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with fault_server(*SCRIPT) as server:
        (tmp_path / "config").write_text(f"[profile app]\nendpoint_url = {server.url}\nregion = eu-central-1\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.setenv("AWS_PROFILE", "app")
        assert await answered(load_settings(), server) == ALL


async def test_user_and_password_in_an_endpoint_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async with fault_server(*SCRIPT) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url.replace("//", "//user:secret@"))
        assert await answered(load_settings(), server) == ALL
        assert all(request.headers["authorization"].startswith("AWS4-HMAC") for request in server.received)


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
async def test_an_ipv6_endpoint_is_used_and_local(monkeypatch: pytest.MonkeyPatch) -> None:
    async with fault_server(*SCRIPT, host="::1") as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        settings = load_settings()
        assert await answered(settings, server) == ALL
        assert server.received[0].headers["host"] == server.url.removeprefix("http://")
        assert ControlPlane(settings).caller_identity().arn == "local"


async def test_a_given_endpoint_is_used_whatever_fips_and_dual_stack_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    monkeypatch.setenv("AWS_USE_DUALSTACK_ENDPOINT", "true")
    async with fault_server(*SCRIPT) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        assert await answered(load_settings(), server) == ALL


async def test_the_caller_behind_a_vpc_endpoint_is_asked_of_sts(monkeypatch: pytest.MonkeyPatch) -> None:
    identity = (
        b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        b"<Arn>arn:aws-us-gov:iam::1:user/eve</Arn><UserId>u</UserId><Account>1</Account>"
        b"</GetCallerIdentityResult></GetCallerIdentityResponse>"
    )
    async with fault_server(raw(identity)) as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        monkeypatch.setenv("AWS_REGION", "us-gov-west-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "https://vpce-1.dynamodb.us-gov-west-1.vpce.amazonaws.com")
        control = ControlPlane(load_settings())
        assert (await asyncio.to_thread(control.caller_identity)).arn == "arn:aws-us-gov:iam::1:user/eve"


OTHERS = {
    "sts": ("get_caller_identity", {}, "sts.eu-central-1.amazonaws.com:443"),
    "kms": ("describe_key", {"KeyId": "k"}, "kms.eu-central-1.amazonaws.com:443"),
    "lambda": ("list_event_source_mappings", {}, "lambda.eu-central-1.amazonaws.com:443"),
    "pipes": ("list_pipes", {}, "pipes.eu-central-1.amazonaws.com:443"),
    "application-autoscaling": (
        "describe_scalable_targets",
        {"ServiceNamespace": "dynamodb"},
        "application-autoscaling.eu-central-1.amazonaws.com:443",
    ),
}


@pytest.mark.parametrize("by", ["variable", "profile"])
async def test_the_endpoint_for_all_services_is_dynamodb_s_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, by: str
) -> None:
    (tmp_path / "config").write_text(f"[profile app]\nendpoint_url = {VPC_ENDPOINT}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    if by == "variable":
        monkeypatch.setenv("AWS_ENDPOINT_URL", VPC_ENDPOINT)
    else:
        monkeypatch.setenv("AWS_PROFILE", "app")
    async with connect_proxy("http://127.0.0.1:1", 403) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        control = ControlPlane(load_settings())
        for service, (method, request, _) in OTHERS.items():
            with pytest.raises(Misconfigured):
                await asyncio.to_thread(control.ask, service, method, "x", request)
        with pytest.raises(Misconfigured):
            await asyncio.to_thread(control.describe_table, "Leads")
    assert proxy.connected == [
        *(host for _, _, host in OTHERS.values()),
        f"{VPC_ENDPOINT.removeprefix('https://')}:443",
    ]


@pytest.mark.parametrize("by", ["variable", "profile"])
async def test_a_service_s_own_endpoint_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, by: str) -> None:
    services = "[services s]\napplication_auto_scaling =\n  endpoint_url = {}\n"
    profile = f"[profile app]\nendpoint_url = {VPC_ENDPOINT}\nservices = s\n{services}"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "app")
    async with fault_server(answer({"ScalableTargets": []})) as server:
        own = server.url if by == "profile" else "http://127.0.0.1:1"
        (tmp_path / "config").write_text(profile.format(own))
        if by == "variable":
            monkeypatch.setenv("AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING", server.url)
        control = ControlPlane(load_settings())
        request = {"ServiceNamespace": "dynamodb"}
        await asyncio.to_thread(control.ask, "application-autoscaling", "describe_scalable_targets", "x", request)
        assert server.operations() == ["DescribeScalableTargets"]


async def test_a_service_s_own_endpoint_that_cannot_be_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "localhost:1")
    with pytest.raises(Misconfigured, match=r"^AWS_ENDPOINT_URL_STS=localhost:1: not the URL of a server$"):
        await asyncio.to_thread(ControlPlane(load_settings()).caller_identity)
