"""The dashboard *Runbook*: deploy/RUNBOOK.md itself, a panel a step, so that every link of a panel leads somewhere."""

import re
from pathlib import Path
from zlib import crc32

from grafana_foundation_sdk.builders import dashboard, text
from grafana_foundation_sdk.models.text import TextMode

RUNBOOK = Path(__file__).parents[1] / "RUNBOOK.md"
UID = "tablesplit-runbook"
TITLE = "tablesplit: Runbook"
STEP = re.compile(r"^(?:## |\A# )(.+)$", re.MULTILINE)
"""The heading of a step, or of the whole: what stands before the first step is one, too."""

LINK = re.compile(r"\]\(#([a-z-]+)\)")


def steps(source: str) -> dict[str, tuple[str, str]]:
    """Heading and text of each step of a runbook in Markdown, by its anchor, in the file's order."""
    parts = STEP.split(source)[1:]
    return {_anchor(heading): (heading, body.strip()) for heading, body in zip(parts[::2], parts[1::2], strict=True)}


def step_url(anchor: str) -> str:
    """The address of a step's panel in Grafana, which shows it alone."""
    return f"/d/{UID}?viewPanel={_number(anchor)}"


def add_steps(drawn: dashboard.Dashboard, source: str) -> None:
    """A panel for each step of the runbook, as wide as the dashboard and as high as its text."""
    for anchor, (heading, body) in steps(source).items():
        content = LINK.sub(lambda link: f"]({step_url(link[1])})", body)
        panel = text.Panel().title(heading).mode(TextMode.MARKDOWN).content(content).id(_number(anchor))
        drawn.with_panel(panel.span(24).height(4 + body.count("\n") * 2 // 3))


def _number(anchor: str) -> int:
    """A panel's number. It follows from the anchor alone: links to a step stay when others come and go."""
    return crc32(anchor.encode()) % 1_000_000


def _anchor(heading: str) -> str:
    """As Git servers make them: small letters, hyphens, nothing else."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
