"""Every error tablesplit raises, as a small tree by what the operator does about it.

Retryable: wait. Poison: the item goes to quarantine. Fatal: stop, and run the command in ``remedy``.
"""


class TablesplitError(Exception):
    """Base of all our errors. ``str(error)`` is one line: what is wrong, and where."""

    kind = "error"

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class Retryable(TablesplitError):
    """Passing trouble; the same request may succeed later. ``reason`` is a metrics label (throttled, timeout, ...)."""

    kind = "retryable"

    def __init__(self, message: str, *, reason: str, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.reason = reason


class Throttled(Retryable):
    """The server asks for fewer requests (or a partition key is at its limit): shrink, then try again."""

    kind = "throttled"

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message, reason="throttled", remedy=remedy)


class Poison(TablesplitError):
    """One item that cannot be mapped or written, whatever is retried. ``reason`` is a slug, ``message`` the one line."""

    kind = "poison"

    def __init__(self, message: str, *, reason: str, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.reason = reason


class Fatal(TablesplitError):
    """Going on could lose or corrupt items: stop. ``remedy`` says the command to run. Exit status 3."""

    kind = "fatal"
    exit_status = 3


class Misconfigured(Fatal):
    """Wrong usage or configuration: nothing was touched. Exit status 2."""

    kind = "misconfigured"
    exit_status = 2


class Refused(Fatal):
    """The answer is no (a check is not met, somebody else is at work): nothing was touched. Exit status 1."""

    kind = "refused"
    exit_status = 1


class Interrupted(Fatal):
    """Stopped by the operator on the way; ``remedy`` is the command that goes on. Exit status 3."""

    kind = "interrupted"


class Paused(Interrupted):
    """Stopped at a limit that the operator has set: the same command would stop again. Exit status 3."""

    kind = "paused"


class Fenced(Fatal):
    """This worker's own monotonic clock has passed its lease: it writes nothing more; a standby has taken over."""

    kind = "fenced"


class IteratorExpired(Retryable):
    """A shard iterator is older than 15 minutes: open one again after the last applied sequence number."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="iterator_expired")


CHECK_ENDPOINT = "check that the endpoint is up and reachable (AWS_REGION, AWS_ENDPOINT_URL)"
"""What the operator does when DynamoDB does not answer."""

GAP_REMEDY = "tablesplit create-tables --accept-gap, then tablesplit validate --repair"
"""What the operator does about stream changes that can no longer be read."""


class Trimmed(Fatal):
    """Unread stream records are gone (older than 24 hours). Going on would skip them."""

    kind = "trimmed"


class StreamGone(Fatal):
    """The stream or a shard of it is not there any more although it was not read to its end."""

    kind = "stream_gone"
