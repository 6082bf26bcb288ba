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
from service.metrics import Metrics
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
    existing: set[str] = field(default_factory=lambda: {"control"})

    async def old_table(self) -> Any:
        view = "NEW_AND_OLD_IMAGES" if self.on else None
        return SimpleNamespace(name="old", stream_arn=self.arn, stream_view_type=view)

    async def make_missing(self, like: LikeOld) -> dict[str, str]:
        return {"control": "exists"}

    async def complete_own(self, like: LikeOld) -> None:
        pass

    async def droppable(self) -> list[str]:
        return sorted(self.existing)

    async def enable_old_stream(self) -> str:
        self.steps.append("stream")
        self.on = True
        return self.arn

    async def enable_v2_streams(self) -> None:
        self.steps.append("v2 streams")

    async def v2_stream(self, name: str) -> str:
        return self.v2_arns[name]

    async def describe(self, name: str) -> object | None:
        return name if name in self.existing else None


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
