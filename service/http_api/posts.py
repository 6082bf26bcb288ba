"""Every POST. Each needs a token, whose owner the audit log names."""

from typing import Annotated, Any

from fastapi import Depends

from service.http_api.access import Required
from service.http_api.contract import HoldRequest, PhaseRequest, ServiceView, ValidationRequest
from service.http_api.documents.comparison import BegunValidation
from service.http_api.documents.phase import BegunMove, HoldDocument, ReleasedDocument
from service.http_api.openapi import Documented
from service.http_api.problems import HttpProblem


def add_posts(paths: Documented, view: ServiceView, required: Required) -> None:
    """``required``: the dependency that gives the token's owner."""

    @paths.post("/v1/validation", "Start a validation", BegunValidation, 202)
    async def start(request: ValidationRequest) -> dict[str, str]:
        run_id = await view.start_validation(request)
        return {"id": run_id, "location": f"/v1/validation/{run_id}"}

    @paths.post("/v1/phase", "Move the phase", BegunMove, 202)
    async def move(request: PhaseRequest, owner: Annotated[str, Depends(required)]) -> dict[str, str]:
        if set(request.force) != set(request.force_again):
            raise HttpProblem(
                400, "Override not repeated", "an override must be given twice: repeat `force` in `force_again`"
            )
        forced = tuple(request.force)
        await view.phases.start(request.to, request.why, forced, request.leave_behind, table=request.table, by=owner)
        return {"to": request.to, "location": "/v1/phase"}

    @paths.post("/v1/hold", "Close the gate of every move", HoldDocument)
    async def hold(request: HoldRequest, owner: Annotated[str, Depends(required)]) -> dict[str, Any]:
        return await view.phases.hold(request.why, by=owner)

    @paths.post("/v1/release", "Remove the hold", ReleasedDocument)
    async def release(owner: Annotated[str, Depends(required)]) -> dict[str, Any]:
        return await view.phases.release(by=owner)
