"""Half a surrogate pair in an answer: its attribute is marked, and everything beside it is read."""

import orjson
import pytest

from service.core.item.wire import UNREADABLE
from service.dynamodb.answer_text import answer_of

HALF = r"\ud83d"
MARK = {UNREADABLE: r'{"S": "x\ud83d"}'}


def test_an_ordinary_answer_is_read_as_it_is() -> None:
    assert answer_of(b'{"Item": {"pk": {"S": "\\ud83d\\ude00"}}}') == {"Item": {"pk": {"S": "\U0001f600"}}}


@pytest.mark.parametrize(
    ("item", "read"),
    [
        (r'{"t": {"S": "x\ud83d"}, "u": {"S": "ok"}}', {"t": MARK, "u": {"S": "ok"}}),
        (
            r'{"t": {"L": [{"S": "a"}, {"M": {"b": {"S": "x\ud83d"}}}]}}',
            {"t": {UNREADABLE: r'{"L": [{"S": "a"}, {"M": {"b": {"S": "x\ud83d"}}}]}'}},
        ),
        (r'{"t": {"SS": ["a", "x\udc00"]}}', {"t": {UNREADABLE: r'{"SS": ["a", "x\udc00"]}'}}),
        (r'{"n\ud83d": {"S": "a"}, "u": {"N": "1"}}', {r"n\ud83d": {UNREADABLE: '{"S": "a"}'}, "u": {"N": "1"}}),
        (r'{"S": {"S": "x\ud83d"}, "M": {"M": {}}}', {"S": MARK, "M": {"M": {}}}),
    ],
)
def test_an_attribute_with_half_a_pair_is_marked_whole(item: str, read: object) -> None:
    answer = answer_of(f'{{"Items": [{item}, {{"pk": {{"S": "a"}}}}], "Count": 2}}'.encode())
    assert answer == {"Items": [read, {"pk": {"S": "a"}}], "Count": 2}
    assert orjson.loads(orjson.dumps(answer)) == answer  # quarantine can keep it


@pytest.mark.parametrize("content", [b'{"Item": ', b'{"a": NaN}', b"<html>", b'{"a": "\xff"}'])
def test_what_is_not_json_is_refused_as_before(content: bytes) -> None:
    with pytest.raises(orjson.JSONDecodeError):
        answer_of(content)
