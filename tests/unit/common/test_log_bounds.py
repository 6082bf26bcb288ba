"""What a client can make a library log is bounded."""

import logging

from service.log import LOGGED_AGAIN_SECONDS, _Libraries


def record(text: str, created: float, level: int = logging.WARNING) -> logging.LogRecord:
    made = logging.LogRecord("uvicorn.error", level, "", 0, text, (), None)
    made.created = created
    return made


def test_a_line_that_is_no_error_is_said_once_in_a_while_and_an_error_each_time() -> None:
    lines = _Libraries(logging.WARNING)
    assert [lines.filter(record("Invalid HTTP request received.", 0.1 * number)) for number in range(300)].count(
        True
    ) == 1
    assert lines.filter(record("another", 1.0))
    assert lines.filter(record("Invalid HTTP request received.", LOGGED_AGAIN_SECONDS + 1))
    assert all(lines.filter(record("broken", 1.0, logging.ERROR)) for _ in range(3))


def test_lines_that_are_never_the_same_do_not_fill_the_memory() -> None:
    lines = _Libraries(logging.WARNING)
    assert all(lines.filter(record(f"line {number}", 1.0)) for number in range(1000))
    assert len(lines._repeats) <= 100
