"""`python -m deploy.grafana.build` writes the dashboards' JSON; with `--check` it only checks that the files are up to date.

Exit status of `--check`: 0 when they are, 1 when they are not.
"""

import sys
from pathlib import Path

from deploy.grafana.data_plane import DATA_PLANE
from deploy.grafana.drawing import draw, draw_runbook
from deploy.grafana.migration import MIGRATION
from deploy.grafana.runbook import RUNBOOK
from deploy.grafana.service_health import SERVICE_HEALTH

FOLDER = Path(__file__).parent / "dashboards"
BOARDS = {"migration.json": MIGRATION, "service-health.json": SERVICE_HEALTH, "data-plane.json": DATA_PLANE}
COMMAND = "python -m deploy.grafana.build"


def drawn() -> dict[str, str]:
    """Every dashboard's JSON, by the name of its file."""
    boards = {name: draw(board) for name, board in BOARDS.items()}
    return {**boards, "runbook.json": draw_runbook(RUNBOOK.read_text(encoding="utf-8"))}


def write(folder: Path) -> None:
    """Write every dashboard into ``folder``."""
    folder.mkdir(exist_ok=True)
    for name, text in drawn().items():
        (folder / name).write_text(text, encoding="utf-8")


def stale(folder: Path) -> list[str]:
    """The files of ``folder`` that are missing, out of date, or not ours."""
    present = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    wanted = drawn()
    return sorted(name for name in present.keys() | wanted.keys() if present.get(name) != wanted.get(name))


def main(arguments: list[str]) -> int:
    """Run the command; returns its exit status."""
    if arguments == ["--check"]:
        names = stale(FOLDER)
        print(f"not current: {', '.join(names)}; run {COMMAND}" if names else "current")
        return 1 if names else 0
    if arguments:
        print(f"usage: {COMMAND} [--check]", file=sys.stderr)
        return 2
    write(FOLDER)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
