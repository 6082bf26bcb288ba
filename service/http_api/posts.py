"""Every POST. Each needs a token, whose owner the audit log names."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI

from service.http_api.access import Required
from service.http_api.contract import HoldRequest, PhaseRequest, ServiceView, ValidationRequest
from service.http_api.documents.comparison import BegunValidation
from service.http_api.documents.phase import BegunMove, HoldDocument, ReleasedDocument
from service.http_api.openapi import POST, answers
from service.http_api.problems import HttpProblem


def add_posts(api: FastAPI, view: ServiceView, required: Required) -> None:
    """``required``: the dependency that gives the token's owner."""

    @api.post(
        "/v1/validation",
        summary="Start a validation",
        status_code=202,
        dependencies=[Depends(required)],
        response_model=None,
        responses=answers(BegunValidation, *POST, status=202),
    )
    async def start(request: ValidationRequest) -> dict[str, str]:
        run_id = await view.start_validation(request)
        return {"id": run_id, "location": f"/v1/validation/{run_id}"}

    @api.post(
        "/v1/phase",
        summary="Move the phase",
        status_code=202,
        response_model=None,
        responses=answers(BegunMove, *POST, status=202),
    )
    async def move(request: PhaseRequest, owner: Annotated[str, Depends(required)]) -> dict[str, str]:
        if set(request.force) != set(request.force_again):
            raise HttpProblem(
                400, "Override not repeated", "an override must be given twice: repeat `force` in `force_again`"
            )
        forced = tuple(request.force)
        await view.phases.start(request.to, request.why, forced, request.leave_behind, table=request.table, by=owner)
        return {"to": request.to, "location": "/v1/phase"}

    @api.post(
        "/v1/hold",
        summary="Close the gate of every move",
        response_model=None,
        responses=answers(HoldDocument, *POST),
    )
    async def hold(request: HoldRequest, owner: Annotated[str, Depends(required)]) -> dict[str, Any]:
        return await view.phases.hold(request.why, by=owner)

    @api.post(
        "/v1/release",
        summary="Remove the hold",
        response_model=None,
        responses=answers(ReleasedDocument, *POST),
    )
    async def release(owner: Annotated[str, Depends(required)]) -> dict[str, Any]:
        return await view.phases.release(by=owner)
