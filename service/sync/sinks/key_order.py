"""Applies changes key by key: those of one key in their order, many keys at once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

from service.core.item.change import Change
from service.core.item.wire import key_text
from service.tasks import task_group

Work = Callable[[Sequence[Change]], Awaitable[None]]
"""Applies all changes of one key."""


class KeysAtOnce:
    """Applies at most ``concurrency`` keys at the same time, over all shards."""

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._slots = asyncio.Semaphore(concurrency)

    async def apply(self, changes: Sequence[Change], work: Work) -> None:
        """Return when ``work`` is done for every key of ``changes``. When it fails for one key, it is cancelled for the others,
        and this raises the failure."""
        runs = by_key(changes)
        todo = iter(runs)
        async with task_group() as tasks:
            for _ in range(min(self._concurrency, len(runs))):
                tasks.create_task(self._work(todo, work))

    async def _work(self, todo: Iterator[Sequence[Change]], work: Work) -> None:
        for changes in todo:
            async with self._slots:
                await work(changes)


def by_key(changes: Iterable[Change]) -> list[list[Change]]:
    """The changes of each key, in the order they came."""
    runs: dict[str, list[Change]] = {}
    for change in changes:
        runs.setdefault(key_text(change.key), []).append(change)
    return list(runs.values())
