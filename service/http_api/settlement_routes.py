"""Conflicts and keys in quarantine over HTTP: one read in full, and what settles them. Each POST needs a token."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI

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
from service.http_api.openapi import POST, TOKEN, answers
from service.http_api.problems import HttpProblem
from service.http_api.settlement_contract import ChoicesRequest, DropRequest, ResolutionRequest, RetryRequest


def add_settlement_reads(api: FastAPI, view: ServiceView, readers: list[Any]) -> None:
    """``readers``: the dependencies of whatever shows items."""

    @api.get(
        "/v1/conflicts/{conflict_id}",
        summary="One conflict, with all its images",
        dependencies=readers,
        response_model=None,
        responses=answers(LostChangeInFull | TwoLiveKeysInFull, *TOKEN, 404, 503),
    )
    async def conflict(conflict_id: str) -> dict[str, Any]:
        try:
            return await view.settlements.conflict(conflict_id)
        except Misconfigured as unknown:
            raise HttpProblem(404, "Not found", unknown.message) from unknown

    @api.get(
        "/v1/quarantine/{key_id}",
        summary="One key in quarantine, with what waits",
        dependencies=readers,
        response_model=None,
        responses=answers(QuarantinedKeyInFull, *TOKEN, 404, 503),
    )
    async def quarantined(key_id: str) -> dict[str, Any]:
        try:
            return await view.settlements.quarantined(key_id)
        except Misconfigured as unknown:
            raise HttpProblem(404, "Not found", unknown.message) from unknown


def add_settlement_posts(api: FastAPI, view: ServiceView, required: Required) -> None:
    """``required``: the dependency that gives the token's owner."""

    @api.post(
        "/v1/conflicts/choices",
        summary="What resolving conflicts so gives up; writes nothing",
        dependencies=[Depends(required)],
        response_model=None,
        responses=answers(ChoicesDocument, *POST),
    )
    async def choices(request: ChoicesRequest) -> dict[str, Any]:
        return await view.settlements.choices(request)

    @api.post(
        "/v1/conflicts/resolution",
        summary="Resolve conflicts as it was shown",
        response_model=None,
        responses=answers(ResolutionDocument, *POST),
    )
    async def resolve(request: ResolutionRequest, owner: Annotated[str, Depends(required)]) -> dict[str, Any]:
        return await view.settlements.resolve(request, by=owner)

    @api.post(
        "/v1/quarantine/retry",
        summary="Apply what waits for keys in quarantine",
        dependencies=[Depends(required)],
        response_model=None,
        responses=answers(RetryDocument, *POST),
    )
    async def retry(request: RetryRequest) -> dict[str, Any]:
        return await view.settlements.retry(request)

    @api.post(
        "/v1/quarantine/drop",
        summary="Lose what waits for keys in quarantine",
        response_model=None,
        responses=answers(DropDocument, *POST),
    )
    async def drop(request: DropRequest, owner: Annotated[str, Depends(required)]) -> dict[str, Any]:
        return await view.settlements.drop(request, by=owner)
