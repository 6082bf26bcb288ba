"""What moves on the page: the picture, the steps of a move, the hour's chart, the headline without flicker, and copies."""

import re

import pytest
from playwright.sync_api import Page, expect

from service.clock import iso
from service.core.phases.facts import LaneFacts, VerificationFacts
from tests.console.conftest import HOSTILE, TOKEN, Service, violations
from tests.console.states import CAUGHT_UP, CLOSED, SINCE, SINCE_SECONDS, STATES, document, ready

pytestmark = [pytest.mark.browser]


def test_the_picture_has_both_sides_with_their_rates_lags_and_rules(service: Service, page: Page) -> None:
    rates = {
        "forward": {"application_per_second": 7.25, "carried_per_second": 7.0},
        "reverse": {"application_per_second": 1234.0, "carried_per_second": None},
    }
    late = LaneFacts("app", False, 95.0, shards=4, catch_up_seconds=30.0)
    service.view.document = document(ready(phase="dual", rule="ledger", reverse=late), rates=rates)
    page.goto(service.url)
    old, v2 = page.locator("#picture .side").all()
    expect(old).to_contain_text("The application writes here 7.3 application changes/s")
    expect(v2).to_contain_text("v2: 4 tables")
    expect(v2).to_contain_text("1,234 application changes/s")
    expect(page.locator(".lane.forward")).to_contain_text("ledger rule 7.0 carried/s lag 0.2 s caught up")
    expect(page.locator(".lane.reverse")).to_contain_text("\N{EN DASH} carried/s lag 95 s catching up, about 30 s left")


def test_a_move_under_way_shows_its_step_its_time_and_what_follows(service: Service, page: Page) -> None:
    service.view.document = STATES["moving"][0]
    page.goto(service.url)
    steps = page.locator("#steps")
    expect(steps.locator("h3")).to_have_text("Move to dual: step 3 of 8")
    expect(steps.locator("li.now")).to_contain_text("horizon writes that are under way end for 23 s, mostly 60 s")
    expect(steps.locator("li.done")).to_have_count(2)
    expect(steps.locator("li.next").last).to_contain_text("enter each worker enters the phase some seconds")


def test_what_a_move_waits_for_is_beside_its_step(service: Service, page: Page) -> None:
    moving = STATES["moving"][0]
    late = "worker app-2 has not acknowledged forward/entering in forward sync"
    service.view.document = {**moving, "phase": {**moving["phase"], "waits_for": late}}
    page.goto(service.url)
    expect(page.locator("#steps li.now")).to_contain_text(f"waits: {late}")


def test_the_log_is_read_while_it_is_open(service: Service, page: Page) -> None:
    logged = {"event": "stream is read", "level": "warning", "timestamp": SINCE, "reason": HOSTILE}
    service.view.logged = [logged]
    page.goto(service.url)
    expect(page.locator("#headline")).to_have_text("Ready to cut over")
    expect(page.locator("#log")).to_be_empty()
    page.locator("#log-fold summary").click()
    expect(page.locator("#log tbody tr")).to_have_count(1)
    cells = page.locator("#log tbody td")
    expect(cells.nth(0)).to_have_text("7.0 s ago")
    expect(cells.nth(1)).to_have_text("warning")
    expect(cells.nth(2)).to_contain_text(f"stream is read reason={HOSTILE}")
    assert violations(page) == []
    service.view.logged = [logged, {**logged, "event": "stream is read again"}]
    expect(page.locator("#log tbody tr").first).to_contain_text("stream is read again")


def test_the_chart_has_the_hour_that_the_service_remembers(service: Service, page: Page) -> None:
    lags = [(1.0, 0.0), (42.0, 0.5), (None, 0.5), (3.0, 0.2)]
    rates = {"application_per_second": 0.0, "carried_per_second": 0.0}
    service.view.points = [
        {"at": iso(SINCE_SECONDS + 10 * n), "forward": {"lag_seconds": forward, **rates}, "reverse": {"lag_seconds": back, **rates}}
        for n, (forward, back) in enumerate(lags)
    ]  # fmt: skip
    page.goto(service.url)
    chart = page.get_by_role("img", name="Lag in the last hour: forward at most 42 s, reverse at most 0.5 s")
    expect(chart).to_be_visible()
    drawn = chart.locator("path.forward").get_attribute("d") or ""
    assert (drawn.count("M"), drawn.count("L")) == (2, 1)  # the line breaks where the lag was not known
    assert "M600.0" in drawn


