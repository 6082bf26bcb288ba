"""The random search fails when a rule is switched off: so the tests can detect that it is missing."""

import pytest

from tests.builders.mappings import crm
from tests.convergence.invariants import Violated
from tests.two_way.mutations import MUTATIONS, Mutation, apply_mutation
from tests.two_way.runs import run_seed

WITHIN = 4000
"""How many seeds are tried, from the one at which the mutation was first found, before the test fails."""


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_search_finds_the_mutation(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    apply_mutation(mutation, monkeypatch)
    assert _first_violation(mutation.seed) is not None, f"{mutation.name}: not seen within {WITHIN} seeds"


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_the_rule_passes_where_its_mutation_fails(mutation: Mutation) -> None:
    run_seed(mutation.seed, crm())


def _first_violation(start: int) -> int | None:
    for seed in range(start, start + WITHIN):
        try:
            run_seed(seed, crm())
        except Violated:
            return seed
    return None
