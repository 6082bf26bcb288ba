"""Plays an interleaving with every rule, when the checks pass; and with one rule switched off, when they fail."""

from collections.abc import Callable

import pytest

from tests.convergence.invariants import Violated
from tests.two_way.mutations import MUTATIONS, Mutation, apply_mutation
from tests.two_way.script import Script
from tests.two_way.script_mutations import SCRIPT_MUTATIONS

RULES: dict[str, Mutation] = {mutation.name: mutation for mutation in (*MUTATIONS, *SCRIPT_MUTATIONS)}


def played(play: Callable[[], Script]) -> Callable[[], None]:
    """Play an interleaving with all rules. No one rule alone makes it end ill."""

    def with_all_rules() -> None:
        play().check()

    with_all_rules.__doc__ = play.__doc__
    return with_all_rules


def without(rule: str) -> Callable[[Callable[[], Script]], Callable[..., None]]:
    """Play the interleaving with all rules, and with one switched off, named as in ``mutations``."""

    def decorate(play: Callable[[], Script]) -> Callable[..., None]:
        @pytest.mark.parametrize("rules", ["all rules", f"but: {rule}"])
        def played(rules: str, monkeypatch: pytest.MonkeyPatch) -> None:
            if rules == "all rules":
                play().check()
                return
            apply_mutation(RULES[rule], monkeypatch)
            with pytest.raises(Violated):
                play().check()

        played.__doc__ = play.__doc__
        return played

    return decorate
