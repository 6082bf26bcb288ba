"""docs/METRICS.md. Run as a program (``make metrics``), it writes the current one."""

from pathlib import Path

from service.metrics.reference import metrics_table

PAGE = Path(__file__).parents[1] / "docs" / "METRICS.md"
BEGIN = "<!-- metrics: made by `make metrics` -->\n"
END = "<!-- end of metrics -->\n"


def with_current_metrics(page: str) -> str:
    """The page's text, its table of metrics as the registry says."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}{metrics_table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_current_metrics(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
