"""Validation's records in the control table: runs, their progress, and their reports."""

from typing import Any

from service.control.table import ControlTable, Records
from service.errors import Fenced
from service.validation.report import FullRun

PARTITION = "validation"
OPEN, LATEST, FULL = "open", "latest", "full"
Document = dict[str, Any]


class RunRecords:
    """The documents of one run, and the three that name runs: ``open`` the unfinished run, ``latest`` the last finished run,
    ``full`` the last finished run that compared everything.

    The saves of a superseded holder of the validation lease are refused.
    """

    def __init__(self, control: ControlTable, run: str, token: int) -> None:
        """``token``: of the validation lease."""
        self._runs = runs(control)
        self._documents = run_documents(control, run)
        self._token = token

    async def load(self, prefix: str) -> dict[str, Document]:
        """The run's documents whose name begins with ``prefix``, by the rest of their name."""
        documents = await self._documents.all()
        return {
            name.removeprefix(prefix): stored.value for name, stored in documents.items() if name.startswith(prefix)
        }

    async def save(self, name: str, document: Document) -> None:
        """Write a document of the run. Raises Fenced when another validation has taken the lease since."""
        _require_accepted(await self._documents.save(name, document, self._token))

    async def point(self, name: str, document: Document) -> None:
        """Write ``open``, ``latest`` or ``full``. Raises Fenced when another validation has taken the lease since."""
        _require_accepted(await self._runs.save(name, document, self._token))


def runs(control: ControlTable) -> Records[Document]:
    """The records that name runs."""
    return control.records(PARTITION, Document)


def run_documents(control: ControlTable, run: str) -> Records[Document]:
    """The records of one run."""
    return control.records(f"{PARTITION}#{run}", Document)


async def latest_summary(control: ControlTable) -> Document | None:
    """``id``, ``result``, ``differences_total`` and ``finished_at`` of the latest finished run: one small read."""
    latest = await runs(control).get(LATEST)
    return None if latest is None else latest.value


async def latest_full(control: ControlTable) -> FullRun | None:
    """The latest finished run that compared everything: one small read."""
    full = await control.records(PARTITION, FullRun).get(FULL)
    return None if full is None else full.value


async def stored_report(control: ControlTable, run: str | None = None) -> Document | None:
    """The report of a run (None: of the latest finished one) as ``Report.to_json`` gave it; for an unfinished run its id and
    state; None when there is no such run."""
    if run is None:
        latest = await latest_summary(control)
        if latest is None:
            return None
        run = str(latest["id"])
    documents = {name: stored.value for name, stored in (await run_documents(control, run).all()).items()}
    if "report" not in documents:
        return {"id": run, "state": "unfinished", **documents["run"]} if "run" in documents else None
    listed = [document for name, document in documents.items() if name.startswith("difference#")]
    return {**documents["report"], "differences": sorted(listed, key=first_seen)}


def first_seen(document: Document) -> str:
    """The key by which listed differences are sorted."""
    return str(document["first_seen"])


def _require_accepted(accepted: bool) -> None:
    if not accepted:
        raise Fenced("another validation has taken over", remedy="wait for it, then run `tablesplit validate`")
