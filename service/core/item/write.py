"""Conditional writes as values: what is put, updated or deleted, and the condition for it.

The data plane renders a condition as a ConditionExpression; the tests' in-memory table evaluates the same value, and a
contract test shows that both agree with DynamoDB. The rules use no other conditions than these.
"""

from dataclasses import dataclass

from service.core.item.wire import AttributeValue, Item

Path = tuple[str, ...]
"""An attribute, or one inside maps: ``("_sync", "v")``."""


@dataclass(frozen=True, slots=True)
class Absent:
    """There is nothing at the path; also when there is no item."""

    path: Path


@dataclass(frozen=True, slots=True)
class Exists:
    """There is a value at the path."""

    path: Path


@dataclass(frozen=True, slots=True)
class Equals:
    """The value at the path equals ``value`` as DynamoDB compares: type and content, sets in any order."""

    path: Path
    value: AttributeValue


@dataclass(frozen=True, slots=True)
class Less:
    """The value at the path has the type of ``value`` and is below it (strings by UTF-8 bytes)."""

    path: Path
    value: AttributeValue


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every one of ``conditions`` holds."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of ``conditions`` holds."""

    conditions: tuple["Condition", ...]


Condition = Absent | Exists | Equals | Less | AllOf | AnyOf


@dataclass(frozen=True, slots=True)
class Put:
    """Write the whole ``item`` into ``table`` if ``condition`` holds (None: always)."""

    table: str
    item: Item
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """Set attributes of the item at ``key`` and remove others, if ``condition`` holds (None: always).

    Attributes that are not named stay as they are, also those that another writer adds in the meantime. If there is no item,
    one is made of key and ``set``; servers differ when nothing is set, so then let the condition require the item.
    Raises ValueError when nothing is changed (TransactWriteItems refuses such an update), or an attribute is named twice:
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html.
    """

    table: str
    key: Item
    set: Item
    remove: tuple[str, ...] = ()
    condition: Condition | None = None

    def __post_init__(self) -> None:
        names = [*self.key, *self.set, *self.remove]
        if len(names) == len(self.key) or len(set(names)) < len(names):
            raise ValueError(f"update of {self.table} must change something, and name each attribute once: {names}")


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove the item at ``key`` (key attributes only) from ``table`` if ``condition`` holds (None: always)."""

    table: str
    key: Item
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Change nothing; the transaction succeeds only if ``condition`` holds at ``key``."""

    table: str
    key: Item
    condition: Condition


Write = Put | Update | Delete
TransactItem = Put | Update | Delete | Check
