"""Every POST, and the token that a POST must send."""

import hmac
from collections.abc import Awaitable, Callable
from math import ceil
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from service.clock import Clock
from service.http_api.contract import HoldRequest, PhaseRequest, ServiceView, ValidationRequest
from service.http_api.problems import HttpProblem
from service.http_api.wrong_tokens import WrongTokens

TOKEN_VARIABLE = "TABLESPLIT_API_TOKEN"  # noqa: S105 - its name, not a token


def add_posts(api: FastAPI, view: ServiceView, token: str | None, clock: Clock) -> None:
    """``token``: what a POST must send; without one, every POST is refused with the variable to set."""
    authorized = [Depends(_require_token(token, WrongTokens(clock)))]

    @api.post("/v1/validation", summary="Start a validation", status_code=202, dependencies=authorized)
    async def start(request: ValidationRequest) -> dict[str, str]:
        run_id = await view.start_validation(request)
        return {"id": run_id, "location": f"/v1/validation/{run_id}"}

    @api.post("/v1/phase", summary="Move the phase", status_code=202, dependencies=authorized)
    async def move(request: PhaseRequest) -> dict[str, str]:
        if set(request.force) != set(request.force_again):
            raise HttpProblem(
                400, "Override not repeated", "an override must be given twice: repeat `force` in `force_again`"
            )
        await view.phases.start(request.to, request.why, tuple(request.force), request.leave_behind)
        return {"to": request.to, "location": "/v1/phase"}

    @api.post("/v1/hold", summary="Close the gate of every move", dependencies=authorized)
    async def hold(request: HoldRequest) -> dict[str, Any]:
        return await view.phases.hold(request.why)

    @api.post("/v1/release", summary="Remove the hold", dependencies=authorized)
    async def release() -> dict[str, Any]:
        return await view.phases.release()


def _require_token(token: str | None, wrong_tokens: WrongTokens) -> Callable[..., Awaitable[None]]:
    async def require_token(
        request: Request,
        given: HTTPAuthorizationCredentials | None = Depends(HTTPBearer(auto_error=False)),  # noqa: B008 - FastAPI's way
    ) -> None:
        address = request.client.host if request.client else ""
        if token is None:
            raise HttpProblem(403, "No token configured", f"set {TOKEN_VARIABLE} for the service to allow this request")
        if given is None:
            raise HttpProblem(401, "Token missing", "send the header Authorization: Bearer <token>")
        wait = wrong_tokens.wait_seconds(address)
        if wait > 0:
            seconds = ceil(wait)
            raise HttpProblem(
                429, "Too many wrong tokens", f"try again in {seconds} s", headers={"Retry-After": str(seconds)}
            )
        if not hmac.compare_digest(given.credentials.encode(), token.encode()):
            wrong_tokens.count(address)
            raise HttpProblem(401, "Token wrong", f"the token is not the one in the service's {TOKEN_VARIABLE}")

    return require_token
