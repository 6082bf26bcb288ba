"""The checks of preflight that are about the old table's stream: its view, who else reads it, and what could switch it off."""

import asyncio
from collections.abc import Mapping

from service.app import App
from service.dynamodb.lease_tables import lease_tables
from service.dynamodb.table_description import STREAM_VIEW_TYPE, TableDescription
from service.dynamodb.table_facts import read_stream_readers
from service.dynamodb.table_features import LOGICAL_ID_TAG, STACK_TAG, StreamReaders, Unread
from service.migration.preflight.sample_checks import PreflightCheck
from service.migration.preflight.table_checks import unread

READERS_OF_A_SHARD = 2
"""More are throttled (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html)."""

READERS = (
    f"{READERS_OF_A_SHARD} readers a shard at most, tablesplit is one; "
    "beside a Lambda function set TABLESPLIT_SHARD_READ_SECONDS=1"
)


def check_view(old: TableDescription) -> PreflightCheck:
    """Whether the stream shows both images. It is never switched off: others may read it."""
    if old.stream_view_type is None:
        return PreflightCheck("stream", "off: create-tables enables it")
    if old.stream_view_type == STREAM_VIEW_TYPE:
        return PreflightCheck("stream", f"on, {STREAM_VIEW_TYPE}; {READERS}")
    remedy = f"disable it once nobody reads it; create-tables then enables it as {STREAM_VIEW_TYPE}"
    return PreflightCheck("stream", f"on, but {old.stream_view_type}; {STREAM_VIEW_TYPE} is needed", "blocked", remedy)


async def check_permissions(app: App, old: TableDescription) -> PreflightCheck:
    """Whether the stream can be read."""
    if old.stream_arn is None or old.stream_view_type is None:
        return PreflightCheck("stream permissions", "not tried: there is no stream yet", "note")
    shards = (await app.store.describe_stream(old.stream_arn)).shards
    if shards:
        await app.store.shard_iterator(old.stream_arn, shards[-1].shard_id, "LATEST")
    return PreflightCheck("stream permissions", f"can read the stream: {len(shards)} shards")


async def readers_of(app: App, old: TableDescription) -> StreamReaders:
    """Who reads the old table's stream beside tablesplit; nobody while it is off. Raises what DescribeStream raises."""
    if old.stream_arn is None or old.stream_view_type is None:
        return StreamReaders((), (), ())
    functions, pipes = await asyncio.to_thread(read_stream_readers, app.tables.plane, old.stream_arn)
    shards = [shard.shard_id for shard in (await app.store.describe_stream(old.stream_arn)).shards]
    own = frozenset({old.name, app.settings.control_table, *app.mapping.tables})
    found = await lease_tables(app.tables.plane, app.store, shards, own)
    if not isinstance(found, Unread):
        found = tuple(name for name in found if not name.startswith(f"{app.settings.kcl_application}-"))
    return StreamReaders(functions, pipes, found)


def check_readers(readers: StreamReaders) -> list[PreflightCheck]:
    """One check that names all other readers, and one for each kind that could not be looked for."""
    kinds = {"Lambda": readers.functions, "pipe": readers.pipes, "KCL table": readers.lease_tables}
    hidden = [unread(f"readers ({kind})", fact) for kind, fact in kinds.items() if isinstance(fact, Unread)]
    named = [f"{kind} {one}" for kind, fact in kinds.items() if not isinstance(fact, Unread) for one in fact]
    if not named:
        return [PreflightCheck("stream readers", "no others were found"), *hidden]
    too_many = f": with sync more than the {READERS_OF_A_SHARD} that a shard allows" if len(named) > 1 else ""
    remedy = "before `cutover --finish`, let them read v2's streams: from then on they see tablesplit's writes only"
    if too_many:
        remedy = f"stop one while sync runs, or expect throttled reads; {remedy}"
    return [PreflightCheck("stream readers", f"{'; '.join(named)}{too_many}", "note", remedy), *hidden]


def check_stack(tags: Mapping[str, str] | Unread) -> list[PreflightCheck]:
    """Whether a CloudFormation stack manages the table: its next deployment must not switch off the stream."""
    if isinstance(tags, Unread) or STACK_TAG not in tags:
        return []
    resource = f"{tags.get(LOGICAL_ID_TAG, 'the table')} in stack {tags[STACK_TAG]}"
    remedy = (
        f"add `StreamSpecification: {{StreamViewType: {STREAM_VIEW_TYPE}}}` to its properties (CDK: `stream: "
        f"StreamViewType.{STREAM_VIEW_TYPE}`) before the next deployment, which may switch the stream off otherwise"
    )
    return [PreflightCheck("cloudformation", f"manages the table, as {resource}", "note", remedy)]
