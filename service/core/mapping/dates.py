"""Dates in text: which are understood, and their month in UTC."""

import re
from datetime import UTC, datetime
from functools import lru_cache

_ALPHABET = re.compile(r"[0-9W-]{7,10}(?:[T ][0-9:.,]+(?:Z|[+-][0-9:.]+)?)?")


@lru_cache(maxsize=8192)
def month_of(text: str) -> str | None:
    """``YYYY-MM``, the UTC month of an ISO 8601 date or date-time; None for any other text.

    ISO 8601 as ``datetime.fromisoformat`` reads it, in ASCII, with ``T`` or one space before the time.
    Without an offset it is UTC. An instant whose UTC year is not between 1 and 9999 is not understood.
    """
    if not _ALPHABET.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
        instant = moment if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return f"{instant.year:04d}-{instant.month:02d}"
