"""What the new tables get so that they are no worse than the old table: its key, recovery, protection, tags and time to live.

And the time to live that the mapping names itself, once v2 is in use alone.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TypeVar

from service.clock import Clock
from service.core.mapping.expiry import early_expiry, stated_expiry
from service.core.mapping.mapping import Mapping
from service.dynamodb.control_plane import ControlPlane
from service.dynamodb.table_description import NewTable, TableDescription
from service.dynamodb.table_facts import read_facts, recovery_of, tags_of, ttl_of
from service.dynamodb.table_features import AWS_KEY, Recovery, TableExtras, TableFacts, Unread, Warm, own_tags
from service.dynamodb.table_waits import until_recovery
from service.errors import Fatal, Misconfigured, Refused

MADE_TAG = "tablesplit:made-for"
"""The tag of a table that tablesplit made; its value names the migration (``made_for``), which alone may complete and delete it."""
MAX_TAGS = 50
"""Of one table (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Tagging.html)."""
MAX_TAG_CHARACTERS = 256
"""Of a tag's value; letters, digits, spaces and ``+ - = . _ : / @`` (the same page)."""
OWNED_KEY = "none"
"""Instead of a KMS key: the key that DynamoDB owns."""

Fact = TypeVar("Fact")


@dataclass(frozen=True, slots=True)
class LikeOld:
    """What the operator wants of it. None in one of the others: as ``everything`` says."""

    everything: bool = True
    kms_key: str | None = None
    """A key's ARN, id or alias, or OWNED_KEY."""
    recovery: bool | None = None
    deletion_protection: bool | None = None
    tags: bool | None = None
    ttl: bool | None = None
    warm: Warm | None = None
    """Of the v2 tables, whatever the old table has."""

    @property
    def plain(self) -> bool:
        """Whether the tables get nothing of the old one, so that it need not be read."""
        return replace(self, warm=None) == LikeOld(everything=False)


def made_for(control_table: str, old_table: str) -> str:
    """The migration's name in MADE_TAG. No table's name has a ``/``, so no two migrations share one."""
    name = f"{control_table}/{old_table}"
    return name if len(name) <= MAX_TAG_CHARACTERS else f"sha256:{sha256(name.encode()).hexdigest()}"


async def with_extras(
    plane: ControlPlane,
    old: TableDescription,
    mapping: Mapping,
    tables: Sequence[NewTable],
    wanted: LikeOld,
    owner: str,
) -> list[NewTable]:
    """The ``tables``, v2 tables or the control table, with what each gets. ``owner``: the migration, as ``made_for`` names it.

    Raises Refused when something of the old table that matters could not be read.
    """
    if wanted.plain or not tables:
        return [_warmed(table, mapping, wanted) for table in tables]
    facts = await asyncio.to_thread(read_facts, plane, old)
    shared = TableExtras(
        key=_key(old, facts, wanted),
        recovery=_recovery(facts, wanted),
        deletion_protection=_chosen(wanted.deletion_protection, wanted, lambda: old.features.deletion_protection),
        tags=_tags(facts, wanted, owner),
    )
    expiring = _expiring(facts, mapping, wanted)
    made = [replace(table, extras=replace(shared, ttl_attribute=expiring.get(table.name))) for table in tables]
    return [_warmed(table, mapping, wanted) for table in made]


def _warmed(table: NewTable, mapping: Mapping, wanted: LikeOld) -> NewTable:
    return replace(table, extras=replace(table.extras, warm=wanted.warm)) if table.name in mapping.tables else table


def _key(old: TableDescription, facts: TableFacts, wanted: LikeOld) -> str | None:
    if wanted.kms_key is not None:
        return None if wanted.kms_key == OWNED_KEY else wanted.kms_key
    if not wanted.everything:
        return None
    # where it may not be read who manages the key, it is the operator's: AWS's would be refused, never replaced in silence
    return AWS_KEY if facts.key_manager == "AWS" else old.features.key_arn


def _recovery(facts: TableFacts, wanted: LikeOld) -> Recovery | None:
    if wanted.recovery is False or (wanted.recovery is None and not wanted.everything):
        return None
    if wanted.recovery and (isinstance(facts.recovery, Unread) or facts.recovery is None):
        return Recovery(None)
    return _known(facts.recovery, "--recovery or --no-recovery")


def _tags(facts: TableFacts, wanted: LikeOld, owner: str) -> dict[str, str]:
    if not _chosen(wanted.tags, wanted, lambda: True):
        return {}
    tags = own_tags(_known(facts.tags, "--no-tags"))
    made = {**tags, MADE_TAG: owner}
    return made if len(made) <= MAX_TAGS else tags


def _expiring(facts: TableFacts, mapping: Mapping, wanted: LikeOld) -> dict[str, str | None]:
    if not _chosen(wanted.ttl, wanted, lambda: True):
        return {}
    attribute = _known(facts.ttl_attribute, "--no-ttl")
    return {} if attribute is None else {name: early_expiry(mapping, name, attribute) for name in mapping.tables}


def _chosen(own: bool | None, wanted: LikeOld, old: Callable[[], bool]) -> bool:
    return own if own is not None else wanted.everything and old()


def _known(fact: Fact | Unread, option: str) -> Fact:
    if isinstance(fact, Unread):
        raise Refused(
            f"what the old table has could not be read: {fact.problem}",
            remedy=f"{fact.remedy}; or say yourself what v2 gets: tablesplit create-tables {option}",
        )
    return fact


async def is_own(plane: ControlPlane, table: TableDescription, owner: str) -> bool:
    """Whether the migration ``owner`` (``made_for``) made the table, by its tag; not if its tags may not be read."""
    try:
        return (await asyncio.to_thread(tags_of, plane, table)).get(MADE_TAG) == owner
    except Fatal:
        return False


async def complete(plane: ControlPlane, table: NewTable, clock: Clock) -> None:
    """Turn on what CreateTable does not: recovery and time to live. What is on already stays as it is."""
    wanted, name = table.extras, table.name
    if wanted.recovery is not None and await asyncio.to_thread(recovery_of, plane, name) is None:
        await until_recovery(plane, name, wanted.recovery, clock)
    if wanted.ttl_attribute is not None and await asyncio.to_thread(ttl_of, plane, name) is None:
        await asyncio.to_thread(plane.begin_expiry, name, wanted.ttl_attribute)


async def begin_stated_expiry(plane: ControlPlane, mapping: Mapping) -> None:
    """Let the items of each v2 table expire as ``ttl`` of the mapping says, also of a table that tablesplit did not make.

    Only once nothing carries v2's deletions to the old table (``core.mapping.expiry``). Raises Misconfigured when a table's items
    expire by another attribute already.
    """
    for table in mapping.tables:
        wanted = stated_expiry(mapping, table)
        if wanted is None:
            continue
        found = await asyncio.to_thread(ttl_of, plane, table)
        if found is None:
            await asyncio.to_thread(plane.begin_expiry, table, wanted)
        elif found != wanted:
            off = f"Enabled=false,AttributeName={found}"
            raise Misconfigured(
                f"items of {table} expire by {found!r} already, and the mapping says ttl: {wanted}",
                remedy=f"correct `ttl` in the mapping, or turn the other off: "
                f"aws dynamodb update-time-to-live --table-name {table} --time-to-live-specification {off}",
            )
