"""Creates, checks and deletes the tables of a migration: the v2 tables, the control table, and the old table's stream."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from service.clock import Clock
from service.core.mapping.mapping import Mapping, TableShape
from service.core.mapping.model_parts import KEY_WORDS
from service.dynamodb.control_plane import ControlPlane
from service.dynamodb.like_old import LikeOld, begin_stated_expiry, complete, is_own, made_for, with_extras
from service.dynamodb.protocol import StreamStore
from service.dynamodb.table_description import (
    STREAM_VIEW_TYPE,
    IndexDescription,
    IndexNames,
    NewTable,
    Projection,
    TableDescription,
    attribute_names,
    index_names,
    projection_text,
)
from service.dynamodb.table_waits import until_active, until_deleted, until_stream_enabled
from service.errors import GAP_REMEDY, Fatal, Misconfigured, Refused, Retryable, StreamGone
from service.log import get_logger

CONTROL_KEY = ("pk", "sk")


@dataclass(frozen=True, slots=True)
class Tables:
    """Administration of the tables of one migration. Raises Misconfigured when the control table is also a table of the mapping."""

    plane: ControlPlane
    streams: StreamStore
    clock: Clock
    mapping: Mapping
    control_table: str

    def __post_init__(self) -> None:
        # It may have the key of the old table: then records would mix with the items, and `drop` would delete the table.
        if self.control_table in {self.mapping.old.table, *self.mapping.tables}:
            raise Misconfigured(
                f"control table {self.control_table} is a table of the mapping too",
                remedy="set TABLESPLIT_CONTROL_TABLE to a name of its own",
            )

    def wanted(self) -> list[NewTable]:
        """The tables that tablesplit creates: v2 tables with streams, and the control table."""
        v2 = [new_v2_table(name, shape) for name, shape in self.mapping.tables.items()]
        return [*v2, NewTable(self.control_table, CONTROL_KEY, stream=False)]

    async def old_table(self) -> TableDescription:
        """The old table. Raises Misconfigured when it is missing, or its key differs from the mapping's, by name or type."""
        old = self.mapping.old
        table = await self.describe(old.table)
        if table is None:
            raise Misconfigured(
                f"old table {old.table} does not exist in this account and region",
                remedy="set OLD_TABLE_NAME and AWS_REGION (AWS_ENDPOINT_URL for a local server)",
            )
        wanted = (old.partition_key, old.sort_key)
        if table.key != wanted:
            raise Misconfigured(
                f"old table {old.table} has the key {_key_text(table.key)}; the mapping says {_key_text(wanted)}",
                remedy="correct `old:` in the mapping, or OLD_TABLE_NAME",
            )
        for name in old.key_names:
            _require_key_type(table, name, old.key_types.get(name, "S"))
        return table

    async def describe(self, name: str) -> TableDescription | None:
        """The table; None when there is no table of that name."""
        return await asyncio.to_thread(self.plane.describe_table, name)

    async def make_missing(self, like: LikeOld | None = None) -> dict[str, str]:
        """Create the tables that are missing, and wait for them. Returns ``created`` or ``exists`` for each table.

        ``like``: what they get of the old table's; None: nothing. Raises Refused, before anything is created, when an existing
        table differs from what is wanted, or the old table cannot be read as ``like`` needs it.
        """
        existing = {table.name: await self.describe(table.name) for table in self.wanted()}
        for table in self.wanted():
            _require_equal(table, existing[table.name])
        missing = [table for table in self.wanted() if existing[table.name] is None]
        if missing and like is not None:
            missing = await self._with_extras(missing, like)
        made = {table.name for table in missing if await self._create(table)}
        for table in missing:
            await until_active(self.plane, table.name, self.clock)
            await complete(self.plane, table, self.clock)
        return {name: "created" if name in made else "exists" for name in existing}

    async def _create(self, table: NewTable) -> bool:
        """Begin to create a table. False: it exists by now, and nothing shows that this migration made it.

        An answer may be lost, and botocore sends the request again: then the table exists, and its tag says whose it is.
        """
        try:
            await asyncio.to_thread(self.plane.create_table, table)
        except (Fatal, Retryable):
            found = await self.describe(table.name)
            if found is None:
                raise
            _require_equal(table, found)
            return await is_own(self.plane, found, self._owner)
        return True

    async def complete_own(self, like: LikeOld) -> None:
        """Give the existing tables that this migration made what they lack since an earlier call was killed."""
        existing = [(table, await self.describe(table.name)) for table in self.wanted()]
        own = [table for table, found in existing if found is not None and await is_own(self.plane, found, self._owner)]
        for table in await self._with_extras(own, like):
            await complete(self.plane, table, self.clock)

    async def begin_expiry(self) -> None:
        """Let v2's items expire as ``ttl`` of the mapping says (``like_old.begin_stated_expiry``)."""
        await begin_stated_expiry(self.plane, self.mapping)

    async def _with_extras(self, tables: Sequence[NewTable], like: LikeOld) -> list[NewTable]:
        return await with_extras(self.plane, await self.old_table(), self.mapping, tables, like, self._owner)

    @property
    def _owner(self) -> str:
        return made_for(self.control_table, self.mapping.old.table)

    async def make(self, table: NewTable) -> None:
        """Create one more table, unless it exists. Raises Refused when a table of that name has another key."""
        existing = await self.describe(table.name)
        if existing is None:
            await self._create(table)
            await until_active(self.plane, table.name, self.clock)
        elif existing.key != table.key:
            _require_own_key(table, existing)

    async def require_v2_tables(self) -> None:
        """Raises Misconfigured when a v2 table is missing, Refused when one differs from what is wanted."""
        for table in self.wanted():
            existing = await self.describe(table.name)
            if existing is None and table.name != self.control_table:
                raise Misconfigured(
                    f"v2 table {table.name} does not exist", remedy="create the tables: tablesplit create-tables"
                )
            _require_equal(table, existing)

    async def enable_old_stream(self) -> str:
        """Enable the old table's stream if it is off. Returns its ARN, once it is ENABLED.

        Raises Refused when it is on with another view type: tablesplit does not switch off a stream that others may read.
        """
        old = await self.old_table()
        if old.stream_view_type is None:
            await asyncio.to_thread(self.plane.enable_stream, old.name)
        require_both_images(old)
        enabled = await until_stream_enabled(self.plane, self.streams, old.name, self.clock)
        assert enabled.stream_arn is not None
        return enabled.stream_arn

    async def enable_v2_streams(self) -> None:
        """Enable the streams of existing v2 tables where they are off. Returns once they are ENABLED."""
        for name in self.mapping.tables:
            table = await self.describe(name)
            if table is not None and table.stream_view_type is None:
                await asyncio.to_thread(self.plane.enable_stream, name)
                await until_stream_enabled(self.plane, self.streams, name, self.clock)

    async def v2_stream(self, name: str) -> str:
        """The ARN of a v2 table's stream. Raises StreamGone when there is no such table, or its stream is off."""
        table = await self.describe(name)
        if table is None or table.stream_view_type is None or table.stream_arn is None:
            raise StreamGone(f"v2 table {name} has no stream", remedy=GAP_REMEDY)
        return table.stream_arn

    async def existing(self) -> list[TableDescription]:
        """The existing v2 tables and, last, the control table. The old table is never among them.

        Raises Refused when one has another key, since a wrong variable may name any table.
        """
        described = [(table, await self.describe(table.name)) for table in self.wanted()]
        existing = [(table, found) for table, found in described if found is not None]
        for table, found in existing:
            _require_own_key(table, found)
        return [found for _, found in existing]

    async def tagged(self, tables: Iterable[TableDescription]) -> set[str]:
        """The names of those that tablesplit made for this migration, by their tag."""
        return {table.name for table in tables if await is_own(self.plane, table, self._owner)}

    async def drop(self, tables: Sequence[TableDescription]) -> list[str]:
        """Delete ``tables``, which tablesplit made. Returns their names.

        The deletion protection of such a table is one that tablesplit copied: it is switched off.
        """
        for table in tables:
            if table.features.deletion_protection:
                get_logger().info(
                    "switching off the deletion protection that tablesplit gave its table", table=table.name
                )
                await asyncio.to_thread(self.plane.lift_protection, table.name)
                await until_active(self.plane, table.name, self.clock)
        return await self.delete([table.name for table in tables])

    async def delete(self, names: list[str]) -> list[str]:
        """Delete these tables one after the other. Returns their names."""
        for name in names:
            await asyncio.to_thread(self.plane.delete_table, name)
            await until_deleted(self.plane, name, self.clock)
        return names


