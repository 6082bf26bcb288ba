"""The fault of the demonstration: sync is killed while writers move from one side to the other, and is started again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.app import App
from service.control.workers import BEAT_SECONDS, BOTH, Workers
from service.rehearsal.demo.watch import Watch
from service.rehearsal.sync_process import SyncProcess
from service.rehearsal.write_log import WriteLog
from service.sync.worker import CATCH_UP_QUESTION_SECONDS


class KillOfSync:
    """``seconds``: from the kill until everything was carried again; 0 before that."""

    def __init__(self, app: App, sync: SyncProcess, log: WriteLog, watch: Watch) -> None:
        self.seconds = 0.0
        self._app = app
        self._sync = sync
        self._log = log
        self._watch = watch

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """kill -9 of sync before the block; at its end it is started again, and has caught up in both directions."""
        began, written = self._app.clock.monotonic(), len(self._log.acknowledged)
        await self._sync.kill()
        self._watch.say(
            f"kill -9 of sync, process {self._sync.pid}: writers of both sides go on, and nothing is carried"
        )
        await self._watch.look()  # once at least, however busy the machine is
        yield
        await self._sync.start()
        self._watch.say(f"sync started again, process {self._sync.pid}: it goes on at the saved positions")
        workers = Workers(self._app.control, self._app.clock)
        while not await workers.caught_up(CATCH_UP_QUESTION_SECONDS, BOTH):
            await self._app.clock.sleep(BEAT_SECONDS)
        self.seconds = self._app.clock.monotonic() - began
        meanwhile = len(self._log.acknowledged) - written
        self._watch.say(
            f"caught up {self.seconds:.0f} s after the kill; {meanwhile} writes were acknowledged meanwhile"
        )
