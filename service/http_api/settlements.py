"""Settles conflicts and keys in quarantine over HTTP, with the rules, the checks and the audit entries of the commands.

One act at a time, and one read: each goes item by item, in the lanes' event loop.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from service.app import App
from service.clock import iso
from service.control.audit import Audit
from service.control.quarantine import Quarantine
from service.control.quarantine_documents import shown
from service.control.repairs import require_repairs_allowed
from service.http_api.settlement_contract import ChoicesRequest, DropRequest, ResolutionRequest, RetryRequest
from service.migration.phase.move_context import move_context
from service.migration.settlement.quarantine import drop_key, each_key, retry_document, retry_key
from service.migration.settlement.resolution import ConflictResolver
from service.migration.settlement.resolution_of_all import choose_all, choose_as_shown, resolve_all
from service.sync.positions import require_started


class Settlements:
    """Implements ``SettlementApi``. ``changed`` is called after each act, so that the lists are read again."""

    def __init__(self, app: App, changed: Callable[[], Awaitable[None]]) -> None:
        self._app = app
        self._changed = changed
        self._acting = asyncio.Lock()
        self._reading = asyncio.Lock()

    async def conflict(self, conflict_id: str) -> dict[str, Any]:
        """All that is recorded of a conflict or a held item, and what v2 has now."""
        as_of = iso(self._app.clock.now())
        async with self._reading:
            return {**await (await self._reader()).show(conflict_id), "as_of": as_of}

    async def choices(self, request: ChoicesRequest) -> dict[str, Any]:
        """What ``request.keep`` gives up at each conflict, and ``seen``, with which `resolve` takes just that; writes nothing."""
        async with self._reading:
            chosen = await choose_all(await self._reader(), dict.fromkeys(request.ids), request.keep, request.item)
        choices = [
            {"id": choice.conflict_id, "lost": list(choice.lost), "seen": choice.digest} for choice in chosen.choices
        ]
        return {"choices": choices, "refused": dict(chosen.refused)}

    async def resolve(self, request: ResolutionRequest, *, by: str) -> dict[str, Any]:
        """Resolve each conflict whose choice is still the one that was shown; ``open`` says why others stay."""
        async with self._acting:
            resolver = await self._resolver(by)
            chosen = await choose_as_shown(resolver, request.seen, request.keep, request.item)
            result = await resolve_all(resolver, chosen, request.why)
        await self._changed()
        return {"resolved": result.resolved, "kept": request.keep, "open": dict(result.refused)}

    async def quarantined(self, key_id: str) -> dict[str, Any]:
        """A key in quarantine, with the images of every change that waits, and the item that its table has now: of one that the
        backfill could not copy, no change waits."""
        as_of = iso(self._app.clock.now())
        quarantine = Quarantine(self._app.control, self._app.clock)
        async with self._reading:
            head = (await quarantine.head(key_id)).value
            now = await self._app.store.get(head.table, head.key)
            return {**shown(key_id, head, await quarantine.changes(key_id)), "item_now": now, "as_of": as_of}

    async def retry(self, request: RetryRequest) -> dict[str, Any]:
        """Apply what waits for each key; ``failure`` says why one stays, ``gone`` which had left already."""
        async with self._acting:
            require_repairs_allowed(await require_started(self._app))
            results, gone = await each_key(request.ids, partial(retry_key, self._app))
        await self._changed()
        return retry_document(results.values(), gone)

    async def drop(self, request: DropRequest, *, by: str) -> dict[str, Any]:
        """Lose what waits for each key, as the audit log then says; ``gone`` says which had left already."""
        app = self._app
        quarantine = Quarantine(app.control, app.clock)
        async with self._acting:
            audit = (await move_context(app, by)).audit
            drop = partial(drop_key, quarantine, append_audit=audit.append, why=request.why)
            lost, gone = await each_key(request.ids, drop)
        await self._changed()
        return {"items": [{"id": name, "changes_lost": count} for name, count in lost.items()], "gone": gone}

    async def _reader(self) -> ConflictResolver:
        """Shows and decides; nobody's name is needed, nor asked for."""
        app = self._app
        return ConflictResolver(app.stores, await require_started(app), "", Audit(app.control, app.clock, "").append)

    async def _resolver(self, by: str) -> ConflictResolver:
        state, context = await require_started(self._app), await move_context(self._app, by)
        return ConflictResolver(self._app.stores, state, context.by, context.audit.append)