def require_both_images(old: TableDescription) -> None:
    """Raises Refused when the old table's stream is on without both images."""
    if old.stream_view_type not in (None, STREAM_VIEW_TYPE):
        raise Refused(
            f"the stream of table {old.name} shows {old.stream_view_type}; {STREAM_VIEW_TYPE} is needed",
            remedy=f"disable it once nobody reads it, then run tablesplit create-tables, which enables it as {STREAM_VIEW_TYPE}",
        )


def _require_key_type(old: TableDescription, name: str, wanted: str) -> None:
    kind = old.attribute_types[name]
    if kind != wanted:
        raise Misconfigured(
            f"key attribute {name} of old table {old.name} is of type {kind}; the mapping says {wanted}",
            remedy=f"correct `old: key_types:` in the mapping: {name}: {KEY_WORDS[kind]}",
        )


def new_v2_table(name: str, shape: TableShape) -> NewTable:
    """The v2 table to create, from its shape in the mapping."""
    indexes = {index: index_names(key.partition, key.sort) for index, key in shape.indexes.items()}
    key = (shape.key.partition, shape.key.sort)
    return NewTable(name, key, indexes, key_types=shape.key_types, projections=shape.projections)


def table_differences(wanted: NewTable, existing: TableDescription) -> list[str]:
    """The differences of ``existing`` from ``wanted``, a phrase each; empty when the table can be used."""
    differences = []
    if existing.key != wanted.key:
        differences.append(f"key is {_key_text(existing.key)}, wanted {_key_text(wanted.key)}")
    for name, key in wanted.indexes.items():
        differences += _index_differences(name, key, wanted.projections.get(name), existing.indexes.get(name))
    differences += [
        f"attribute {name} is of type {kind}, wanted {wanted.type_of(name)}"
        for name, kind in sorted(existing.attribute_types.items())
        if kind != wanted.type_of(name) and name in _key_names(wanted)
    ]
    if wanted.stream and existing.stream_view_type != STREAM_VIEW_TYPE:
        differences.append(f"stream is {existing.stream_view_type or 'off'}, wanted {STREAM_VIEW_TYPE}")
    return differences


