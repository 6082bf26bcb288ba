"""The repository layer of `examples/` as a rehearsal's application: an instance for each writer, its calls of boto3 in threads."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import boto3
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from examples.after import V2Repository
from examples.dual_aware import DualRepository, OldSide
from examples.entities import DEAL, LEAD, AlreadyExists, Entity, NotFound, Ref, Repository, ref_of
from service.config import Settings
from service.core.item.wire import Item, key_text
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import old_key
from service.core.phases.acting import Side
from service.rehearsal.application import ItemExists, Missing

T = TypeVar("T")
ENTITIES = (LEAD, DEAL)

Links = dict[str, Ref]
"""The Refs by which the rest of the application finds its records, by old key."""

_read = TypeDeserializer().deserialize
_write = TypeSerializer().serialize


class ExampleApplication:
    """Implements ``rehearsal.application.Application`` for leads and deals. links: shared by all instances."""

    def __init__(self, settings: Settings, mapping: Mapping, links: Links) -> None:
        self._mapping = mapping
        self._side: Side = "old"
        self._links = links
        resource = boto3.Session(region_name=settings.aws_region).resource(
            "dynamodb", endpoint_url=settings.endpoint_url
        )
        self._repositories = {entity.name: self._repository(resource, entity) for entity in ENTITIES}

    async def read(self, side: Side, key: Item) -> Item | None:
        """The item in the old table's form."""
        try:
            record = await self._at(side, key, _get)
        except Missing:
            return None
        whole = {**_plain(key), self._mapping.old.entity: _entity(key), **record}
        return {name: _write(value) for name, value in whole.items()}

    async def create(self, side: Side, item: Item) -> None:
        """Write a new item. Raises ItemExists."""
        key = old_key(self._mapping, item)
        own = {*self._mapping.old.key_names, self._mapping.old.entity}
        record = {name: value for name, value in _plain(item).items() if name not in own}
        self._links[key_text(key)] = await self._call(side, key, lambda records: records.create(record))

    async def update(self, side: Side, key: Item, values: Item) -> None:
        """Change fields, including the time of creation. Raises Missing."""
        record = await self._at(side, key, lambda records, ref: records.update(ref, _plain(values)))
        self._links[key_text(key)] = ref_of(record)

    async def delete(self, side: Side, key: Item) -> None:
        """Delete the item. Raises Missing."""
        await self._at(side, key, lambda records, ref: records.delete(ref))
        self._links.pop(key_text(key), None)

    def _repository(self, resource: Any, entity: Entity) -> DualRepository:
        old = OldSide(resource.Table(self._mapping.old.table), entity)
        v2 = V2Repository(resource.Table(self._mapping.entities[entity.name].table), entity)
        return DualRepository(old, v2, lambda: self._side)

    async def _at(self, side: Side, key: Item, operation: Callable[[Repository, Ref], T]) -> T:
        """Run the operation on the record that a link leads to. Raises Missing where there is none, or not yet on this side."""
        ref = self._links.get(key_text(key))
        if ref is None:
            raise Missing
        return await self._call(side, key, lambda records: operation(records, ref))

    async def _call(self, side: Side, key: Item, operation: Callable[[Repository], T]) -> T:
        self._side = side
        try:
            return await asyncio.to_thread(operation, self._repositories[_entity(key)])
        except NotFound:
            raise Missing from None
        except AlreadyExists:
            raise ItemExists from None


def links_to(mapping: Mapping, items: Iterable[Item]) -> Links:
    """Links to items of the old table."""
    return {key_text(old_key(mapping, item)): ref_of(_plain(item)) for item in items}


def _get(records: Repository, ref: Ref) -> dict[str, Any]:
    record = records.get(ref)
    if record is None:
        raise NotFound(ref.id)
    return record


def _entity(key: Item) -> str:
    return str(key["pk"]["S"]).partition("#")[0]


def _plain(item: Item) -> dict[str, Any]:
    return {name: _read(value) for name, value in item.items()}
