"""The HTTP side of a process that serves its metrics and nothing else."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from service.metrics import Metrics


def create_metrics_api(metrics: Metrics) -> Starlette:
    """The application: /metrics, and /healthz, which says that the process lives."""

    async def page(request: Request) -> Response:
        content, content_type = metrics.page(request.headers.get("accept", ""))
        return Response(content, headers={"Content-Type": content_type})

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    return Starlette(routes=[Route("/metrics", page), Route("/healthz", healthz)])
