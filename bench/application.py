"""An application that writes the old table at an even rate, and a reader of v2 that watches when some of its writes arrive.

``python -m bench.application URL RATE SECONDS ITEMS`` prints the lags in seconds as JSON. A lag is the time on this process's clock
from the answer to a write until a read of v2 that shows it, or a later write of the same item. Reads come READ_SECONDS apart, so a
lag is up to that much too long. Fails when the writes cannot keep the rate.
"""

import asyncio
import json
import re
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from bench.items import many_items
from bench.loader import Sender
from bench.requests import application_update, prepared
from service.config import Settings
from service.core.item.wire import Item, key_text
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward
from service.environment import load_configured_mapping

CONNECTIONS = 16
WATCHED_A_SECOND = 20
READ_SECONDS = 0.01
LATE_SECONDS = 2.0
"""By so much the last write may be later than the rate says."""

ARRIVE_SECONDS = 60.0
MARK = re.compile(rb"mark-(\d+)")


@dataclass(slots=True)
class Watched:
    """A write of which the arrival is waited for."""

    number: int
    table: str
    key: Item
    answered: float


class Reader:
    """Reads v2 again and again until what it waits for is there."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._waiting: list[Watched] = []
        self.lags: list[float] = []

    def watch(self, write: Watched) -> None:
        """Wait for a write."""
        self._waiting.append(write)

    @property
    def done(self) -> bool:
        """Whether all have arrived."""
        return not self._waiting

    async def run(self) -> None:
        """Read until cancelled."""
        sender = await Sender.open(self._url)
        while True:
            if self._waiting:
                await self._look(sender, self._waiting[:100])
            await asyncio.sleep(READ_SECONDS)

    async def _look(self, sender: Sender, asked: list[Watched]) -> None:
        by_place = {(write.table, key_text(write.key)): write for write in reversed(asked)}
        tables: dict[str, list[Item]] = {}
        for write in by_place.values():
            tables.setdefault(write.table, []).append(write.key)
        request = {name: {"Keys": keys, "ConsistentRead": True} for name, keys in tables.items()}
        answer = orjson.loads(await sender.send(prepared(self._url, "BatchGetItem", {"RequestItems": request})))
        now = time.perf_counter()
        for name, items in answer["Responses"].items():
            for item in items:
                key = {attribute: item[attribute] for attribute in tables[name][0]}
                self._note(by_place[name, key_text(key)], item, now)

    def _note(self, write: Watched, item: Item, now: float) -> None:
        found = MARK.search(orjson.dumps(item))
        if found is not None and int(found[1]) >= write.number:
            self.lags.append(now - write.answered)
            self._waiting.remove(write)


async def application(url: str, rate: float, seconds: float, items: Iterable[Item]) -> list[float]:
    """Write for so many ``seconds``, ``rate`` times a second, and wait for the last arrival; returns the lags."""
    mapping, reader = load_configured_mapping(Settings()), Reader(url)
    old = list(items)
    writes = [(number, old[number % len(old)]) for number in range(int(rate * seconds))]
    first = int(time.time() * 1000)  # above the marks of every earlier run, since no run writes so fast
    requests = iter([(number, item, _request(url, mapping, first + number, item)) for number, item in writes])
    senders = [await Sender.open(url) for _ in range(CONNECTIONS)]
    every = max(1, int(rate / WATCHED_A_SECOND))
    reading, began = asyncio.create_task(reader.run()), time.perf_counter()

    async def write(sender: Sender) -> None:
        for number, item, request in requests:
            await asyncio.sleep(began + number / rate - time.perf_counter())
            await sender.send(request)
            if number % every == 0:
                place = forward(mapping, item)
                reader.watch(Watched(first + number, place.table, place.key, time.perf_counter()))

    await asyncio.gather(*map(write, senders))
    late = time.perf_counter() - began - seconds
    assert late < LATE_SECONDS, f"the application's own writes are {late:.1f} s late"
    async with asyncio.timeout(ARRIVE_SECONDS):
        while not reader.done:
            await asyncio.sleep(READ_SECONDS)
            assert not reading.done(), reading
    reading.cancel()
    return reader.lags


def _request(url: str, mapping: Mapping, number: int, item: Item) -> bytes:
    key = {name: item[name] for name in mapping.old.key_names}
    return application_update(url, mapping.old.table, key, f"mark-{number}")


def main() -> None:
    """Write, watch, and print the lags."""
    url, rate, seconds, items = sys.argv[1:]
    print(json.dumps(asyncio.run(application(url, float(rate), float(seconds), many_items(int(items))))))


if __name__ == "__main__":
    main()
