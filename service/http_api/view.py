"""What the HTTP API and the console page show and start in this process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

from service.app import App
from service.clock import iso
from service.control import audit, conflict_documents, quarantine_documents, verification
from service.control.audit import Audit
from service.control.conflicts import Conflicts
from service.control.quarantine import Quarantine
from service.control.verification import PAGE_ITEMS
from service.errors import Misconfigured, Refused, TablesplitError, as_ours
from service.http_api.contract import ListName, ValidationRequest
from service.http_api.events import ConsoleEvents
from service.http_api.explained import Explained
from service.http_api.phase_view import PhaseView
from service.http_api.settlements import Settlements
from service.http_api.shared import Shared
from service.log import get_logger
from service.log_events import newest_events
from service.migration.status.gauges import MigrationGauges
from service.migration.status.history import History
from service.migration.status.snapshot import take_running_snapshot
from service.migration.status.status import Status
from service.migration.validation import run_validation
from service.sync.worker import Lanes
from service.validation.options import ValidationOptions
from service.validation.records import stored_report
from service.validation.run import new_run_id

SHOWN_ITEMS = 50
"""The length of a list on the console page."""

READS_AT_ONCE = 4
"""Of pages of a list that are not shared: further requests wait for their turn."""

LISTS: tuple[ListName, ...] = ("quarantine", "conflicts", "verification")
"""Those on the console page that show their first items."""

Page = Callable[[str, int], Awaitable[dict[str, Any]]]
"""Reads the page of a list after an id, of at most so many items."""


class HttpView:
    """Implements ``http_api.ServiceView``."""

    def __init__(self, app: App, lanes: Lanes, history: History | None = None) -> None:
        """``history``: of the lanes, which goes on here with each status that is read."""
        self._history = history or History()
        self._status = Shared(self._take, app.clock)
        self.phases = PhaseView(app, self._status)
        self._events = ConsoleEvents(self._console, app.clock)
        self._app = app
        self._lanes = lanes
        self._stop = asyncio.Event()
        self._validating: asyncio.Task[None] | None = None
        self._failed: dict[str, Any] | None = None
        self._pages: dict[str, Page] = {
            "quarantine": partial(quarantine_documents.page, Quarantine(app.control, app.clock)),
            "conflicts": partial(conflict_documents.page, Conflicts(app.control)),
            "verification": lambda after, limit: verification.listing(app.control, after=after, limit=limit),
            "audit": partial(audit.page, Audit(app.control, app.clock, "")),
        }
        self._first = {name: Shared(partial(self._read, name, "", PAGE_ITEMS), app.clock) for name in self._pages}
        self._latest = Shared(partial(stored_report, app.control, None), app.clock)
        self._newest_acts = Shared(partial(Audit(app.control, app.clock, "").newest, SHOWN_ITEMS), app.clock)
        self._reading = asyncio.Semaphore(READS_AT_ONCE)
        self._explained = Explained(app)
        self.settlements = Settlements(app, self._settled)

    async def _take(self) -> Status:
        status = await take_running_snapshot(self._app)
        self._history.add(status.facts)
        return status

    def unready(self) -> str | None:
        """Why a lane has stopped, with the remedy; None while both lanes work or stand by."""
        return self._lanes.unready()

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        """The metrics page with present gauges, and its content type. It is served even when DynamoDB does not answer."""
        try:
            self._app.metrics.show(MigrationGauges(await self._status.get()))
        except TablesplitError:  # the reason is in the log, with the status
            self._app.metrics.show(MigrationGauges(None))
        return self._app.metrics.page(accept)

    async def status(self) -> dict[str, Any]:
        """The document of /v1/status, as it was read within the last seconds (``as_of``)."""
        status = await self._status.get()
        return {**status.to_json(), "as_of": iso(status.facts.now)}

    async def history(self) -> dict[str, Any]:
        """The document of /v1/history: lag and rates of both lanes in the last hour, as far as this process has seen it."""
        return {"points": self._history.points(), "as_of": iso(self._app.clock.now())}

    def log(self) -> dict[str, Any]:
        """The document of /v1/log: the newest events of this process's log."""
        return {"events": newest_events(), "as_of": iso(self._app.clock.now())}

    async def validation(self, run_id: str | None) -> dict[str, Any] | None:
        """A report, or None. For the latest run started here, if it failed: the reason and the remedy."""
        if self._failed is not None and self._failed["id"] == run_id:
            return self._failed
        if run_id is None:
            return await self._latest.get()
        async with self._reading:
            return await stored_report(self._app.control, run_id)

    async def start_validation(self, request: ValidationRequest) -> str:
        """Start a run in the background; returns its id. Raises Refused while one runs here, Misconfigured for an unknown
        entity."""
        if self._validating is not None and not self._validating.done():
            raise Refused("a validation runs in this process", remedy="wait for it: GET /v1/validation")
        if request.entity is not None and request.entity not in self._app.mapping.entities:
            known = ", ".join(self._app.mapping.entities)
            raise Misconfigured(f"unknown entity {request.entity!r}", remedy=f"one of: {known}")
        run_id = new_run_id(self._app.clock.now())
        options = ValidationOptions(sample=request.sample, entity=request.entity, resume="never", run=run_id)
        self._validating = asyncio.create_task(self._validate(options))
        return run_id

    async def page(self, name: ListName, after: str = "", limit: int = PAGE_ITEMS) -> dict[str, Any]:
        """A page of a list: at most ``limit`` items after the id ``after``. ``next``: the id after which it goes on, or None."""
        if (after, limit) == ("", PAGE_ITEMS):
            return await self._first[name].get()
        async with self._reading:
            return await self._read(name, after, limit)

    async def _read(self, name: str, after: str, limit: int) -> dict[str, Any]:
        as_of = iso(self._app.clock.now())
        return {**await self._pages[name](after, limit), "as_of": as_of}

    async def explain(self, key: str, edits: list[str]) -> dict[str, Any] | None:
        """The item of the old table at ``key`` there and back, with what ``edits`` of it would give back; None: there is none."""
        return await self._explained.item(key, edits)

    async def _settled(self) -> None:
        for shared in (self._status, self._newest_acts, self._first["quarantine"], self._first["conflicts"]):
            await shared.renew()

    def events(self) -> AsyncIterator[bytes] | None:
        """The console's events for a further listener; None when there are too many."""
        return self._events.listen()

    async def _console(self) -> dict[str, Any]:
        """Everything that the console page shows."""
        lists = {name: await self.page(name) for name in LISTS}
        differing = lists["verification"]
        return {
            "status": await self.status(),
            "unready": self.unready(),
            "phase": await self.phases.phase(),
            "rates": self._history.rates(),
            "v2_tables": list(self._app.mapping.tables),
            "validation": await self.validation(None),
            "validating": self._validating is not None and not self._validating.done(),
            "quarantine": lists["quarantine"]["items"][:SHOWN_ITEMS],
            "conflicts": lists["conflicts"]["items"][:SHOWN_ITEMS],
            "verification": {**differing, "items": differing["items"][:SHOWN_ITEMS]},
            "audit": [record.to_json() for record in await self._newest_acts.get()],
        }

    async def _validate(self, options: ValidationOptions) -> None:
        try:
            await run_validation(self._app, options, self._stop)
        except Exception as stopped:  # noqa: BLE001 - whatever it was, the run's document shows it
            failure = as_ours(stopped)
            get_logger().error("validation failed", run=options.run, **failure.to_log())
            self._failed = {"id": options.run, "state": "failed", "error": failure.to_json()}

    async def close(self) -> None:
        """End the console's events, and stop a validation or a phase move that runs; both can be resumed."""
        self._stop.set()
        await self._events.close()
        everything: list[Shared[Any]] = [self._status, self._latest, self._newest_acts, *self._first.values()]
        for shared in everything:
            await shared.close()
        await self.phases.close()
        if self._validating is not None:
            await self._validating
