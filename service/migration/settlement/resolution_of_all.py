"""Resolves many conflicts by one choice. Each is decided and written as if it were the only one; one that cannot be stays open."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from service.control.conflicts import Kept
from service.errors import Refused
from service.migration.settlement.resolution import Choice, ConflictResolver

CHANGED = "the conflict or v2 has changed since it was shown: look at it again"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is to be resolved, with nothing written yet."""

    choices: list[Choice]
    refused: Mapping[str, str]
    """The conflicts that cannot be resolved so, by id, and why."""


@dataclass(frozen=True, slots=True)
class ResolvedAll:
    """What was resolved."""

    resolved: list[str]
    refused: Mapping[str, str]
    """The conflicts that stay open, by id, and why."""


async def choose_all(resolver: ConflictResolver, ids: Iterable[str], kept: Kept, given: str | None = None) -> Chosen:
    """Decide each of these conflicts by what v2 has now. ``given``: the item, for ``merge``."""
    choices, refused = [], {}
    for name in ids:
        try:
            choices.append(await resolver.choose(name, kept, given))
        except Refused as reason:
            refused[name] = reason.message
    return Chosen(choices, refused)


async def choose_as_shown(
    resolver: ConflictResolver, shown: Mapping[str, str], kept: Kept, given: str | None = None
) -> Chosen:
    """Decide again what was shown to the operator in another request. ``shown``: the digest of each choice, by id.

    A choice that is another one by now is refused: what it gives up was never shown.
    """
    chosen = await choose_all(resolver, shown, kept, given)
    same = [choice for choice in chosen.choices if choice.digest == shown[choice.conflict_id]]
    changed = {choice.conflict_id: CHANGED for choice in chosen.choices if choice not in same}
    return Chosen(same, {**chosen.refused, **changed})


async def resolve_all(resolver: ConflictResolver, chosen: Chosen, why: str) -> ResolvedAll:
    """Write each choice. One whose item has changed on v2 since it was shown stays open, and the others go on."""
    resolved, refused = [], dict(chosen.refused)
    for choice in chosen.choices:
        try:
            await resolver.resolve(choice, why)
            resolved.append(choice.conflict_id)
        except Refused as reason:
            refused[choice.conflict_id] = reason.message
    return ResolvedAll(resolved, refused)
