"""Reads what a rollback would leave behind, key by key, from the control table: quarantine, conflict log and verification."""

from collections.abc import Iterator

from service.app import App
from service.clock import iso
from service.control.conflicts import ConflictHead, Conflicts, Held
from service.control.quarantine import Quarantine, QuarantineHead
from service.control.verification import Differences, Differing, read_verification
from service.core.phases.left_behind import Lack, LeftBehind, left_behind


async def read_left_behind(app: App) -> LeftBehind:
    """Every key at which the old table does not have everything that was written, on either side, as far as it is known.

    Raises Fatal when a record is damaged.
    """
    quarantine = await Quarantine(app.control, app.clock).heads()
    conflicts = Conflicts(app.control)
    verification = await read_verification(app.control)
    differing = await Differences(app.control).all()
    lacks = [
        *_in_quarantine(quarantine, app.mapping.old.table),
        *_in_conflict(await conflicts.open_heads()),
        *_held(await conflicts.held()),
        *_differing(differing, app.mapping.old.table),
    ]
    unlisted = max(0, verification.differing - len(differing)) if verification is not None else 0
    return left_behind(lacks, unlisted, None if verification is None else iso(verification.finished_at))


def _in_quarantine(heads: dict[str, QuarantineHead], old_table: str) -> Iterator[Lack]:
    for name, head in heads.items():
        waiting = f"{head.waiting} of its changes wait" if head.waiting else "it was never copied"
        lack = (
            "v2 lacks them, and the old table what v2 wrote since"
            if head.table == old_table
            else "not in the old table"
        )
        text = f"{waiting}, {lack} ({head.reason}; tablesplit quarantine show {name})"
        yield Lack(head.table, head.key, "quarantine", text)


def _in_conflict(heads: dict[str, ConflictHead]) -> Iterator[Lack]:
    for name, head in heads.items():
        fields = f" of {', '.join(head.fields)}" if head.fields else ""
        lost = "a repair replaced it" if head.reason == "redriven" else f"a change{fields} lost against v2"
        text = f"{lost} at {iso(head.at)} ({head.reason}; tablesplit conflicts show {name})"
        yield Lack(head.old_table, head.key, "conflict", text)


def _held(held: dict[str, Held]) -> Iterator[Lack]:
    for item in held.values():
        text = f"it lives at {len(item.keys)} keys of v2 since {iso(item.since)}, and nothing of it is carried"
        yield Lack(item.old_table, item.key, "held", text)


def _differing(found: dict[str, Differing], old_table: str) -> Iterator[Lack]:
    for differing in found.values():
        of = f" in {', '.join(differing.fields)}" if differing.fields else ""
        text = f"its two sides differ{of} ({differing.kind}; {differing.remedy})"
        yield Lack(old_table, differing.key, "verification", text)
