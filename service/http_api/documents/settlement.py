"""Conflicts and keys in quarantine, and the answers of what settles them."""

from typing import Literal

from service.control.conflicts import Kept, Reason
from service.http_api.documents.parts import Document, Key, Page, Place, WireItem


class QuarantinedKey(Document):
    id: str
    table: str
    key: Key
    reason: str
    message: str
    first_seen: str
    attempts: int
    waiting: int
    origin: str
    fields: list[str]


class QuarantinePage(Page):
    count: int
    """Of the whole list."""
    items: list[QuarantinedKey]


class ChangeImages(Document):
    """A write on a table, with the whole item before and after it."""

    version: str
    """Orders it among the changes of its key; empty: there was no change, but a repair replaced `new`."""
    created: float | None
    """When it was made, in epoch seconds; null: not known."""
    old: WireItem | None
    new: WireItem | None


class QuarantinedKeyInFull(QuarantinedKey):
    """One key in quarantine; what `tablesplit quarantine show --json` prints, and the item."""

    changes: list[ChangeImages]
    """Those that wait, oldest first."""
    item_now: WireItem | None
    """What its table has now."""
    as_of: str


class ConflictResolution(Document):
    kept: Kept
    by: str
    at: str


class LostChange(Document):
    """A change of the old side that lost against v2."""

    id: str
    kind: Literal["conflict"]
    table: str
    key: Key
    entity: str
    reason: Reason
    fields: list[str]
    at: str
    resolution: ConflictResolution | None
    remedy: str


class TwoLiveKeys(Document):
    """An item that lives at two v2 keys."""

    id: str
    kind: Literal["two_live_keys"]
    table: str
    key: Key
    entity: str
    v2: list[Place]
    at: str
    remedy: str


class ConflictPage(Page):
    items: list[LostChange | TwoLiveKeys]


class PlaceWithItem(Place):
    item: WireItem | None
    """Stamp included; null: there is none."""


class LostChangeInFull(LostChange):
    """One conflict with all its images; what `tablesplit conflicts show --json` prints."""

    change: ChangeImages
    """The whole change of the old side."""
    v2: list[PlaceWithItem]
    """When the change lost."""
    v2_now: list[PlaceWithItem]
    v2_as_old: list[WireItem | None]
    """The old items that the live v2 items stand for now, one for each; one null: none is live."""
    lost: WireItem | None
    """The old item that lost; null: a delete lost."""
    lost_by_keep_v2: list[str]
    """What keeping v2 gives up, one line for each value."""
    as_of: str


class TwoLiveKeysInFull(TwoLiveKeys):
    """An item that lives at two v2 keys, with what is there now."""

    v2_now: list[PlaceWithItem]
    as_of: str


class ShownChoice(Document):
    id: str
    lost: list[str]
    """What the choice gives up, one line for each value."""
    seen: str
    """Repeat it in /v1/conflicts/resolution, which takes just this choice."""


class ChoicesDocument(Document):
    """What a choice gives up at each conflict."""

    choices: list[ShownChoice]
    refused: dict[str, str]
    """By id, why the choice cannot be made."""


class ResolutionDocument(Document):
    """What was resolved, and what was not."""

    resolved: list[str]
    """The ids."""
    kept: Kept
    open: dict[str, str]
    """By id, why a conflict stays open."""


class RetriedKey(Document):
    id: str
    applied: bool
    failure: str | None
    """Why it stays in quarantine."""


class RetryDocument(Document):
    """What a retry has come to, key by key."""

    items: list[RetriedKey]
    gone: list[str]
    """The ids that are not in quarantine: most have left since they were listed."""


class DroppedKey(Document):
    id: str
    changes_lost: int
    """How many changes waited."""


class DropDocument(Document):
    """What was lost, key by key."""

    items: list[DroppedKey]
    gone: list[str]
    """The ids that are not in quarantine: most have left since they were listed."""
