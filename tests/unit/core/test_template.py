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
        ("{born:year}/{born:day}/{born:hour}", "2024/2024-03-01/2024-03-01T04"),
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


def test_the_month_of_a_number_is_that_of_its_type() -> None:
    fields: Item = {"at": {"N": "1709633000000"}, "text": {"S": "2024-03-05"}}
    for kind, month in (("epoch", ""), ("epoch_ms", "2024-03"), ("date", "")):
        assert parse_template("{at:month}", field_types={"at": kind}).render(fields) == month
    assert (
        parse_template("{at:day}/{at:hour}", field_types={"at": "epoch_ms"}).render(fields)
        == "2024-03-05/2024-03-05T10"
    )
    assert parse_template("{text:month}", field_types={"text": "epoch"}).render(fields) == "2024-03"
    assert parse_template("{absent:month|0}", field_types={"absent": "epoch"}).render(fields) == "1970-01"


@pytest.mark.parametrize(
    "text", ["{", "}", "{id", "id}", "{}", "{|x}", "{id|{n}}", "{id:week}", "{id:shard0}", "{id:shard}"]
)
def test_not_a_template(text: str) -> None:
    with pytest.raises(TemplateError):
        parse_template(text)
