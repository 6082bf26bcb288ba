"""The command line's refusals for what it reads on a server: missing and different tables, phases, gates, damaged records."""

import json

import pytest

from tests.acceptance.in_process import World
from tests.acceptance.refused_command import Row, check, nothing

BOTH_IMAGES = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}


def no_credentials(world: World) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        world.monkeypatch.delenv(name)


def started(world: World) -> None:
    world.make("OLD_TABLE_NAME")
    assert world.run("create-tables").status == 0


def in_dual(world: World) -> None:
    started(world)
    world.run("migrate")
    table, key = world.name("TABLESPLIT_CONTROL_TABLE"), {"pk": {"S": "state"}, "sk": {"S": "migration"}}
    record = world.dynamodb.get_item(TableName=table, Key=key)["Item"]
    state = {**json.loads(record["document"]["S"]), "phase": "dual", "rule": "ledger", "epoch": 1}
    world.dynamodb.put_item(TableName=table, Item={**record, "document": {"S": json.dumps(state)}})


def different(world: World) -> None:
    started(world)
    world.run("migrate")
    world.set(TABLESPLIT_SETTLE_SECONDS="0")
    lead = {"pk": "LEAD#1", "sk": "METADATA", "entity_type": "LEAD", "id": "1"}
    item = {name: {"S": value} for name, value in lead.items()}
    world.dynamodb.put_item(TableName=world.name("OLD_TABLE_NAME"), Item=item)


def damaged(world: World) -> None:
    started(world)
    record = {
        "pk": {"S": "state"},
        "sk": {"S": "migration"},
        "rev": {"S": "x"},
        "document": {"S": '{"phase": "sideways"}'},
    }
    world.dynamodb.put_item(TableName=world.name("TABLESPLIT_CONTROL_TABLE"), Item=record)


def of_another_table(world: World) -> None:
    started(world)
    other = World(world.monkeypatch, world.capsys, f"{world.prefix}other-", world.folder, world.url)
    other.make("OLD_TABLE_NAME", stream=BOTH_IMAGES)
    world.set(OLD_TABLE_NAME=other.name("OLD_TABLE_NAME"))


ONLINE: dict[str, Row] = {
    "old table missing": (
        nothing,
        ("create-tables",),
        2,
        "old table OLD_TABLE does not exist in this account and region",
    ),
    "wrong key schema": (
        lambda world: world.make("OLD_TABLE_NAME", ("id",)),
        ("create-tables",),
        2,
        "old table OLD_TABLE has the key id; the mapping says pk, sk",
    ),
    "stream of keys only": (
        lambda world: world.make("OLD_TABLE_NAME", stream={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}),
        ("create-tables",),
        1,
        "the stream of table OLD_TABLE shows KEYS_ONLY; NEW_AND_OLD_IMAGES is needed",
    ),
    "v2 table of another shape": (
        lambda world: (world.make("OLD_TABLE_NAME"), world.make("LEADS_TABLE", ("PK",)))[0],
        ("create-tables",),
        1,
        (
            "table PREFIX-leads_table exists and is different: key is PK, wanted PK, SK; index GSI1 is missing; "
            "index GSI2 is missing; stream is off, wanted NEW_AND_OLD_IMAGES"
        ),
    ),
    "drop-tables of a table that is none of ours": (
        lambda world: world.make("PIPELINES_TABLE", ("id",)),
        ("drop-tables", "--yes"),
        1,
        "table PREFIX-pipelines_table has the key id, not PK, SK: tablesplit did not make it",
    ),
    "migrate without v2 tables": (
        lambda world: world.make("OLD_TABLE_NAME"),
        ("migrate",),
        2,
        "v2 table PREFIX-leads_table does not exist",
    ),
    "sync without v2 tables": (
        lambda world: world.make("OLD_TABLE_NAME"),
        ("sync", "--no-http"),
        2,
        "v2 table PREFIX-leads_table does not exist",
    ),
    "validate before the start": (
        lambda world: world.make("OLD_TABLE_NAME"),
        ("validate",),
        2,
        "control table PREFIX-tablesplit_control_table does not exist: nothing has been started",
    ),
    "quarantine before the start": (
        nothing,
        ("quarantine", "list"),
        2,
        "control table PREFIX-tablesplit_control_table does not exist: nothing has been started",
    ),
    "accepting a gap before the start": (
        nothing,
        ("create-tables", "--accept-gap", "--yes"),
        2,
        "control table PREFIX-tablesplit_control_table does not exist: nothing has been started",
    ),
    "cutover before the start": (
        nothing,
        ("cutover", "--yes"),
        2,
        "control table PREFIX-tablesplit_control_table does not exist: nothing has been started",
    ),
    "override of what does not exist": (
        started,
        ("cutover", "--yes", "--force", "weather", "--force-again", "weather"),
        2,
        "--force weather: the gate to dual has no such condition",
    ),
    "override of what cannot be overridden": (
        started,
        ("cutover", "--yes", "--force", "backfill", "--force-again", "backfill"),
        1,
        "backfill cannot be overridden: writes would be lost",
    ),
    "finish before the cutover": (
        started,
        ("cutover", "--yes", "--finish"),
        1,
        "cutover --finish does not lead anywhere from phase forward",
    ),
    "rollback of nothing": (started, ("rollback", "--yes"), 1, "rollback does not lead anywhere from phase forward"),
    "complete too early": (
        started,
        ("complete", "--yes"),
        1,
        "complete does not lead anywhere from phase forward",
    ),
    "tables dropped while v2 is written": (
        in_dual,
        ("drop-tables", "--yes"),
        1,
        "the phase is dual: the application writes v2, or is about to",
    ),
    "copy made anew after the first cutover": (
        in_dual,
        ("migrate", "--again"),
        1,
        "the first cutover has begun: an item that v2 lacks was deleted there, and a copy would bring it back",
    ),
    "unknown quarantine id": (started, ("quarantine", "show", "abc"), 2, "nothing in quarantine has the id abc"),
    "unknown entity": (
        started,
        ("validate", "--entity", "CUSTOMER"),
        2,
        "--entity CUSTOMER: the mapping crm has no such entity",
    ),
    "nothing to resume": (started, ("validate", "--resume"), 1, "no validation to go on with: none is unfinished"),
    "repair before the backfill": (
        started,
        ("validate", "--repair"),
        1,
        "the backfill has not finished: a repair would race it",
    ),
    "output in no folder": (
        started,
        ("validate", "--output", "no/such/folder"),
        3,
        "cannot write differences to no/such/folder: No such file or directory; nothing was compared",
    ),
    "output to a full disk": (
        different,
        ("validate", "--output", "/dev/full"),
        3,
        "cannot write differences to /dev/full: No space left on device; 0 items compared and saved, 0 differences",
    ),
    "control table edited": (
        damaged,
        ("status",),
        3,
        (
            "control table PREFIX-tablesplit_control_table: record state/migration is damaged "
            "(phase: Input should be 'prepare', 'forward', 'dual', 'reverse' or 'complete')"
        ),
    ),
    "control table of another old table": (
        of_another_table,
        ("status",),
        2,
        "control table PREFIX-tablesplit_control_table belongs to old table OLD_TABLE, not PREFIX-other-old_table_name",
    ),
    "no credentials": (no_credentials, ("create-tables",), 2, "no AWS credentials were found"),
}


