"""The random search fails when a rule is switched off: so the tests can detect that it is missing."""

import pytest

from tests.builders.mappings import crm
from tests.convergence.invariants import Violated
from tests.two_way.histories import run_history
from tests.two_way.mappings import hot_mapping
from tests.two_way.mutations import MUTATIONS, Mutation, apply_mutation
from tests.two_way.runs import run_seed

WITHIN = 1000
"""How many seeds are tried, from the one at which the mutation was first found, before the test fails."""


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_search_finds_the_mutation(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    apply_mutation(mutation, monkeypatch)
    assert _first_violation(mutation) is not None, f"{mutation.name}: not seen within {WITHIN} seeds"


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_the_rule_passes_where_its_mutation_fails(mutation: Mutation) -> None:
    _run(mutation, mutation.seed)


def _run(mutation: Mutation, seed: int) -> None:
    if mutation.search == "interleavings":
        run_seed(seed, crm())
    else:
        merges = seed % 2 == 1
        run_history(seed, hot_mapping(merges=merges), merges=merges)


def _first_violation(mutation: Mutation) -> int | None:
    for seed in range(mutation.seed, mutation.seed + WITHIN):
        try:
            _run(mutation, seed)
        except (Violated, AssertionError):
            return seed
    return None
