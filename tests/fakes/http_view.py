"""A service behind the HTTP API whose answers a test sets, the token that it accepts, and what a problem document says."""

from collections.abc import AsyncIterator
from typing import Any

import httpx

from service.core.phases.gate import Condition, Gate
from service.errors import Misconfigured, Refused
from service.http_api.access import Access
from service.http_api.contract import ValidationRequest
from service.http_api.settlement_contract import ChoicesRequest, DropRequest, ResolutionRequest, RetryRequest

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
        self.tables: list[str | None] = []
        self.by: list[str] = []

    async def gate(self, to: str | None) -> dict[str, Any]:
        if to == "complete":
            raise Refused("no move leads from forward to complete", remedy="from here on: dual")
        return Gate(to or "dual", CONDITIONS).to_json()

    async def phase(self) -> dict[str, Any]:
        return {"phase": "forward"}

    async def start(
        self,
        to: str,
        why: str,
        forced: tuple[str, ...],
        leave_behind: int | None = None,
        *,
        table: str | None = None,
        by: str = "",
    ) -> None:
        if self.refusal:
            raise self.refusal
        self.moves.append((to, why, forced))
        self.left_behind.append(leave_behind)
        self.tables.append(table)
        self.by.append(by)

    async def hold(self, why: str, *, by: str = "") -> dict[str, Any]:
        self.by.append(by)
        return {"hold": why}

    async def release(self, *, by: str = "") -> dict[str, Any]:
        self.by.append(by)
        return {"released": None}


class FakeSettlements:
    """Conflicts and keys in quarantine whose answers are set by the test; records what it was asked for."""

    def __init__(self) -> None:
        self.shown: dict[str, Any] = {}
        self.refused: dict[str, str] = {}
        self.asked: list[ChoicesRequest | ResolutionRequest | RetryRequest | DropRequest] = []
        self.by: list[str] = []

    async def conflict(self, conflict_id: str) -> dict[str, Any]:
        return self._shown(conflict_id)

    async def quarantined(self, key_id: str) -> dict[str, Any]:
        return self._shown(key_id)

    async def choices(self, request: ChoicesRequest) -> dict[str, Any]:
        self._note(request)
        chosen = [{"id": name, "lost": [f"what {name} had"], "seen": f"seen {name}"} for name in request.ids]
        return {"choices": [one for one in chosen if one["id"] not in self.refused], "refused": self.refused}

    async def resolve(self, request: ResolutionRequest, *, by: str) -> dict[str, Any]:
        self._note(request, by)
        resolved = [name for name in request.seen if name not in self.refused]
        return {"resolved": resolved, "kept": request.keep, "open": self.refused}

    async def retry(self, request: RetryRequest) -> dict[str, Any]:
        self._note(request)
        failures = [self.refused.get(name) for name in request.ids]
        rows = zip(request.ids, failures, strict=True)
        items = [{"id": name, "applied": failure is None, "failure": failure} for name, failure in rows]
        return {"items": items, "gone": []}

    async def drop(self, request: DropRequest, *, by: str) -> dict[str, Any]:
        self._note(request, by)
        return {"items": [{"id": name, "changes_lost": 2} for name in request.ids], "gone": []}

    def _shown(self, name: str) -> dict[str, Any]:
        if name not in self.shown:
            raise Misconfigured(f"there is no {name}", remedy="see the list")
        document: dict[str, Any] = self.shown[name]
        return document

    def _note(self, request: ChoicesRequest | ResolutionRequest | RetryRequest | DropRequest, by: str = "") -> None:
        self.asked.append(request)
        self.by.append(by)


class FakeView:
    """A service whose answers are set by the test."""

    def __init__(self) -> None:
        self.phases = FakePhases()
        self.settlements = FakeSettlements()
        self.failure: str | None = None
        self.report: dict[str, Any] | None = None
        self.refusal: Refused | None = None
        self.requested: list[ValidationRequest] = []
        self.crowded = False
        self.explanation: dict[str, Any] | None = None
        self.explained: list[tuple[str, list[str]]] = []
        self.points: list[dict[str, Any]] = []
        self.logged: list[dict[str, str]] = []

    def unready(self) -> str | None:
        return self.failure

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        return b"tablesplit_ready 1\n", "text/plain; version=1.0.0; charset=utf-8"

    async def status(self) -> dict[str, Any]:
        return {"phase": "forward"}

    async def history(self) -> dict[str, Any]:
        return {"points": self.points}

    def log(self) -> dict[str, Any]:
        return {"events": self.logged, "as_of": "2026-01-05T09:00:07Z"}

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
