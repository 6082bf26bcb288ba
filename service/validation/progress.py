"""The progress of a run: each segment's position, counts and differences, saved so that a killed run can be resumed."""

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
    """How far a segment is."""

    last_key: Item | None = None
    """Of the last saved page."""
    done: bool = False
    tally: tuple[tuple[Any, ...], ...] = ()
    """What was counted up to ``last_key``, as ``tally.to_rows`` gives it."""
    output_size: int = 0
    """The length of the output file when this was saved, in bytes."""


class ValidationProgress:
    """The progress of one run, in memory and in the control table.

    ``save`` writes in the order output file, differences, position. A run killed in between compares the batch again: the same
    differences overwrite the same records, and the file is cut back to the length saved with the positions.
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
        for segment in progress.values():
            self.tally += from_rows([list(row) for row in segment.tally])

    @classmethod
    async def load(cls, records: RunRecords) -> "ValidationProgress":
        """The saved progress of the run; empty for a new run."""
        segments = {
            name: SegmentProgress(
                saved["last_key"], saved["done"], tuple(map(tuple, saved["tally"])), saved["output_size"]
            )
            for name, saved in (await records.load("segment#")).items()
        }
        return cls(records, segments, await records.load("difference#"))

    @property
    def output_size(self) -> int:
        """The length of the output file at the saved positions, in bytes."""
        return max((segment.output_size for segment in self._progress.values()), default=0)

    @property
    def differences(self) -> list[dict[str, Any]]:
        """The first ``LISTED_DIFFERENCES`` differences that were found, oldest first."""
        return sorted(self._listed.values(), key=first_seen)[:LISTED_DIFFERENCES]

    def write_to(self, output: DifferenceFile | None) -> None:
        """From now on write every difference to ``output``."""
        self._output = output

    def of_segment(self, comparison: str, segment: int) -> SegmentProgress:
        """How far a segment of a comparison is."""
        return self._progress.get(f"{comparison}#{segment:06d}", SegmentProgress())

    async def save(
        self, comparison: str, segment: int, last_key: Item | None, tally: Tally, differences: Sequence[Difference]
    ) -> None:
        """Save the counts and differences of a batch that ended at ``last_key`` (None: the segment's end)."""
        async with self._saving:  # one at a time, or the output file's length would not belong to one position
            documents = [entry.to_json() for entry in differences]
            if self._output is not None:
                self._output.append(documents, done=self.so_far())
            await self._list(documents)
            name = f"{comparison}#{segment:06d}"
            total = from_rows([list(row) for row in self.of_segment(comparison, segment).tally]) + tally
            size = self._output.size if self._output is not None else 0
            saved = SegmentProgress(last_key, last_key is None, tuple(map(tuple, to_rows(total))), size)
            await self._records.save(f"segment#{name}", _document(saved))
            self._progress[name] = saved
            self.tally += tally

    def so_far(self) -> str:
        """What the run has done so far, in a few words."""
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
    """The same name for the same difference, so that a run which compares a batch again overwrites the record."""
    identity = (document["entity"], document["old_key"], document["v2_key"])
    return blake2b(repr(identity).encode(), digest_size=12).hexdigest()
