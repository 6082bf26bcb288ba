"""Runs the models and the mutants, and compares what TLC says with what each configuration expects of it.

`python -m docs.model.check [NAME ...]`: all, or those named (`Move`: the model's every configuration and mutant; `MoveRead`,
`Move-to-the-log`: that one). One line each; exit 1 when one is not as expected, 2 when one could not be checked.

A configuration `Move-to-the-log.cfg` or `MoveRead.cfg` belongs to the specification that its name begins with. A mutant's
first line names the invariant that TLC must find broken; a model has no such line and must pass.
"""

import re
import sys
from pathlib import Path
from time import monotonic

from docs.model.tlc import MODELS, Verdict, run_tlc
from service.errors import Misconfigured

EXPECTED = re.compile(r"\\\* refuted: (\w+)")


def configurations(names: list[str]) -> list[Path]:
    """The configuration files that ``names`` ask for, models first; all for no name. Raises Misconfigured for a name that
    none has."""
    every = [*sorted(MODELS.glob("*.cfg")), *sorted((MODELS / "mutants").glob("*.cfg"))]
    specifications = {path.stem for path in MODELS.glob("*.tla")}
    for name in names:
        if name not in specifications and name not in {path.stem for path in every}:
            raise Misconfigured(f"docs/model has no {name}", remedy="name a .tla or .cfg file, without its ending")
    wanted = set(names)
    return [path for path in every if not names or path.stem in wanted or specification(path).stem in wanted]


def specification(configuration: Path) -> Path:
    """The specification that a configuration is of: the longest name that its own begins with."""
    fitting = [path for path in MODELS.glob("*.tla") if configuration.stem.startswith(path.stem)]
    return max(fitting, key=lambda path: len(path.stem))


def expected(configuration: Path) -> str | None:
    """The invariant that TLC must find broken; None: all hold."""
    named = EXPECTED.match(configuration.read_text())
    return named[1] if named else None


def line(configuration: Path, verdict: Verdict, seconds: float) -> str:
    """What came of one, and by what it differs from what is expected."""
    wanted = expected(configuration)
    came = f"refuted: {verdict.refuted}, {verdict.steps} steps" if verdict.refuted else "passes"
    surprise = "" if verdict.refuted == wanted else f" | NOT AS EXPECTED ({wanted or 'passes'})"
    return f"{configuration.stem} | {came} | {verdict.states:,} states | {seconds:.0f} s{surprise}"


def main(names: list[str]) -> int:
    """Exit status."""
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
