"""The picture of the console page in the documents. Run as a program, it takes it anew: ``python -m tests.console.picture``."""

import shutil
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from service.clock import iso
from service.config import Settings
from service.core.phases.conditions import gate_of
from service.core.phases.facts import BackfillFacts, Facts, FullValidation, LaneFacts, SideFacts
from service.core.phases.gate import Gate
from service.core.phases.moves import CUTOVER_TO_DUAL
from tests.console.conftest import Service
from tests.console.states import AUDIT, SINCE_SECONDS, WORKER, Document, document, ready

PICTURE = Path(__file__).parents[2] / "docs" / "images" / "console.png"
SIZE = {"width": 1200, "height": 1180}
BUSY = range(205, 222)
"""The samples of the hour at which more was written."""

VALIDATED_AT = "2026-01-04T07:00:00Z"
VALIDATION: Document = {
    "id": "20260104T065500Z-abcdef",
    "result": "equal",
    "counts": {
        "LEAD": {"old": 308_928, "v2": 308_928, "equal": 308_928, "different": 0, "missing": 0},
        "DEAL": {"old": 900_000, "v2": 900_000, "equal": 900_000, "different": 0, "missing": 0},
    },
    "differences": [],
    "differences_total": 0,
    "finished_at": VALIDATED_AT,
}
STANDBY = replace(WORKER, name="app-2-7-def456", forward="standby", reverse="standby")


def state(lag_seconds: float) -> Document:
    """After the backfill, with the gate closed by one condition: the last validation is too old."""
    reading = LaneFacts("app", True, 0.0, SINCE_SECONDS - 412, 86_040.0, shards=24)
    changes = {"applied": 48_512, "stale": 317}
    status = ready(
        phase_since=SINCE_SECONDS - 2 * 86_400,
        backfill=BackfillFacts("finished", 1_208_928, 64, 64, cost_usd=2.27),
        forward=replace(reading, lag_seconds=lag_seconds, shards=16, outcomes=changes),
        reverse=reading,
        workers=(WORKER, STANDBY),
        sides={"old": SideFacts(SINCE_SECONDS), "v2": SideFacts()},
        validation=FullValidation(True, 0, 0, SINCE_SECONDS - 93_900, SINCE_SECONDS - 93_600, VALIDATED_AT),
    )
    return document(replace(status, gate=gate_now(status.facts)), validation=VALIDATION, audit=AUDIT)


def point(number: int) -> Document:
    """A sample of the last hour: of a lane that works, and of one that has nothing to do."""
    rates = {"application_per_second": 12.4, "carried_per_second": 12.1}
    forward = 0.4 + 0.05 * (number * number % 7) + (2.4 if number in BUSY else 0.0)
    reverse = 0.05 * (number * number % 5)
    lags = {"forward": {"lag_seconds": forward, **rates}, "reverse": {"lag_seconds": reverse, **rates}}
    return {"at": iso(SINCE_SECONDS - 3600 + 10 * number), **lags}


def gate_now(facts: Facts) -> Gate:
    """The gate to `dual` by these facts, each condition with the time since when it is so."""
    gate = gate_of(CUTOVER_TO_DUAL, facts, Settings(control_table="control"))
    return replace(gate, conditions=tuple(replace(condition, since=VALIDATED_AT) for condition in gate.conditions))


def take_picture() -> None:
    """Render the page in the machine's Chromium, and write PICTURE."""
    service = Service()
    service.start()
    try:
        service.view.document = state(0.4)
        service.view.points = [point(number) for number in range(360)]
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = chromium.new_page(viewport=SIZE, color_scheme="light")  # type: ignore[arg-type]
            page.goto(service.url)
            expect(page.locator("#connection")).to_contain_text("live")
            expect(page.get_by_role("img", name="Lag in the last hour: forward at most 3.0 s")).to_be_visible()
            PICTURE.parent.mkdir(exist_ok=True)
            page.screenshot(path=PICTURE)
            chromium.close()
    finally:
        service.stop()


if __name__ == "__main__":
    take_picture()
