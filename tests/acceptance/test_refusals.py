"""The command line's refusals of bad input, for which it needs no server: arguments, settings, the mapping."""

import pytest

from tests.acceptance.in_process import World
from tests.acceptance.refused_command import Row, check, nothing


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


def no_region(world: World) -> None:
    world.monkeypatch.delenv("AWS_REGION")
    world.set(AWS_CONFIG_FILE="/nonexistent", AWS_ENDPOINT_URL="", AWS_EXECUTION_ENV="AWS_ECS_EC2")


DROPS = "This deletes the v2 tables and the control table that tablesplit made, with everything in them, and cannot be undone."
NAME = "Confirm with --table PREFIX-old_table_name or --yes, or run this on a terminal."
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
    "no region in a container of AWS": (no_region, ("status",), 2, "no AWS region is set"),
    "an unknown profile": (
        lambda world: world.set(AWS_PROFILE="nobody", AWS_CONFIG_FILE="/nonexistent"),
        ("status",),
        2,
        "the AWS profile cannot be read: The config profile (nobody) could not be found",
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
        f"{DROPS} {NAME}",
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
            "(URL of another server, such as DynamoDB Local, or of a VPC endpoint; AWS_ENDPOINT_URL_DYNAMODB takes precedence; "
            "when neither is set, the profile's)"
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
        (
            "mine.yaml:21: unknown key 'changetoken'; "
            "known here: table, when, old_key, old_made, key, indexes, projections, partition_attributes, key_types, "
            "change_token, ttl, unmapped, groups, merge, fields"
        ),
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
        (
            "mine.yaml:41: LEAD and DEAL share a table and could get the same key, and only one would come back; "
            "let a key template begin differently"
        ),
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
        "--dry-run changes nothing: it cannot be combined with --wait, --force or --leave-behind.",
    ),
    "keys left behind by a dry run": (
        nothing,
        ("rollback", "--dry-run", "--leave-behind", "0"),
        2,
        "--dry-run changes nothing: it cannot be combined with --wait, --force or --leave-behind.",
    ),
    "keys left behind by a cutover": (
        nothing,
        ("cutover", "--leave-behind", "1"),
        2,
        "No such option '--leave-behind'.",
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
        f"This ends sync in both directions, removes the stamps from v2, and cannot be undone. {NAME}",
    ),
    "hold without a reason": (nothing, ("hold",), 2, "Missing option '--why'."),
    "endpoint down": (
        nothing,
        ("create-tables",),
        3,
        "DescribeTable on OLD_TABLE: cannot connect to http://127.0.0.1:9",
    ),
}


@pytest.mark.parametrize("row", OFFLINE)
def test_without_a_server(offline: World, row: str) -> None:
    check(offline, *OFFLINE[row])


@pytest.mark.parametrize("command", [("status", "--json"), ("create-tables",), ("migrate", "--dry-run")])
def test_a_region_that_nobody_has_set_is_said_in_the_first_line(offline: World, command: tuple[str, ...]) -> None:
    offline.monkeypatch.delenv("AWS_REGION")
    offline.set(AWS_CONFIG_FILE="/nonexistent")
    first, *others = offline.run(*command).err.splitlines()
    assert first.startswith("note: no AWS region is set: ap-southeast-2 is used, the packaged mapping's;")
    assert not [line for line in others if "no AWS region" in line]
