"""Random interleavings of both applications, the ledger rule in both directions, crashes, take-overs and first cutovers.

``make search`` (SEARCH=n) runs n of them. A failing seed names the command that runs it again; its interleaving becomes a test of
its own in ``test_interleavings.py``.
"""

import os

import pytest

from tests.builders.mappings import crm
from tests.convergence.invariants import Violated
from tests.two_way.runs import run_seed

SEEDS = int(os.environ.get("SEARCH") or 3_000)
CHUNKS = 3


def replay(seed: int) -> None:
    """Run one seed; a violation names the command that runs it again."""
    try:
        run_seed(seed, crm())
    except (Violated, AssertionError) as error:
        again = f"python -c 'from tests.two_way.test_random import replay; replay({seed})'"
        raise Violated(f"seed {seed}: {error}\nagain: {again}") from error


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(44120, id="v2 deletes an item at one place that has long lived at another"),
        pytest.param(517, id="v2 puts an item with the values that were defaults after a record of ours that had none"),
        pytest.param(46201, id="the write of another place's claim ends while the claim is asked for"),
    ],
)
def test_what_a_seed_has_lost_once_stays(seed: int) -> None:
    replay(seed)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_random_interleavings_lose_no_write(chunk: int) -> None:
    for seed in range(chunk, SEEDS, CHUNKS):
        replay(seed)
