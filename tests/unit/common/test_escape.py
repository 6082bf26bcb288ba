"""Text that an item brought acts on no terminal, log or page, and JSON that is escaped means the same."""

import json

import pytest

from service.escape import escaped, escaped_lines, escaped_values, lines_of

HOSTILE = "a\x1b[2J\r\nb\x9b1m\u202ec\u2028\U000e0041\ud800é😀\\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zoë 😀 plain", "Zoë 😀 plain"),
        ("\x1b[2J", "\\u001b[2J"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x9b\x7f", "\\u009b\\u007f"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\u2028b\u200bc", "a\\u2028b\\u200bc"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\udb40\\udc41"),
        ("a\\nb", "a\\nb"),
    ],
)
def test_what_cannot_be_printed_is_written_as_json_writes_it(text: str, shown: str) -> None:
    assert escaped(text) == shown
    assert escaped(shown) == shown


def test_a_stream_without_the_characters_gets_ascii() -> None:
    assert escaped("Zoë 😀", "ascii") == "Zo\\u00eb \\ud83d\\ude00"
    assert escaped("Zoë", "latin-1") == "Zoë"


def test_json_that_is_escaped_means_the_same() -> None:
    text = escaped_lines(json.dumps({"key": HOSTILE}, ensure_ascii=False, indent=2), "ascii")
    assert text.isascii()
    assert text.count("\n") == 2
    assert json.loads(text) == {"key": HOSTILE.replace("\\n", "\\n")}


def test_no_line_of_several_forges_another() -> None:
    assert lines_of(["one\nERROR forged", "two"]) == "one\\nERROR forged\ntwo"


def test_every_text_of_a_value_is_escaped() -> None:
    assert escaped_values({"a\n": ["\x1b", ("b", 1, None)]}) == {"a\\n": ["\\u001b", ["b", 1, None]]}
