"""Validation of the CRM against DynamoDB Local: real scans, real index queries, real conditions."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from service.clock import SystemClock
from service.config import Settings
from service.control.stores import Stores
from service.control.table import ControlTable
from service.core.item.wire import Item
from service.core.item.write import Delete, Put
from service.core.mapping.mapping import Mapping, load_mapping
from service.core.rules.guarded import copy_write
from service.dynamodb.client import DynamoDBClient
from service.dynamodb.control_plane import ControlPlane
from service.dynamodb.table_description import NewTable
from service.telemetry.metrics import Metrics
from service.validation.options import ValidationOptions
from service.validation.validator import ValidationContext, validate
from tests.builders.mappings import CRM_TEXT
from tests.builders.planes import open_plane, plane_settings

ENTITIES = ("LEAD", "DEAL", "RESOURCE", "PIPELINE")


@dataclass
class Tables:
    """The CRM's tables on a server, under names of their own."""

    plane: DynamoDBClient
    mapping: Mapping
    settings: Settings

    async def migrate(self, items: list[Item]) -> None:
        """Write old items and their copies."""
        await asyncio.gather(*(self.plane.write(Put(self.mapping.old.table, item)) for item in items))
        await asyncio.gather(*(self.plane.write(copy_write(self.mapping, item, 1)) for item in items))

    async def validate(self, **options: Any) -> dict[str, Any]:
        """The report's document."""
        control = ControlTable(self.plane, self.settings.control_table)
        stores = Stores(self.plane, control, self.mapping, SystemClock())
        context = ValidationContext(stores, self.settings, Metrics())
        report = await validate(context, ValidationOptions(**options), asyncio.Event())
        return report.to_json()


@pytest.fixture
async def tables(dynamodb_local: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Tables]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    prefix = f"validate-{uuid4().hex[:8]}"
    mapping = load_mapping(CRM_TEXT, source="crm.yaml", names=lambda variable, default: f"{prefix}-{default}")
    settings = plane_settings(
        dynamodb_local, control_table=f"{prefix}-control", segments=3, page_items=50, settle_seconds=0.2
    )
    control = ControlPlane(settings)
    shapes = {name: (shape.key_names, shape.indexes) for name, shape in mapping.tables.items()}
    made = [
        NewTable(name, key, {index: schema.names for index, schema in indexes.items()})
        for name, (key, indexes) in shapes.items()
    ]
    made += [
        NewTable(mapping.old.table, mapping.old.key_names),
        NewTable(settings.control_table, ("pk", "sk"), stream=False),
    ]
    for table in made:
        control.create_table(table)
    async with open_plane(dynamodb_local) as plane:
        yield Tables(plane, mapping, settings)
    for table in made:
        control.delete_table(table.name)


def crm_item(entity: str, n: int) -> Item:
    """An item as old tables hold them: some attributes absent, some dirty."""
    item: Item = {
        "pk": {"S": f"{entity}#{n}"},
        "sk": {"S": "METADATA"},
        "entity_type": {"S": entity},
        "id": {"S": str(n)},
        "created_at": {"S": f"202{n % 5}-0{n % 9 + 1}-03T04:05:06Z"},
        "odd": {"SS": ["b", "a", f"{n}"]},
    }
    dirty: Item = {
        "created_at": {"S": "yesterday"},
        "followers": {"S": "1,054"},
        "value": {"N": "12345678901234567890123456789012345678"},
        "tags": {"S": "a, b"},
        "is_default": {"S": "true"},
        "status": {"S": ""},
    }
    return item | dirty if n % 3 == 0 else item


@pytest.mark.local
async def test_a_migrated_crm_is_equal_and_each_difference_is_found_and_repaired(tables: Tables) -> None:
    await tables.migrate([crm_item(entity, n) for entity in ENTITIES for n in range(60)])
    report = await tables.validate()
    assert report["result"] == "equal", report["differences"]
    assert {name: counts["equal"] for name, counts in report["counts"].items()} == dict.fromkeys(ENTITIES, 60)
    assert report["index_checks"]["LEAD"]["GSI2"] == {"checked": 60, "found": 60, "missing": 0, "unchecked": 0}

    await spoil(tables)
    report = await tables.validate()
    assert sorted(
        (difference["kind"], difference["old_key"]["pk"], *difference["fields"]) for difference in report["differences"]
    ) == [
        ("extra", "DEAL#7"),
        ("mismatch", "LEAD#1", "GSI1PK", "status"),
        ("missing", "LEAD#2"),
        ("quarantined", "ROBOT#1", "unknown_entity"),
    ]
    report = await tables.validate(repair=True)
    assert (report["repaired"], [difference["kind"] for difference in report["differences"]]) == (3, ["quarantined"])


async def spoil(tables: Tables) -> None:
    """Make one difference of each kind."""
    entities, old = tables.mapping.entities, tables.mapping.old.table
    edited, gone = (copy_write(tables.mapping, crm_item("LEAD", n), 1).item for n in (1, 2))
    robot = {"pk": {"S": "ROBOT#1"}, "sk": {"S": "METADATA"}, "entity_type": {"S": "ROBOT"}}
    deal = {"pk": {"S": "DEAL#7"}, "sk": {"S": "METADATA"}}
    await tables.plane.write(Put(entities["LEAD"].table, edited | {"status": {"S": "x"}, "GSI1PK": {"S": "STATUS#x"}}))
    await tables.plane.write(Delete(entities["LEAD"].table, {name: gone[name] for name in ("PK", "SK")}))
    await tables.plane.write(Delete(old, deal))
    await tables.plane.write(Put(old, robot))


@pytest.mark.local
async def test_a_sample_reads_in_proportion_to_itself(tables: Tables) -> None:
    await tables.migrate([crm_item("LEAD", n) for n in range(400)])
    report = await tables.validate(sample=10, entity="LEAD")
    assert report["result"] == "equal"
    assert report["counts"]["LEAD"]["equal"] == 10
