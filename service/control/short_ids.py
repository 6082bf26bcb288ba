"""Ids as people give them: the first characters are enough, if no other id begins with them."""

from collections.abc import Collection

from service.errors import Misconfigured

SHORTEST_ID = 8


def short_ids(ids: Collection[str]) -> dict[str, str]:
    """For each id the shortest prefix, of SHORTEST_ID characters at least, that no other of them begins with."""
    inner = sorted(set(ids))
    neighbours = zip(["", *inner], inner, [*inner[1:], ""], strict=False)
    return {
        one: one[: max(SHORTEST_ID, _shared(before, one) + 1, _shared(one, after) + 1)]
        for before, one, after in neighbours
    }


def id_that_begins_with(prefix: str, ids: Collection[str], unknown: Misconfigured) -> str:
    """The one of ``ids`` that is ``prefix``, or else that begins with it. Raises ``unknown`` when none does, and Misconfigured when
    several do."""
    if prefix in ids:
        return prefix
    found = [one for one in ids if prefix and one.startswith(prefix)]
    if len(found) > 1:
        raise Misconfigured(f"{len(found)} ids begin with {prefix}", remedy="give more of the id")
    if not found:
        raise unknown
    return found[0]


def _shared(first: str, second: str) -> int:
    """How many characters two texts begin with alike."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((place for place, (one, other) in pairs if one != other), min(len(first), len(second)))
