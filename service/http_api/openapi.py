"""The OpenAPI document of the HTTP side: what every answer is, errors too."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from importlib.metadata import version
from typing import Any, TypeVar, cast

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from service.http_api.documents.problem import Problem
from service.http_api.problems import PROBLEM

MEANINGS = {
    400: "The request, or an override that was not repeated, is wrong; the document says where",
    401: "The token is missing or wrong",
    403: "The service has no token",
    404: "There is no such run or item, or nothing yet",
    409: "The answer is no: a closed gate, another move under way; with the reasons",
    413: "The body is too large",
    421: "The request was sent to a name that is not ours",
    429: "The token is wrong, and others from this address were before",
    500: "A fault of the service",
    503: "The request failed on the way, or the service cannot do its work now; with the reason and the remedy",
}
"""By status, for every path alike."""
ANYWHERE = (421, 500)
TOKEN = (401, 403, 429)
"""Of a path that wants a token, always or where other machines reach the port."""
POST = (*TOKEN, 400, 409, 413, 503)
"""Of every POST."""


def operation_id(route: APIRoute) -> str:
    """What a generated client calls the operation: get_validation, get_validation_by_run_id, post_phase, ..."""
    (method,) = route.methods or {"GET"}
    words = route.path.removeprefix("/v1").replace("{", "by_").replace("}", "").strip("/").replace("/", "_")
    return f"{method.lower()}_{words}"


Responses = dict[int | str, dict[str, Any]]
F = TypeVar("F", bound=Callable[..., Any])


def answers(model: Any, *errors: int, status: int = 200, description: str = "The document") -> Responses:
    """The ``responses`` of a path: its document, and the errors that it can answer with beside those of ANYWHERE."""
    problems: Responses = {
        error: {"model": Problem, "description": MEANINGS[error]} for error in sorted({*errors, *ANYWHERE})
    }
    return {status: {"model": model, "description": description}, **problems} if model is not None else problems


class Documented:
    """Adds paths to ``api``, each with its document and its errors. ``needs``: the dependencies of every one of them."""

    def __init__(self, api: FastAPI, needs: list[Any]) -> None:
        self._api = api
        self._needs = needs

    def get(self, path: str, summary: str, model: Any, *errors: int) -> Callable[[F], F]:
        """A read that wants a token where other machines reach the port. ``errors``: beside those of a token."""
        responses = answers(model, *TOKEN, *errors)
        return self._api.get(path, summary=summary, dependencies=self._needs, response_model=None, responses=responses)

    def post(self, path: str, summary: str, model: Any, status: int = 200) -> Callable[[F], F]:
        """An act; ``status``: 202 where it goes on after the answer."""
        responses = answers(model, *POST, status=status)
        return self._api.post(
            path,
            summary=summary,
            status_code=status,
            dependencies=self._needs,
            response_model=None,
            responses=responses,
        )


def describe(api: FastAPI) -> None:
    """Give ``api`` the document, and let every GET answer a HEAD too. To be called once every path is there."""
    gets = [route for route in api.routes if isinstance(route, APIRoute) and "GET" in (route.methods or ())]
    api.openapi = cache(partial(_document, list(api.routes)))  # type: ignore[method-assign] # FastAPI's way
    for route in gets:  # a route of its own, so that the document names each operation once
        api.routes.append(Route(route.path, cast(Any, _Handled(route.app)), methods=["HEAD"], include_in_schema=False))


class _Handled:
    """A route's application, as Starlette takes one that is no function."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


def _document(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    made = get_openapi(
        title="tablesplit",
        version=version("tablesplit"),
        summary="Moves a live DynamoDB single table into purpose-built tables",
        description="Every POST needs `Authorization: Bearer TOKEN`; where other machines reach the port, every read below "
        "`/v1/` too. Every GET answers a HEAD as well. Errors are problem documents (RFC 9457).",
        routes=routes,
    )
    for operations in made["paths"].values():
        for operation in operations.values():
            _correct(operation["responses"])
    for name in ("HTTPValidationError", "ValidationError"):
        made["components"]["schemas"].pop(name, None)
    return made


def _correct(responses: dict[str, Any]) -> None:
    """Errors have a media type of their own, and a wrong request is answered with 400, not as FastAPI does by itself."""
    responses.pop("422", None)
    for status, response in responses.items():
        if int(status) >= 400:
            response["content"] = {PROBLEM: next(iter(response["content"].values()))}
