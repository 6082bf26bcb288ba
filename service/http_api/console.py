"""The console: the page at `/`, its files, and the events that keep it up to date."""

from collections.abc import Callable, Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePath
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from service.http_api.contract import ServiceView
from service.http_api.openapi import TOKEN, answers
from service.http_api.problems import HttpProblem

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types lit-html"
)
"""The last part: only lit-html makes HTML of texts, and that of its own templates."""
HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
"""Of the files of the page, by the end of their names. Further files, such as licences, are not served."""


def _assets(folder: Traversable, path: str) -> Iterator[tuple[str, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _assets(entry, f"{path}{entry.name}/")
        elif PurePath(entry.name).suffix in KINDS:
            yield ("/" if entry.name == "index.html" else f"{path}{entry.name}"), entry


ASSETS = dict(_assets(files("service.http_api.page"), "/console/"))
"""The files of the page, by the path under which each is served."""

EVENTS = "text/event-stream"


def add_console(api: FastAPI, view: ServiceView, readers: list[Any]) -> None:
    """``readers``: the dependencies of the events.

    The page needs nothing from other servers, and its policy forbids loading anything from them.
    """
    for path, asset in ASSETS.items():
        answer = _serve(asset.read_text(encoding="utf-8"), KINDS[PurePath(asset.name).suffix])
        api.add_api_route(path, answer, methods=["GET"], include_in_schema=False)

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
