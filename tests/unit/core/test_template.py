"""Templates: the texts that they render, and texts that are not templates."""

import pytest

from service.core.item.wire import Item
from service.core.mapping.template import TemplateError, parse_template

FIELDS: Item = {
    "id": {"S": "a#7"},
    "n": {"N": "1.5"},
    "yes": {"BOOL": True},
    "no": {"BOOL": False},
    "empty": {"S": ""},
    "born": {"S": "2024-02-29T23:30:00-05:00"},
}


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("", ""),
        ("LEAD", "LEAD"),
        ("{id}", "a#7"),
        ("LEAD#{id}", "LEAD#a#7"),
        ("{born:month}#{id}", "2024-03#a#7"),
        ("{n}/{yes}/{no}", "1.5/true/false"),
        ("{empty|none}", "none"),
        ("{absent|no one}", "no one"),
        ("{absent}", ""),
        ("{id|none}", "a#7"),
        ("{{{id}}}", "{a#7}"),
        ("{{id}}", "{id}"),
        ("{id:shard1}", "0"),
        ("{id:shard10}", "7"),
        ("{id:shard11}", "05"),
    ],
)
def test_rendered(text: str, rendered: str) -> None:
    assert parse_template(text).render(FIELDS) == rendered


@pytest.mark.parametrize(
    "text", ["{", "}", "{id", "id}", "{}", "{|x}", "{id|{n}}", "{id:week}", "{id:shard0}", "{id:shard}"]
)
def test_not_a_template(text: str) -> None:
    with pytest.raises(TemplateError):
        parse_template(text)
