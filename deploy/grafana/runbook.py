"""The dashboard *Runbook*: deploy/RUNBOOK.md, one panel for each step, so that the links of the other panels have a target."""

import re
from pathlib import Path
from zlib import crc32

from grafana_foundation_sdk.builders import dashboard, text
from grafana_foundation_sdk.models.text import TextMode

RUNBOOK = Path(__file__).parents[1] / "RUNBOOK.md"
UID = "tablesplit-runbook"
TITLE = "tablesplit: Runbook"
STEP = re.compile(r"^(?:## |\A# )(.+)$", re.MULTILINE)
"""The heading of a step, or of the whole file: the text before the first step counts as a step, too."""

LINK = re.compile(r"\]\(#([a-z-]+)\)")


def steps(source: str) -> dict[str, tuple[str, str]]:
    """Heading and text of each step of a runbook in Markdown, by its anchor, in the order of the file."""
    pieces = STEP.split(source)[1:]
    return {_anchor(heading): (heading, body.strip()) for heading, body in zip(pieces[::2], pieces[1::2], strict=True)}


def step_url(anchor: str) -> str:
    """The address in Grafana that shows the step's panel alone."""
    return f"/d/{UID}?viewPanel={_number(anchor)}"


def add_steps(drawn: dashboard.Dashboard, source: str) -> None:
    """Add a panel for each step of the runbook, as wide as the dashboard and as high as the text."""
    for anchor, (heading, body) in steps(source).items():
        content = LINK.sub(lambda link: f"]({step_url(link[1])})", body)
        panel = text.Panel().title(heading).mode(TextMode.MARKDOWN).content(content).id(_number(anchor))
        drawn.with_panel(panel.span(24).height(4 + body.count("\n") * 2 // 3))


def _number(anchor: str) -> int:
    """A panel's number. It depends on the anchor alone, so links to a step stay valid when other steps are added or removed."""
    return crc32(anchor.encode()) % 1_000_000


def _anchor(heading: str) -> str:
    """The anchor of a heading as Git servers make it: lower case, hyphens for spaces, no punctuation."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
