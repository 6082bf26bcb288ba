"""The buttons: their explanation, the token, the confirmation, and what a refusal shows."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.console.conftest import TOKEN, Service
from tests.console.states import STATES

pytestmark = [pytest.mark.browser]


def fill(page: Page, *, token: str = TOKEN, why: str = "tuesday") -> None:
    page.locator("#token").fill(token)
    page.locator("#why").fill(why)
    page.locator("#sure").check()


def test_a_cutover_explains_what_will_happen_and_is_sent_with_its_reason(
    service: Service, page: Page, pictures: Path
) -> None:
    service.view.phases.refusal = None
    page.goto(service.url)
    page.get_by_role("button", name="Cut over").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("The gate is open.")
    expect(dialog).to_contain_text("No writer waits.")
    page.screenshot(path=pictures / "dialog.png")
    fill(page)
    page.locator("#confirm").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#outcome")).to_contain_text("Cut over: the service has begun")
    assert service.view.phases.moves == [("dual", "tuesday", ())]


def test_a_closed_gate_refuses_with_every_reason(service: Service, page: Page, pictures: Path) -> None:
    page.goto(service.url)
    page.get_by_role("button", name="Cut over").click()
    fill(page)
    page.locator("#confirm").click()
    expect(page.locator("#refusal")).to_contain_text("validation is never run, wanted equal: tablesplit validate")
    page.screenshot(path=pictures / "refused.png")
    assert service.view.phases.moves == []


def test_a_wrong_token_is_refused_with_the_reason(service: Service, page: Page) -> None:
    page.goto(service.url)
    page.get_by_role("button", name="Validate").click()
    fill(page, token="guess")
    page.locator("#confirm").click()
    expect(page.locator("#refusal")).to_contain_text("the token is not in the service's TABLESPLIT_API_TOKEN")
    assert service.view.requested == []


def test_nothing_is_sent_without_the_token_or_the_confirmation(service: Service, page: Page) -> None:
    page.goto(service.url)
    page.get_by_role("button", name="Validate").click()
    page.locator("#confirm").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.locator("#token").fill(TOKEN)
    page.locator("#confirm").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert service.view.requested == []
    page.locator("#sure").check()
    page.locator("#confirm").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert len(service.view.requested) == 1


def test_by_keyboard_alone_a_gate_is_held_and_a_dialog_is_left_by_escape(service: Service, page: Page) -> None:
    page.goto(service.url)
    expect(page.locator("#headline")).to_have_text("Ready to cut over")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent").startswith("table crm")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Validate"
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    for _ in range(2):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Hold"
    page.keyboard.press("Enter")
    page.keyboard.type(TOKEN)
    page.keyboard.press("Tab")
    page.keyboard.type("audit week")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert service.view.phases.held == ["audit week"]


@pytest.mark.parametrize(
    ("state", "onward", "back"),
    [
        ("preparing", None, None),
        ("ready", "Cut over", None),
        ("moving", "Cut over", "Roll back"),
        ("dual", "Finish the cutover", "Roll back"),
        ("reverse", "Complete", "Roll back"),
        ("complete", None, None),
    ],
)
def test_each_phase_offers_its_moves(
    service: Service, page: Page, state: str, onward: str | None, back: str | None
) -> None:
    service.view.document, headline = STATES[state]
    page.goto(service.url)
    expect(page.locator("#headline")).to_have_text(headline)
    for name, label in (("onward", onward), ("back", back)):
        button = page.locator(f"button[data-action={name}]")
        if label is None:
            expect(button).to_be_disabled()
        else:
            expect(button).to_be_enabled()
            expect(button).to_have_text(label)


def test_a_hold_is_released(service: Service, page: Page) -> None:
    service.view.document = STATES["not-ready"][0]
    page.goto(service.url)
    page.get_by_role("button", name="Release").click()
    expect(page.get_by_role("dialog")).to_contain_text("audit week")


def test_where_reads_need_a_token_the_page_asks_for_it_and_the_actions_take_it_too(
    guarded: Service, page: Page
) -> None:
    guarded.view.phases.refusal = None
    page.goto(guarded.url)
    expect(page.locator("#connection")).to_contain_text("The service asks for a token")
    expect(page.locator("#headline")).to_have_text("Connecting")
    page.locator("#read-token").fill("a-wrong-token-of-length")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#connection")).to_contain_text("the token is not in the service's TABLESPLIT_API_TOKEN")
    page.locator("#read-token").fill(TOKEN)
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#headline")).to_have_text("Ready to cut over")
    expect(page.locator("#sign-in")).to_be_hidden()
    page.get_by_role("button", name="Cut over").click()
    expect(page.locator("#token")).to_have_value(TOKEN)
