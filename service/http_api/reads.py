"""Every GET: probes, metrics, and the documents that the command line prints too."""

from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import PlainTextResponse

from service.control.verification import PAGE_ITEMS
from service.core.phases.acting import Phase
from service.http_api.contract import ListName, ServiceView
from service.http_api.documents.comparison import (
    Explanation,
    FailedValidation,
    UnfinishedValidation,
    ValidationReport,
    VerificationPage,
)
from service.http_api.documents.parts import Page
from service.http_api.documents.phase import AuditPage, PhaseDocument, SharedGateDocument
from service.http_api.documents.settlement import ConflictPage, QuarantinePage
from service.http_api.documents.status import HistoryDocument, LogDocument, StatusDocument
from service.http_api.openapi import TOKEN, answers
from service.http_api.problems import HttpProblem

LONGEST_PAGE = 250
"""Items of one page: reading more of them at once would hold up the lanes, which share the event loop, for over 50 ms."""

LONGEST_KEY = 4096
"""Characters: a partition key has 2,048 bytes at most, a sort key 1,024, and their names 255 each."""
LONGEST_EDIT = 4096
EDITS_AT_MOST = 20

LISTS: dict[ListName, str] = {
    "quarantine": "The keys in quarantine, and how many there are",
    "audit": "The audit log: who moved the phase, when and why",
    "conflicts": "Changes that lost against v2, and items with two live keys",
    "verification": "The touched keys whose two sides differ",
}


PAGES: dict[ListName, type[Page]] = {
    "quarantine": QuarantinePage,
    "audit": AuditPage,
    "conflicts": ConflictPage,
    "verification": VerificationPage,
}


def add_probes(api: FastAPI, view: ServiceView) -> None:
    @api.get("/healthz", summary="The process is alive", response_class=PlainTextResponse, responses=answers(None))
    async def healthz() -> str:
        return "ok\n"

    @api.get(
        "/readyz",
        summary="The process can do its work; 503 with the reason if not",
        response_class=PlainTextResponse,
        responses=answers(None, 503),
    )
    async def readyz() -> str:
        reason = view.unready()
        if reason is not None:
            raise HttpProblem(503, "Not ready", reason)
        return "ready\n"

    @api.get("/metrics", summary="Prometheus metrics", response_class=PlainTextResponse, responses=answers(None, 503))
    async def metrics(request: Request) -> Response:
        content, content_type = await view.metrics(request.headers.get("accept", ""))
        return Response(content, headers={"Content-Type": content_type})


def add_reads(api: FastAPI, view: ServiceView, readers: list[Any]) -> None:
    """``readers``: the dependencies of whatever shows items, or texts of people."""

    @api.get(
        "/v1/status",
        summary="One snapshot of the whole migration",
        dependencies=readers,
        response_model=None,
        responses=answers(StatusDocument, *TOKEN, 503),
    )
    async def status() -> dict[str, Any]:
        return await view.status()

    @api.get(
        "/v1/history",
        summary="Lag and rates of both lanes in the last hour",
        dependencies=readers,
        response_model=None,
        responses=answers(HistoryDocument, *TOKEN),
    )
    async def history() -> dict[str, Any]:
        return await view.history()

    @api.get(
        "/v1/log",
        summary="The newest events of this process's log",
        dependencies=readers,
        response_model=None,
        responses=answers(LogDocument, *TOKEN),
    )
    async def log() -> dict[str, Any]:
        return view.log()

    @api.get(
        "/v1/validation",
        summary="The latest validation report",
        dependencies=readers,
        response_model=None,
        responses=answers(ValidationReport, *TOKEN, 404, 503),
    )
    async def latest() -> dict[str, Any]:
        return _or_404(await view.validation(None), "no validation has been run")

    @api.get(
        "/v1/validation/{run_id}",
        summary="One validation run",
        dependencies=readers,
        response_model=None,
        responses=answers(ValidationReport | UnfinishedValidation | FailedValidation, *TOKEN, 404, 503),
    )
    async def one(run_id: str) -> dict[str, Any]:
        return _or_404(await view.validation(run_id), f"no validation run {run_id!r}")

    @api.get(
        "/v1/explain",
        summary="How one old item becomes a v2 item and comes back",
        dependencies=readers,
        response_model=None,
        responses=answers(Explanation, *TOKEN, 400, 404, 503),
    )
    async def explain(
        key: Annotated[
            str,
            Query(
                description="of the item in the old table", examples=["pk=LEAD#7 sk=METADATA"], max_length=LONGEST_KEY
            ),
        ],
        edits: Annotated[
            list[Annotated[str, Query(max_length=LONGEST_EDIT)]],
            Query(
                alias="set",
                description="an edit of a v2 field, field=value",
                examples=[["status=won"]],
                max_length=EDITS_AT_MOST,
            ),
        ] = [],  # noqa: B006 - FastAPI copies it
    ) -> dict[str, Any]:
        return _or_404(await view.explain(key, edits), f"the old table has no item {key}")

    for name, summary in LISTS.items():
        _add_list(api, view, name, summary, readers)


def _add_list(api: FastAPI, view: ServiceView, name: ListName, summary: str, readers: list[Any]) -> None:
    @api.get(
        f"/v1/{name}",
        summary=f"{summary}, page by page",
        dependencies=readers,
        response_model=None,
        responses=answers(PAGES[name], *TOKEN, 400, 503),
    )
    async def page(
        after: Annotated[str, Query(description="the `next` of the page before", max_length=128)] = "",
        limit: Annotated[int, Query(description="how many items to list", ge=1, le=LONGEST_PAGE)] = PAGE_ITEMS,
    ) -> dict[str, Any]:
        return await view.page(name, after, limit)


def add_phase_reads(api: FastAPI, view: ServiceView, readers: list[Any]) -> None:
    """``readers``: as above."""

    @api.get(
        "/v1/gate",
        summary="Whether the phase may move, condition by condition",
        dependencies=readers,
        response_model=None,
        responses=answers(SharedGateDocument, *TOKEN, 400, 409, 503),
    )
    async def gate(to: Phase | None = None) -> dict[str, Any]:
        return await view.phases.gate(to)

    @api.get(
        "/v1/phase",
        summary="The phase, and the move under way",
        dependencies=readers,
        response_model=None,
        responses=answers(PhaseDocument, *TOKEN, 503),
    )
    async def phase() -> dict[str, Any]:
        return await view.phases.phase()


def _or_404(document: dict[str, Any] | None, reason: str) -> dict[str, Any]:
    if document is None:
        raise HttpProblem(404, "Not found", reason)
    return document
