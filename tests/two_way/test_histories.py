"""50,000 random histories of both applications, judged by what each side's application may expect of phase `dual`.

A failing seed names the command that runs it again; its history becomes an interleaving in ``test_interleavings.py``.
"""

import os

import pytest

from service.rehearsal.judgement import JUDGED_BY_HISTORY
from tests.convergence.invariants import Violated
from tests.two_way.histories import run_history
from tests.two_way.mappings import hot_mapping

SEEDS = int(os.environ.get("SOAK") or 50_000)
QUICK_SEEDS = 300
"""Those that `make test` runs."""

CHUNKS = 50

SEEN = {
    "own side": 1,
    "compare-and-set": 11,
    "increments": 3,
    "conflict log": 3,
    "no write lost": 0,
    "both sides": 0,
    "v2's own": 1,
    "tombstone's stamp": 29,
}
"""For each sentence a seed at which a rule that carries whole items breaks it."""


def replay(seed: int) -> None:
    """Run one seed; a violation names the command that runs it again. Every other seed has fields that both sides count."""
    merges = JUDGED_BY_HISTORY and seed % 2 == 1
    try:
        run_history(seed, hot_mapping(merges=merges), merges=merges)
    except (Violated, AssertionError) as error:
        again = f"python -c 'from tests.two_way.test_histories import replay; replay({seed})'"
        raise Violated(f"seed {seed}: {error}\nagain: {again}") from error


by_history = pytest.mark.skipif(
    not JUDGED_BY_HISTORY, reason="the rule in force carries whole items: it cannot satisfy them"
)


@by_history
@pytest.mark.parametrize("first", range(0, QUICK_SEEDS, QUICK_SEEDS // 3))
def test_random_histories_keep_what_each_side_may_expect(first: int) -> None:
    for seed in range(first, first + QUICK_SEEDS // 3):
        replay(seed)


@by_history
@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_all_random_histories_keep_what_each_side_may_expect(chunk: int) -> None:
    for seed in range(QUICK_SEEDS + chunk, SEEDS, CHUNKS):
        replay(seed)


@pytest.mark.skipif(JUDGED_BY_HISTORY, reason="the rule in force satisfies them")
@pytest.mark.parametrize("sentence, seed", SEEN.items(), ids=SEEN.keys())
def test_a_rule_that_carries_whole_items_breaks_the_sentence(sentence: str, seed: int) -> None:
    with pytest.raises(Violated) as broken:
        replay(seed)
    lines = str(broken.value).removeprefix(f"seed {seed}: ").splitlines()
    assert any(line.startswith(f"{sentence}: ") for line in lines)
