"""The command line's answer to bad input: the exact line, what to do, and the exit status, as text and as JSON."""

import json
from collections.abc import Callable

import pytest

from tests.acceptance.in_process import World

BOTH_IMAGES = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
Row = tuple[Callable[[World], None], tuple[str, ...], int, str]


def nothing(_: World) -> None:
    """As it is."""


def colliding(world: World) -> None:
    deal = 'variable: DEALS_TABLE, default: CRM-Deals-v2}\n    old_key: {pk: "DEAL#{id}", sk: METADATA}\n    key: {PK: DEAL,'
    lead = 'variable: LEADS_TABLE, default: CRM-Leads-v2}\n    old_key: {pk: "DEAL#{id}", sk: METADATA}\n    key: {PK: LEAD,'
    world.mapping(deal, lead)


def _java_alone(world: World) -> None:
    java = world.folder / "java"
    java.touch(mode=0o755)
    world.set(PATH=str(world.folder), TABLESPLIT_KCL_JARS="/nowhere")


def _file(world: World, text: str) -> str:
    file = world.folder / "kcl.properties"
    file.write_text(text)
    return str(file)


YES = "Confirm with --yes, or run this on a terminal."
OFFLINE: dict[str, Row] = {
    "unknown command": (nothing, ("fly",), 2, "No such command 'fly'."),
    "unknown option": (nothing, ("migrate", "--hurry"), 2, "No such option '--hurry'."),
    "segments out of bounds": (
        nothing,
        ("migrate", "--segments", "0"),
        2,
        "Invalid value for '--segments': 0 is not in the range 1<=x<=10000.",
    ),
    "write units not a number": (
        nothing,
        ("migrate", "--max-write-units", "many"),
        2,
        "Invalid value for '--max-write-units': 'many' is not a valid float range.",
    ),
    "sample out of bounds": (
        nothing,
        ("validate", "--sample", "0"),
        2,
        "Invalid value for '--sample': 0 is not in the range x>=1.",
    ),
    "unknown engine": (
        nothing,
        ("sync", "--engine", "kafka"),
        2,
        "Invalid value for '--engine': 'kafka' is not one of 'embedded', 'kcl'.",
    ),
    "the kcl engine without Java": (
        lambda world: world.set(PATH="/nowhere"),
        ("sync", "--engine", "kcl"),
        2,
        "the kcl engine needs Java, and there is no `java`",
    ),
    "the kcl engine without its jar": (
        _java_alone,
        ("sync", "--engine", "kcl"),
        2,
        "the kcl engine's streams-multilang-daemon.jar is not in /nowhere",
    ),
    "a wrong line in the KCL properties": (
        lambda world: world.set(
            TABLESPLIT_ENGINE="kcl", TABLESPLIT_KCL_PROPERTIES=_file(world, "maxRecords = 1\nworkerId = x\n")
        ),
        ("sync",),
        2,
        "kcl.properties:2: workerId is set by tablesplit",
    ),
    "retry of nothing": (nothing, ("quarantine", "retry"), 2, "Give IDs, or --all."),
    "show without an id": (nothing, ("quarantine", "show"), 2, "Missing argument 'ID'."),
    "drop-tables without a yes": (
        nothing,
        ("drop-tables",),
        2,
        f"This deletes the v2 tables and the control table with everything in them, and cannot be undone. {YES}",
    ),
    "accepting a gap without a yes": (
        nothing,
        ("create-tables", "--accept-gap"),
        2,
        f"Changes that the stream no longer holds are not applied until `tablesplit validate --repair` has run. {YES}",
    ),
    "dropping changes without a yes": (
        nothing,
        ("quarantine", "drop", "abc"),
        2,
        f"The changes that wait under abc will be lost. {YES}",
    ),
    "misspelt setting": (
        lambda world: world.set(TABLESPLIT_SEGMENT="3"),
        ("status",),
        2,
        "TABLESPLIT_SEGMENT is not a setting",
    ),
    "setting out of bounds": (
        lambda world: world.set(TABLESPLIT_HTTP_PORT="99999"),
        ("status",),
        2,
        "TABLESPLIT_HTTP_PORT=99999: input should be less than or equal to 65535 (port that the HTTP server listens on)",
    ),
    "setting not a number": (
        lambda world: world.set(TABLESPLIT_SEGMENTS="eight"),
        ("status",),
        2,
        (
            "TABLESPLIT_SEGMENTS=eight: input should be a valid integer, unable to parse string as an integer "
            "(number of parallel Scan segments of a validation, and of each job of a backfill)"
        ),
    ),
    "times that do not fit": (
        lambda world: world.set(TABLESPLIT_PURGE_GRACE_SECONDS="5"),
        ("status",),
        2,
        "TABLESPLIT_PURGE_GRACE_SECONDS=5: must exceed the writer horizon (21 s: lease + request timeout + clock margin)",
    ),
    "variable that is no table name": (
        lambda world: world.set(LEADS_TABLE="CRM Leads"),
        ("status",),
        2,
        "LEADS_TABLE=CRM Leads: not a table name",
    ),
    "endpoint without a scheme": (
        lambda world: world.set(AWS_ENDPOINT_URL="localhost:8000"),
        ("status",),
        2,
        (
            "AWS_ENDPOINT_URL=localhost:8000: string should match pattern '^https?://[^/]+' "
            "(URL of another server, such as DynamoDB Local; AWS_ENDPOINT_URL_DYNAMODB takes precedence)"
        ),
    ),
    "mapping file missing": (
        lambda world: world.set(TABLESPLIT_MAPPING="nowhere.yaml"),
        ("status",),
        2,
        "mapping file nowhere.yaml: No such file or directory",
    ),
    "mapping with an unknown key": (
        lambda world: world.mapping("change_token", "changetoken"),
        ("status",),
        2,
        "mine.yaml:21: unknown key 'changetoken'; known here: table, old_key, key, indexes, change_token, unmapped, fields",
    ),
    "mapping that is not YAML": (
        lambda world: world.mapping("entities:", "entities: ["),
        ("status",),
        2,
        "mine.yaml:15: not YAML: expected ',' or ']', but got ':'",
    ),
    "template of what can be absent": (
        lambda world: world.mapping("COMPANY#{company|unknown}", "COMPANY#{source}"),
        ("status",),
        2,
        "mine.yaml:20: template names 'source', which can be absent or empty; write {source|fallback}",
    ),
    "entities that collide": (
        colliding,
        ("status",),
        2,
        "mine.yaml:41: LEAD and DEAL share a table and could get the same key; let a key template begin differently",
    ),
    "control table is the old table": (
        lambda world: world.set(TABLESPLIT_CONTROL_TABLE=world.name("OLD_TABLE_NAME")),
        ("drop-tables", "--yes"),
        2,
        "control table OLD_TABLE is a table of the mapping too",
    ),
    "control table is a v2 table": (
        lambda world: world.set(TABLESPLIT_CONTROL_TABLE=world.name("LEADS_TABLE")),
        ("create-tables",),
        2,
        "control table PREFIX-leads_table is a table of the mapping too",
    ),
    "region that cannot be one": (
        lambda world: world.set(AWS_REGION="a b"),
        ("create-tables",),
        2,
        "AWS cannot be used as configured: Provided region_name 'a b' doesn't match a supported format.",
    ),
    "watch as one document": (
        nothing,
        ("status", "--watch", "--json"),
        2,
        "--watch and --json cannot be combined: --json prints one document.",
    ),
    "watch until": (
        nothing,
        ("status", "--watch", "--until-caught-up", "5"),
        2,
        "--watch and --until-caught-up cannot be combined: --watch runs until it is stopped.",
    ),
    "override asked for once": (
        nothing,
        ("cutover", "--force", "hold", "--yes"),
        2,
        "An override must be confirmed twice: --yes, and --force-again hold.",
    ),
    "override without a terminal": (
        nothing,
        ("rollback", "--force", "hold", "--force", "lag"),
        2,
        "An override must be confirmed twice: --yes, and --force-again hold --force-again lag.",
    ),
    "override of something else the second time": (
        nothing,
        ("cutover", "--force", "hold", "--force-again", "lag", "--yes"),
        2,
        "An override must be confirmed twice: --yes, and --force-again hold.",
    ),
    "second half of an override alone": (
        nothing,
        ("cutover", "--force-again", "lag", "--yes"),
        2,
        "An override must be confirmed twice: --yes, and name it in --force too.",
    ),
    "override twice without a yes": (
        nothing,
        ("cutover", "--force", "hold", "--force-again", "hold"),
        2,
        f"This overrides hold: the gate prevents the loss of writes. {YES}",
    ),
    "override of a dry run": (
        nothing,
        ("cutover", "--dry-run", "--force", "hold"),
        2,
        "--dry-run changes nothing: it cannot be combined with --wait or --force.",
    ),
    "wait of a negative time": (
        nothing,
        ("rollback", "--wait", "-1"),
        2,
        "Invalid value for '--wait': -1.0 is not in the range 0<=x<=604800.",
    ),
    "complete without a yes": (
        nothing,
        ("complete",),
        2,
        f"This ends sync in both directions, removes the stamps from v2, and cannot be undone. {YES}",
    ),
    "hold without a reason": (nothing, ("hold",), 2, "Missing option '--why'."),
    "endpoint down": (
        nothing,
        ("create-tables",),
        3,
        "DescribeTable on OLD_TABLE: cannot connect to http://127.0.0.1:9",
    ),
}


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
        ("cutover",),
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
        ("cutover", "--finish"),
        1,
        "cutover --finish does not lead anywhere from phase forward",
    ),
    "rollback of nothing": (started, ("rollback",), 1, "rollback does not lead anywhere from phase forward"),
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
    result = world.run("cutover")
    assert result.status == 1
    assert result.line.startswith(
        "the gate to dual is closed: backfill is not started, wanted finished; forward_caught_up is"
    )
    assert [line.split()[1] for line in result.out.splitlines() if line.startswith("  NO")] == closed
    for command in (("cutover", "--json"), ("cutover", "--dry-run", "--json")):
        result = world.run(*command)
        document = json.loads(result.out)
        gate = document.get("gate", document)
        unmet = [condition for condition in gate["conditions"] if not condition["met"]]
        assert (result.status, gate["to"], gate["open"]) == (1, "dual", False)
        assert [condition["name"] for condition in unmet] == closed
        assert all(condition["remedy"] and condition["since"] for condition in unmet)
    assert json.loads(world.run("cutover", "--json").out)["error"]["kind"] == "refused"
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


@pytest.mark.parametrize("row", OFFLINE)
def test_without_a_server(offline: World, row: str) -> None:
    check(offline, *OFFLINE[row])


@pytest.mark.local
@pytest.mark.parametrize("row", ONLINE)
def test_on_dynamodb_local(world: World, row: str) -> None:
    check(world, *ONLINE[row])


def check(world: World, arrange: Callable[[World], None], command: tuple[str, ...], status: int, line: str) -> None:
    """The exact line and a remedy on stderr, nothing on stdout; with --json the same as the one document on stdout."""
    arrange(world)
    result = world.run(*command)
    expected = line.replace("OLD_TABLE", world.name("OLD_TABLE_NAME")).replace("PREFIX-", world.prefix)
    assert (result.status, result.line.removeprefix(f"{world.folder}/")) == (status, expected)
    assert result.err.splitlines()[1].startswith("what to do: ")
    assert result.out == "" or "--json" in command
    again = world.run(*command, *(() if "--json" in command else ("--json",)))
    error = json.loads(again.out)["error"]
    assert (again.status, error["message"]) == (status, result.line)
    assert error["kind"] in {"misconfigured", "refused", "fatal", "retryable"}
    assert error["remedy"]
