"""Conflicts and keys in quarantine over HTTP: one read in full, and what settles them. Each POST needs a token."""

from collections.abc import Awaitable
from typing import Annotated, Any

from fastapi import Depends

from service.errors import Misconfigured
from service.http_api.access import Required
from service.http_api.contract import ServiceView
from service.http_api.documents.settlement import (
    ChoicesDocument,
    DropDocument,
    LostChangeInFull,
    QuarantinedKeyInFull,
    ResolutionDocument,
    RetryDocument,
    TwoLiveKeysInFull,
)
from service.http_api.openapi import Documented
from service.http_api.problems import HttpProblem
from service.http_api.settlement_contract import ChoicesRequest, DropRequest, ResolutionRequest, RetryRequest


def add_settlement_reads(paths: Documented, view: ServiceView) -> None:
    """One conflict, one key in quarantine."""

    @paths.get(
        "/v1/conflicts/{conflict_id}",
        "One conflict, with all its images",
        LostChangeInFull | TwoLiveKeysInFull,
        404,
        503,
    )
    async def conflict(conflict_id: str) -> dict[str, Any]:
        return await _known(view.settlements.conflict(conflict_id))

    @paths.get("/v1/quarantine/{key_id}", "One key in quarantine, with what waits", QuarantinedKeyInFull, 404, 503)
    async def quarantined(key_id: str) -> dict[str, Any]:
        return await _known(view.settlements.quarantined(key_id))


def add_settlement_posts(paths: Documented, view: ServiceView, required: Required) -> None:
    """``required``: the dependency that gives the token's owner."""

    @paths.post("/v1/conflicts/choices", "What resolving conflicts so gives up; writes nothing", ChoicesDocument)
    async def choices(request: ChoicesRequest) -> dict[str, Any]:
        return await view.settlements.choices(request)

    @paths.post("/v1/conflicts/resolution", "Resolve conflicts as it was shown", ResolutionDocument)
    async def resolve(request: ResolutionRequest, owner: Annotated[str, Depends(required)]) -> dict[str, Any]:
        return await view.settlements.resolve(request, by=owner)

    @paths.post("/v1/quarantine/retry", "Apply what waits for keys in quarantine", RetryDocument)
    async def retry(request: RetryRequest) -> dict[str, Any]:
        return await view.settlements.retry(request)

    @paths.post("/v1/quarantine/drop", "Lose what waits for keys in quarantine", DropDocument)
    async def drop(request: DropRequest, owner: Annotated[str, Depends(required)]) -> dict[str, Any]:
        return await view.settlements.drop(request, by=owner)


async def _known(reading: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    """What is read by an id; 404 for an unknown one."""
    try:
        return await reading
    except Misconfigured as unknown:
        raise HttpProblem(404, "Not found", unknown.message) from unknown
