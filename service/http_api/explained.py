"""`/v1/explain`: one item of the old table, there and back, by the mapping that this process runs with.

Each answer costs the old table one GetItem. They are read one after the other, so that nobody can load the table, or hold up the
lanes, through the page.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from service.app import App
from service.clock import iso
from service.core.item.wire import Item
from service.core.mapping.explain import explain_edits
from service.core.mapping.typed_text import old_key_from_text
from service.errors import Misconfigured, Poison
from service.http_api.shared import SHARE_OF_TIME
from service.migration.tried_items import find_item

PAUSE_SECONDS = 0.2
"""At least, from the begin of one read to that of the next, for all clients together."""


class Explained:
    """Explains items as `mapping explain KEY` does."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._reading = asyncio.Lock()
        self._free_at = float("-inf")

    async def item(self, key: str, edits: Sequence[str]) -> dict[str, Any] | None:
        """The document of the item at ``key``, written ``pk=LEAD#7 sk=METADATA``; None when there is none.

        ``edits``: of v2 fields, each ``field=value``; what they would give back is explained too. Raises Misconfigured for a key or
        an edit that is none.
        """
        at, clock = old_key_from_text(self._app.mapping, key), self._app.clock
        async with self._reading:
            if (wait := self._free_at - clock.monotonic()) > 0:
                await clock.sleep(wait)
            began = clock.monotonic()
            try:
                return await self._explain(at, edits)
            finally:  # an item of thousands of attributes takes a tenth of a second, in the lanes' event loop
                self._free_at = began + max(PAUSE_SECONDS, SHARE_OF_TIME * (clock.monotonic() - began))

    async def _explain(self, key: Item, edits: Sequence[str]) -> dict[str, Any] | None:
        as_of = iso(self._app.clock.now())
        try:
            found = await find_item(self._app, key)
        except Poison as refused:  # by the server, such as a key that is too long
            raise Misconfigured(refused.message, remedy="correct the key") from refused
        if found is None:
            return None
        mapping = self._app.mapping
        return {"mapping": mapping.hash, **explain_edits(mapping, found, edits).to_json(), "as_of": as_of}
