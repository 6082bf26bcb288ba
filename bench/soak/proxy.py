"""A proxy between the sync and its server, which makes a fault of an answer when it is asked to."""

import random
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal

import aiohttp
import orjson
from aiohttp import web

Fault = Literal["lost", "throttled", "reset", "cut"]
Wanted = Literal["write", "stream", "any"]
"""The requests that a fault is for."""

FAULTS: dict[Fault, int] = {"lost": 4, "throttled": 2, "reset": 2, "cut": 2}
"""The kinds of faults, each with its weight.

lost: the server has done the work, and the connection ends without an answer. throttled: DynamoDB's answer to too many requests.
reset: the connection ends before the server has seen the request. cut: half of the answer, and the connection ends.
"""

WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchExecuteStatement"})
STREAMS = frozenset({"GetRecords", "GetShardIterator", "DescribeStream"})
THROTTLED = {
    "__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
    "message": "The level of configured provisioned throughput for the table was exceeded.",
}
HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host"})
BODY_BYTES = 64 * 1024 * 1024


class Faults:
    """The faults that are still to be made, first come first served: each by the next request of its kind."""

    def __init__(self, rng: random.Random, made: Callable[[str, str], None]) -> None:
        """``made`` is called with each fault and its operation."""
        self._rng = rng
        self._made = made
        self._waiting: deque[tuple[Fault, Wanted]] = deque()

    def order(self, fault: Fault, wanted: Wanted) -> None:
        """One more."""
        self._waiting.append((fault, wanted))

    def order_any(self) -> None:
        """One more, of a random kind."""
        fault = self._rng.choices(list(FAULTS), weights=list(FAULTS.values()))[0]
        self.order(fault, self._rng.choice(("write", "write", "stream", "any")))

    @property
    def waiting(self) -> int:
        """How many are still to be made."""
        return len(self._waiting)

    def for_any(self) -> None:
        """Let the next requests have those that wait, whatever they ask for."""
        self._waiting = deque((fault, "any") for fault, _ in self._waiting)

    def of(self, operation: str) -> Fault | None:
        """The fault of this request; None: none."""
        for waiting in self._waiting:
            fault, wanted = waiting
            if wanted == "any" or operation in (WRITES if wanted == "write" else STREAMS):
                self._waiting.remove(waiting)
                self._made(fault, operation)
                return fault
        return None


@asynccontextmanager
async def fault_proxy(server: str, faults: Faults) -> AsyncIterator[str]:
    """URL of a proxy in front of ``server``, for the block."""
    async with aiohttp.ClientSession(auto_decompress=False) as http:

        async def answer(request: web.Request) -> web.StreamResponse:
            body = await request.read()
            fault = faults.of(request.headers.get("x-amz-target", "").rpartition(".")[2])
            if fault == "throttled":
                return web.Response(status=400, body=orjson.dumps(THROTTLED))
            if fault == "reset":
                return _hang_up(request)
            headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
            async with http.post(server, data=body, headers=headers) as sent:
                status, content, heads = sent.status, await sent.read(), sent.headers
            if fault == "lost":
                return _hang_up(request)
            kept = {name: value for name, value in heads.items() if name.lower() not in HOP_BY_HOP}
            if fault == "cut":
                return await _cut(request, status, content, kept)
            return web.Response(status=status, body=content, headers=kept)

        app = web.Application(client_max_size=BODY_BYTES)
        app.router.add_route("POST", "/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


def _hang_up(request: web.Request) -> web.Response:
    """End the connection; what is returned is not sent."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _cut(request: web.Request, status: int, content: bytes, headers: dict[str, str]) -> web.StreamResponse:
    """Half of the answer, under the length of the whole."""
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = len(content)
    await response.prepare(request)
    await response.write(content[: len(content) // 2])
    if request.transport is not None:
        request.transport.close()
    return response
