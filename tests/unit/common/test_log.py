"""The log: stderr only, one event a line, as the settings say."""

import json
import logging
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import structlog

from service.config import Settings
from service.log import configure_log, get_logger
from service.log_events import REMEMBERED_EVENTS, newest_events


@pytest.fixture(autouse=True)
def structlog_as_it_was():
    yield
    structlog.reset_defaults()


def test_json_gives_one_document_a_line_on_stderr_and_leaves_stdout_alone(capsys):
    configure_log(Settings(log_format="json"))
    get_logger().info("shard finished", segment=3)
    printed = capsys.readouterr()
    assert printed.out == ""
    event = json.loads(printed.err)
    assert (event["event"], event["segment"], event["level"]) == ("shard finished", 3, "info")
    assert event["timestamp"].endswith("Z")


def test_console_is_for_people_and_has_no_colours_off_a_terminal(capsys):
    configure_log(Settings(log_format="console"))
    get_logger().warning("waiting", reason="throttled")
    line = capsys.readouterr().err
    assert "waiting" in line
    assert "reason=throttled" in line
    assert "\x1b" not in line


@pytest.mark.parametrize(
    ("level", "shown"),
    [("debug", "dbg inf wrn err"), ("info", "inf wrn err"), ("warning", "wrn err"), ("error", "err")],
)
def test_events_below_the_level_are_left_out(capsys, level, shown):
    configure_log(Settings(log_format="json", log_level=level))
    log = get_logger()
    log.debug("dbg")
    log.info("inf")
    log.warning("wrn")
    log.error("err")
    assert " ".join(json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()) == shown


def test_the_newest_events_are_remembered_as_text_and_no_more_of_them(capsys):
    configure_log(Settings(log_format="json"))
    for number in range(REMEMBERED_EVENTS + 5):
        get_logger().info("a\x1bshard is finished", number=number)
    get_logger().debug("below the level")
    newest = newest_events()
    assert len(newest) == REMEMBERED_EVENTS
    assert (newest[0]["number"], newest[-1]["number"]) == ("5", str(REMEMBERED_EVENTS + 4))
    assert (newest[-1]["level"], "\x1b" in newest[-1]["event"]) == ("info", False)
    assert capsys.readouterr().err.count("\n") == REMEMBERED_EVENTS + 5


def test_an_exception_is_logged_with_its_trace_in_the_same_line(capsys):
    configure_log(Settings(log_format="json"))
    try:
        raise ValueError("no such shard")
    except ValueError:
        get_logger().exception("stopped")
    event = json.loads(capsys.readouterr().err)
    assert "ValueError: no such shard" in event["exception"]


@pytest.mark.parametrize("form", ["console", "json"])
def test_what_an_item_brought_forges_no_event_and_clears_no_screen(capsys, form):
    configure_log(Settings(log_format=form))
    hostile = "a\x1b[2J\n2026-01-01T00:00:00Z [info] forged\u202e"
    get_logger().warning(hostile, reason=hostile, key={"pk": {"S": hostile}})
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "\x1b" not in printed
    assert "\u202e" not in printed


def test_a_log_that_cannot_be_written_stops_nothing(monkeypatch):
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr("sys.stderr", full)
        configure_log(Settings())
        get_logger().info("lost")
        monkeypatch.undo()
        with suppress(OSError):
            full.close()


def test_what_a_library_logs_is_one_event_without_a_traceback(capsys, monkeypatch):
    configure_log(Settings(log_format="json"))
    library = logging.Logger("uvicorn.error")  # without handlers, as in a command
    try:
        raise OSError(24, "Too many open files")
    except OSError:
        library.exception("accept failed\nsocket 5")
    event = json.loads(capsys.readouterr().err)
    assert (event["event"], event["level"], event["library"]) == ("accept failed\\nsocket 5", "error", "uvicorn.error")
    assert event["reason"].startswith("unexpected OSError: [Errno 24] Too many open files")


def test_structlog_is_imported_for_the_first_line():
    code = (
        "import sys; from service.config import Settings; from service.log import configure_log, get_logger\n"
        "configure_log(Settings(log_format='json')); before = 'structlog' in sys.modules\n"
        "get_logger().info('one'); print(before, 'structlog' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["False", "True"]
    assert json.loads(done.stderr)["event"] == "one"
