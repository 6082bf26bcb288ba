"""The console: the page at `/`, its files, and the events that keep it up to date."""

from collections.abc import Callable
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from service.http_api.contract import ServiceView
from service.http_api.openapi import TOKEN, answers
from service.http_api.problems import HttpProblem

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
ASSETS = {
    "/": ("index.html", "text/html"),
    "/console/style.css": ("style.css", "text/css"),
    "/console/app.js": ("app.js", "text/javascript"),
    "/console/show.js": ("show.js", "text/javascript"),
    "/console/act.js": ("act.js", "text/javascript"),
    "/console/explain.js": ("explain.js", "text/javascript"),
    "/console/sparkline.js": ("sparkline.js", "text/javascript"),
}

EVENTS = "text/event-stream"


def add_console(api: FastAPI, view: ServiceView, readers: list[Any]) -> None:
    """``readers``: the dependencies of the events.

    The page needs nothing from other servers, and its policy forbids loading anything from them.
    """
    for path, (name, media_type) in ASSETS.items():
        content = (files("service.http_api.page") / name).read_text(encoding="utf-8")
        api.add_api_route(path, _serve(content, media_type), methods=["GET"], include_in_schema=False)

    @api.get(
        "/v1/events",
        summary="The console's events, as a stream",
        response_class=StreamingResponse,
        dependencies=readers,
        responses={
            200: {
                "description": "Each event `status` has a JSON document, each two seconds",
                "content": {EVENTS: {"schema": {"type": "string"}}},
            },
            **answers(None, *TOKEN, 503),
        },
    )
    async def events(request: Request) -> Response:
        if request.method == "HEAD":
            return Response(media_type=EVENTS)
        listener = view.events()
        if listener is None:
            raise HttpProblem(503, "Too many listeners", "close another console page", headers={"Retry-After": "10"})
        return StreamingResponse(listener, media_type=EVENTS, headers={"Cache-Control": "no-store"})


def _serve(content: str, media_type: str) -> Callable[[], Response]:
    def answer() -> Response:
        return Response(content, media_type=media_type, headers=HEADERS)

    return answer
