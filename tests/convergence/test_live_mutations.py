"""A rule broken inside the real service code makes the random runs of ``test_live.py`` fail."""

import pytest

from tests.convergence.live import fails
from tests.convergence.live_mutations import KEPT, MUTATIONS
from tests.convergence.live_runs import replay

WITHIN = 150


@pytest.mark.parametrize("name", MUTATIONS)
def test_search_finds_the_mutation(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*MUTATIONS[name])
    assert any(_fails(seed) for seed in range(WITHIN)), f"{name}: not seen within {WITHIN} seeds"


def _fails(seed: int) -> bool:
    try:
        return fails(replay, seed)
    finally:
        KEPT.clear()
