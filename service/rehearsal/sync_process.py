"""`tablesplit sync` as a process of its own on a rehearsal's tables, which can be killed and started again."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from service.app import App
from service.config import variable_name
from service.environment import packaged_mapping_file
from service.errors import Fatal
from service.rehearsal.counting import SHARED_COUNTER

STOP_SECONDS = 10.0
LOG_TAIL_BYTES = 2000
LOG_TAIL_LINES = 2
"""Of the log: what was wrong, and what to do."""

# It stops as by SIGTERM when our end of its stdin closes, which happens however we end, by SIGKILL too.
SYNC = """
import os, signal, threading
threading.Thread(target=lambda: (os.read(0, 1), os.kill(os.getpid(), signal.SIGTERM)), daemon=True).start()
from service.cli import main
main()
"""


class SyncProcess:
    """The sync process of a rehearsal. ``pid``: of the latest one; ``runs``: whether it has been started and not been killed."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self.pid = 0
        self.runs = False
        self._environment = environment
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, in a session of its own: Ctrl-C reaches our process only."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", SYNC, "sync", "--no-http"),
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )
        self.pid, self.runs = self._process.pid, True

    async def kill(self) -> None:
        """kill -9: it saves nothing and gives no lease back."""
        assert self._process is not None
        self.runs = False
        self._process.send_signal(signal.SIGKILL)
        await self._process.wait()

    def require_running(self) -> None:
        """Raises Fatal with its last lines when it has ended although nobody has killed it."""
        if self.runs and self._process is not None and self._process.returncode is not None:
            said = (
                self._log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").strip().splitlines()[-LOG_TAIL_LINES:]
            )
            raise Fatal(f"sync ended with status {self._process.returncode}: {'; '.join(said) or 'it said nothing'}")

    async def stop(self) -> None:
        """Let it save its positions and end; kill it when that takes longer than STOP_SECONDS."""
        self.runs = False
        if self._process is None or self._process.returncode is not None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        if self._process.returncode is None:
            await self.kill()


@asynccontextmanager
async def sync_process(app: App, changed: Mapping[str, Any]) -> AsyncIterator[SyncProcess]:
    """The process for ``app``'s tables, not started yet; stopped at the end. ``changed``: the settings, by field, that differ from
    those of the environment."""
    with TemporaryDirectory(prefix="tablesplit-") as folder:
        mapping = Path(folder) / "mapping.yaml"
        tables = _write_mapping(app, mapping)
        settings = {variable_name(field): str(value) for field, value in changed.items()}
        process = SyncProcess(
            {**os.environ, **settings, **tables, variable_name("mapping"): str(mapping)}, Path(folder) / "sync.log"
        )
        try:
            yield process
        finally:
            await process.stop()


def _write_mapping(app: App, path: Path) -> dict[str, str]:
    """Write the mapping that the settings name, with the counter of both sides. Returns the tables' names, by variable."""
    source = app.settings.mapping or packaged_mapping_file()
    document = yaml.safe_load(source.read_text(encoding="utf-8"))
    for entity in document["entities"].values():
        entity["merge"] = {**entity.get("merge", {}), SHARED_COUNTER: "add"}
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    named = [(document["old"]["table"], app.mapping.old.table)]
    named += [(entity["table"], app.mapping.entities[name].table) for name, entity in document["entities"].items()]
    return {table["variable"]: name for table, name in named}
