"""``make cores``: measures what several processes make of the work of one, and writes docs/SCALE.md's tables about it."""

import re
from collections.abc import Mapping

from bench.facts import Facts
from bench.parts import sync_workers, workers
from bench.servers import ROOT
from service.environment import use_local_credentials

PAGE = ROOT / "docs" / "SCALE.md"
PARTS = {"workers": workers, "sync-workers": sync_workers}
MARKED = re.compile(r"(<!-- bench: (?P<name>[\w-]+), made by `make cores` -->\n).*?(<!-- end of bench -->)", re.DOTALL)


def write_cores(sections: Mapping[str, list[str]]) -> None:
    """Put the tables of parts between their marks."""
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), sections), encoding="utf-8")


def filled(page: str, sections: Mapping[str, list[str]]) -> str:
    """``page`` with the tables of ``sections``; the others stay as they are."""

    def table(mark: re.Match[str]) -> str:
        lines = sections.get(mark["name"])
        return mark[0] if lines is None else "\n".join([mark[1].rstrip(), "", *lines, "", mark[3]])

    return MARKED.sub(table, page)


def main() -> None:
    """Measure both parts, and write them."""
    use_local_credentials()
    write_cores({name: part.run(Facts()) for name, part in PARTS.items()})


if __name__ == "__main__":
    main()
