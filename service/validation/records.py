"""Validation's records in the control table: runs, their progress, and their reports."""

from datetime import datetime
from typing import Any

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from service.control.table import ControlTable, Records
from service.errors import Fenced

OPEN, LATEST, FULL = "open", "latest", "full"
Document = dict[str, Any]


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="ignore"))
class FullRun:
    """The summary of a finished run that compared everything."""

    id: str
    result: str
    """equal | different."""
    differences_total: int
    inverse_failures: int
    started_at: str
    """ISO 8601."""
    finished_at: str

    @property
    def equal(self) -> bool:
        """Both sides were equal."""
        return self.result == "equal"

    @property
    def started_seconds(self) -> float:
        """When it started, epoch seconds."""
        return datetime.fromisoformat(self.started_at).timestamp()

    @property
    def finished_seconds(self) -> float:
        """When it finished, epoch seconds."""
        return datetime.fromisoformat(self.finished_at).timestamp()


class RunRecords:
    """The documents of one run, and the three that name runs: ``open`` the unfinished one, ``latest`` the last
    finished one, ``full`` the last finished one that compared everything.

    token: of the validation lease; a superseded holder's saves are refused.
    """

    def __init__(self, control: ControlTable, run: str, token: int) -> None:
        self._runs = runs(control)
        self._own = own(control, run)
        self._token = token

    async def load(self, prefix: str) -> dict[str, Document]:
        """The run's documents whose name begins with ``prefix``, by the rest of their name."""
        found = await self._own.all()
        return {name.removeprefix(prefix): one.value for name, one in found.items() if name.startswith(prefix)}

    async def save(self, name: str, document: Document) -> None:
        """Write a document of the run. Raises Fenced when another validation has taken the lease since."""
        _accepted(await self._own.save(name, document, self._token))

    async def point(self, name: str, document: Document) -> None:
        """Write ``open``, ``latest`` or ``full``. Raises Fenced when another validation has taken the lease since."""
        _accepted(await self._runs.save(name, document, self._token))


def runs(control: ControlTable) -> Records[Document]:
    """The records that name runs."""
    return control.records("validation", Document)


def own(control: ControlTable, run: str) -> Records[Document]:
    """The records of one run."""
    return control.records(f"validation#{run}", Document)


async def latest_summary(control: ControlTable) -> Document | None:
    """``id``, ``result``, ``differences_total`` and ``finished_at`` of the latest finished run: one small read."""
    latest = await runs(control).get(LATEST)
    return None if latest is None else latest.value


async def latest_full(control: ControlTable) -> FullRun | None:
    """The latest finished run that compared everything. Raises Fatal when the record is damaged."""
    full = await control.records("validation", FullRun).get(FULL)
    return None if full is None else full.value


async def stored_report(control: ControlTable, run: str | None = None) -> Document | None:
    """The report of a run (None: the latest finished one) as ``Report.to_json`` gave it; of an unfinished one
    its id and state."""
    if run is None:
        latest = await latest_summary(control)
        if latest is None:
            return None
        run = str(latest["id"])
    documents = {name: one.value for name, one in (await own(control, run).all()).items()}
    if "report" not in documents:
        return {"id": run, "state": "unfinished", **documents["run"]} if "run" in documents else None
    listed = [document for name, document in documents.items() if name.startswith("difference#")]
    return {**documents["report"], "differences": sorted(listed, key=first_seen)}


def first_seen(document: Document) -> str:
    """The order in which differences are listed."""
    return str(document["first_seen"])


def _accepted(accepted: bool) -> None:
    if not accepted:
        raise Fenced("another validation has taken over", remedy="wait for it, then run `tablesplit validate`")
