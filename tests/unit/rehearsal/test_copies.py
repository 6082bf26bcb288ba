"""The items that a rehearsal's writers create: whatever a key is made of, the mapping can read it."""

import pytest

from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping, load_mapping
from service.core.mapping.transform import forward, old_key
from service.errors import Poison
from service.rehearsal.copies import copy_of, is_copyable
from tests.builders.mappings import crm, single
from tests.builders.small_crm import lead

TEXT = """
version: 2
name: keys
old: {{table: old, partition_key: pk, sort_key: sk, separator: "{separator}"}}
entities:
  RECEIPT:
    table: receipts
    old_key: {{pk: "ACC{separator}{{account}}", sk: "{sort_key}"}}
    key: [account, {field}]
    fields:
      account: {{type: string, required: true}}
      {field}: {{type: {kind}, required: true}}
"""


def mapping(field: str, kind: str, sort_key: str, separator: str = "#") -> Mapping:
    return load_mapping(TEXT.format(field=field, kind=kind, sort_key=sort_key, separator=separator), source="keys.yaml")


def receipt(sort_key: str, separator: str = "#", **fields: dict[str, str]) -> Item:
    return {"pk": {"S": f"ACC{separator}1"}, "sk": {"S": sort_key}, "account": {"S": "1"}, **fields}  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("mapped", "item"),
    [
        (
            mapping("at", "date", "REC#{at}"),
            receipt("REC#2023-04-28T14:51:51.000Z", at={"S": "2023-04-28T14:51:51.000Z"}),
        ),
        (mapping("at", "epoch", "{at}"), receipt("1682693511", at={"N": "1682693511"})),
        (mapping("n", "int", "{n:pad4}"), receipt("0007", n={"N": "7"})),
        (mapping("sku", "string", "{sku:upper}"), receipt("AB", sku={"S": "ab"})),
        (mapping("sku", "string", "S-{sku}", "-"), receipt("S-ab", "-", sku={"S": "ab"})),
        (crm(), lead("a")),
    ],
    ids=["date", "epoch", "padded", "upper", "hyphen", "crm"],
)
def test_a_copy_can_be_mapped_and_has_a_key_of_its_own(mapped: Mapping, item: Item) -> None:
    """A text added to a date, or a number that is too long for its padding, makes a key that nobody can read."""
    copies = [copy_of(mapped, item, suffix) for suffix in ("count-0", "count-1", "1-9")]
    keys = {str(old_key(mapped, each)) for each in (item, *copies)}
    assert len(keys) == 4
    assert {forward(mapped, each).entity for each in copies} == {forward(mapped, item).entity}


def test_a_single_item_has_no_copy() -> None:
    assert not is_copyable(single(), {"pk": {"S": "FRONT"}, "sk": {"S": "FRONT"}})
    assert is_copyable(crm(), lead("a"))


def test_where_no_other_key_can_be_mapped_the_first_reason_is_raised() -> None:
    short = mapping("n", "int", "{n:pad1}")
    with pytest.raises(Poison):
        [copy_of(short, receipt("7", n={"N": "7"}), f"count-{n}") for n in range(20)]
