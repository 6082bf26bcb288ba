"""Numbers in text: which texts count as a number, and how it is written as a DynamoDB Number.

Limits: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
(38 significant digits, magnitudes from 1E-130 to 9.99...E+125).
"""

import re
from decimal import Decimal

MAX_DIGITS = 38
MIN_EXPONENT, MAX_EXPONENT = -130, 125

_STRAY = "".join(char for char in map(chr, range(0x3001)) if char.isspace()) + "\"'`\u201c\u201d\u2018\u2019"
_NUMBER = re.compile(r"[+-]?(?:(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")

_WHOLE = re.compile(f"0|[1-9][0-9]{{0,{MAX_DIGITS - 1}}}")


def unquoted(text: str) -> str:
    """``text`` without surrounding white space and stray quotes."""
    return text.strip(_STRAY)


def parse_number(text: str) -> Decimal | None:
    """The number in ``text``; None when there is none, or DynamoDB could not hold it.

    Surrounding white space and stray quotes are removed. The rest must be ASCII digits with an optional sign, fraction and
    exponent; commas may separate the thousands.
    """
    bare = unquoted(text)
    if not _NUMBER.fullmatch(bare):
        return None
    number = Decimal(bare.replace(",", ""))
    return number if fits(number) else None


def is_whole(text: str) -> bool:
    """Whether ``text`` is a whole number of at least 0 as ``number_text`` writes it: the quick case of ``parse_number``."""
    return _WHOLE.fullmatch(text) is not None


def fits(number: Decimal) -> bool:
    """Whether DynamoDB can hold the finite ``number`` exactly."""
    digits = "".join(map(str, number.as_tuple().digits)).strip("0")
    return not digits or (len(digits) <= MAX_DIGITS and MIN_EXPONENT <= number.adjusted() <= MAX_EXPONENT)


def number_text(number: Decimal) -> str:
    """``number`` as DynamoDB writes it: plain notation, no sign on zero, no trailing zeros after the point."""
    if not number:
        return "0"
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def truncated(number: Decimal) -> Decimal:
    """``number`` without its fraction, towards zero."""
    return Decimal(int(number))


def is_zero(number_content: str) -> bool:
    """Whether the content of an N is zero, in whatever notation."""
    return not number_content.lower().partition("e")[0].strip("+-0.")
