"""Random interleavings of the kcl engine's own code: leases move, workers are killed, superseded ones continue, sinks change."""

import pytest

from tests.convergence.kcl_mutations import MUTATIONS
from tests.convergence.kcl_runs import replay
from tests.convergence.live import fails

SEEDS = 400
CHUNKS = 4
WITHIN = 200


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_random_interleavings_of_several_workers_converge(chunk: int) -> None:
    for seed in range(chunk, SEEDS, CHUNKS):
        replay(seed)


def test_a_shard_whose_end_is_saved_while_the_sink_is_changed_stays_ended() -> None:
    # Two saves at once: the save of the applied position, for the change of the sink, took effect after that of the shard's end.
    replay(267)


@pytest.mark.parametrize("name", MUTATIONS)
def test_search_finds_the_mutation(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*MUTATIONS[name])
    assert any(fails(replay, seed) for seed in range(WITHIN)), f"{name}: not seen within {WITHIN} seeds"
