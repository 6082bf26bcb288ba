"""The checks of preflight that are about the old table itself: what it has that a new table does not have by itself.

Each looks at facts that were read, and says what `create-tables` does about them, or what the operator does.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from service.core.mapping.expiry import early_expiry, stated_expiry
from service.core.mapping.mapping import Mapping
from service.dynamodb.table_description import TableDescription
from service.dynamodb.table_features import TableFacts, Unread, own_tags
from service.migration.preflight.sample_checks import PreflightCheck


@dataclass(frozen=True, slots=True)
class OldTableFacts:
    """What the checks look at."""

    table: TableDescription
    facts: TableFacts
    mapping: Mapping


def table_checks(old: OldTableFacts) -> list[PreflightCheck]:
    """A check for each thing that the table has, or whose presence could not be read; and one that names all that it has not."""
    made = {name: judge(old) for name, judge in JUDGES.items()}
    absent = [name for name, check in made.items() if check is None]
    checks = [check for check in made.values() if check is not None]
    return [*checks, PreflightCheck("not there", ", ".join(absent))] if absent else checks


def existing_table(existing: TableDescription, old: TableDescription | None) -> PreflightCheck:
    """The check of a v2 table or the control table that is there and has the right shape: both hold items of the old table."""
    name, key = f"table {existing.name}", None if old is None else old.features.key_arn
    if key is None or existing.features.key_arn == key:
        return PreflightCheck(name, "exists, as it must be")
    encrypted = f"Enabled=true,SSEType=KMS,KMSMasterKeyId={key}"
    remedy = f"aws dynamodb update-table --table-name {existing.name} --sse-specification {encrypted}"
    return PreflightCheck(name, "exists, and is not encrypted with the old table's key", "note", remedy)


def unread(name: str, fact: Unread) -> PreflightCheck:
    """The check of a fact that could not be read: it blocks nothing."""
    return PreflightCheck(name, f"could not be read: {fact.problem}", "note", fact.remedy)


def _encryption(old: OldTableFacts) -> PreflightCheck | None:
    key, manager = old.table.features.key_arn, old.facts.key_manager
    if key is None:
        return None
    if manager == "AWS":
        return PreflightCheck("own key", "AWS manages it: create-tables uses it for v2, too")
    who = f"who manages it could not be read: {manager.problem}; " if isinstance(manager, Unread) else ""
    remedy = "every component's role needs kms:Decrypt and kms:DescribeKey on it, the operator's also kms:CreateGrant"
    return PreflightCheck("own key", f"{who}{key}: create-tables uses it for v2, too", "note", remedy)


def _recovery(old: OldTableFacts) -> PreflightCheck | None:
    fact = old.facts.recovery
    if isinstance(fact, Unread):
        return unread("recovery", fact)
    if fact is None:
        return None
    days = f" for {fact.days} days" if fact.days else ""
    return PreflightCheck("recovery", f"on{days}: create-tables turns it on for v2, too")


def _expiry(old: OldTableFacts) -> PreflightCheck | None:
    fact = old.facts.ttl_attribute
    if isinstance(fact, Unread):
        return unread("time to live", fact)
    early = [name for name in old.mapping.tables if fact and early_expiry(old.mapping, name, fact)]
    late = {name: stated_expiry(old.mapping, name) for name in old.mapping.tables if name not in early}
    never = [name for name, stated in late.items() if fact and not stated]
    value = "; ".join(
        _expiry_texts(fact, early, [f"{name} by {stated}" for name, stated in late.items() if stated], never)
    )
    remedy = f"give each of their entities a field of type int, without a default, for {fact}; or let v2's items stay"
    if never:
        return PreflightCheck("time to live", value, "note", remedy)
    return PreflightCheck("time to live", value) if value else None


def _expiry_texts(fact: str | None, early: list[str], late: list[str], never: list[str]) -> Iterator[str]:
    """``fact``: what old items expire by. Which v2 tables do so from the first, which from `complete` on, and which never."""
    if early:
        v2 = ", ".join(early) if late or never else "v2"
        yield f"by {fact}: create-tables turns it on for {v2}, too"
    if late:
        yield f"{', '.join(late)}: `complete` turns it on, since old items do not expire by it"
    if never:
        yield f"by {fact}, which is not a number in {', '.join(never)}: from `reverse` on nothing expires there"


def _local_indexes(old: OldTableFacts) -> PreflightCheck | None:
    names = ", ".join(old.table.features.local_indexes)
    remedy = "give the mapping a (global) index for each that the application queries; it is not read consistently"
    return PreflightCheck("local indexes", f"{names}: v2 tables have none", "note", remedy) if names else None


def _old_indexes(old: OldTableFacts) -> PreflightCheck | None:
    """The attributes in the keys of its indexes: DescribeTable gives the types of these and of its key, and no others."""
    names = old.table.attribute_types.keys() - set(old.mapping.old.key_names)
    lost = sorted(names - old.mapping.read_from_old())
    if not names:
        return None
    if not lost:
        return PreflightCheck("old indexes", f"{', '.join(sorted(names))}: the mapping makes or carries each of them")
    value = f"{', '.join(lost)}: nothing in the mapping makes or carries them, so they would go stale with writes of v2"
    remedy = "name each in old_made with the template by which the old application makes it, or as a field"
    return PreflightCheck("old indexes", value, "blocked", remedy)


def _deletion_protection(old: OldTableFacts) -> PreflightCheck | None:
    value = "on: create-tables turns it on for v2, too; drop-tables switches it off where it made the table"
    return PreflightCheck("deletion protection", value) if old.table.features.deletion_protection else None


def _tags(old: OldTableFacts) -> PreflightCheck | None:
    fact = old.facts.tags
    if isinstance(fact, Unread):
        return unread("tags", fact)
    tags = own_tags(fact)
    return PreflightCheck("tags", f"{len(tags)}: create-tables sets them for v2, too") if tags else None


def _table_class(old: OldTableFacts) -> PreflightCheck | None:
    kind = old.table.features.table_class
    remedy = f"after `complete`: aws dynamodb update-table --table-class {kind}, if v2 is read as rarely"
    value = f"{kind}: v2 is made as STANDARD, where the copy's writes are cheaper"
    return PreflightCheck("table class", value, "note", remedy) if kind != "STANDARD" else None


def _provisioned(old: OldTableFacts) -> PreflightCheck | None:
    table, scaled = old.table, old.facts.scaled
    if table.billing != "PROVISIONED":
        return None
    scaling = (
        f"whether it scales could not be read: {scaled.problem}"
        if isinstance(scaled, Unread)
        else f"scaled by Application Auto Scaling: {', '.join(scaled)}"
        if scaled
        else "not scaled"
    )
    value = f"{table.read_units} read, {table.write_units} write units a second, {scaling}; v2 is paid per request"
    remedy = (
        "the copy's reads and, in `dual`, v2's changes use the application's units: --max-read-units, or more units"
    )
    return PreflightCheck("provisioned", value, "note", remedy)


def _policy(old: OldTableFacts) -> PreflightCheck | None:
    fact = old.facts.policy
    if isinstance(fact, Unread):
        return unread("resource policy", fact)
    remedy = "before `cutover`, give v2 its own: aws dynamodb put-resource-policy; names in it differ"
    return PreflightCheck("resource policy", "attached: v2 gets none", "note", remedy) if fact else None


def _replicas(old: OldTableFacts) -> PreflightCheck | None:
    features = old.table.features
    if not features.replicas:
        return None
    value = f"{', '.join(features.replicas)}: v2 is made in this region only"
    remedy = "add v2's replicas after the backfill; until `complete`, let the application write in this region only"
    return PreflightCheck("replicas", value, "note", remedy)


def _consistency(old: OldTableFacts) -> PreflightCheck | None:
    if not old.table.features.strongly_consistent:
        return None
    value = (
        "multi-Region strong consistency: v2 would be weaker, since create-tables makes tables of one region, and a write of "
        "another region makes DynamoDB refuse ours (ReplicatedWriteConflictException)"
    )
    remedy = "tablesplit cannot migrate this table: move it to a table of one region first"
    return PreflightCheck("strong consistency", value, "blocked", remedy)


def _kinesis(old: OldTableFacts) -> PreflightCheck | None:
    fact = old.facts.kinesis
    if isinstance(fact, Unread):
        return unread("kinesis", fact)
    remedy = "before `cutover`, give v2 its own: aws dynamodb enable-kinesis-streaming-destination; its records differ"
    value = f"changes go to {', '.join(fact)}: those of v2 do not"
    return PreflightCheck("kinesis", value, "note", remedy) if fact else None


JUDGES: dict[str, Callable[[OldTableFacts], PreflightCheck | None]] = {
    "own key": _encryption,
    "recovery": _recovery,
    "time to live": _expiry,
    "local indexes": _local_indexes,
    "old indexes": _old_indexes,
    "deletion protection": _deletion_protection,
    "tags": _tags,
    "table class": _table_class,
    "provisioned": _provisioned,
    "resource policy": _policy,
    "replicas": _replicas,
    "strong consistency": _consistency,
    "kinesis": _kinesis,
}
"""By the name of the check, in the order of the report. None: the table has nothing of the kind."""
