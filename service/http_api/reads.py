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
from service.http_api.openapi import Documented, answers
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

OneValidation = ValidationReport | UnfinishedValidation | FailedValidation

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


def add_reads(paths: Documented, view: ServiceView) -> None:
    """What shows items, or texts of people."""

    @paths.get("/v1/status", "One snapshot of the whole migration", StatusDocument, 503)
    async def status() -> dict[str, Any]:
        return await view.status()

    @paths.get("/v1/history", "Lag and rates of both lanes in the last hour", HistoryDocument)
    async def history() -> dict[str, Any]:
        return await view.history()

    @paths.get("/v1/log", "The newest events of this process's log", LogDocument)
    async def log() -> dict[str, Any]:
        return view.log()

    @paths.get("/v1/validation", "The latest validation report", ValidationReport, 404, 503)
    async def latest() -> dict[str, Any]:
        return _or_404(await view.validation(None), "no validation has been run")

    @paths.get("/v1/validation/{run_id}", "One validation run", OneValidation, 404, 503)
    async def one(run_id: str) -> dict[str, Any]:
        return _or_404(await view.validation(run_id), f"no validation run {run_id!r}")

    _add_explain(paths, view)
    for name, summary in LISTS.items():
        _add_list(paths, view, name, summary)


def _add_explain(paths: Documented, view: ServiceView) -> None:
    @paths.get("/v1/explain", "How one old item becomes a v2 item and comes back", Explanation, 400, 404, 503)
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


def _add_list(paths: Documented, view: ServiceView, name: ListName, summary: str) -> None:
    @paths.get(f"/v1/{name}", f"{summary}, page by page", PAGES[name], 400, 503)
    async def page(
        after: Annotated[str, Query(description="the `next` of the page before", max_length=128)] = "",
        limit: Annotated[int, Query(description="how many items to list", ge=1, le=LONGEST_PAGE)] = PAGE_ITEMS,
    ) -> dict[str, Any]:
        return await view.page(name, after, limit)


def add_phase_reads(paths: Documented, view: ServiceView) -> None:
    """The phase and its gate."""

    @paths.get("/v1/gate", "Whether the phase may move, condition by condition", SharedGateDocument, 400, 409, 503)
    async def gate(to: Phase | None = None) -> dict[str, Any]:
        return await view.phases.gate(to)

    @paths.get("/v1/phase", "The phase, and the move under way", PhaseDocument, 503)
    async def phase() -> dict[str, Any]:
        return await view.phases.phase()


def _or_404(document: dict[str, Any] | None, reason: str) -> dict[str, Any]:
    if document is None:
        raise HttpProblem(404, "Not found", reason)
    return document
