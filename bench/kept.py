"""What each part has measured last, kept in ``build/bench.json`` until the page is written: a run of all parts takes long."""

from dataclasses import dataclass

import orjson

from bench.facts import Facts
from bench.servers import ROOT

FILE = ROOT / "build" / "bench.json"


@dataclass(frozen=True, slots=True)
class Found:
    """What a part has found."""

    day: str
    """ISO date."""
    lines: list[str]
    """Its tables in Markdown."""
    facts: Facts


def kept() -> dict[str, Found]:
    """What was kept, by part."""
    if not FILE.exists():
        return {}
    return {name: Found(**one) for name, one in orjson.loads(FILE.read_bytes()).items()}


def keep(name: str, found: Found) -> None:
    """Keep what a part has measured, instead of what it measured before."""
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_bytes(orjson.dumps(kept() | {name: found}))
