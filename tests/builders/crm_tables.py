"""The CRM's tables on a server, as its application sees them: through boto3."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3

from examples.after import V2Repository
from examples.before import OldRepository
from examples.dual_aware import OldSide
from examples.entities import DEAL, LEAD, Entity, Repository
from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping, load_mapping
from service.dynamodb.control_plane import ControlPlane
from service.dynamodb.table_description import NewTable
from service.dynamodb.tables import new_v2_table
from tests.builders.mappings import CRM_TEXT
from tests.builders.planes import plane_settings

NOW = "2026-02-03T04:05:06+00:00"


@dataclass
class CrmTables:
    """The old table and the v2 tables, under names of the test's own."""

    mapping: Mapping
    resource: Any
    client: Any
    elsewhere: Callable[..., Repository] | None = None
    """Makes the repositories of an application in another language, of an entity and ``old``, ``v2``, ``side``, ...; None: they
    are the Python example's."""

    def before(self, entity: Entity = DEAL) -> Repository:
        if self.elsewhere is not None:
            return self._elsewhere(entity, "before")
        return OldRepository(self.table(self.mapping.old.table), entity, lambda: NOW)

    def old_side(self, entity: Entity = DEAL) -> Repository:
        if self.elsewhere is not None:
            return self._elsewhere(entity, "old")
        return OldSide(self.table(self.mapping.old.table), entity, lambda: NOW)

    def after(self, entity: Entity = DEAL, races: int = 0, deadline_seconds: float = 60.0) -> Repository:
        """races: after how many reads, the first ones, another instance changes the record."""
        if self.elsewhere is not None:
            return self._elsewhere(entity, "v2", races=races, deadline=deadline_seconds)
        table = self.table(self.mapping.entities[entity.name].table)
        return V2Repository(Racing(table, races) if races else table, entity, lambda: NOW, deadline_seconds)

    def _elsewhere(self, entity: Entity, side: str, **more: Any) -> Repository:
        tables = {"old": self.mapping.old.table, "v2": self.mapping.entities[entity.name].table}
        assert self.elsewhere is not None
        return self.elsewhere(entity, side=side, now=NOW, **tables, **more)

    def table(self, name: str) -> Any:
        return self.resource.Table(name)

    def items(self, table: str) -> list[Item]:
        """All items in wire form."""
        items: list[Item] = self.client.scan(TableName=table, ConsistentRead=True)["Items"]
        return items

    def old_items(self) -> list[Item]:
        return self.items(self.mapping.old.table)

    def v2_items(self, entity: Entity = DEAL) -> list[Item]:
        return self.items(self.mapping.entities[entity.name].table)


class Racing:
    """A v2 table in which the item is changed right after each of the first ``races`` reads."""

    def __init__(self, table: Any, races: int) -> None:
        self._table, self._races = table, races

    def __getattr__(self, name: str) -> Any:
        return getattr(self._table, name)

    def get_item(self, **request: Any) -> Any:
        answer = self._table.get_item(**request)
        if self._races:
            self._races -= 1
            self._table.update_item(
                Key=request["Key"],
                UpdateExpression="SET updated_at = :now, #o = :now",
                ExpressionAttributeNames={"#o": "owner"},
                ExpressionAttributeValues={":now": f"race {self._races}"},
            )
        return answer


def make_crm_tables(url: str, prefix: str) -> CrmTables:
    """Empty tables on the server at ``url``."""
    mapping = load_mapping(CRM_TEXT, source="crm.yaml", names=lambda _, default: prefix + default)
    plane, resource, client = connections(url)
    plane.create_table(NewTable(mapping.old.table, ("pk", "sk"), stream=False))
    for name in {mapping.entities[entity.name].table for entity in (LEAD, DEAL)}:
        plane.create_table(new_v2_table(name, mapping.tables[name]))
        client.get_waiter("table_exists").wait(TableName=name)
    return CrmTables(mapping, resource, client)


@cache
def connections(url: str) -> tuple[ControlPlane, Any, Any]:
    """The control plane that creates the tables, the application's resource, and a client that returns items in wire form (the
    resource's own client does not). Cached, because each takes long to make."""
    named = {"endpoint_url": url, "region_name": "ap-southeast-2"}
    return ControlPlane(plane_settings(url)), boto3.resource("dynamodb", **named), boto3.client("dynamodb", **named)
