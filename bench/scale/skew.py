"""How unevenly work falls on partition keys or shards: shares by Zipf's law."""

from collections.abc import Sequence


def zipf(parts: int, exponent: float) -> tuple[float, ...]:
    """Shares of ``parts`` parts, the largest first; together 1. exponent 0: all alike."""
    weights = [rank**-exponent for rank in range(1, parts + 1)]
    whole = sum(weights)
    return tuple(weight / whole for weight in weights)


def able_to_be_hot(shares: Sequence[float], units_per_second: float, limit: float) -> tuple[float, ...]:
    """Those shares of ``units_per_second`` that exceed ``limit``: no other part can ever be throttled."""
    return tuple(share for share in shares if share * units_per_second > limit)
