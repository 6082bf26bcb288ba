"""Versions: the order of the changes of one stream direction, as strings that compare right.

SequenceNumbers have 21 to 40 digits of differing lengths, so they are compared padded, and never as DynamoDB Numbers
(38 digits). The generation counts the stream ARNs seen for the table: a re-enabled stream starts unrelated numbers.
"""

GENERATION_DIGITS = 4
SEQUENCE_DIGITS = 40


def stream_version(generation: int, sequence_number: str) -> str:
    """The version of a change: 4-digit generation, a dot, the sequence number padded to 40 digits.

    Raises ValueError when either does not fit; a stream that gives such a number is not DynamoDB's.
    """
    if not (sequence_number.isascii() and sequence_number.isdigit()) or len(sequence_number) > SEQUENCE_DIGITS:
        raise ValueError(f"not a stream sequence number: {sequence_number!r}")
    if not 0 <= generation < 10**GENERATION_DIGITS:
        raise ValueError(f"stream generation out of range: {generation}")
    return f"{generation:0{GENERATION_DIGITS}d}.{sequence_number:0>{SEQUENCE_DIGITS}}"


def backfill_version(generation: int) -> str:
    """The version of a backfill copy: below every change of its generation."""
    return stream_version(generation, "0")
