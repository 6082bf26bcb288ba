"""The picture of the console page in the documents. Run as a program, it takes it anew: ``python -m tests.console.picture``."""

import shutil
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from service.core.phases.facts import BackfillFacts, LaneFacts
from service.core.phases.gate import Condition, Gate
from tests.console.conftest import Service
from tests.console.states import AUDIT, SINCE, WORKER, Document, document, ready

PICTURE = Path(__file__).parents[2] / "docs" / "images" / "console.png"
SIZE = {"width": 1120, "height": 1000}
LAGS = (0.4, 0.9, 0.3, 1.8, 3.1, 1.2, 0.5, 0.4, 0.8, 0.6, 2.2, 0.9, 0.4, 0.3, 0.5)
"""Seconds of forward lag, one for each event of the page: two seconds apart."""

GATE = Gate(
    "dual",
    (
        Condition("backfill", "finished", "finished", True, SINCE, ""),
        Condition("forward_caught_up", True, True, True, SINCE, ""),
        Condition("reverse_caught_up", True, True, True, SINCE, ""),
        Condition("lag", "0 s, low for 412 s", "below 10 s for 60 s", True, SINCE, ""),
        Condition("validation", "never run in full", "equal, at most 86400 s old", False, SINCE, "tablesplit validate"),
        Condition("quarantine", 0, 0, True, SINCE, ""),
        Condition("conflicts", 0, 0, True, SINCE, ""),
        Condition("headroom", 85980, "at least 14400 s", True, SINCE, ""),
        Condition("workers", "2 running", "at least 1 running, none stopped", True, SINCE, ""),
    ),
)
STANDBY = replace(WORKER, name="app-2-7-def456", forward="standby", reverse="standby")


def state(lag_seconds: float) -> Document:
    """After the backfill, with the gate closed by one condition."""
    status = ready(
        backfill=BackfillFacts("finished", 1_208_928, 64, 64, cost_usd=2.27),
        forward=LaneFacts("app", True, lag_seconds, shards=16, outcomes={"applied": 48_512, "stale": 317}),
        reverse=LaneFacts("app", True, 0.0, shards=24),
        workers=(WORKER, STANDBY),
        gate=GATE,
        validation=None,
    )
    return document(status, validation=None, audit=AUDIT)


def take_picture() -> None:
    """Render the page in the machine's Chromium, let the lag chart fill for half a minute, and write PICTURE."""
    service = Service()
    service.start()
    try:
        service.view.document = state(LAGS[0])
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = chromium.new_page(viewport=SIZE, color_scheme="light")  # type: ignore[arg-type]
            page.goto(service.url)
            expect(page.locator("#connection")).to_contain_text("live")
            for lag in LAGS:
                service.view.document = state(lag)
                page.wait_for_timeout(2_000)
            PICTURE.parent.mkdir(exist_ok=True)
            page.screenshot(path=PICTURE)
            chromium.close()
    finally:
        service.stop()


if __name__ == "__main__":
    take_picture()
