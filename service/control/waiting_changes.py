"""Changes that wait in quarantine: each is kept whole, with both images, in chunks that fit into control table records."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from service.control.table import ControlTable, PackedPart, packed, unpacked
from service.core.item.change import Change
from service.core.item.stamp import stream_version
from service.core.item.write import Put


@dataclass(frozen=True, slots=True)
class WaitingChange:
    """A change, and the generation of the stream that it was read in."""

    change: Change
    generation: int

    @property
    def version(self) -> str:
        """The version of the change, which orders it among the others of its key."""
        return stream_version(self.generation, self.change.sequence)


class WaitingChanges:
    """The changes that wait for one old key, oldest first."""

    def __init__(self, control: ControlTable, key_id: str) -> None:
        self._store = control.store
        self._name = f"quarantine#{key_id}"
        self._records = control.records(self._name, PackedPart)

    async def load(self) -> list[WaitingChange]:
        """Every change that waits."""
        chunks = await self._records.all()
        return [
            waiting_from([chunks[name].value for name in names], f"change {version} of {self._name}")
            for version, names in _by_version(chunks)
        ]

    def puts(self, waiting: WaitingChange) -> list[Put]:
        """The writes that keep a change, for a transaction. The same change always gives the same writes."""
        return [
            self._records.as_put(f"{waiting.version}#{number:03d}", chunk, None)[0]
            for number, chunk in enumerate(packed(asdict(waiting)))
        ]

    async def forget(self, upto: str) -> None:
        """Remove the changes up to a version, the oldest first and each whole. So what a crash leaves is readable and still has
        the newest changes."""
        chunks = await self._records.all()
        for version, names in _by_version(chunks):
            if version <= upto:
                await self._store.transact([self._records.as_delete(name, chunks[name]) for name in names])


def _by_version(names: Iterable[str]) -> Iterator[tuple[str, Iterator[str]]]:
    """The chunks' names, grouped by change."""
    return groupby(names, key=lambda name: name.partition("#")[0])


def waiting_from(chunks: list[PackedPart], where: str) -> WaitingChange:
    """The change that was packed into ``chunks``. Raises Fatal when one is damaged; ``where``: whose they are."""
    return unpacked(chunks, _waiting_change, where)


def _waiting_change(content: dict[str, Any]) -> WaitingChange:
    return WaitingChange(Change(**content["change"]), content["generation"])
