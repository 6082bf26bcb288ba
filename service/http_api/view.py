"""What the HTTP API and the console page show and start in this process."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from service.app import App
from service.control import conflicts, verification
from service.control.audit import Audit
from service.control.quarantine import Quarantine, listing
from service.errors import Misconfigured, Refused, TablesplitError
from service.http_api.contract import ValidationRequest
from service.http_api.events import ConsoleEvents
from service.http_api.phase_view import PhaseView
from service.log import get_logger
from service.migration.status.gauges import MigrationGauges
from service.migration.status.snapshot import take_running_snapshot, take_snapshot
from service.migration.validation import run_validation
from service.sync.worker import Lanes
from service.validation.options import ValidationOptions
from service.validation.records import stored_report
from service.validation.run import new_run_id

SHOWN_ITEMS = 50
"""The length of a list on the console page."""


class HttpView:
    """Implements ``http_api.ServiceView``."""

    def __init__(self, app: App, lanes: Lanes) -> None:
        self.phases = PhaseView(app)
        self._events = ConsoleEvents(self._console, app.clock)
        self._app = app
        self._lanes = lanes
        self._stop = asyncio.Event()
        self._validating: asyncio.Task[None] | None = None
        self._failed: dict[str, Any] | None = None

    def unready(self) -> str | None:
        """Why a lane has stopped, with the remedy; None while both lanes work or stand by."""
        return self._lanes.unready()

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        """The metrics page with present gauges, and its content type. It is served even when DynamoDB does not answer."""
        try:
            self._app.metrics.show(MigrationGauges(await take_running_snapshot(self._app)))
        except TablesplitError:  # the reason is in the log, with the status
            self._app.metrics.show(MigrationGauges(None))
        return self._app.metrics.page(accept)

    async def status(self) -> dict[str, Any]:
        """The document of /v1/status."""
        return (await take_snapshot(self._app)).to_json()

    async def validation(self, run_id: str | None) -> dict[str, Any] | None:
        """A report, or None. For the latest run started here, if it failed: the reason and the remedy."""
        if self._failed is not None and self._failed["id"] == run_id:
            return self._failed
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

    async def quarantine(self) -> dict[str, Any]:
        """The keys in quarantine."""
        return listing(await Quarantine(self._app.control, self._app.clock).heads())

    async def conflicts(self) -> dict[str, Any]:
        """The open conflicts and the held items."""
        return await conflicts.listing(conflicts.Conflicts(self._app.control))

    async def verification(self, after: str, limit: int) -> dict[str, Any]:
        """What the last verification of touched keys found, and a page of the keys that differ."""
        return await verification.listing(self._app.control, after=after, limit=limit)

    async def audit(self) -> dict[str, Any]:
        """The audit log, the oldest record first."""
        return {"items": [entry.to_json() for entry in await Audit(self._app.control, self._app.clock, "").all()]}

    def events(self) -> AsyncIterator[bytes] | None:
        """The console's events for a further listener; None when there are too many."""
        return self._events.listen()

    async def _console(self) -> dict[str, Any]:
        """Everything that the console page shows."""
        quarantine, conflicting, audit = await self.quarantine(), await self.conflicts(), await self.audit()
        differing = await self.verification("", SHOWN_ITEMS)
        return {
            "status": (await take_running_snapshot(self._app)).to_json(),
            "unready": self.unready(),
            "phase": await self.phases.phase(),
            "validation": await self.validation(None),
            "validating": self._validating is not None and not self._validating.done(),
            "quarantine": quarantine["items"][:SHOWN_ITEMS],
            "conflicts": conflicting["items"][:SHOWN_ITEMS],
            "verification": differing,
            "audit": audit["items"][-SHOWN_ITEMS:],
        }

    async def _validate(self, options: ValidationOptions) -> None:
        try:
            await run_validation(self._app, options, self._stop)
        except TablesplitError as failure:
            get_logger().error("validation failed", run=options.run, reason=failure.message, remedy=failure.remedy)
            self._failed = {"id": options.run, "state": "failed", "error": failure.to_json()}

    async def close(self) -> None:
        """End the console's events, and stop a validation or a phase move that runs; both can be resumed."""
        self._stop.set()
        await self._events.close()
        await self.phases.close()
        if self._validating is not None:
            await self._validating
