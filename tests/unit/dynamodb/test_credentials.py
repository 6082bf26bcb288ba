"""The source of the credentials, and when it is asked again."""

import asyncio
from collections.abc import Callable

import pytest

from service.dynamodb.credentials import CredentialSource, load_from_chain
from service.dynamodb.signing import Credentials
from service.errors import Misconfigured
from tests.fakes.clocks import VirtualClock


class Chain:
    """A provider chain whose provider returns ``key-<number of loads>-<number of calls>``."""

    def __init__(self) -> None:
        self.loadings = 0
        self.askings = 0

    def load(self) -> Callable[[], Credentials]:
        self.loadings += 1

        def ask() -> Credentials:
            self.askings += 1
            return Credentials(f"key-{self.loadings}-{self.askings}", "secret")

        return ask


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


@pytest.fixture
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    return monkeypatch


def test_without_credentials_the_error_says_what_to_set(empty_environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(Misconfigured, match=r"^no AWS credentials were found$") as caught:
        load_from_chain()
    assert caught.value.remedy.startswith("set AWS_PROFILE, or AWS_ACCESS_KEY_ID")


def test_an_unknown_profile_is_named(empty_environment: pytest.MonkeyPatch) -> None:
    empty_environment.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(Misconfigured, match=r"nobody"):
        load_from_chain()


def test_the_environment_gives_all_three_parts(empty_environment: pytest.MonkeyPatch) -> None:
    for name, value in {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b", "SESSION_TOKEN": "c"}.items():
        empty_environment.setenv(f"AWS_{name}", value)
    assert load_from_chain()() == Credentials("a", "b", "c")
