"""The systemd unit, as systemd itself reads it."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.fakes.servers import required

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "tablesplit-sync.service"


def test_systemd_reads_it_without_a_warning(tmp_path: Path) -> None:
    analyze = required("systemd-analyze", "systemd")
    unit = tmp_path / UNIT.name
    # systemd looks for the program, which is not installed where tests run
    unit.write_text(
        UNIT.read_text(encoding="utf-8").replace("/opt/tablesplit/bin/tablesplit", str(shutil.which("true")))
    )
    done = subprocess.run([analyze, "verify", unit], capture_output=True, text=True, timeout=120, env=os.environ)
    said = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert said == []


def test_it_may_do_nothing_beyond_its_work() -> None:
    text = UNIT.read_text(encoding="utf-8")
    for line in ("DynamicUser=yes", "CapabilityBoundingSet=", "NoNewPrivileges=yes", "ProtectSystem=strict"):
        assert f"\n{line}\n" in text
    assert "\nRestartPreventExitStatus=2\n" in text
