"""Where the time of one piece of tablesplit's work goes, by the parts of the program: a profile of it, in a process of its own.

``python -m bench.shares copy|apply|validate URL ITEMS`` prints the shares as JSON. The profiler makes each call of a Python
function dearer than it is, so the shares of code with many small functions are somewhat too high.
"""

import asyncio
import cProfile
import json
import pstats
import sys
from collections import Counter
from typing import Any

from bench.site import settings_of
from bench.work import WORK
from service.app import open_app
from service.environment import use_local_credentials

Function = tuple[str, int, str]
"""File, line and name, as ``pstats`` has them; the file of a function in C is ``~``."""

PARTS = {
    "/service/core/rules/": "rules",
    "/service/core/": "items: transform, inverse, comparison, stamp",
    "/service/dynamodb/": "client: requests, answers, HTTP, batches",
    "/orjson": "client: requests, answers, HTTP, batches",
    "/asyncio/": "asyncio",
    "/service/telemetry/": "metrics",
    "/prometheus_client/": "metrics",
    "/service/": "sinks, lanes, readers",
    "/backfill/": "sinks, lanes, readers",
}
"""By a piece of a file's path, the first that it has."""

OTHER = "everything else"
WAITING = frozenset({"<method 'poll' of 'select.epoll' objects>", "<method 'control' of 'select.kqueue' objects>"})


def shares(profile: cProfile.Profile) -> dict[str, float]:
    """The share of each part, largest first. What a function in C takes belongs to the part that calls it; waiting is left out."""
    spent: Counter[str] = Counter()
    for function, (_, _, own, _, callers) in _stats(profile).items():
        if function[2] in WAITING:
            continue
        if function[0] != "~" or not callers:
            spent[part_of(function)] += own
            continue
        for caller, (_, _, for_caller, _) in callers.items():
            spent[part_of(caller)] += for_caller
    total = spent.total()
    return {part: seconds / total for part, seconds in spent.most_common()}


def _stats(profile: cProfile.Profile) -> dict[Function, Any]:
    found: dict[Function, Any] = vars(pstats.Stats(profile))["stats"]
    return found


def part_of(function: Function) -> str:
    """The part of the program that a function belongs to."""
    path = function[0].replace("\\", "/")
    return next((part for piece, part in PARTS.items() if piece in path), OTHER)


async def profiled(work: str, url: str, items: int) -> dict[str, float]:
    """The shares of one piece of work."""
    async with open_app(settings_of(url)) as app:
        with cProfile.Profile() as profile:
            await WORK[work](app, items)
    return shares(profile)


def main() -> None:
    """Profile one piece of work and print its shares."""
    work, url, items = sys.argv[1:]
    use_local_credentials()
    print(json.dumps(asyncio.run(profiled(work, url, int(items)))))


if __name__ == "__main__":
    main()