def test_a_headline_that_comes_and_goes_does_not_flicker_and_the_gate_is_exact(service: Service, page: Page) -> None:
    page.goto(service.url)
    expect(page.locator("#headline")).to_have_text("Ready to cut over")
    page.evaluate("""() => {
        window.seen = [];
        const headline = document.getElementById("headline");
        const all = { childList: true, characterData: true, subtree: true };
        new MutationObserver(() => window.seen.push(headline.textContent)).observe(headline, all);
    }""")
    service.view.document = document(ready(forward=LaneFacts("app", False, 3.0, shards=4), gate=CLOSED))
    expect(page.locator("#gate .count")).to_contain_text("3 of 4 met")
    service.view.document = document(ready(forward=CAUGHT_UP))
    expect(page.locator("#gate .count")).to_contain_text("4 of 4 met")
    assert page.evaluate("window.seen") == []
    service.view.document = document(ready(quarantine=1))
    expect(page.locator("#headline")).to_have_text("Items in quarantine")  # bad news is shown at once


def test_a_command_is_copied(service: Service, page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    service.view.document = STATES["not-ready"][0]
    page.goto(service.url)
    page.get_by_role("button", name="Copy tablesplit validate").click()
    expect(page.locator("#copied")).to_have_text("Copied: tablesplit validate")
    assert page.evaluate("navigator.clipboard.readText()") == "tablesplit validate"


def test_completing_wants_the_tables_name_and_a_reason(service: Service, page: Page) -> None:
    service.view.phases.refusal = None
    service.view.document = STATES["reverse"][0]
    page.goto(service.url)
    page.get_by_role("button", name="Complete").click()
    dialog = page.locator("#dialog")
    expect(dialog).to_contain_text("CANNOT BE UNDONE")
    assert violations(page) == []
    page.locator("#token").fill(TOKEN)
    page.locator("#sure").check()
    page.locator("#confirm").click()
    expect(dialog).to_be_visible()
    page.locator("#why").fill("two weeks on v2")
    page.locator("#confirm").click()
    expect(dialog).to_be_visible()
    assert service.view.phases.moves == []
    page.locator("#typed").fill("crm")
    page.locator("#confirm").click()
    expect(dialog).to_be_hidden()
    assert service.view.phases.moves == [("complete", "two weeks on v2", ())]
    assert service.view.phases.tables == ["crm"]


def test_touched_keys_of_which_none_is_verified_yet_are_not_called_equal(service: Service, page: Page) -> None:
    service.view.document = document(ready(phase="dual", verification=VerificationFacts(0, 4, 0, SINCE_SECONDS)))
    page.goto(service.url)
    expect(page.locator("#touched .big")).to_have_text("\N{EN DASH}")
    service.view.document = document(ready(phase="dual", verification=VerificationFacts(4, 0, 0, SINCE_SECONDS)))
    expect(page.locator("#touched .big")).to_have_text("equal")


def test_the_chart_covers_what_is_known_and_no_empty_hour(service: Service, page: Page) -> None:
    rates = {"application_per_second": 0.0, "carried_per_second": 0.0}
    lanes = {name: {"lag_seconds": 1.0, **rates} for name in ("forward", "reverse")}
    service.view.points = [{"at": iso(SINCE_SECONDS - 600 + 10 * number), **lanes} for number in range(61)]
    page.goto(service.url)
    expect(page.locator(".chart figcaption")).to_contain_text("10 min ago")
    expect(page.locator(".chart path.forward")).to_have_attribute("d", re.compile("^M0.0 .*L600.0 "))


def test_that_a_move_has_begun_is_said_until_its_phase_has_come(service: Service, page: Page) -> None:
    service.view.phases.refusal = None
    page.goto(service.url)
    page.get_by_role("button", name="Cut over").click()
    page.locator("#token").fill(TOKEN)
    page.locator("#sure").check()
    page.locator("#confirm").click()
    expect(page.locator("#outcome")).to_contain_text("Cut over: the service has begun")
    service.view.document = STATES["moving"][0]
    expect(page.locator("#headline")).to_have_text("A move is under way")
    expect(page.locator("#outcome")).to_contain_text("Cut over: the service has begun")
    service.view.document = STATES["dual"][0]
    expect(page.locator("#outcome")).to_be_empty()
