"""20,000 random interleavings of application, backfill, sync processes, purgers, repairs and everything that goes wrong.

``make search`` (SEARCH=n) runs n of them. A failing seed names the command that runs it again;
what it shows becomes a test of its own in ``test_races.py``.
"""

import os

import pytest

from tests.builders.mappings import crm
from tests.convergence.invariants import Violated
from tests.convergence.runs import run_seed

SEEDS = int(os.environ.get("SEARCH") or 20_000)
CHUNKS = 16
QUICK_CHUNKS = 2
"""Those that `make test` runs: 2,500 interleavings."""


def replay(seed: int) -> None:
    """Run one seed; a violation names the command that runs it again."""
    try:
        run_seed(seed, crm())
    except (Violated, AssertionError) as error:
        again = f"python -c 'from tests.convergence.test_random import replay; replay({seed})'"
        raise Violated(f"seed {seed}: {error}\nagain: {again}") from error


@pytest.mark.parametrize(
    "chunk",
    [pytest.param(chunk, marks=() if chunk < QUICK_CHUNKS else pytest.mark.slow) for chunk in range(CHUNKS)],
)
def test_random_interleavings_converge(chunk: int) -> None:
    for seed in range(chunk, SEEDS, CHUNKS):
        replay(seed)
