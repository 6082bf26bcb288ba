"""A migration about to start, on tables in memory; the order of its first writes is recorded."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from service.app import App
from service.config import Settings
from service.control.stores import Stores
from service.control.table import ControlTable
from service.core.item.write import Put
from service.dynamodb.like_old import LikeOld
from service.telemetry.metrics import Metrics
from tests.builders.small_crm import MAPPING
from tests.fakes.clocks import VirtualClock
from tests.fakes.memory import MemoryDynamoDB


@dataclass
class Tables:
    """Stands in for the control plane: the old table's stream as a test sets it."""

    steps: list[str]
    arn: str
    on: bool = False
    v2_arns: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=lambda: {"control"})
    """Those that exist."""
    ids: dict[str, str] = field(default_factory=dict)
    """The ids of tables, where they are not their names."""
    own: set[str] = field(default_factory=set)
    """Those that have the tag of tables that tablesplit made."""
    dropped: list[str] = field(default_factory=list)

    async def old_table(self) -> Any:
        view = "NEW_AND_OLD_IMAGES" if self.on else None
        return SimpleNamespace(name="old", stream_arn=self.arn, stream_view_type=view)

    async def make_missing(self, like: LikeOld) -> dict[str, str]:
        return dict.fromkeys(self.names, "exists")

    async def complete_own(self, like: LikeOld) -> None:
        pass

    async def begin_expiry(self) -> None:
        self.steps.append("expiry")

    async def existing(self) -> list[Any]:
        return [
            SimpleNamespace(name=name, table_id=self.ids.get(name, name))
            for name in sorted(self.names & {"control", *MAPPING.tables})
        ]

    async def tagged(self, tables: list[Any]) -> set[str]:
        return self.own & {table.name for table in tables}

    async def drop(self, tables: list[Any]) -> list[str]:
        return await self.delete([table.name for table in tables])

    async def delete(self, names: list[str]) -> list[str]:
        self.dropped += names
        self.names -= set(names)
        return names

    async def enable_old_stream(self) -> str:
        self.steps.append("stream")
        self.on = True
        return self.arn

    async def enable_v2_streams(self) -> None:
        self.steps.append("v2 streams")

    async def v2_stream(self, name: str) -> str:
        return self.v2_arns[name]

    async def describe(self, name: str) -> object | None:
        return name if name in self.names else None


class Started:
    """An App on tables in memory that records the order of the writes of a start."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.db = MemoryDynamoDB()
        arn = self.db.create_table("old", ("pk", "sk"))
        self.db.create_table("control", ("pk", "sk"))
        v2_arns = {name: self.db.create_table(name, shape.key_names) for name, shape in MAPPING.tables.items()}
        self.db.after = self._note
        self.tables = Tables(self.steps, arn, v2_arns=v2_arns)
        self.control = ControlTable(self.db, "control")
        self.clock = VirtualClock()
        self.app = cast(
            App,
            SimpleNamespace(
                store=self.db,
                control=self.control,
                stores=Stores(self.db, self.control, MAPPING, self.clock),
                tables=self.tables,
                mapping=MAPPING,
                clock=self.clock,
                metrics=Metrics(),
                settings=Settings(control_table="control"),
            ),
        )

    async def _note(self, operation: str, subject: object) -> None:
        if operation == "write" and isinstance(subject, Put) and subject.table == "control":
            partition = subject.item["pk"]["S"].partition("#")[0]
            forward = '"forward"' in subject.item["document"]["S"]
            self.steps.append(f"{partition} forward" if forward else partition)
