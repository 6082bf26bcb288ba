"""Live writers: an application that changes the old table while it is copied."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence

from service.clock import Clock
from service.core.item.wire import Item
from service.core.item.write import Delete, Put
from service.dynamodb.protocol import ItemStore
from service.rehearsal.demo.items import number, text

STAGES = ("engaging", "negotiating", "won", "lost")
MOVED_TO = ("2017-04-01T00:00:00Z", "2017-05-31T23:30:00-02:00", "2017-07-15")


class LiveWriter:
    """One writer with items of its own: it puts, updates, moves to another month, deletes and re-creates them.

    At random, but the same for the same ``seed``.
    ``counts``: how many writes of each kind the old table has acknowledged.
    """

    def __init__(self, store: ItemStore, table: str, items: Sequence[Item], seed: int) -> None:
        self.store = store
        self.table = table
        self.live = {item["id"]["S"]: item for item in items}
        self.deleted: dict[str, Item] = {}
        self.random = random.Random(seed)
        self.seed = seed
        self.counts: Counter[str] = Counter()

    async def run(self, stop: asyncio.Event, clock: Clock, pause_seconds: float) -> None:
        """Write, pause, and write again until ``stop`` is set."""
        steps = {"put": 2, "update": 6, "move": 2, "delete": 2, "re-create": 2}
        while not stop.is_set():
            kind = self.random.choices(list(steps), weights=list(steps.values()))[0]
            await self._write(kind)
            await clock.sleep(pause_seconds)

    async def _write(self, kind: str) -> None:
        match kind:
            case "put":
                await self._put(self._new_deal())
            case "re-create" if self.deleted:
                await self._put(self.deleted.pop(self.random.choice(sorted(self.deleted))))
            case "delete" if self.live:
                await self._delete(self.random.choice(sorted(self.live)))
            case "update" | "move" if self.live:
                item = self.live[self.random.choice(sorted(self.live))]
                await self._put(item | (self._change() if kind == "update" else self._move()))
            case _:
                return
        self.counts[kind] += 1

    async def _put(self, item: Item) -> None:
        await self.store.write(Put(self.table, item))
        self.live[item["id"]["S"]] = item

    async def _delete(self, identity: str) -> None:
        item = self.live.pop(identity)
        await self.store.write(Delete(self.table, {"pk": item["pk"], "sk": item["sk"]}))
        self.deleted[identity] = item

    def _new_deal(self) -> Item:
        identity = f"new-{self.seed}-{self.counts['put']}"
        key = {"pk": text(f"DEAL#{identity}"), "sk": text("METADATA"), "entity_type": text("DEAL")}
        return key | {"id": text(identity), "company": text("Isdom"), "value": number(self.random.randrange(5000))}

    def _change(self) -> Item:
        changed = self.counts["update"]
        return {
            "stage": text(self.random.choice(STAGES)),
            "value": number(self.random.randrange(5000)),
            "updated_at": text(f"2018-01-01T{changed // 3600 % 24:02d}:{changed // 60 % 60:02d}:{changed % 60:02d}Z"),
        }

    def _move(self) -> Item:
        return {"created_at": text(self.random.choice(MOVED_TO))}
