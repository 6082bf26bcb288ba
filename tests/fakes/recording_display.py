"""A display of the backfill's progress that keeps every snapshot."""

from backfill.progress import Snapshot


class RecordingDisplay:
    """Keeps what it is given to show, in order."""

    def __init__(self) -> None:
        self.snapshots: list[Snapshot] = []

    def show(self, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)
