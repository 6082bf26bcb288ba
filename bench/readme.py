"""README.md's sentences about speed, made of docs/BENCH.md."""

import re

from bench.servers import ROOT

README, PAGE = ROOT / "README.md", ROOT / "docs" / "BENCH.md"
BEGIN, END = "<!-- bench: written by `make bench` -->", "<!-- /bench -->"
FIRST = "| work | tablesplit: CPU an item | single boto3 |"
LINK = "[The benchmark](docs/BENCH.md) compares tablesplit with plain boto3, and says what is measured."
WORK = ("backfill", "stream apply", "validation")


def write_readme() -> None:
    """Put the sentences of the page as it is now between the marks."""
    README.write_text(filled(README.read_text(encoding="utf-8"), PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def filled(readme: str, page: str) -> str:
    """``readme`` with the sentences of ``page``."""
    before, rest = readme.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{sentences(page)}\n{END}{after}"


def sentences(page: str) -> str:
    """What the first table of the page says. A page without that table gives no ratio."""
    if FIRST not in page:
        return LINK
    ratios = {work: _ratios(page, work) for work in WORK}
    single, batched = ([f"{work} {ratios[work][which]}" for work in WORK] for which in (0, 1))
    return (
        "Plain boto3 with one item in a request takes so many times the CPU of tablesplit: "
        f"{', '.join(single)}.\n"
        f"With 25 items in a request and the same guarantees it takes: {', '.join(batched)}.\n"
        f"{LINK}"
    )


def _ratios(page: str, work: str) -> tuple[str, str]:
    """Against single and against batched boto3, as the page shows them."""
    text = page.split("\n## The client alone:")[1].split("\n## ")[0]
    row = re.search(rf"^\| {work} \|(?: \d+ us \|){{3}} ([\d.]+) \| ([\d.]+) \|", text, re.MULTILINE)
    assert row is not None, f"docs/BENCH.md has no row for {work}"
    return row.group(1), row.group(2)
