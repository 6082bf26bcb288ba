"""The service's HTTP side: health, metrics, status, phase, validation, quarantine, conflicts, audit, and the console page."""

from fastapi import FastAPI

from service.clock import Clock
from service.http_api.console import add_console
from service.http_api.contract import ServiceView, ValidationRequest
from service.http_api.docs_page import add_docs
from service.http_api.posts import add_posts
from service.http_api.problems import MAX_BODY_BYTES, BodyLimit, answer_errors
from service.http_api.reads import add_phase_reads, add_probes, add_reads

__all__ = ["MAX_BODY_BYTES", "ServiceView", "ValidationRequest", "create_http_api"]


def create_http_api(view: ServiceView, token: str | None, clock: Clock) -> FastAPI:
    """The application. ``token``: what a POST must bear; without one every POST is refused, saying which variable to set."""
    api = FastAPI(title="tablesplit", docs_url=None, redoc_url=None, openapi_url="/openapi.json")
    answer_errors(api)
    add_console(api, view)
    add_probes(api, view)
    add_reads(api, view)
    add_phase_reads(api, view)
    add_posts(api, view, token, clock)
    add_docs(api)
    api.add_middleware(BodyLimit)
    return api
