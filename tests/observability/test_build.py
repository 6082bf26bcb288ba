"""The dashboards' files: current, and their links lead to steps of the runbook, whose text is on a dashboard of its own."""

import re
from pathlib import Path

from deploy.grafana import build
from deploy.grafana.runbook import RUNBOOK, UID, step_url, steps
from tests.observability.boards import boards
from tests.observability.rules import alerts

TARGET = re.compile(r"\]\(([^)\s]*)\)")


def test_the_json_is_what_the_modules_build() -> None:
    assert build.main(["--check"]) == 0, f"run {build.COMMAND}"


def test_a_missing_an_edited_and_an_unknown_dashboard_are_reported(tmp_path: Path) -> None:
    build.write(tmp_path)
    assert build.stale(tmp_path) == []
    (tmp_path / "migration.json").unlink()
    (tmp_path / "runbook.json").write_text("{}")
    (tmp_path / "strange.json").write_text("{}")
    assert build.stale(tmp_path) == ["migration.json", "runbook.json", "strange.json"]


def test_links_of_panels_and_alerts_lead_to_steps_of_the_runbook() -> None:
    anchors = steps(RUNBOOK.read_text(encoding="utf-8"))
    shown = {f"/d/{board['uid']}?viewPanel={panel['id']}" for board in boards().values() for panel in board["panels"]}
    linked = {
        link["url"] for board in boards().values() for panel in board["panels"] for link in panel.get("links", ())
    }
    assert linked - shown == set()
    assert {step_url(anchor) for anchor in anchors} <= shown
    alerted = {rule["annotations"]["runbook_url"].partition("#")[2] for rule in alerts().values()}
    assert alerted - set(anchors) == set()


def test_the_runbooks_dashboard_has_every_line_of_it_and_its_links_stay_there() -> None:
    panels = boards()["runbook.json"]["panels"]
    shown = "".join(f"{panel['title']}\n{panel['options']['content']}\n" for panel in panels)
    written = RUNBOOK.read_text(encoding="utf-8")
    assert without_targets(written) - without_targets(shown) == set()
    steps_shown = {f"/d/{UID}?viewPanel={panel['id']}" for panel in panels}
    assert {target for target in TARGET.findall(shown) if not target.startswith("http")} - steps_shown == set()


def without_targets(text: str) -> set[str]:
    """The text's lines, without the targets of links."""
    return {line.removeprefix("## ").removeprefix("# ") for line in TARGET.sub("]", text).splitlines()}
