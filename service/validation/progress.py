"""How far a run has come: each segment's position, counts and differences, saved so that a killed run goes
on."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from service.core.item.wire import Item
from service.validation.difference_file import DifferenceFile
from service.validation.records import RunRecords, first_seen
from service.validation.report import LISTED_DIFFERENCES, Difference
from service.validation.tally import Tally, from_rows, to_rows


@dataclass(frozen=True, slots=True)
class SegmentProgress:
    """Where a segment stands: the last key of the last saved page, what was counted up to it, and the output
    file's length then."""

    last_key: Item | None = None
    done: bool = False
    tally: tuple[tuple[Any, ...], ...] = ()
    output_size: int = 0


class ValidationProgress:
    """The progress of one run, in memory and in the control table.

    ``save`` writes in the order output file, differences, position: a run killed in between does the chunk
    again, and the same differences land at the same records; the file is cut back to the length saved with
    the positions.
    """

    def __init__(
        self, records: RunRecords, progress: dict[str, SegmentProgress], listed: dict[str, dict[str, Any]]
    ) -> None:
        self._records = records
        self._progress = progress
        self._listed = listed
        self._output: DifferenceFile | None = None
        self._saving = asyncio.Lock()
        self.tally = Tally()
        for one in progress.values():
            self.tally += from_rows([list(row) for row in one.tally])

    @classmethod
    async def load(cls, records: RunRecords) -> "ValidationProgress":
        """The progress that was saved under the run, empty for a new one."""
        segments = {
            name: SegmentProgress(
                saved["last_key"], saved["done"], tuple(map(tuple, saved["tally"])), saved["output_size"]
            )
            for name, saved in (await records.load("segment#")).items()
        }
        return cls(records, segments, await records.load("difference#"))

    @property
    def output_size(self) -> int:
        """Length of the output file that the saved positions stand for."""
        return max((one.output_size for one in self._progress.values()), default=0)

    @property
    def differences(self) -> list[dict[str, Any]]:
        """The first LISTED_DIFFERENCES differences found, oldest first."""
        return sorted(self._listed.values(), key=first_seen)[:LISTED_DIFFERENCES]

    def write_to(self, output: DifferenceFile | None) -> None:
        """Have every difference written to ``output`` from now on."""
        self._output = output

    def progress(self, walk: str, segment: int) -> SegmentProgress:
        """Where a segment stands."""
        return self._progress.get(f"{walk}#{segment:06d}", SegmentProgress())

    async def save(
        self, walk: str, segment: int, last_key: Item | None, tally: Tally, differences: Sequence[Difference]
    ) -> None:
        """Save a chunk that ended at ``last_key`` (None: the segment's end), its counts and its
        differences."""
        async with self._saving:  # one at a time, or the output file's length would not belong to one position
            documents = [one.to_json() for one in differences]
            if self._output is not None:
                self._output.append(documents, done=self.so_far())
            await self._list(documents)
            name = f"{walk}#{segment:06d}"
            total = from_rows([list(row) for row in self.progress(walk, segment).tally]) + tally
            size = self._output.size if self._output is not None else 0
            saved = SegmentProgress(last_key, last_key is None, tuple(map(tuple, to_rows(total))), size)
            await self._records.save(f"segment#{name}", _document(saved))
            self._progress[name] = saved
            self.tally += tally

    def so_far(self) -> str:
        """What the run has done, in a few words."""
        items = sum(n for key, n in self.tally.items() if key[0] == "items" and key[2] in ("old", "v2"))
        return f"{items:,} items compared and saved, {self.tally['run', 'differences']:,} differences"

    async def _list(self, documents: Sequence[dict[str, Any]]) -> None:
        for document in documents[: max(0, LISTED_DIFFERENCES - len(self._listed))]:
            name = _name(document)
            await self._records.save(f"difference#{name}", document)
            self._listed[name] = document


def _document(progress: SegmentProgress) -> dict[str, Any]:
    return {
        "last_key": progress.last_key,
        "done": progress.done,
        "tally": [list(row) for row in progress.tally],
        "output_size": progress.output_size,
    }


def _name(document: dict[str, Any]) -> str:
    """The same for the same difference, found again by a run that does a chunk again."""
    identity = (document["entity"], document["old_key"], document["v2_key"])
    return blake2b(repr(identity).encode(), digest_size=12).hexdigest()
