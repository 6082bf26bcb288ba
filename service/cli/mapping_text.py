"""What `mapping explain` and `mapping test` print for people. Every text of an item is escaped."""

from collections.abc import Iterator, Sequence

import orjson

from service.core.item.wire import AttributeValue, shown_key
from service.core.mapping.explain import Edit, Explanation, Row
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import old_key_text
from service.core.mapping.trial import SharedKey, Trial, TriedItem
from service.errors import Poison
from service.escape import escaped, lines_of

VALUE_CHARACTERS = 60
"""A longer value is cut for people; `--json` has it whole."""

OUTCOMES = {
    "given_back": "given back",
    "not_given_back": "NOT given back",
    "rejected": "REJECTED",
    "left_out": "left out",
}


def explanation_text(mapping: Mapping, explained: Explanation) -> str:
    """The explanation of one item, a line for each attribute."""
    return lines_of(_explanation_lines(mapping, explained))


def _explanation_lines(mapping: Mapping, explained: Explanation) -> Iterator[str]:
    yield f"old item {old_key_text(mapping, explained.old_key)}: entity {explained.entity}"
    if explained.left_out:
        yield "it stays behind: leave_out names it"
        return
    if explained.refusal is not None or explained.v2 is None:
        yield from _refusal_lines("it goes to quarantine", explained.refusal)
        return
    yield f"on v2: table {explained.v2.table}, {shown_key(explained.v2.key)}"
    yield from _row_lines(explained.made)
    yield "given back to the old table:"
    yield from _row_lines(explained.back)
    if explained.differs:
        yield f"DOES NOT come back byte for byte: {', '.join(explained.differs)}"
    else:
        yield "comes back byte for byte"
    if explained.edit is not None:
        yield from _edit_lines(explained.edit)


def _edit_lines(edit: Edit) -> Iterator[str]:
    written = ", ".join(f"{name} = {_value_text(value)}" for name, value in edit.changes.items())
    yield f"after the edit on v2: {written}"
    if edit.refusal is not None:
        yield from _refusal_lines("it cannot be carried to the old table", edit.refusal)
        return
    yield "changed in the old item:" if edit.old or edit.gone else "nothing is changed in the old item"
    yield from _row_lines(edit.old)
    yield from (f"  {name}  (gone)" for name in edit.gone)
    if edit.moves:
        yield "the item moves to another v2 key: v2's application puts it there and deletes it here (else: v2_key_mismatch)"
    if edit.beside:
        yield "v2's application has to write with it:"
        yield from _row_lines(edit.beside)


def _refusal_lines(what: str, refusal: Poison | None) -> Iterator[str]:
    if refusal is not None:
        yield f"{what}: {refusal.reason}: {refusal.message}"
        if refusal.remedy:
            yield f"what to do: {refusal.remedy}"


def _row_lines(rows: Sequence[Row]) -> Iterator[str]:
    """The rows in columns."""
    shown = [(escaped(row.name), _value_text(row.value), row.why) for row in rows]
    names = max((len(name) for name, _, _ in shown), default=0)
    values = max((len(value) for _, value, _ in shown), default=0)
    yield from (f"  {name:{names}}  {value:{values}}  {why}" for name, value, why in shown)


def _value_text(value: AttributeValue | None) -> str:
    text = "(absent)" if value is None else escaped(orjson.dumps(value).decode())
    return text if len(text) <= VALUE_CHARACTERS else f"{text[: VALUE_CHARACTERS - 3]}..."


def trial_text(mapping: Mapping, trial: Trial) -> str:
    """A line for each item, then the counts."""
    return lines_of([*(_tried_line(mapping, item) for item in trial.items), *_sum_lines(mapping, trial)])


def _tried_line(mapping: Mapping, item: TriedItem) -> str:
    place = f" -> {item.v2.table} {shown_key(item.v2.key)}" if item.v2 is not None else ""
    why = f"{item.reason}: {item.message}" if item.reason else ", ".join(item.differs)
    line = f"{OUTCOMES[item.outcome]}  {item.entity}  {old_key_text(mapping, item.old_key)}{place}"
    return f"{line}: {why}" if why else line


def _sum_lines(mapping: Mapping, trial: Trial) -> Iterator[str]:
    back, not_back = trial.total("given_back"), trial.total("not_given_back")
    yield f"{len(trial.items)} items: {back} given back, {not_back} not given back, {trial.total('rejected')} rejected"
    if trial.total("left_out"):
        yield f"left out, they stay behind: {trial.total('left_out')}"
    yield f"by entity: {_counts_text(trial.entities)}"
    if trial.rejected:
        yield f"rejected: {_counts_text(trial.rejected)}"
    yield from (_shared_line(mapping, shared) for shared in trial.shared)


def _counts_text(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"


def _shared_line(mapping: Mapping, shared: SharedKey) -> str:
    olds = "; ".join(old_key_text(mapping, key) for key in shared.old_keys)
    return f"ONE v2 key for several items: {shared.table} {shown_key(shared.key)}: {olds}"
