"""Runs the models and the mutants, and compares TLC's verdict with what each configuration expects.

`python -m docs.model.check [NAME ...]` checks all of them, or those named. `Places` names every configuration and mutant of the
model; `PlacesV2` or `Places-seen-per-item` names one. It prints one line for each. Exit status 1: a verdict is not as expected.
Exit status 2: a configuration could not be checked.

A configuration such as `Places-seen-per-item.cfg` or `PlacesV2.cfg` belongs to the specification that its name begins with. The
first line of a mutant names the invariant that TLC must find broken. A model has no such line, and must pass.
"""

import re
import sys
from pathlib import Path
from time import monotonic

from docs.model.tlc import MODELS, Verdict, run_tlc
from service.errors import Misconfigured

EXPECTED = re.compile(r"\\\* refuted: (\w+)")


def configurations(names: list[str]) -> list[Path]:
    """The configuration files that ``names`` select, models first; without names all of them.

    Raises Misconfigured for a name that no file has.
    """
    every = [*sorted(MODELS.glob("*.cfg")), *sorted((MODELS / "mutants").glob("*.cfg"))]
    specifications = {path.stem for path in MODELS.glob("*.tla")}
    for name in names:
        if name not in specifications and name not in {path.stem for path in every}:
            raise Misconfigured(f"docs/model has no {name}", remedy="name a .tla or .cfg file, without its ending")
    wanted = set(names)
    return [path for path in every if not names or path.stem in wanted or specification(path).stem in wanted]


def specification(configuration: Path) -> Path:
    """The specification of a configuration: of those with which its name begins, the one with the longest name."""
    fitting = [path for path in MODELS.glob("*.tla") if configuration.stem.startswith(path.stem)]
    return max(fitting, key=lambda path: len(path.stem))


def expected(configuration: Path) -> str | None:
    """The invariant that TLC must find broken; None when all must hold."""
    named = EXPECTED.match(configuration.read_text())
    return named[1] if named else None


def line(configuration: Path, verdict: Verdict, seconds: float) -> str:
    """The line to print: the verdict, and how it differs from the expected one."""
    wanted = expected(configuration)
    came = f"refuted: {verdict.refuted}, {verdict.steps} steps" if verdict.refuted else "passes"
    surprise = "" if verdict.refuted == wanted else f" | NOT AS EXPECTED ({wanted or 'passes'})"
    return f"{configuration.stem} | {came} | {verdict.states:,} states | {seconds:.0f} s{surprise}"


def main(names: list[str]) -> int:
    """Check the configurations that ``names`` select; 1 when a verdict is not as expected, otherwise 0."""
    surprises = 0
    for configuration in configurations(names):
        begun = monotonic()
        verdict = run_tlc(specification(configuration), configuration)
        print(line(configuration, verdict, monotonic() - begun), flush=True)
        surprises += verdict.refuted != expected(configuration)
    return min(surprises, 1)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Misconfigured as missing:
        print(f"error: {missing}; {missing.remedy}", file=sys.stderr)
        sys.exit(2)
