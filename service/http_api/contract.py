"""The contract of the HTTP side: what it needs from the service, and the bodies of its POSTs."""

from collections.abc import AsyncIterator
from typing import Any, Literal, Protocol

from pydantic import BaseModel, Field

from service.core.phases.acting import Phase
from service.http_api.settlement_contract import SettlementApi
from service.http_api.text import Text, body

ListName = Literal["quarantine", "conflicts", "verification", "audit"]
"""The lists that are shown page by page."""


class ValidationRequest(BaseModel):
    """What to validate; with an empty body, everything. A repair is a command for a person: `tablesplit validate --repair`."""

    model_config = body({"entity": "LEAD", "sample": 1000}, {})

    entity: Text | None = Field(default=None, description="only this entity")
    sample: int | None = Field(default=None, ge=1, description="only about this many items of each entity")


class PhaseRequest(BaseModel):
    """Where to move the phase. While a move has only begun, naming the phase that it leaves gives it up. An override must be given
    twice, in ``force`` and in ``force_again``. Completing cannot be undone: it needs the old table's name in ``table``."""

    model_config = body(
        {"to": "dual", "why": "tuesday"},
        {"to": "dual", "why": "the item is known", "force": ["quarantine"], "force_again": ["quarantine"]},
    )

    to: Literal["forward", "dual", "reverse", "complete"]
    why: Text = Field(default="", description="the reason, for the audit log")
    force: list[Text] = Field(default_factory=list, description="conditions of the gate to override")
    force_again: list[Text] = Field(default_factory=list, description="the same conditions again")
    table: Text | None = Field(default=None, description="the old table's name, as a confirmation; `complete` needs it")
    leave_behind: int | None = Field(
        default=None,
        ge=0,
        description="on the way back, the number of keys at which the old table does not have everything that was written",
    )


class HoldRequest(BaseModel):
    """Why the gate is held, for the audit log."""

    model_config = body({"why": "release freeze"})

    why: Text = Field(min_length=1, max_length=500, description="the reason, shown with the gate")


class PhaseApi(Protocol):
    """The phase, its gate and its moves."""

    async def gate(self, to: Phase | None) -> dict[str, Any]:
        """The document of the gate of the move to ``to``; None: of the next move. Raises Refused when there is no such move."""

    async def phase(self) -> dict[str, Any]:
        """The phase, the move under way, and why the last move that was begun here has stopped."""

    async def start(
        self,
        to: Phase,
        why: str,
        forced: tuple[str, ...],
        leave_behind: int | None = None,
        *,
        table: str | None = None,
        by: str = "",
    ) -> None:
        """Begin a move; ``table``: the old table's name, as a confirmation; ``by``: the token's owner, for the audit log.

        Raises GateClosed (KeysLeftBehind), or another Refused."""

    async def hold(self, why: str, *, by: str = "") -> dict[str, Any]:
        """Close every gate. Returns the hold."""

    async def release(self, *, by: str = "") -> dict[str, Any]:
        """Remove the hold. Returns the hold that there was."""


class ServiceView(Protocol):
    """What the HTTP side shows and starts; ``view.HttpView`` implements it."""

    @property
    def phases(self) -> PhaseApi: ...

    @property
    def settlements(self) -> SettlementApi: ...

    def unready(self) -> str | None:
        """Why this process cannot do its work now, or None."""

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        """The metrics page and its content type, for a request with this Accept header."""

    async def status(self) -> dict[str, Any]:
        """One snapshot of the whole migration."""

    async def history(self) -> dict[str, Any]:
        """Lag and rates of both lanes in the last hour."""

    def log(self) -> dict[str, Any]:
        """The newest events of this process's log."""

    async def validation(self, run_id: str | None) -> dict[str, Any] | None:
        """The report of a run, or without ``run_id`` of the latest one; None when there is none."""

    async def start_validation(self, request: ValidationRequest) -> str:
        """Start a run and return its id. Raises Refused while another one runs in this process."""

    async def page(self, name: ListName, after: str, limit: int) -> dict[str, Any]:
        """A page of a list: at most ``limit`` items after the id ``after`` ("": from the first on)."""

    async def explain(self, key: str, edits: list[str]) -> dict[str, Any] | None:
        """How the item of the old table at ``key`` becomes a v2 item and comes back; None when there is none."""

    def events(self) -> AsyncIterator[bytes] | None:
        """Server-sent events for one more listener; None when there are too many."""
