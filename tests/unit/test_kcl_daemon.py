"""KCL's daemon as a process: what it needs, what ends it, and the properties it is given. A small program plays Java's part."""

import asyncio
import stat
import sys
from pathlib import Path

import pytest

from service.errors import Misconfigured, Trimmed
from service.streams.kcl.daemon import JAR, Daemon, require_daemon
from service.streams.kcl.properties import DaemonOptions, properties, property_text, read_properties
from tests.clocks import VirtualClock

DEADLINE_SECONDS = 20


def options(folder: Path, **changes: str) -> DaemonOptions:
    return DaemonOptions(folder, "app", "me", "eu-west-1", None, 64, 0.5, changes)


def program(folder: Path, body: str) -> str:
    """An executable that runs ``body`` instead of the daemon."""
    file = folder / "java"
    file.write_text(
        f"#!{sys.executable}\nimport pathlib, signal, sys, time\nhere = pathlib.Path({str(folder)!r})\n{body}\n"
    )
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return str(file)


class Started:
    """A daemon of a test, and what it has told."""

    def __init__(self, folder: Path, body: str, lost: Exception | None = None) -> None:
        self.restarted: list[str] = []
        self.clock = VirtualClock()
        self._lost_error = lost
        self.daemon = Daemon(program(folder, body), options(folder), [], self.clock, self.restarted.append, self._lost)

    async def _lost(self) -> None:
        if self._lost_error is not None:
            raise self._lost_error


async def test_a_daemon_that_ends_is_started_anew_with_a_reason(tmp_path: Path) -> None:
    starts = (
        "file = here / 'starts'\nwith file.open('a') as f: f.write('x')\nsys.exit(1 if file.stat().st_size < 3 else 2)"
    )
    started = Started(tmp_path, starts)
    running = asyncio.create_task(started.daemon.run())
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not running.done():
            await asyncio.sleep(0.01)  # until processes of the system have ended
            await started.clock.advance(40)
    with pytest.raises(Misconfigured, match="refuses what it was given"):
        running.result()
    assert started.restarted == ["kcl_daemon_ended"] * 2


async def test_what_it_refuses_is_told_with_its_own_line(tmp_path: Path) -> None:
    started = Started(tmp_path, "print('a.properties: streamName is missing', file=sys.stderr); sys.exit(2)")
    with pytest.raises(Misconfigured) as refused:
        await asyncio.wait_for(started.daemon.run(), DEADLINE_SECONDS)
    assert refused.value.message == "KCL's daemon refuses what it was given: a.properties: streamName is missing"


async def test_trimmed_data_stops_the_lane_when_the_saved_positions_say_so_too(tmp_path: Path) -> None:
    started = Started(tmp_path, "sys.exit(4)", lost=Trimmed("gone"))
    with pytest.raises(Trimmed):
        await asyncio.wait_for(started.daemon.run(), DEADLINE_SECONDS)


async def test_a_stop_lets_it_end_by_itself_with_stdin_open(tmp_path: Path) -> None:
    # At the end of its stdin the daemon leaves at once: closed before, it could give no lease back.
    body = """
def stop(*_):
    time.sleep(0.2)
    (here / "stopped").touch()
    sys.exit(143)
signal.signal(signal.SIGTERM, stop)
(here / "begun").touch()
sys.stdin.read()
(here / "cut short").touch()
"""
    started = Started(tmp_path, body)
    running = asyncio.create_task(started.daemon.run())
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not (tmp_path / "begun").exists():  # noqa: ASYNC110 (another process makes it)
            await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (tmp_path / "stopped").exists()
    assert not (tmp_path / "cut short").exists()


def test_without_java_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Misconfigured, match="needs Java") as refused:
        require_daemon(options(tmp_path))
    assert "Java 17" in refused.value.remedy


def test_without_its_jar_it_says_how_to_build_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Misconfigured, match="is not in") as refused:
        require_daemon(options(tmp_path))
    assert "make kcl" in refused.value.remedy


def test_without_amazon_kclpy_it_says_which_extra_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "")
    (tmp_path / JAR).touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "amazon_kclpy", None)
    with pytest.raises(Misconfigured, match="amazon_kclpy") as refused:
        require_daemon(options(tmp_path))
    assert "tablesplit[kcl]" in refused.value.remedy


def test_the_properties_of_a_stream(tmp_path: Path) -> None:
    given = properties(options(tmp_path, failoverTimeMillis="7000", maxRecords="500"), "old", "arn:x", Path("/run/s"))
    assert given["executableName"] == f"{sys.executable} -u -m service.streams.kcl.child /run/s arn:x"
    assert (given["applicationName"], given["workerId"], given["streamName"]) == ("app-old", "me", "arn:x")
    assert (given["failoverTimeMillis"], given["maxRecords"], given["idleTimeBetweenReadsInMillis"]) == (
        "7000",
        "500",
        "250",
    )
    assert "kinesisEndpoint" not in given
    assert property_text({"a": "x\\y"}) == "a=x\\\\y\n"


def test_an_operators_property_file(tmp_path: Path) -> None:
    file = tmp_path / "kcl.properties"
    file.write_text("# a comment\n\nfailoverTimeMillis = 7000\nmaxRecords:500\n")
    assert read_properties(file) == {"failoverTimeMillis": "7000", "maxRecords": "500"}
    assert read_properties(None) == {}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("what is this", ":2: 'what is this' is no property"),
        ("workerId = mine", ":2: workerId is set by tablesplit"),
        ("initialPositionInStream = LATEST", ":2: initialPositionInStream is set by tablesplit"),
    ],
)
def test_a_bad_line_is_refused_with_its_number(tmp_path: Path, line: str, told: str) -> None:
    file = tmp_path / "kcl.properties"
    file.write_text(f"maxRecords = 1\n{line}\n")
    with pytest.raises(Misconfigured) as refused:
        read_properties(file)
    assert refused.value.message == f"{file}{told}"


def test_a_property_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="No such file"):
        read_properties(tmp_path / "none")


def test_a_folder_with_a_space_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/opt/my python/python")
    with pytest.raises(Misconfigured, match="splits a command at spaces"):
        properties(options(tmp_path), "old", "arn:x", Path("/run/s"))
