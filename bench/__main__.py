"""``make bench``: measures tablesplit beside plain boto3, and writes docs/BENCH.md and README.md's sentences about it.

``python -m bench PART ...`` measures only some parts, and prints them.
"""

import sys
import time

from bench.facts import Facts
from bench.measure import note
from bench.page import PARTS, section, write
from service.environment import use_local_credentials
from service.errors import TablesplitError


def main() -> None:
    """Measure the parts that are named, or all of them."""
    use_local_credentials()
    asked = sys.argv[1:] or list(PARTS)
    unknown = [name for name in asked if name not in PARTS]
    if unknown:
        sys.exit(f"{unknown[0]}: no such part; there are {', '.join(PARTS)}")
    facts, sections, failed = Facts(), dict[str, list[str]](), list[str]()
    for name in asked:
        began = time.perf_counter()
        try:
            sections[name] = PARTS[name].run(facts)
        except (AssertionError, RuntimeError, TablesplitError) as failure:
            note(f"{name} has failed: {failure}")
            sections[name] = [f"Not measured: {_last_line(failure)}"]
            failed.append(name)
        note(f"{name}: {time.perf_counter() - began:.0f} s")
    if sys.argv[1:]:
        print("\n".join(line for name, lines in sections.items() for line in section(name, lines)))
    else:
        write(facts, sections)
    if failed:  # the page shows what the others have measured
        sys.exit(f"not measured: {', '.join(failed)}")


def _last_line(failure: Exception) -> str:
    return (str(failure).strip().splitlines() or [type(failure).__name__])[-1]


if __name__ == "__main__":
    main()
