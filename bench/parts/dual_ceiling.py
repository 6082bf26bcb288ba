"""How much of what DynamoDB Local can do at all tablesplit gets out of it in ``dual``."""

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.dual_tables import opened
from bench.facts import Facts, share
from bench.items import many_items
from bench.loader import load, requests_in
from bench.measure import note
from bench.parts.dual import WAYS, Cost, Way, from_old, from_v2, places
from bench.servers import recorder
from service.rehearsal.servers.local_servers import dynamodb_local

ITEMS = 300
CONNECTIONS = 16
REFUSED = 0.05
"""Of the items: the loader sends on many connections at once, so a few requests reach the server before those that they need."""

TITLE = "A change in `dual`: share of what DynamoDB Local can do"


def run(facts: Facts) -> list[str]:
    """A row for a change on either side."""
    lines = ["| work | tablesplit | raw ceiling | share |", "|---|---|---|---|"]
    for way, name in WAYS.items():
        requests = recorded_requests(way)
        with dynamodb_local() as url:
            asyncio.run(carried_changes(url, way))  # so that the server is warm for both
            ceiling = asyncio.run(_ceiling(url, requests))
            cost = asyncio.run(carried_changes(url, way))
        ours = cost.changes / cost.seconds
        facts[share(name)] = ours / ceiling
        note(f"{name}: {ours:.0f}/s of {ceiling:.0f}/s")
        lines.append(f"| {name} | {ours:.0f}/s | {ceiling:.0f}/s | {ours / ceiling:.0%} |")
    return lines


def recorded_requests(way: Way) -> list[bytes]:
    """The requests of both lanes, for one change of each item."""
    with tempfile.TemporaryDirectory() as folder, dynamodb_local() as other:
        file = Path(folder) / "record"
        with recorder(other, file) as url:
            sizes: list[int] = []
            asyncio.run(carried_changes(url, way, begun=lambda: sizes.append(file.stat().st_size)))
            return requests_in(file.read_bytes()[sizes[0] :])


async def carried_changes(url: str, way: Way, begun: Callable[[], None] = lambda: None) -> Cost:
    """Carry a first change of each item. ``begun`` is called when all is ready for the lanes."""
    items = list(many_items(ITEMS))
    async with opened(url, items) as dual:
        await dual.skip()
        await dual.change(places(dual.app.mapping, items)[way == "reverse"])
        begun()
        carried = from_v2 if way == "reverse" else from_old
        costs = await carried(dual, WAYS[way], (dual.forward(), dual.reverse()), ITEMS)
        dual.require_carried()
        return costs[0]


async def _ceiling(url: str, requests: list[bytes]) -> float:
    """Changes a second that the server makes of the requests, in the state in which they were sent."""
    loop = asyncio.get_running_loop()
    async with opened(url, list(many_items(ITEMS))):
        began = loop.time()
        await load(url, requests, CONNECTIONS, REFUSED)
        return ITEMS / (loop.time() - began)
