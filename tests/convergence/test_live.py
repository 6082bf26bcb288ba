"""Random interleavings of the real service code: engine, sink, quarantine, checkpoints, copier; killed and superseded.

``test_random.py`` runs twenty times as many interleavings of the rules alone, purges and repairs among them.
"""

import pytest

from tests.convergence.live_runs import replay

SEEDS = 1000
CHUNKS = 8


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_random_interleavings_of_the_service_converge(chunk: int) -> None:
    for seed in range(chunk, SEEDS, CHUNKS):
        replay(seed)
