"""Conflicts and keys in quarantine on the page: read, compared field by field, and settled, one or many."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from service.http_api.settlement_contract import ChoicesRequest, DropRequest, ResolutionRequest, RetryRequest
from tests.builders.small_crm import lead
from tests.console.conftest import PHONE, TOKEN, Service, fits, violations
from tests.console.states import SINCE, STATES, conflicting, document, quarantined, ready

pytestmark = [pytest.mark.browser]

NAMES = ("cd34-0001.7", "cd35-0002.1")
HELD: dict[str, Any] = {
    "id": "ee01", "kind": "two_live_keys", "table": "crm", "key": {"pk": "DEAL#4", "sk": "METADATA"}, "entity": "DEAL",
    "v2": [], "at": SINCE, "remedy": "delete one of the two on v2",
}  # fmt: skip
BEFORE = lead("5", company={"S": "Acme"}, status={"S": "new"})
OLD = {**BEFORE, "company": {"S": "Acme Ltd"}, "status": {"S": "won"}}
V2 = {**BEFORE, "company": {"S": "Acme Inc"}}


def show_conflicts(service: Service, page: Page) -> None:
    first, second = ({**conflicting(f"LEAD#{number}"), "id": name} for number, name in enumerate(NAMES, 5))
    service.view.document = document(ready(phase="dual", conflicts=3), conflicts=[first, second, HELD])
    images = {"change": {"version": "1", "created": None, "old": BEFORE, "new": OLD}, "v2": [], "v2_now": []}
    compared = {"v2_as_old": [V2], "lost": OLD, "lost_by_keep_v2": ["status: won (stays: new)"]}
    service.view.settlements.shown = {NAMES[0]: {**first, **images, **compared}}
    page.goto(service.url)
    expect(page.locator("#conflicts tbody tr")).to_have_count(3)


def look(page: Page) -> None:
    """The first step of a resolution, which changes nothing."""
    page.get_by_role("button", name="Show what it gives up").click()
    expect(page.locator("#dialog-lines")).to_contain_text("This gives up:")


def confirm(page: Page) -> None:
    page.locator("#sure").check()
    page.locator("#confirm").click()


def test_many_conflicts_are_resolved_once_what_is_lost_was_shown(service: Service, page: Page, pictures: Path) -> None:
    show_conflicts(service, page)
    keep = page.get_by_role("button", name="Keep v2")
    expect(keep).to_be_disabled()
    page.get_by_role("checkbox", name="All").check()
    expect(page.locator("#conflicts")).to_contain_text("2 chosen")  # an item that is held is no conflict to choose
    keep.click()
    page.locator("#token").fill(TOKEN)
    page.locator("#why").fill("v2 is newer")
    look(page)
    dialog = page.locator("#dialog")
    expect(dialog).to_contain_text(f"{NAMES[1]}: what {NAMES[1]} had")
    assert violations(page) == []
    page.screenshot(path=pictures / "resolving.png")
    service.view.settlements.refused = {NAMES[1]: "v2 has changed"}
    confirm(page)
    expect(page.locator("#outcome")).to_contain_text(f"1 resolved; {NAMES[1]} stays open: v2 has changed")
    assert service.view.settlements.asked == [
        ChoicesRequest(ids=list(NAMES), keep="v2"),
        ResolutionRequest(seen={name: f"seen {name}" for name in NAMES}, keep="v2", why="v2 is newer"),
    ]


def test_nothing_is_resolved_before_what_is_lost_was_confirmed(service: Service, page: Page) -> None:
    show_conflicts(service, page)
    page.get_by_role("checkbox", name="Choose pk=LEAD#5").check()
    page.get_by_role("button", name="Keep old").click()
    page.locator("#token").fill(TOKEN)
    look(page)
    expect(page.locator("#dialog-lines")).to_contain_text(f"what {NAMES[0]} had")
    expect(page.locator("#sure")).not_to_be_checked()
    page.locator("#confirm").click()
    page.get_by_role("button", name="Cancel").click()
    assert [type(asked) for asked in service.view.settlements.asked] == [ChoicesRequest]


def test_one_conflict_is_compared_field_by_field_and_merged(service: Service, page: Page, pictures: Path) -> None:
    show_conflicts(service, page)
    page.get_by_role("button", name="Compare").first.click()
    compared = page.locator("#compared")
    row = compared.locator("tr", has_text="status")
    expect(row).to_contain_text('"won"')
    expect(compared.locator("tbody tr:visible")).to_have_count(2)  # the fields that differ
    compared.get_by_text("5 fields are equal").click()
    expect(compared.locator("tbody tr:visible")).to_have_count(7)
    merge = page.get_by_role("button", name="Keep as chosen")
    expect(merge).to_be_disabled()
    row.get_by_role("radio", name="old").check()
    assert violations(page) == []
    page.screenshot(path=pictures / "compared.png")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type] # a plain dict is what it wants
    page.screenshot(path=pictures / "compared-phone.png")
    assert fits(page)
    merge.click()
    page.locator("#token").fill(TOKEN)
    look(page)
    confirm(page)
    expect(page.locator("#compare")).to_be_hidden()
    asked = service.view.settlements.asked[-1]
    assert isinstance(asked, ResolutionRequest)
    assert asked.keep == "merge"
    assert page.evaluate("JSON.parse", asked.item) == {**V2, "status": {"S": "won"}}


def test_a_refusal_is_shown_and_the_conflict_stays(service: Service, page: Page) -> None:
    show_conflicts(service, page)
    service.view.settlements.refused = {NAMES[0]: "v2 is not carried to the old table now"}
    page.get_by_role("checkbox", name="Choose pk=LEAD#5").check()
    page.get_by_role("button", name="Keep old").click()
    page.locator("#token").fill(TOKEN)
    page.get_by_role("button", name="Show what it gives up").click()
    expect(page.locator("#refusal")).to_contain_text("v2 is not carried to the old table now")
    expect(page.locator("#dialog")).to_be_visible()


def show_quarantine(service: Service, page: Page) -> None:
    rows = [quarantined(), {**quarantined("DEAL#18"), "id": "ab13"}]
    service.view.document = document(ready(quarantine=2), quarantine=rows)
    changes = [{"version": "1", "old": None, "new": BEFORE, "created": None}]
    service.view.settlements.shown = {
        "ab12": {**rows[0], "changes": changes, "item_now": {**BEFORE, "company": {"S": "Acme & Co"}}}
    }
    page.goto(service.url)
    expect(page.locator("#quarantine tbody tr")).to_have_count(2)


def test_a_key_in_quarantine_is_read_and_retried(service: Service, page: Page, pictures: Path) -> None:
    show_quarantine(service, page)
    page.get_by_role("button", name="Compare").first.click()
    expect(page.locator("#compared")).to_contain_text("Waiting change 1 of 1")
    expect(page.locator("#compared tr", has_text="company")).to_contain_text('"Acme"')
    expect(page.locator("#compared tr:visible", has_text="company")).to_contain_text('"Acme & Co"')
    assert violations(page) == []
    page.screenshot(path=pictures / "quarantined.png")
    service.view.settlements.refused = {"ab12": "value: 'n/a' is not a number"}
    page.locator("#compared").get_by_role("button", name="Retry").click()
    page.locator("#token").fill(TOKEN)
    confirm(page)
    expect(page.locator("#refusal")).to_have_text("ab12 stays: value: 'n/a' is not a number")
    service.view.settlements.refused = {}
    page.locator("#confirm").click()
    expect(page.locator("#outcome")).to_contain_text("Retry: 1 applied")
    assert service.view.settlements.asked == [RetryRequest(ids=["ab12"])] * 2


def test_a_drop_says_that_changes_are_lost_and_takes_a_reason(service: Service, page: Page) -> None:
    show_quarantine(service, page)
    page.get_by_role("checkbox", name="All").check()
    page.get_by_role("button", name="Drop").click()
    expect(page.locator("#dialog")).to_contain_text("The changes that wait for 2 keys will be LOST.")
    page.locator("#token").fill(TOKEN)
    confirm(page)
    expect(page.locator("#dialog")).to_be_visible()  # a reason is missing
    page.locator("#why").fill("test items")
    confirm(page)
    expect(page.locator("#outcome")).to_contain_text("Drop: 2 dropped, 4 changes lost")
    assert service.view.settlements.asked == [DropRequest(ids=["ab12", "ab13"], why="test items")]


def test_what_is_chosen_open_or_focused_stays_when_the_page_is_drawn_anew(service: Service, page: Page) -> None:
    show_quarantine(service, page)
    page.get_by_role("checkbox", name="Choose pk=DEAL#18").check()
    page.locator("#gate details summary").click()
    page.locator("#explain-key").fill("pk=LEAD#7")
    page.evaluate("document.querySelector('#quarantine td:nth-child(3)').dataset.kept = 'yes'")
    rows = [{**quarantined("DEAL#16"), "id": "ab11"}, *service.view.document["quarantine"]]
    service.view.document = document(ready(quarantine=3), quarantine=rows)
    expect(page.locator("#quarantine tbody tr")).to_have_count(3)
    expect(page.get_by_role("checkbox", name="Choose pk=DEAL#18")).to_be_checked()
    expect(page.get_by_role("checkbox", name="Choose pk=DEAL#16")).not_to_be_checked()
    expect(page.locator("#gate details table")).to_be_visible()
    expect(page.locator("#explain-key")).to_be_focused()
    expect(page.locator("#quarantine tr", has_text="DEAL#17").locator("td").nth(2)).to_have_attribute(
        "data-kept", "yes"
    )
    service.view.document = STATES["ready"][0]
    expect(page.locator("#quarantine-list")).to_be_hidden()
