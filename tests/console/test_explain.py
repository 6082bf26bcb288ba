"""The page explains an item: each attribute with its rule, what an edit would give back, and why it cannot."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from service.core.item.wire import Item
from service.core.mapping.explain import explain, explain_edits
from tests.builders.small_crm import MAPPING, lead
from tests.console.conftest import HOSTILE, PHONE, TOKEN, Service, fits
from tests.console.states import SINCE

pytestmark = [pytest.mark.browser]
KEY = "pk=LEAD#a sk=METADATA"


def ask(page: Page, edits: str = "") -> None:
    page.locator("#explain-key").fill(KEY)
    page.locator("#explain-edits").fill(edits)
    page.get_by_role("button", name="Explain").click()


def explained(service: Service, old: Item, *edits: str) -> None:
    service.view.explanation = {"mapping": "m", **explain_edits(MAPPING, old, edits).to_json(), "as_of": SINCE}


def test_it_shows_the_item_there_and_back_and_an_edit(service: Service, page: Page, pictures: Path) -> None:
    explained(service, lead("a", company={"S": "Acme"}), "company=Bcme")
    page.goto(service.url)
    ask(page, "company=Bcme\nsize=3")
    answer = page.locator("#explained")
    expect(answer).to_contain_text("entity LEAD")
    expect(answer).to_contain_text("Comes back byte for byte.")
    expect(answer.locator("tr", has_text="key template").first).to_be_visible()
    expect(answer).to_contain_text('After the edit on v2: company = "Bcme"')
    page.screenshot(path=pictures / "explained.png", full_page=True)
    assert service.view.explained == [(KEY, ["company=Bcme", "size=3"])]


def test_of_what_goes_to_quarantine_and_of_no_item_it_says_so(service: Service, page: Page) -> None:
    explained(service, {**lead("a"), "entity_type": {"S": "COW"}})
    page.goto(service.url)
    ask(page)
    expect(page.locator("#explained")).to_contain_text("It goes to quarantine: unknown_entity")
    service.view.explanation = None
    ask(page)
    expect(page.locator("#explain-refusal")).to_have_text(f"the old table has no item {KEY}")
    expect(page.locator("#explained")).to_be_empty()


def test_hostile_items_are_text_and_long_ones_fit_a_phone(service: Service, page: Page, pictures: Path) -> None:
    old = lead("a", company={"S": HOSTILE}, **{HOSTILE[:200]: {"S": HOSTILE}})
    service.view.explanation = {**explain(MAPPING, old).to_json(), "as_of": SINCE}
    page.set_viewport_size(PHONE)  # type: ignore[arg-type] # a plain dict is what it wants
    page.goto(service.url)
    ask(page)
    expect(page.locator("#explained")).to_contain_text("<script>document.title='owned'</script>")
    expect(page).to_have_title("crm: forward - tablesplit")
    assert page.locator("main img, main script").count() == 0
    assert fits(page)
    page.locator("#explained details").first.click()
    assert fits(page)
    page.screenshot(path=pictures / "explained-phone.png", full_page=True)


def test_where_reads_need_a_token_it_sends_the_one_that_was_given(guarded: Service, page: Page) -> None:
    explained(guarded, lead("a"))
    page.goto(guarded.url)
    expect(page.locator("#connection")).to_contain_text("The service asks for a token")
    ask(page)
    expect(page.locator("#explain-refusal")).to_contain_text("Authorization: Bearer")
    page.locator("#read-token").fill(TOKEN)
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#sign-in")).to_be_hidden()
    ask(page)
    expect(page.locator("#explained")).to_contain_text("entity LEAD")
