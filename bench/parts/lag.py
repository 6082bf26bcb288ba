"""The lag from end to end: from an acknowledged write of the application until a reader of v2 sees it.

`tablesplit sync` runs in a process of its own, as an operator starts it. The rate is half of what the server can carry at most when
each change costs it the application's write and tablesplit's requests under the rule: both are sent to it as prepared bytes, with
nothing else to do.
"""

import asyncio
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bench import site
from bench.commands import environment, tablesplit
from bench.dual_tables import opened
from bench.facts import Facts, lag
from bench.items import many_items
from bench.loader import load, recorded, statements_in
from bench.measure import measured, note, printed_by
from bench.parts import dual_ceiling
from bench.requests import application_update
from bench.servers import memory_server
from service.app import App, open_app
from service.control.state import MigrationState, change_state
from service.control.workers import BOTH, Workers
from service.core.item.wire import Item
from service.core.phases.acting import Acting
from service.rehearsal.servers.local_servers import dynamodb_local

ITEMS = 2_000
SECONDS = 25
CONNECTIONS = 16
START_SECONDS = 60
LOOK_SECONDS = 0.2
SHARE = 0.5
TITLE = "Lag from end to end, at half of what the server can carry: DynamoDB Local"


def run(facts: Facts) -> list[str]:
    """A row for each rule. Each measurement has a server of its own, as in the part about DynamoDB Local."""
    lines = [
        "| rule | the server carries | changes/s | changes watched | p50 | p99 | longest |",
        "|---|---|---|---|---|---|---|",
    ]
    for rule, most_of in CEILINGS.items():
        most = most_of()
        lags = _lags(rule, most * SHARE)
        p50, p99 = lags[len(lags) // 2], lags[min(len(lags) - 1, int(len(lags) * 0.99))]
        facts[lag(rule)] = p99
        note(f"lag under the {rule} rule at {most * SHARE:.0f} changes/s: p50 {p50:.2f} s, p99 {p99:.2f} s")
        seconds = " | ".join(f"{one:.2f} s" for one in (p50, p99, lags[-1]))
        lines.append(f"| {rule} | {most:.0f}/s | {most * SHARE:.0f} | {len(lags)} | {seconds} |")
    return lines


def _most_guarded() -> float:
    """Changes a second that the server can carry: the application's update, and what tablesplit sends for it."""
    with tempfile.TemporaryDirectory() as folder, dynamodb_local() as url:
        site.make(url, site.Site(old=ITEMS, v2=ITEMS))
        file = Path(folder) / "apply"
        with memory_server(ITEMS, url, record=file) as memory:
            measured("ours", "apply", memory, ITEMS)
        return asyncio.run(_rate(url, recorded(file), ITEMS, refused=0.0))


def _most_ledger() -> float:
    """The same under the rule of `dual`, for each item's first change."""
    requests = dual_ceiling.recorded_requests("forward")
    with dynamodb_local() as url:
        return asyncio.run(_most_in_dual(url, requests))


async def _most_in_dual(url: str, requests: list[bytes]) -> float:
    await dual_ceiling.carried_changes(url, "forward")  # so that the server is warm
    async with opened(url, list(many_items(dual_ceiling.ITEMS))):
        return await _rate(url, requests, dual_ceiling.ITEMS, dual_ceiling.REFUSED)


async def _rate(url: str, ours: list[bytes], items: int, refused: float) -> float:
    """Changes a second, if each costs the server the application's update and its part of the requests ``ours``."""
    theirs = [application_update(url, *one, "mark-0") for one in _keys(items)]
    mixed = list(_evenly(theirs, ours))
    return await load(url, mixed, CONNECTIONS, refused) * items / sum(map(statements_in, mixed))


def _evenly(theirs: Sequence[bytes], ours: Sequence[bytes]) -> Iterator[bytes]:
    """Both by turns, so that they end together."""
    sent = 0
    for number, request in enumerate(ours, 1):
        until = len(theirs) * number // len(ours)
        yield from theirs[sent:until]
        yield request
        sent = until


CEILINGS = {"guarded": _most_guarded, "ledger": _most_ledger}


def _keys(items: int) -> Iterator[tuple[str, Item]]:
    mapping = site.mapping()
    for item in many_items(items):
        yield mapping.old.table, {name: item[name] for name in mapping.old.key_names}


@contextmanager
def _sync(url: str) -> Iterator[None]:
    command = tablesplit("sync", "--no-http")
    with tempfile.TemporaryFile() as output:
        sync = subprocess.Popen(command, env=environment(url), stdout=output, stderr=output)
        try:
            yield
            assert sync.poll() is None, "sync has ended"
        finally:
            sync.terminate()
            sync.wait()


async def _enter(url: str, rule: str) -> None:
    """Have the migration go by the rule, and wait until sync does. Nothing is checked, as the gates of a cutover would."""
    async with open_app(site.settings_of(url)) as app:
        await _caught_up(app, None)
        if rule == "ledger":
            state = await change_state(app.control, app.mapping, app.clock.now(), _in_dual)
            await _caught_up(app, state.acting)


def _in_dual(state: MigrationState) -> MigrationState:
    return replace(state, phase="dual", rule="ledger", epoch=1)


async def _caught_up(app: App, acting: Acting | None) -> None:
    workers = Workers(app.control, app.clock)
    async with asyncio.timeout(START_SECONDS):
        while not await workers.caught_up(START_SECONDS, BOTH, acting):  # noqa: ASYNC110 (another process does it)
            await asyncio.sleep(LOOK_SECONDS)  # before sync has its leases, the answer is no at once


def _lags(rule: str, rate: float) -> list[float]:
    with dynamodb_local() as url:
        site.make(url, site.Site(old=ITEMS, v2=ITEMS))
        with _sync(url):
            asyncio.run(_enter(url, rule))
            lags: list[float] = printed_by(["bench.application", url, str(rate), str(SECONDS), str(ITEMS)])
    return sorted(lags)
