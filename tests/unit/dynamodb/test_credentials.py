"""The source of the credentials: when it is asked again, and what happens when it does not answer."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from service.dynamodb.credential_chain import ChainProvider
from service.dynamodb.credentials import CredentialSource, Provider, chain_of
from service.dynamodb.signing import Credentials
from service.errors import Misconfigured, Retryable, TablesplitError
from tests.builders.planes import plane_settings
from tests.fakes.clocks import VirtualClock


class Chain:
    """A provider chain whose provider returns ``key-<number of loads>-<number of calls>``."""

    def __init__(self) -> None:
        self.loadings = 0
        self.askings = 0
        self.trouble: Retryable | None = None
        self.lasts = True
        self.hold: Callable[[], object] = bool
        self.given = Credentials("none", "secret")

    def load(self) -> "Chain":
        self.loadings += 1
        return self

    def current(self) -> Credentials:
        self.askings += 1
        self.hold()
        if self.trouble is None:
            self.given = Credentials(f"key-{self.loadings}-{self.askings}", "secret")
        elif not self.lasts:
            raise self.trouble
        return self.given

    def expired(self) -> bool:
        return not self.lasts

    def failed(self) -> bool:
        return self.trouble is not None


BUSY = Retryable("AWS STS gives no AWS credentials", reason="credentials_not_renewed")


async def test_many_requests_at_once_ask_the_provider_once() -> None:
    chain = Chain()
    source = CredentialSource(VirtualClock(), chain.load)
    current = await asyncio.gather(*[source.current() for _ in range(20)])
    assert {credentials.access_key for credentials in current} == {"key-1-1"}


async def test_the_provider_is_asked_again_after_a_minute() -> None:
    clock, chain = VirtualClock(), Chain()
    source = CredentialSource(clock, chain.load)
    await source.current()
    await clock.advance(59.0)
    assert (await source.current()).access_key == "key-1-1"
    await clock.advance(1.0)
    assert (await source.current()).access_key == "key-1-2"


async def test_many_refusals_of_the_same_credentials_load_the_chain_once() -> None:
    chain = Chain()
    source = CredentialSource(VirtualClock(), chain.load)
    refused = await source.current()
    await asyncio.gather(*[source.renew(refused) for _ in range(20)])
    assert chain.loadings == 2
    assert (await source.current()).access_key == "key-2-2"


async def test_a_failed_renewal_is_tried_again_within_seconds_and_counted() -> None:
    clock, chain, retried = VirtualClock(), Chain(), list[str]()
    source = CredentialSource(clock, chain.load, retried.append)
    await source.current()
    chain.trouble = BUSY
    await clock.advance(60.0)
    assert (await source.current()).access_key == "key-1-1"
    assert retried == ["credentials_not_renewed"]
    chain.trouble = None
    await clock.advance(15.0)
    assert (await source.current()).access_key == "key-1-3"


async def test_credentials_that_no_longer_last_and_are_not_renewed_end_the_request() -> None:
    clock, chain = VirtualClock(), Chain()
    source = CredentialSource(clock, chain.load)
    await source.current()
    chain.trouble, chain.lasts = BUSY, False
    await clock.advance(60.0)
    for _ in range(2):
        with pytest.raises(Retryable, match="AWS STS"):
            await source.current()
    chain.trouble, chain.lasts = None, True
    assert (await source.current()).access_key == "key-1-4"


async def test_a_renewal_that_hangs_holds_up_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.dynamodb.credentials.RENEWAL_SECONDS", 0.01)
    clock, chain, answered = VirtualClock(), Chain(), threading.Event()
    source = CredentialSource(clock, chain.load)
    await source.current()
    chain.hold = answered.wait
    await clock.advance(60.0)
    given = await asyncio.wait_for(asyncio.gather(*[source.current() for _ in range(20)]), 5)
    assert {credentials.access_key for credentials in given} == {"key-1-1"}
    answered.set()
    assert source._renewal is not None
    await source._renewal
    assert (await source.current()).access_key == "key-1-2"


@pytest.fixture
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "SECURITY_TOKEN", "PROFILE", "DEFAULT_PROFILE"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    return monkeypatch


def test_without_credentials_the_error_says_what_to_set(empty_environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(Misconfigured, match=r"^no AWS credentials were found$") as caught:
        ChainProvider(plane_settings(None))
    assert caught.value.remedy.startswith("set AWS_PROFILE, or AWS_ACCESS_KEY_ID")


def test_an_unknown_profile_is_named(empty_environment: pytest.MonkeyPatch) -> None:
    empty_environment.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(Misconfigured, match=r"nobody"):
        ChainProvider(plane_settings(None))


def test_the_environment_gives_all_three_parts(empty_environment: pytest.MonkeyPatch) -> None:
    for name, value in {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b", "SESSION_TOKEN": "c"}.items():
        empty_environment.setenv(f"AWS_{name}", value)
    assert ChainProvider(plane_settings(None)).current() == Credentials("a", "b", "c")


@pytest.mark.parametrize("part", ["AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN"])
def test_credentials_that_no_header_can_carry_are_refused(empty_environment: pytest.MonkeyPatch, part: str) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        empty_environment.setenv(name, "abc")
    empty_environment.setenv(part, "abc\r\nx-header: 1")
    with pytest.raises(Misconfigured, match=r"^the AWS credentials hold a character that none has"):
        ChainProvider(plane_settings(None)).current()


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"ACCESS_KEY_ID": "a"},
        {"SECRET_ACCESS_KEY": "b"},
        {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b"},
        {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b", "SESSION_TOKEN": "new"},
        {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b", "SECURITY_TOKEN": "old"},
        {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b", "SECURITY_TOKEN": "old", "SESSION_TOKEN": "new"},
        {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b", "CREDENTIAL_EXPIRATION": "2999-01-01T00:00:00Z"},
        {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b", "PROFILE": "other"},
        {"PROFILE": "other"},
        {"PROFILE": "other", "ACCESS_KEY_ID": "a"},
    ],
    ids=lambda said: " ".join(said) or "nothing",
)
def test_with_and_without_botocore_the_same_credentials_are_found(
    empty_environment: pytest.MonkeyPatch, tmp_path: Path, said: dict[str, str]
) -> None:
    profiles = tmp_path / "credentials"
    profiles.write_text(
        "".join(f"[{name}]\naws_access_key_id = {name}\naws_secret_access_key = s\n" for name in ("default", "other"))
    )
    empty_environment.setenv("AWS_SHARED_CREDENTIALS_FILE", str(profiles))
    for name, value in said.items():
        empty_environment.setenv(f"AWS_{name}", value)

    def found(provider: Callable[[], Provider]) -> Credentials | str:
        try:
            return provider().current()
        except TablesplitError as error:
            return error.message

    settings = plane_settings(None)
    assert found(chain_of(settings)) == found(lambda: ChainProvider(settings))
