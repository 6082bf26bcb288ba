"""What v2 must hold after a migration, by rules that are written here and not in the mapping."""

from datetime import UTC, datetime
from typing import Any

from service.core.item.wire import Item
from tests.acceptance.command_line import CommandLine

V2_TABLES = {
    "LEAD": "LEADS_TABLE",
    "DEAL": "DEALS_TABLE",
    "RESOURCE": "RESOURCES_TABLE",
    "PIPELINE": "PIPELINES_TABLE",
}


def v2_from_outside(cli: CommandLine) -> dict[tuple[str, str, str], Item]:
    """The live items of v2, by entity, PK and SK: the fields that the writers change."""
    return {
        (entity, item["PK"]["S"], item["SK"]["S"]): {name: item[name] for name in _watched(entity)}
        for entity, variable in V2_TABLES.items()
        for item in cli.scan(variable)
        if "d" not in item["_sync"]["M"]
    }


def _watched(entity: str) -> tuple[str, ...]:
    return ("id", "created_at", "stage") if entity == "DEAL" else ("id", "created_at")


def expected_from_outside(cli: CommandLine) -> dict[tuple[str, str, str], Item]:
    """The same, derived from the old table."""
    expected = {}
    for old in cli.scan("OLD_TABLE_NAME"):
        entity, identity = old["entity_type"]["S"], old["id"]["S"]
        created, month = _created(old.get("created_at"))
        fields: Item = {"id": {"S": identity}, "created_at": {"S": created}}
        if "stage" in _watched(entity):
            fields["stage"] = {"S": old.get("stage", {}).get("S") or "contacted"}
        expected[entity, entity, f"{month}#{identity}"] = fields
    return expected


def _created(value: dict[str, Any] | None) -> tuple[str, str]:
    try:
        moment = datetime.fromisoformat((value or {})["S"])
    except (KeyError, ValueError):
        return "1970-01-01T00:00:00.000Z", "1970-01"
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    assert value is not None
    return value["S"], f"{aware.astimezone(UTC):%Y-%m}"
