"""Each rule switched off makes the random search fail: the tests can see what they are there to see."""

import pytest

from service.core.item.change import Change
from service.core.item.write import Put
from service.core.mapping.mapping import Mapping
from service.core.rules import guarded as apply_rule
from tests.builders.mappings import crm
from tests.convergence.invariants import Violated
from tests.convergence.mutations import MUTATIONS, REAL, Mutation, apply_mutation
from tests.convergence.runs import run_seed

WITHIN = 4000
"""Seeds tried, from the one at which the mutation was first found, before it counts as unseen."""


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_search_finds_the_mutation(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    apply_mutation(mutation, monkeypatch)
    assert _first_violation(mutation.seed) is not None, f"{mutation.name}: not seen within {WITHIN} seeds"


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_the_rule_passes_where_its_mutation_fails(mutation: Mutation) -> None:
    run_seed(mutation.seed, crm())


def test_tombstone_before_the_put_converges_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put first is for readers, who would miss the item for a moment; convergence does not rest on it."""

    def reversed_writes(mapping: Mapping, changes: list[Change], generation: int) -> tuple[Put, ...]:
        return tuple(reversed(REAL["change_writes"](mapping, changes, generation)))

    monkeypatch.setattr(apply_rule, "change_writes", reversed_writes)
    for seed in range(100):
        run_seed(seed, crm())


def _first_violation(start: int) -> int | None:
    for seed in range(start, start + WITHIN):
        try:
            run_seed(seed, crm())
        except Violated:
            return seed
    return None
