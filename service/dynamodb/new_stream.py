"""Whether a stream was enabled a moment ago: then the endpoint of streams may not know it yet.

The end of a stream's ARN is its label, the time at which it was enabled
(https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamDescription.html). So every process knows it, and
after START_SECONDS a stream that is not found is gone, whoever asks.
"""

import re
from datetime import UTC, datetime

START_SECONDS = 30.0
"""How long after it was enabled a stream that is not found may still appear."""

_LABEL = re.compile(r":table/[^/]+/stream/(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?)")


def is_starting(subject: str, now: float) -> bool:
    """Whether ``subject``, which begins with a stream's ARN, was enabled less than START_SECONDS before ``now`` (epoch seconds)."""
    found = _LABEL.search(subject)
    if found is None:
        return False
    enabled = datetime.fromisoformat(found[1]).replace(tzinfo=UTC).timestamp()
    return abs(now - enabled) < START_SECONDS
