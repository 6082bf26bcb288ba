"""`verification list` as an operator types it."""

import asyncio
import json
import sys
from collections.abc import Callable

import pytest

from service.cli.main import main
from service.control.verification import REMEDIES, Differences, Differing, Verification, save_verification
from tests.builders.small_crm import lead_key, old_key
from tests.worlds.both_ways_world import BothWays, dual_for_commands

Run = Callable[..., tuple[int, str]]
LATER = "1970-01-01T00:01:00Z"
KEY = old_key("LEAD", "a")
DIFFERING = Differing(KEY, "LEAD", "fields", (("leads", lead_key("a")),), ("status",), 0.0, 60.0)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> BothWays:
    """A migration in dual, in memory, on which the command works."""
    return dual_for_commands(monkeypatch)


@pytest.fixture
def run(world: BothWays, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["tablesplit", "verification", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return int(str(ended.value.code)), capsys.readouterr().out

    return run


async def found(world: BothWays, total: int) -> None:
    await Differences(world.control).replace({}, {"ab": DIFFERING})
    await save_verification(world.control, Verification(7, 2, (KEY,), 60.0, total))


def test_before_the_first_walk_it_says_so(run: Run) -> None:
    assert run("list") == (0, "nothing has been verified yet: `sync` does it from the first `dual` on\n")


def test_each_key_is_named_with_its_fields_and_times(run: Run, world: BothWays) -> None:
    asyncio.run(found(world, 1))
    status, out = run("list")
    assert (status, out.splitlines()) == (
        0,
        [
            f"LEAD  fields  pk=LEAD#a sk=METADATA (status), since 1970-01-01T00:00:00Z, last {LATER}: {REMEDIES['fields']}",
            f"1 different, 7 equal, 2 not quiet yet, at {LATER}",
        ],
    )


def test_it_says_when_not_every_key_is_listed(run: Run, world: BothWays) -> None:
    asyncio.run(found(world, 12_000))
    assert "12000 different (1 are listed), 7 equal" in run("list")[1]


def test_the_document(run: Run, world: BothWays) -> None:
    asyncio.run(found(world, 1))
    document = json.loads(run("list", "--json")[1])
    assert (document["differences"], document["next"]) == (1, None)
    assert document["items"] == [
        {
            "id": "ab",
            "key": {"pk": "LEAD#a", "sk": "METADATA"},
            "entity": "LEAD",
            "difference": "fields",
            "v2": [{"table": "leads", "key": {"PK": "LEAD", "SK": "2024-05#a"}}],
            "fields": ["status"],
            "first_seen": "1970-01-01T00:00:00Z",
            "last_seen": "1970-01-01T00:01:00Z",
            "remedy": "tablesplit validate --repair",
        }
    ]


def test_a_result_of_an_earlier_version_is_counted_by_its_keys(world: BothWays, run: Run) -> None:
    asyncio.run(save_verification(world.control, Verification(7, 2, (KEY, KEY), 60.0)))
    assert "2 different (0 are listed)" in run("list")[1]
