"""Random histories of both applications, judged by what each side's application may expect of phase `dual`.

A failing seed names the command that runs it again; its history becomes an interleaving in ``test_interleavings.py``.
``SEARCH=n`` runs n of them instead of ``SEEDS``. ``OPEN`` lists the seeds that are not mended.
"""

import os

import pytest

from tests.convergence.invariants import Violated
from tests.two_way.histories import run_history
from tests.two_way.mappings import hot_mapping

SEEDS = int(os.environ.get("SEARCH") or 1_300)
QUICK_SEEDS = 300
"""Those that `make test` runs."""

CHUNKS = 10

OPEN = {
    2290: "conflict log",
    2477: "own side",
    2545: "tombstone's stamp",
    2607: "no write lost",
    2894: "own side",
}
"""The seeds at which a sentence is still broken, and that sentence."""


def replay(seed: int, *, any_form: bool = False) -> None:
    """Run one seed; a violation names the command that runs it again. Every other seed has fields that both sides count."""
    merges = seed % 2 == 1
    try:
        run_history(seed, hot_mapping(merges=merges), merges=merges, any_form=any_form)
    except (Violated, AssertionError) as error:
        again = f"python -c 'from tests.two_way.test_histories import replay; replay({seed}, any_form={any_form})'"
        raise Violated(f"seed {seed}: {error}\nagain: {again}") from error


@pytest.mark.parametrize("first", range(0, QUICK_SEEDS, QUICK_SEEDS // 3))
def test_random_histories_keep_what_each_side_may_expect(first: int) -> None:
    for seed in range(first, first + QUICK_SEEDS // 3):
        replay(seed)


@pytest.mark.parametrize(
    ("seed", "any_form"),
    [
        pytest.param(1958, False, id="a refused write is made after all, and the page is decided anew"),
        pytest.param(655, True, id="the same with a counter"),
        pytest.param(689, True, id="old changes a number there and back, and reverse looks in between"),
    ],
)
def test_what_a_seed_has_lost_once_stays(seed: int, any_form: bool) -> None:
    replay(seed, any_form=any_form)


@pytest.mark.parametrize("first", range(0, QUICK_SEEDS, QUICK_SEEDS // 3))
def test_random_histories_keep_values_that_v2_cannot_have(first: int) -> None:
    for seed in range(first, first + QUICK_SEEDS // 3):
        replay(seed, any_form=True)


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_all_random_histories_keep_what_each_side_may_expect(chunk: int) -> None:
    for seed in range(QUICK_SEEDS + chunk, SEEDS, CHUNKS):
        if seed not in OPEN:
            replay(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed, sentence", OPEN.items())
def test_an_open_seed_still_breaks_its_sentence(seed: int, sentence: str) -> None:
    with pytest.raises(Violated) as broken:
        replay(seed)
    assert sentence in str(broken.value)
