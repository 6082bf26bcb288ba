"""Dates as moments in UTC: ISO 8601 text, and numbers of seconds or milliseconds since 1970. No clock, no local time zone."""

import math
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from service.core.item.numbers import parse_number

PER_SECOND = {"epoch": 1, "epoch_ms": 1000}
"""By field type, for dates that are numbers: how many units of the number a second has."""
SECONDS_TYPES = ("int", "number", "epoch")
"""The field types that may hold seconds since 1970 as a number, by which alone DynamoDB lets an item expire
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html)."""
DATE_TYPES = ("date", *PER_SECOND)
"""The field types of dates."""

DATE_PARTS = {"year": "YYYY", "month": "YYYY-MM", "day": "YYYY-MM-DD", "hour": "YYYY-MM-DDTHH"}
"""The parts of a date that a template can have, and their form."""

_1970 = datetime(1970, 1, 1, tzinfo=UTC)
_ALPHABET = re.compile(r"[0-9W-]{7,10}(?:[T ][0-9:.,]+(?:Z|[+-][0-9:.]+)?)?")


@lru_cache(maxsize=8192)
def moment_of(kind: str, text: str) -> datetime | None:
    """The moment, in UTC, that ``text`` stands for in a field of the date type ``kind``; None when it stands for none.

    ``date``: ISO 8601 as ``datetime.fromisoformat`` reads it, in ASCII, with ``T`` or one space before the time; a time without
    an offset is UTC. ``epoch`` and ``epoch_ms``: a number (``numbers.parse_number``) of seconds or milliseconds since
    1970-01-01T00:00:00Z, in whole seconds; text that is no number, as for ``date``. None also when the UTC year is not between 1
    and 9999.
    """
    per_second = PER_SECOND.get(kind)
    number = parse_number(text) if per_second else None
    try:
        if per_second is None or number is None:
            return _iso_8601(text)
        return _1970 + timedelta(seconds=math.floor(number) // per_second)
    except (ValueError, OverflowError):
        return None


def number_of_moment(kind: str, moment: datetime) -> int:
    """The whole seconds (``epoch``) or milliseconds (``epoch_ms``) from 1970-01-01T00:00:00Z to a moment."""
    return (moment - _1970) // (timedelta(seconds=1) / PER_SECOND[kind])


@lru_cache(maxsize=8192)
def date_part(part: str, kind: str, text: str) -> str:
    """One of ``DATE_PARTS``, in UTC, of the date that ``text`` is in a field of type ``kind``; empty when it is none."""
    moment = moment_of(kind, text)
    return "" if moment is None else moment.isoformat()[: len(DATE_PARTS[part])]


def _iso_8601(text: str) -> datetime | None:
    """Raises ValueError or OverflowError for text that has the characters of a date and is none."""
    if not _ALPHABET.fullmatch(text):
        return None
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
