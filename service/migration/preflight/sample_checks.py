"""The checks of preflight that are about old items, from a sample that was mapped; each with its count, and the keys."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from service.core.item.wire import Item, plain_key, shown_key
from service.migration.preflight.sample import Finding, MappedSample

Verdict = Literal["ok", "note", "blocked"]
SHOWN_KEYS = 5


@dataclass(frozen=True, slots=True)
class PreflightCheck:
    """One line of the report. The verdict ``note`` blocks nothing, but the operator should read it."""

    name: str
    value: str
    verdict: Verdict = "ok"
    remedy: str = ""
    keys: tuple[Item, ...] = ()
    """Old keys that it is about; the value has the count of all."""

    def to_json(self) -> dict[str, Any]:
        """Its row of `preflight --json`."""
        return {**asdict(self), "keys": [plain_key(key) for key in self.keys]}

    def key_lines(self) -> list[str]:
        """The first SHOWN_KEYS keys for people, and how many more are listed for programs."""
        texts = list(map(shown_key, self.keys))
        more = [f"and {len(texts) - SHOWN_KEYS} more: --json"] if len(texts) > SHOWN_KEYS else []
        return [*texts[:SHOWN_KEYS], *more]


def sample_checks(mapped_sample: MappedSample, stamp_name: str) -> list[PreflightCheck]:
    """Whether the items can be mapped and come back, and whether `dual` can carry them. ``stamp_name``: the mapping's."""
    rejected = ", ".join(f"{reason} {count}" for reason, count in sorted(mapped_sample.rejected.items()))
    fix = "see `tablesplit migrate --dry-run` for the keys; correct the items or the mapping"
    largest = max(mapped_sample.v2_sizes, default=0)
    return [
        PreflightCheck("mapping", f"{mapped_sample.mapped} of {_scope(mapped_sample)} can be mapped"),
        *_left_out(mapped_sample),
        _checked(mapped_sample, "rejected items", "rejected", rejected or "none", fix),
        _counted(mapped_sample, "inverse", "inverse", "do not come back", "report this: it is a defect"),
        _counted(mapped_sample, "collisions", "collision", "have a v2 key of another", "correct the key templates"),
        *_dual_checks(mapped_sample, stamp_name),
        *_never_expiring(mapped_sample),
        *_carried_index_keys(mapped_sample),
        PreflightCheck(
            "growth", f"v2 items are {mapped_sample.growth:.2f} times as large; the largest {largest} bytes"
        ),
    ]


def _left_out(mapped_sample: MappedSample) -> list[PreflightCheck]:
    if not mapped_sample.left_out:
        return []
    value = f"{mapped_sample.left_out} of {_scope(mapped_sample)} stay behind, as leave_out of the mapping says"
    return [PreflightCheck("left out", value, "note", "they stay in the old table, and no gate asks for them")]


def _never_expiring(mapped_sample: MappedSample) -> list[PreflightCheck]:
    """DynamoDB says nothing of such an item, and lets it stay for ever."""
    what = "have in the attribute of `ttl` no number of seconds since 1970: DynamoDB never deletes them"
    remedy = "make it a field of type epoch; of milliseconds, a transform makes seconds"
    check = _counted(mapped_sample, "never expire", "never_expires", what, remedy)
    return [replace(check, verdict="note")] if check.keys else []


def _carried_index_keys(mapped_sample: MappedSample) -> list[PreflightCheck]:
    """A key of an old index that an entity carries as it is, while most of its items show a field in it: after an edit of the field
    on v2 the old index would not find the item. Only a doubt: nobody knows of what the old application makes it."""
    doubts: dict[tuple[str, str], list[str]] = {}
    for (entity, attribute, name), count in sorted(mapped_sample.look_made.items()):
        if 2 * count >= mapped_sample.carried_index_keys[entity, attribute]:
            doubts.setdefault((entity, attribute), []).append(name)
    return [_carried_index_key(entity, attribute, names) for (entity, attribute), names in doubts.items()]


def _carried_index_key(entity: str, attribute: str, names: list[str]) -> PreflightCheck:
    value = f"{entity} carries {attribute} as it is, and it looks made of {', '.join(names)}: edits on v2 would leave it stale"
    template = "".join(f"{{{name}}}" for name in names)
    remedy = f'if so, write in {entity}: old_made: {{{attribute}: "...{template}"}}, as the old application makes it'
    return PreflightCheck("old index key", value, "note", remedy)


def _dual_checks(mapped_sample: MappedSample, stamp_name: str) -> list[PreflightCheck]:
    """What `dual` cannot carry. A stamp that is left may be this migration's own, so it blocks nothing."""
    rename = f"give the stamp another name in the mapping (`stamp: NAME`), or rename the application's {stamp_name!r}"
    remove = f"unless this migration is in `dual` already: remove {stamp_name!r}, which an earlier one left"
    smaller = "make the items smaller: what is written to them in `dual` waits in quarantine otherwise"
    left = _counted(mapped_sample, "stamps left", "stamp_left", f"have a stamp of tablesplit in {stamp_name!r}", remove)
    return [
        _counted(mapped_sample, "stamp's name", "own_stamp_attribute", f"have an own attribute {stamp_name!r}", rename),
        PreflightCheck(left.name, left.value, "note" if left.keys else "ok", left.remedy, left.keys),
        _counted(mapped_sample, "old size", "old_too_big", "are over 400 KB with a stamp", smaller),
        _counted(mapped_sample, "v2 size", "v2_too_big", "are over 400 KB on v2 with the stamp of `dual`", smaller),
    ]


def _counted(mapped_sample: MappedSample, name: str, finding: Finding, what: str, remedy: str) -> PreflightCheck:
    value = f"{_count(mapped_sample, finding)} of {_scope(mapped_sample)} {what}"
    return _checked(mapped_sample, name, finding, value, remedy)


def _checked(mapped_sample: MappedSample, name: str, finding: Finding, value: str, remedy: str) -> PreflightCheck:
    """Blocked if there is such an item."""
    keys = tuple(mapped_sample.keys.get(finding, ()))
    return PreflightCheck(name, value, "blocked" if keys else "ok", remedy if keys else "", keys)


def _count(mapped_sample: MappedSample, finding: Finding) -> int:
    match finding:
        case "rejected":
            return mapped_sample.rejected.total()
        case "inverse":
            return mapped_sample.inverse_failures
        case "collision":
            return mapped_sample.collisions
        case "never_expires":
            return mapped_sample.never_expire
    return mapped_sample.dual[finding]


def _scope(mapped_sample: MappedSample) -> str:
    """Which items were looked at: all, or how many of them."""
    return f"all {mapped_sample.items} items" if mapped_sample.whole else f"{mapped_sample.items} sampled items"
