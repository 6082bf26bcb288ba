"""KCL's daemon as a process: what it needs, what ends it, and the properties it is given. A small program plays Java's part."""

import asyncio
import stat
import sys
from pathlib import Path
from typing import Never

import psutil
import pytest

from service.errors import Fatal, Misconfigured, Trimmed
from service.streams.kcl.daemon import JAR, Daemon, require_daemon
from service.streams.kcl.properties import DaemonOptions, properties, property_text, read_properties
from tests.fakes.clocks import VirtualClock, settle

DEADLINE_SECONDS = 300


def options(folder: Path, **changes: str) -> DaemonOptions:
    return DaemonOptions(folder, "app", "me", "eu-west-1", None, 64, 0.5, changes, None)


def program(folder: Path, body: str) -> str:
    """An executable that runs ``body`` instead of the daemon."""
    file = folder / "java"
    file.write_text(
        f"#!{sys.executable}\nimport pathlib, signal, sys, time\nhere = pathlib.Path({str(folder)!r})\n{body}\n"
    )
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return str(file)


class Started:
    """A daemon of a test, and what it has message. ``serving``: how many children come in each of its runs."""

    serving = 0

    def __init__(self, folder: Path, body: str, lost: Exception | None = None) -> None:
        self.restarted: list[str] = []
        self.clock = VirtualClock()
        self._children = 0
        self._lost_error = lost
        java = program(folder, body)
        self.daemon = Daemon(
            java, options(folder), [], self.clock, self.restarted.append, lost=self._lost, served=self._served
        )

    async def _lost(self) -> None:
        if self._lost_error is not None:
            raise self._lost_error

    def _served(self) -> int:
        self._children += self.serving
        return self._children


COUNTED = "file = here / 'starts'\nwith file.open('a') as f: f.write('x')\nstarts = file.stat().st_size\n"


async def ended(started: Started) -> "asyncio.Task[Never]":
    """Let the daemon run until it is given up."""
    running = asyncio.create_task(started.daemon.run())
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not running.done():
            await asyncio.sleep(0.01)  # until processes of the system have ended
            await started.clock.advance(40)
    return running


async def begun(folder: Path) -> None:
    """Wait for the program to say so."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not (folder / "begun").exists():  # noqa: ASYNC110 (another program makes it)
            await asyncio.sleep(0.01)


async def test_a_daemon_that_ends_is_started_anew_with_a_reason(tmp_path: Path) -> None:
    started = Started(tmp_path, COUNTED + "sys.exit(1 if starts < 5 else 2)")
    started.serving = 1
    running = await ended(started)
    with pytest.raises(Misconfigured, match="refuses what it was given"):
        running.result()
    assert started.restarted == ["kcl_daemon_ended"] * 4


async def test_it_does_not_get_the_endpoint_of_all_services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://vpce-1.dynamodb.eu-west-1.vpce.amazonaws.com")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "https://sts.example")
    body = "import os; print([name for name in os.environ if 'ENDPOINT' in name], file=sys.stderr); sys.exit(2)"
    running = await ended(Started(tmp_path, body))
    with pytest.raises(Misconfigured, match=r"was given: \['AWS_ENDPOINT_URL_STS'\]$"):
        running.result()


async def test_one_that_ends_again_and_again_before_it_reads_anything_stops_the_lane(tmp_path: Path) -> None:
    # Nothing else would show it but the log, and lag in the end.
    started = Started(tmp_path, COUNTED + "print('not authorized', starts, file=sys.stderr); sys.exit(1)")
    running = await ended(started)
    with pytest.raises(Fatal) as stopped:
        running.result()
    message = "KCL's daemon has ended 3 times in a row without reading anything: not authorized 3"
    assert stopped.value.message == message
    assert "permission" in stopped.value.remedy


async def test_a_stop_that_is_broken_off_leaves_nothing_of_it_running(tmp_path: Path) -> None:
    # The lane begins anew, with another daemon: one that hangs in its stop would go on beside it.
    body = """
import os, subprocess
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
(here / "pids").write_text(f"{os.getpid()} {child.pid}")
(here / "begun").touch()
time.sleep(600)
"""
    started = Started(tmp_path, body)
    running = asyncio.create_task(started.daemon.run())
    await begun(tmp_path)
    while started.daemon._process is None:  # noqa: ASYNC110 (the program may begin before asyncio has handed it over)
        await asyncio.sleep(0)
    processes = [psutil.Process(int(pid)) for pid in (tmp_path / "pids").read_text().split()]
    running.cancel()
    await settle()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    _, alive = await asyncio.to_thread(psutil.wait_procs, processes, DEADLINE_SECONDS)
    assert alive == []


async def test_what_it_refuses_is_reported_with_its_own_line(tmp_path: Path) -> None:
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
    time.sleep(0.2)  # a process of its own, which takes a moment to stop
    (here / "stopped").touch()
    sys.exit(143)
signal.signal(signal.SIGTERM, stop)
(here / "begun").touch()
sys.stdin.read()
(here / "cut short").touch()
"""
    started = Started(tmp_path, body)
    running = asyncio.create_task(started.daemon.run())
    await begun(tmp_path)
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
    ("line", "message"),
    [
        ("what is this", ":2: 'what is this' is not a property"),
        ("workerId = mine", ":2: workerId is set by tablesplit"),
        ("initialPositionInStream = LATEST", ":2: initialPositionInStream is set by tablesplit"),
    ],
)
def test_a_bad_line_is_refused_with_its_number(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "kcl.properties"
    file.write_text(f"maxRecords = 1\n{line}\n")
    with pytest.raises(Misconfigured) as refused:
        read_properties(file)
    assert refused.value.message == f"{file}{message}"


def test_a_property_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="No such file"):
        read_properties(tmp_path / "none")


def test_a_python_in_a_folder_with_a_space_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/opt/my python/python")
    with pytest.raises(Misconfigured, match="splits a command at spaces"):
        properties(options(tmp_path), "old", "arn:x", Path("/run/s"))


@pytest.mark.parametrize(
    ("socket", "message"),
    [("/tmp/a b/s", "splits a command at spaces"), (f"/{'x' * 120}", "too long for the name of a socket")],
)
def test_a_socket_whose_name_kcl_cannot_pass_on_is_refused(tmp_path: Path, socket: str, message: str) -> None:
    with pytest.raises(Misconfigured, match=message) as refused:
        properties(options(tmp_path), "old", "arn:x", Path(socket))
    assert "TMPDIR" in refused.value.remedy
