"""The sync process of a rehearsal: it is killed and started again, and an end that nobody wanted is said."""

import asyncio
import os
from pathlib import Path

import pytest

from service.errors import Fatal
from service.rehearsal.sync_process import SyncProcess


def refused(tmp_path: Path) -> SyncProcess:
    """One whose settings no sync can start with."""
    return SyncProcess({**os.environ, "TABLESPLIT_NO_SUCH_SETTING": "1"}, tmp_path / "sync.log")


async def ended(process: SyncProcess) -> None:
    assert process._process is not None
    await asyncio.wait_for(process._process.wait(), 300)


async def test_an_end_by_itself_is_an_error_with_what_it_said(tmp_path: Path) -> None:
    process = refused(tmp_path)
    await process.start()
    await ended(process)
    with pytest.raises(Fatal, match=r"sync ended with status 2: .*TABLESPLIT_NO_SUCH_SETTING is not a setting"):
        process.require_running()
    await process.stop()


async def test_an_end_by_our_kill_is_none_and_another_can_be_started(tmp_path: Path) -> None:
    process = refused(tmp_path)
    await process.start()
    first = process.pid
    await process.kill()
    process.require_running()
    assert not process.runs
    await process.start()
    assert process.runs
    assert process.pid != first
    await process.kill()
