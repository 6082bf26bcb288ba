"""What the HTTP side needs of the process behind it, and what may be asked in a POST."""

from collections.abc import AsyncIterator
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from service.core.phases.acting import Phase
from service.core.phases.gate import Gate


class ValidationRequest(BaseModel):
    """What to validate. Nothing given: everything. Repair is a command for a person: `tablesplit validate --repair`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    entity: str | None = Field(default=None, description="only this entity")
    sample: int | None = Field(default=None, ge=1, description="only about this many items of each entity")


class PhaseRequest(BaseModel):
    """Where to move the phase; back to the phase that is left gives a move up that has only begun. An override is asked for
    twice: in ``force`` and, the same, in ``force_again``. Completing is a command for a person: `tablesplit complete`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    to: Literal["forward", "dual", "reverse"]
    why: str = Field(default="", description="the reason, for the audit log")
    force: list[str] = Field(default_factory=list, description="conditions of the gate to override")
    force_again: list[str] = Field(default_factory=list, description="the same once more")


class HoldRequest(BaseModel):
    """Why the gate is held, or why it is released: for the audit log."""

    model_config = ConfigDict(extra="forbid", strict=True)

    why: str = Field(min_length=1, max_length=500, description="the reason, shown wherever the gate is")


class PhaseApi(Protocol):
    """The phase, its gate and its moves."""

    async def gate(self, to: Phase | None) -> Gate:
        """The gate of the move to ``to``, of the one that leads on without it. Raises Refused when there is no such move."""

    async def phase(self) -> dict[str, Any]: ...

    async def start(self, to: Phase, why: str, forced: tuple[str, ...]) -> None:
        """Begin a move. Raises GateClosed, or another Refused."""

    async def hold(self, why: str) -> dict[str, Any]:
        """Close every gate; what holds them now."""

    async def release(self) -> dict[str, Any]:
        """Take the hold away; what it was."""


class ServiceView(Protocol):
    """What the HTTP side shows and starts; implemented by the composition root."""

    @property
    def phases(self) -> PhaseApi: ...

    def unready(self) -> str | None:
        """Why this process can't do its work now, or None."""

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        """The metrics page and its content type, for who sent this Accept header."""

    async def status(self) -> dict[str, Any]: ...

    async def validation(self, run_id: str | None) -> dict[str, Any] | None:
        """The report of a run, of the latest one without ``run_id``; None when there is none."""

    async def start_validation(self, request: ValidationRequest) -> str:
        """Start a run and return its id. Raises Refused while one runs here."""

    async def quarantine(self) -> dict[str, Any]: ...

    async def conflicts(self) -> dict[str, Any]: ...

    async def audit(self) -> dict[str, Any]: ...

    def events(self) -> AsyncIterator[bytes] | None:
        """Server-sent events for one listener; None when there are too many."""