@pytest.mark.local
def test_a_closed_gate_is_reported_with_every_reason_and_remedy(world: World) -> None:
    started(world)
    closed = [
        "backfill",
        "forward_caught_up",
        "reverse_caught_up",
        "lag",
        "validation",
        "reverse_verified",
        "headroom",
        "workers",
    ]
    result = world.run("cutover", "--yes")
    assert result.status == 1
    assert result.line.startswith(
        "the gate to dual is closed: backfill is not started, wanted finished; forward_caught_up is"
    )
    assert [line.split()[1] for line in result.out.splitlines() if line.startswith("  NO")] == closed
    for command in (("cutover", "--yes", "--json"), ("cutover", "--dry-run", "--json")):
        result = world.run(*command)
        document = json.loads(result.out)
        gate = document.get("gate", document)
        unmet = [condition for condition in gate["conditions"] if not condition["met"]]
        assert (result.status, gate["to"], gate["open"]) == (1, "dual", False)
        assert [condition["name"] for condition in unmet] == closed
        assert all(condition["remedy"] and condition["since"] for condition in unmet)
    assert json.loads(world.run("cutover", "--yes", "--json").out)["error"]["kind"] == "refused"
    assert json.loads(world.run("status", "--json").out)["gate"]["open"] is False


@pytest.mark.local
def test_a_hold_keeps_the_gate_closed_until_it_is_released(world: World) -> None:
    started(world)
    assert world.run("hold", "--why", "sale").status == 0
    assert "NO  hold" in world.run("cutover", "--dry-run").out
    assert world.run("release").out.startswith("released: sale")
    assert world.run("release").out == "there was no hold\n"
    assert "ok  hold" in world.run("cutover", "--dry-run").out


@pytest.mark.local
def test_nothing_is_dropped_when_one_table_is_not_ours(world: World) -> None:
    world.make("LEADS_TABLE", ("PK", "SK"))
    world.make("PIPELINES_TABLE", ("id",))
    assert world.run("drop-tables", "--yes").status == 1
    assert world.dynamodb.describe_table(TableName=world.name("LEADS_TABLE"))["Table"]["TableStatus"] == "ACTIVE"


@pytest.mark.local
@pytest.mark.parametrize("row", ONLINE)
def test_on_dynamodb_local(world: World, row: str) -> None:
    check(world, *ONLINE[row])
