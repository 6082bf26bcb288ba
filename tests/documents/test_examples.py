"""The examples' repository layer: it writes v2 items as the mapping makes them, does without stamps, and retries conflicts."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import ClientError

from examples.dual_aware import DualRepository, Side
from examples.entities import DEAL, LEAD, AlreadyExists, Entity, Item, NotFound, Ref, Repository
from examples.patience import Contended, patiently
from examples.v2_items import v2_item
from service.core.item.compare import equal, same_value
from service.core.item.stamp import stamped
from service.core.mapping.dates import date_part
from service.core.mapping.transform import forward
from tests.builders.crm_tables import CrmTables, make_crm_tables
from tests.documents.pages import ROOT
from tests.fakes.typescript_example import TypeScriptRepository

JANUARY, FEBRUARY = "2024-01-31T23:30:00-02:00", "2024-02-10"  # both in February, by UTC
MARCH = "2024-03-05T01:00:00Z"
DEAL_7: Item = {"id": "7", "company": "Isdom", "stage": "won", "value": Decimal("12.5"), "created_at": JANUARY}
VERSION = "0001." + "7".zfill(40)
TOMBSTONE = {"v": VERSION, "d": True}

APPLICATIONS = [
    pytest.param(("moto_server", "python"), marks=pytest.mark.moto, id="python-moto"),
    pytest.param(("dynamodb_local", "python"), marks=pytest.mark.local, id="python-local"),
    pytest.param(("dynamodb_local", "typescript"), marks=pytest.mark.local, id="typescript-local"),
]

RECORDS: list[tuple[Entity, Item]] = [
    (DEAL, DEAL_7),
    (DEAL, {"id": "7"}),
    (DEAL, {"id": "7", "title": "", "company": "", "stage": "", "due_date": "", "created_at": "yesterday"}),
    (DEAL, {"id": "7", "title": "Big", "owner": "ann", "due_date": "2024-05", "created_at": MARCH, "won": False}),
    (DEAL, {"id": "7", "history": [{"step": 1}], "custom_fields": {"imported": True}, "created_at": FEBRUARY}),
    (LEAD, {"id": "7"}),
    (LEAD, {"id": "7", "name": "Ann", "company": "Isdom", "status": "customer", "title": "Dr", "created_at": MARCH}),
    (LEAD, {"id": "7", "followers": 9, "bio_match": 0, "tags": ["a"], "source": "web", "regions": {"x", "y"}}),
]


@pytest.fixture(params=APPLICATIONS)
def crm(request, table_prefix) -> CrmTables:
    server, language = request.param
    tables = make_crm_tables(request.getfixturevalue(server), table_prefix)
    if language == "typescript":
        tables.elsewhere = partial(TypeScriptRepository, request.getfixturevalue("typescript_example"))
    return tables


@pytest.fixture
def moto(moto_server, table_prefix) -> CrmTables:
    return make_crm_tables(moto_server, table_prefix)


def same_item(crm: CrmTables, entity: Entity) -> bool:
    """Whether v2 holds one item, and it is what the mapping makes of the one on old."""
    (old,), (v2,) = crm.old_items(), crm.v2_items(entity)
    bare = {name: value for name, value in old.items() if name != "_sync"}
    return equal(forward(crm.mapping, bare).item, {name: value for name, value in v2.items() if name != "_sync"})


@pytest.mark.parametrize("entity, record", RECORDS)
def test_a_record_created_on_v2_is_what_the_mapping_makes_of_the_same_one_created_on_old(crm, entity, record):
    before, after = crm.before(entity).create(record), crm.after(entity).create(record)
    assert before == after
    assert same_item(crm, entity)


CHANGES: list[Callable[[Repository, Ref], Any]] = [
    lambda deals, ref: deals.move_stage(ref, "lost"),
    lambda deals, ref: deals.update(ref, {"company": "Funholding", "owner": "ann", "value": 0}),
    lambda deals, ref: deals.update(ref, {"due_date": "2024-05-01", "pipeline_id": None}),
    lambda deals, ref: deals.update(ref, {"product": "GTX", "history": ["a"]}),
    lambda deals, ref: deals.update(ref, {"product": None, "close_date": None}),
    lambda deals, ref: deals.change_created_at(ref, FEBRUARY),
    lambda deals, ref: deals.change_created_at(ref, MARCH),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_on_v2_is_what_the_mapping_makes_of_the_same_change_on_old(crm, change):
    record = {**DEAL_7, "title": "Big", "product": "GTX", "close_date": "2024-04-01", "pipeline_id": "p"}
    for deals in (crm.before(), crm.after()):
        change(deals, deals.create(record))
    assert same_item(crm, DEAL)


@pytest.mark.parametrize("field, default", [("stage", "contacted"), ("company", ""), ("title", "Deal with Isdom")])
def test_a_field_that_is_taken_away_is_at_its_default_on_v2(moto, field, default):
    deals = moto.after()
    deal = deals.update(deals.create({**DEAL_7, "title": "Big"}), {field: None})
    assert deal[field] == default
    assert forward(moto.mapping, old_form(moto)).item == moto.v2_items()[0]


def old_form(crm: CrmTables) -> dict[str, Any]:
    deals = crm.before()
    (ref,) = [crm.after().find("7")]
    deals.create(crm.after().get(ref) or {})
    return crm.old_items()[0]


def test_both_sides_tell_the_same_of_their_records(crm):
    for deals in (crm.before(), crm.old_side(), crm.after()):
        ref = deals.find("7") or deals.create(DEAL_7)
        assert deals.get(ref) == deals.get(deals.find("7"))
        assert {**DEAL_7, "title": "-"}.items() <= {**deals.get(ref), "title": "-"}.items()
        assert [deal["id"] for deal in deals.list_by_stage("won")] == ["7"]
        assert deals.list_by_stage("lost") == []
        with pytest.raises(AlreadyExists):
            deals.create(DEAL_7)
    for deals in (crm.old_side(), crm.after()):
        deals.delete(ref)
        assert (deals.get(ref), deals.find("7"), deals.list_by_stage("won")) == (None, None, [])


@pytest.mark.parametrize("side", ["old_side", "after"])
def test_a_bare_tombstone_is_no_record(crm, side):
    deals = getattr(crm, side)()
    table = crm.table(crm.mapping.old.table if side == "old_side" else crm.mapping.entities["DEAL"].table)
    key = {"pk": "DEAL#7", "sk": "METADATA"} if side == "old_side" else {"PK": "DEAL", "SK": "2024-02#7"}
    ref = Ref("7", JANUARY)
    table.put_item(Item={**key, "_sync": TOMBSTONE})
    assert (deals.get(ref), deals.find("7"), deals.list_by_stage("won")) == (None, None, [])
    for write in (
        lambda: deals.update(ref, {"value": 1}),
        lambda: deals.update(ref, {"x": 1}),
        lambda: deals.delete(ref),
    ):
        with pytest.raises(NotFound):
            write()
    assert deals.create(DEAL_7) == ref
    assert "_sync" not in table.get_item(Key=key)["Item"]


@pytest.mark.parametrize("change", CHANGES)
def test_a_stamp_is_not_needed_shown_or_changed_on_v2(crm, change):
    crm.before().create({**DEAL_7, "value": "12.50", "PK": "not ours"})
    v2 = stamped(forward(crm.mapping, crm.old_items()[0]), VERSION, "_sync")
    write_wire(crm, v2)
    deals = crm.after()
    change(deals, Ref("7", JANUARY))
    (after,) = crm.v2_items()
    assert "_sync" not in deals.get(deals.find("7"))
    moved = after["SK"] != v2["SK"]
    assert "_sync" not in after if moved else same_value(after["_sync"], v2["_sync"])


def test_the_stamp_stays_with_a_record_that_is_changed_on_old(moto):
    deals = moto.old_side()
    ref = deals.create({**DEAL_7, "_sync": {"v": "1"}})
    assert "_sync" not in deals.update(ref, {"value": 1})
    assert moto.old_items()[0]["_sync"] == {"M": {"v": {"S": "1"}}}


def write_wire(crm: CrmTables, item: dict[str, Any]) -> None:
    read = TypeDeserializer().deserialize
    crm.table(crm.mapping.entities["DEAL"].table).put_item(Item={name: read(value) for name, value in item.items()})


@pytest.mark.parametrize("changes", [{"note": "x"}, {"created_at": MARCH}])
def test_a_change_between_read_and_write_is_kept(crm, changes):
    ref = crm.after().create(DEAL_7)
    crm.after(races=2).update(ref, changes)
    (item,) = crm.v2_items()
    assert item["owner"] == {"S": "race 0"}
    assert ("note" in item.get("custom_fields", {}).get("M", {})) == ("note" in changes)


def test_a_record_that_changes_at_every_attempt_is_given_up_in_the_end(crm):
    ref = crm.after().create(DEAL_7)
    with pytest.raises(Contended):
        crm.after(races=10_000, deadline_seconds=0.2).update(ref, {"note": "x"})


def test_a_record_never_moves_onto_another(crm):
    deals = crm.after(deadline_seconds=0.2)
    deals.create({**DEAL_7, "created_at": MARCH, "value": 1})
    ref = deals.create(DEAL_7)
    with pytest.raises(Contended):
        deals.change_created_at(ref, MARCH)
    assert len(crm.v2_items()) == 2


@pytest.mark.parametrize("side", ["before", "old_side", "after"])
def test_a_change_on_condition_is_made_once(crm, side):
    deals = getattr(crm, side)()
    ref = deals.create(DEAL_7)
    unowned = deals.get(ref).get("owner")
    assert deals.update_if(ref, {"owner": unowned, "note": None}, {"owner": "ann", "note": "hers"})
    assert not deals.update_if(ref, {"owner": unowned}, {"owner": "bob"})
    assert not deals.update_if(ref, {"note": None}, {"owner": "bob"})
    assert deals.update_if(ref, {"note": "hers"}, {"note": "done"})
    assert not deals.update_if(Ref("8", JANUARY), {}, {"owner": "bob"})
    assert {"owner": "ann", "note": "done"}.items() <= deals.get(ref).items()


@pytest.mark.parametrize("side", ["before", "old_side", "after"])
def test_a_counter_counts_whether_v2_has_a_field_for_it_or_not(crm, side):
    deals = getattr(crm, side)()
    ref = deals.create(DEAL_7)
    for amount in (1, 2):
        deals.add(ref, "value", amount)
        deals.add(ref, "calls", amount)
    assert {"value": Decimal("15.5"), "calls": 3}.items() <= deals.get(ref).items()
    with pytest.raises(NotFound):
        deals.add(Ref("8", JANUARY), "value", 1)


def test_a_count_between_read_and_write_is_kept(crm):
    """A gathered counter has no ADD: it is read and written, on condition."""
    ref = crm.after().create(DEAL_7)
    assert crm.after(races=2).add(ref, "calls", 1)["owner"] == "race 0"


def test_a_number_with_more_digits_than_a_float_has_stays_as_it_is(crm):
    exact = Decimal("0.12345678901234567890123456789012345678")
    for deals in (crm.before(), crm.old_side(), crm.after()):
        ref = deals.find("7") or deals.create({**DEAL_7, "rate": exact})
        deals.update(ref, {"note": "x"})
        assert deals.get(ref)["rate"] == exact


DATES = [
    ("2024-01-31", "2024-01"),
    ("20240131", "2024-01"),
    ("2024-02-30", None),
    ("2023-02-29", None),
    ("2024-01-31T23:30:00-02:00", "2024-02"),
    ("2024-02-01 00:30:00.123+0100", "2024-01"),
    ("2024-01-31T23:59:59", "2024-01"),
    ("20240131T2359Z", "2024-01"),
    ("2024-01-31T24:00:00Z", None),
    ("2024-0131", None),
    ("2024-05", None),
    ("1 May 2024", None),
    ("yesterday", None),
    ("", None),
]


@pytest.mark.local
@pytest.mark.parametrize(("text", "month"), DATES)
def test_javascript_takes_a_text_for_the_date_that_the_mapping_takes_it_for(typescript_example, text, month):
    deals = TypeScriptRepository(typescript_example, DEAL, "v2", old="", v2="")
    assert date_part("month", "date", text) == (month or "")
    assert deals.month(text) == month


@pytest.mark.local
def test_a_typescript_instance_changes_sides_at_run_time(dynamodb_local, typescript_example, table_prefix):
    crm = make_crm_tables(dynamodb_local, table_prefix)
    crm.elsewhere = partial(TypeScriptRepository, typescript_example)
    deals = crm.old_side()
    ref = deals.create(DEAL_7)
    assert (len(crm.old_items()), len(crm.v2_items())) == (1, 0)
    deals.side = "v2"
    assert (deals.get(ref), deals.find("7"), deals.list_by_stage("won")) == (None, None, [])
    deals.create({**DEAL_7, "value": 1})
    deals.side = "old"
    deals.delete(ref)
    assert (len(crm.old_items()), len(crm.v2_items())) == (0, 1)


def test_an_instance_changes_sides_at_run_time(moto):
    side: list[Side] = ["old"]
    deals = DualRepository(moto.old_side(), moto.after(), lambda: side[0])
    ref = deals.create(DEAL_7)
    assert (len(moto.old_items()), len(moto.v2_items())) == (1, 0)
    side[0] = "v2"
    assert (deals.get(ref), deals.find("7"), deals.list_by_stage("won")) == (None, None, [])
    moved = deals.change_created_at(deals.create({**DEAL_7, "value": 1}), MARCH)
    assert deals.move_stage(moved, "lost")["value"] == 1
    deals.update(moved, {"note": "v2"})
    side[0] = "old"
    assert deals.get(ref)["value"] == DEAL_7["value"]
    deals.delete(ref)
    assert (len(moto.old_items()), len(moto.v2_items())) == (0, 1)


def refused(code: str, *reasons: str) -> ClientError:
    answer: Any = {"Error": {"Code": code}, "CancellationReasons": [{"Code": reason} for reason in reasons]}
    return ClientError(answer, "PutItem")


CONFLICT = refused("TransactionConflictException")
CANCELLED = "TransactionCanceledException"
ERRORS = [
    (CONFLICT, True),
    (refused(CANCELLED, "None", "TransactionConflict"), True),
    (refused(CANCELLED, "ConditionalCheckFailed", "TransactionConflict"), False),
    (refused(CANCELLED, "ConditionalCheckFailed"), False),
    (refused(CANCELLED), False),
    (refused("ConditionalCheckFailedException"), False),
    (KeyError("x"), False),
]


@pytest.mark.parametrize("error, again", ERRORS)
def test_a_write_is_retried_only_after_a_transaction_conflict(error, again):
    tried = []

    def write(value: int) -> int:
        tried.append(value)
        if len(tried) == 1:
            raise error
        return value

    if again:
        assert patiently(write)(7) == 7
    else:
        with pytest.raises(type(error)):
            patiently(write)(7)
    assert len(tried) == (2 if again else 1)


def test_a_lasting_conflict_is_raised_at_the_deadline():
    def write() -> None:
        raise CONFLICT

    with pytest.raises(ClientError) as raised:
        patiently(write, deadline_seconds=0.05)()
    assert raised.value is CONFLICT


def test_every_name_of_the_mapping_is_known_to_the_example(moto):
    for entity in (LEAD, DEAL):
        names = set(moto.mapping.entities[entity.name].made) - {"_sync", "custom_fields"}
        record = dict.fromkeys(entity.fields, "2024-01-01")
        assert set(v2_item(entity, record)) == names


def test_what_an_application_must_know_are_ten_lines():
    page = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    section = page.partition("## What an application must know\n\n")[2].partition("\n\n")[0]
    assert [line.split(".")[0] for line in section.splitlines()] == [str(number) for number in range(1, 11)]
