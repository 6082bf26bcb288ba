"""``make bench``: measures tablesplit beside plain boto3, and writes docs/BENCH.md and README.md's sentences about it.

``python -m bench PART ...`` measures only some parts, prints them and keeps them; ``python -m bench page`` writes the page of what
each part has measured last.
"""

import subprocess
import sys
import time
from datetime import UTC, datetime

from bench.facts import Facts
from bench.kept import Found, keep, kept
from bench.measure import note
from bench.page import PARTS, section, write
from service.environment import use_local_credentials
from service.errors import TablesplitError

PAGE = "page"


def main() -> None:
    """Measure the parts that are named, or all of them; write the page."""
    asked = sys.argv[1:] or [*PARTS, PAGE]
    unknown = [name for name in asked if name not in PARTS and name != PAGE]
    if unknown:
        sys.exit(
            f"{unknown[0]}: no such part; there are {', '.join(PARTS)}, and {PAGE} for the page of what was measured"
        )
    use_local_credentials()
    failed = [name for name in asked if name in PARTS and not _measure(name)]
    if failed:
        sys.exit(f"not measured: {', '.join(failed)}; `python -m bench {' '.join(failed)} {PAGE}` goes on")
    if PAGE in asked:
        _write_page()
    else:
        print("\n".join(line for name in asked for line in section(name, kept()[name].lines)))


def _measure(name: str) -> bool:
    """Measure a part and keep what it found. False: it has failed."""
    began = time.perf_counter()
    before = {fact: value for part, one in kept().items() if part != name for fact, value in one.facts.items()}
    facts = Facts(before)
    try:
        lines = PARTS[name].run(facts)
    except (AssertionError, RuntimeError, subprocess.SubprocessError, TablesplitError) as failure:
        note(f"{name} has failed: {failure}")
        return False
    found = {fact: value for fact, value in facts.items() if fact not in before}
    keep(name, Found(datetime.now(UTC).date().isoformat(), lines, found))
    note(f"{name}: {time.perf_counter() - began:.0f} s")
    return True


def _write_page() -> None:
    parts = kept()
    missing = [name for name in PARTS if name not in parts]
    if missing:
        sys.exit(f"the page needs every part: `python -m bench {' '.join(missing)} {PAGE}`")
    write({name: parts[name] for name in PARTS})


if __name__ == "__main__":
    main()
