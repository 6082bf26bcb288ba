"""A service behind the HTTP API whose answers a test sets, the token that it accepts, and what a problem document says."""

from collections.abc import AsyncIterator
from typing import Any

import httpx

from service.core.phases.gate import Condition, Gate
from service.errors import Refused
from service.http_api.access import Access
from service.http_api.contract import ValidationRequest

TOKEN = "right-0123456789"
OWNER = "alice"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
ACCESS = Access({TOKEN: OWNER}, reads_need_token=False, hosts=frozenset({"tablesplit"}))
CONDITIONS = (
    Condition("quarantine", 2, 0, False, "2026-01-01T00:00:00Z", "tablesplit quarantine list"),
    Condition("conflicts", 0, 0, True, None, ""),
)


class FakePhases:
    """The phase and its moves, with answers set by the test."""

    def __init__(self) -> None:
        self.refusal: Refused | None = None
        self.moves: list[tuple[str, str, tuple[str, ...]]] = []
        self.left_behind: list[int | None] = []
        self.by: list[str] = []

    async def gate(self, to: str | None) -> dict[str, Any]:
        if to == "complete":
            raise Refused("no move leads from forward to complete", remedy="from here on: dual")
        return Gate(to or "dual", CONDITIONS).to_json()

    async def phase(self) -> dict[str, Any]:
        return {"phase": "forward"}

    async def start(
        self, to: str, why: str, forced: tuple[str, ...], leave_behind: int | None = None, *, by: str = ""
    ) -> None:
        if self.refusal:
            raise self.refusal
        self.moves.append((to, why, forced))
        self.left_behind.append(leave_behind)
        self.by.append(by)

    async def hold(self, why: str, *, by: str = "") -> dict[str, Any]:
        self.by.append(by)
        return {"hold": why}

    async def release(self, *, by: str = "") -> dict[str, Any]:
        self.by.append(by)
        return {"released": None}


class FakeView:
    """A service whose answers are set by the test."""

    def __init__(self) -> None:
        self.phases = FakePhases()
        self.failure: str | None = None
        self.report: dict[str, Any] | None = None
        self.refusal: Refused | None = None
        self.requested: list[ValidationRequest] = []
        self.crowded = False
        self.explanation: dict[str, Any] | None = None
        self.explained: list[tuple[str, list[str]]] = []

    def unready(self) -> str | None:
        return self.failure

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        return b"tablesplit_ready 1\n", "text/plain; version=1.0.0; charset=utf-8"

    async def status(self) -> dict[str, Any]:
        return {"phase": "forward"}

    async def validation(self, run_id: str | None) -> dict[str, Any] | None:
        return self.report if run_id in (None, "run-1") else None

    async def start_validation(self, request: ValidationRequest) -> str:
        if self.refusal:
            raise self.refusal
        self.requested.append(request)
        return "run-1"

    async def page(self, name: str, after: str, limit: int) -> dict[str, Any]:
        return {"items": [name], "after": after, "limit": limit}

    async def explain(self, key: str, edits: list[str]) -> dict[str, Any] | None:
        self.explained.append((key, edits))
        return self.explanation

    def events(self) -> AsyncIterator[bytes] | None:
        return None if self.crowded else self._events()

    async def _events(self) -> AsyncIterator[bytes]:
        yield b"event: status\ndata: {}\n\n"


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Status and detail of a problem document."""
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == answer.status_code
    assert document["title"]
    return answer.status_code, document["detail"]
