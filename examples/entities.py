"""The application's leads and deals, whichever table holds them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

Item = dict[str, Any]
"""A lead or deal: attribute names to values as boto3's resource API gives them (numbers are Decimals)."""

Changes = Mapping[str, Any]
"""New values by name; None removes the attribute, or sets it back to its default."""

Clock = Callable[[], str]
"""The time as text, for `updated_at`."""

UNDATED = "1970-01-01T00:00:00.000Z"


class NotFound(LookupError):
    """There is no such lead or deal."""


class AlreadyExists(ValueError):
    """There is one with this id."""


@dataclass(frozen=True, slots=True)
class Entity:
    """A kind of record."""

    name: str
    stage: str
    """The field that `list_by_stage` searches by."""

    defaults: Item
    """The fields that always have a value, with their defaults."""

    optional: frozenset[str]
    """The other fields."""

    index: Mapping[str, tuple[str, str]]
    """The index keys on v2, each with the beginning of its value and the field that follows."""

    @property
    def fields(self) -> frozenset[str]:
        """All fields that have an attribute of their own on v2."""
        return self.optional | self.defaults.keys() | {"id", "created_at", "updated_at"}


LEAD = Entity(
    name="LEAD",
    stage="status",
    defaults={"name": "", "company": "", "status": "new", "bio_match": 0, "followers": 0, "tags": []},
    optional=frozenset({"source", "website", "pipeline_id", "pipeline_stage"}),
    index={"GSI1PK": ("STATUS#", "status"), "GSI2PK": ("COMPANY#", "company")},
)
DEAL = Entity(
    name="DEAL",
    stage="stage",
    defaults={"company": "", "stage": "contacted", "owner": "unassigned", "value": 0},
    optional=frozenset({"title", "due_date", "pipeline_id"}),
    index={"GSI1PK": ("STAGE#", "stage"), "GSI2PK": ("OWNER#", "owner")},
)


@dataclass(frozen=True, slots=True)
class Ref:
    """How the rest of the application refers to a record. v2's sort key begins with the month of creation, so it needs that too."""

    id: str
    created_at: str = UNDATED

    @property
    def month(self) -> str:
        """YYYY-MM in UTC; a text without an offset is taken as UTC. Raises ValueError when `created_at` is not a date."""
        created = datetime.fromisoformat(self.created_at)
        return f"{created.replace(tzinfo=created.tzinfo or UTC).astimezone(UTC):%Y-%m}"


def ref_of(item: Item) -> Ref:
    """The Ref of this record. A record without a valid date counts as undated, as on v2."""
    created_at = item.get("created_at")
    return Ref(item["id"], created_at) if isinstance(created_at, str) and is_date(created_at) else Ref(item["id"])


def is_date(text: str) -> bool:
    """Whether a text is an ISO 8601 date, or date and time."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


class Repository(Protocol):
    """What the application does with its leads, or with its deals."""

    def create(self, item: Item) -> Ref:
        """Write a new record; ``item`` has an id. Raises AlreadyExists."""

    def get(self, ref: Ref) -> Item | None:
        """The record, or None."""

    def find(self, id: str) -> Ref | None:  # noqa: A002 (it is the field's name)
        """Where the record is, for a caller that knows only its id. On v2 this reads all records of the kind: keep the Ref."""

    def update(self, ref: Ref, changes: Changes) -> Item:
        """Change fields. Returns the record as it is then. Raises NotFound."""

    def update_if(self, ref: Ref, expected: Changes, changes: Changes) -> bool:
        """Change fields if these still have the values that were read (None: absent). Returns whether; False too where there is no
        record."""

    def add(self, ref: Ref, field: str, amount: int) -> Item:
        """Count: no count of another instance is lost. Returns the record as it is then. Raises NotFound."""

    def move_stage(self, ref: Ref, stage: str) -> Item:
        """Move the record to another stage (of a lead: status). Raises NotFound."""

    def change_created_at(self, ref: Ref, created_at: str) -> Ref:
        """Correct the time of creation, on which the record's v2 key depends. Raises NotFound."""

    def delete(self, ref: Ref) -> None:
        """Raises NotFound."""

    def list_by_stage(self, stage: str) -> list[Item]:
        """All records at a stage."""


def timestamp() -> str:
    """The current time, as `updated_at` holds it."""
    return datetime.now(UTC).isoformat()
