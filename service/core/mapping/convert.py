"""What an attribute of any type becomes in a field of a declared type: the rules for dirty values.

A converter takes an attribute value and gives the field's, the very same object when nothing is to be
changed, or None when it cannot be converted; the field then takes its default. Absent values never reach a
converter.
"""

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

from service.core.item.numbers import is_zero, number_text, parse_number, truncated, unquoted
from service.core.item.wire import AttributeValue
from service.core.mapping.list_text import parse_list

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


Converter = Callable[[AttributeValue], AttributeValue | None]

_TRUE, _FALSE = {"true", "yes", "1"}, {"false", "no", "0"}


def is_absent(value: AttributeValue | None) -> bool:
    """Whether an attribute counts as absent: not there, NULL, or an empty string."""
    return value is None or value.get("S") == "" or "NULL" in value


def text_of(value: AttributeValue | None) -> str:
    """A value as text, for keys and string fields: S as it is, N by its digits, BOOL as true or false; any
    other is empty."""
    if value is None:
        return ""
    if "S" in value:
        return str(value["S"])
    if "N" in value:
        return str(value["N"])
    if "BOOL" in value:
        return "true" if value["BOOL"] else "false"
    return ""


def to_string(value: AttributeValue) -> AttributeValue | None:
    """S as it is, N and BOOL as text, nothing else."""
    if "S" in value:
        return value
    text = text_of(value)
    return {"S": text} if text else None


def to_number(value: AttributeValue) -> AttributeValue | None:
    """N as it is, S when it reads as a number (``numbers.parse_number``), nothing else."""
    if "N" in value:
        return value
    number = parse_number(value["S"]) if "S" in value else None
    return None if number is None else {"N": number_text(number)}


def to_int(value: AttributeValue) -> AttributeValue | None:
    """As ``to_number``, with the fraction cut off."""
    converted = to_number(value)
    if converted is None or converted["N"].isdigit():
        return converted
    number = Decimal(converted["N"])
    whole = truncated(number)
    return converted if whole == number else {"N": number_text(whole)}


def to_boolean(value: AttributeValue) -> AttributeValue | None:
    """BOOL as it is; N: 0 is false; S: true/false, yes/no, 1/0 in any case, inside white space or quotes;
    nothing else."""
    if "BOOL" in value:
        return value
    if "N" in value:
        return {"BOOL": not is_zero(value["N"])}
    word = unquoted(value["S"]).lower() if "S" in value else ""
    return {"BOOL": word in _TRUE} if word in _TRUE | _FALSE else None


def to_date(value: AttributeValue) -> AttributeValue | None:
    """S as it is when it reads as a date (``dates.month_of``), nothing else."""
    return value if "S" in value and month_of(value["S"]) else None


def to_list(value: AttributeValue) -> AttributeValue | None:
    """L as it is, S read by ``list_text.parse_list``, a set as its elements in order, nothing else."""
    if "L" in value:
        return value
    if "S" in value:
        return parse_list(value["S"])
    if "SS" in value:
        return {"L": [{"S": text} for text in sorted(value["SS"])]}
    if "NS" in value:
        return {"L": [{"N": digits} for digits in sorted(value["NS"], key=Decimal)]}
    if "BS" in value:
        return {"L": [{"B": content} for content in sorted(value["BS"], key=base64.b64decode)]}
    return None


CONVERTERS: dict[str, Converter] = {
    "string": to_string,
    "int": to_int,
    "number": to_number,
    "boolean": to_boolean,
    "date": to_date,
    "list": to_list,
}
"""Field type of the mapping to its converter."""