def _index_differences(
    name: str, key: IndexNames, projection: Projection, existing: IndexDescription | None
) -> list[str]:
    if existing is None:
        return [f"index {name} is missing"]
    differences = []
    if existing.key != key:
        differences.append(f"index {name} has the key {_key_text(existing.key)}, wanted {_key_text(key)}")
    if not _covers(existing.projection, projection):
        found, wanted = projection_text(existing.projection), projection_text(projection)
        differences.append(f"index {name} projects {found}, wanted {wanted}")
    return differences


def _covers(existing: Projection, wanted: Projection) -> bool:
    """Whether an index has every attribute that it is to have."""
    return existing is None or (wanted is not None and set(wanted) <= set(existing))


def _require_equal(wanted: NewTable, existing: TableDescription | None) -> None:
    differences = table_differences(wanted, existing) if existing else []
    if differences:
        raise Refused(
            f"table {wanted.name} exists and is different: {'; '.join(differences)}",
            remedy="give the new table another name (its variable is in the mapping), or delete the existing one yourself",
        )


def _require_own_key(wanted: NewTable, existing: TableDescription) -> None:
    if existing.key != wanted.key:
        raise Refused(
            f"table {wanted.name} has the key {_key_text(existing.key)}, not {_key_text(wanted.key)}: tablesplit did not make it",
            remedy="correct the variable that names it, or delete it yourself",
        )


def _key_names(table: NewTable) -> set[str]:
    return {name for key in (table.key, *table.indexes.values()) for name in attribute_names(key)}


def _key_text(key: IndexNames) -> str:
    """The names; where a key has several attributes they are in brackets."""
    return ", ".join(part if isinstance(part, str) else f"({', '.join(part)})" for part in key if part)
