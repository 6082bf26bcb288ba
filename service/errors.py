"""Every error tablesplit raises, as a small tree by what the operator does about it.

- Retryable: wait; the same request may succeed later.
- Poison: nothing at once; the item goes to quarantine.
- Stopped: the command or the lane ends; its ``remedy`` is what the operator does next. Its kinds stand side by side:
  Fatal (going on could lose items), Misconfigured, Refused (an ordinary no), Interrupted, Unexpected, Fenced. So ``except Fatal``
  does not catch an ordinary no, and ``except Stopped`` catches all of them.
"""

import re
from collections.abc import Sequence
from traceback import walk_tb
from typing import Any, Literal

CHECK_ENDPOINT = "check that the endpoint is up and reachable (AWS_REGION, AWS_ENDPOINT_URL)"
"""What the operator does when DynamoDB does not answer."""

CERTIFICATE_REMEDY = (
    "correct AWS_ENDPOINT_URL, or name the certificates of your network's proxy (AWS_CA_BUNDLE, or SSL_CERT_FILE)"
)
"""What the operator does when a server's certificate is not trusted."""

PROXY_REMEDY = "check HTTPS_PROXY, and NO_PROXY for what is reached without it"
"""What the operator does when a proxy does not lead to the server."""

GAP_REMEDY = "tablesplit create-tables --accept-gap, then tablesplit validate --repair"
"""What the operator does about stream changes that can no longer be read."""


_ROOT = __file__.removesuffix("service/errors.py")


class TablesplitError(Exception):
    """Base of all our errors. ``str(error)`` is one line: what is wrong, and where."""

    exit_status = 3
    """Of a command that ends with the error."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self._request_id = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """What is wrong, for people: one line, unless several things are."""
        return (self.message,)

    @property
    def request_id(self) -> str:
        """AWS's id of the refused request, also when it is the cause's; "" when there is none. AWS's support asks for it."""
        return self._request_id or getattr(self.__cause__, "request_id", "")

    @request_id.setter
    def request_id(self, request_id: str) -> None:
        self._request_id = request_id

    @property
    def kind(self) -> str:
        """How `--json` and the API name the error: after the nearest of KINDS that it is, ``stream_gone``."""
        name = next((base.__name__ for base in type(self).__mro__ if base in KINDS), "Error")
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()

    def to_json(self) -> dict[str, Any]:
        """The document that the API and the console show."""
        document: dict[str, Any] = {"kind": self.kind, "message": self.message, "remedy": self.remedy}
        return document | ({"request_id": self.request_id} if self.request_id else {})

    def to_log(self) -> dict[str, str]:
        """The fields of a log line that reports the error."""
        fields = {"reason": self.message, "remedy": self.remedy, "request_id": self.request_id}
        return {name: value for name, value in fields.items() if value}


class Retryable(TablesplitError):
    """Passing trouble; the same request may succeed later. ``reason`` is a metrics label (throttled, timeout, ...)."""

    def __init__(self, message: str, *, reason: str, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.reason = reason


Limit = Literal["partition", "provisioned", "on_demand_maximum", "account", "not_said"]
"""Which limit a throttled request has met: that of one partition, the table's or index's provisioned capacity, the maximum set
for it in on-demand mode, or the account's quota."""

THROTTLED: dict[Limit, str] = {
    "partition": "throttled_partition",
    "provisioned": "throttled_provisioned",
    "on_demand_maximum": "throttled_on_demand_maximum",
    "account": "throttled_account",
    "not_said": "throttled",
}
"""The reason in the metrics, by the limit."""


class Throttled(Retryable):
    """The server asks for fewer requests: wait, then try again. ``limit`` is the one that was met."""

    def __init__(self, message: str, *, limit: Limit = "not_said", remedy: str = "") -> None:
        super().__init__(message, reason=THROTTLED[limit], remedy=remedy)
        self.limit = limit

    @property
    def of_keys(self) -> bool:
        """Whether fewer writes to the same partition keys would help: the limit is a partition's, or was not said."""
        return self.limit in ("partition", "not_said")


class CredentialsExpired(Retryable):
    """The session token has expired: renew the credentials, then send the request again."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="expired_credentials")


class IteratorExpired(Retryable):
    """A shard iterator is older than 15 minutes: open one again after the last applied sequence number."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="iterator_expired")


REFUSED = "refused_by_dynamodb"
"""The reason of a Poison: DynamoDB accepts every other item, but not this one."""


class Poison(TablesplitError):
    """One item that cannot be mapped or written, whatever is retried. ``reason`` is a slug, ``message`` the one line."""

    def __init__(self, message: str, *, reason: str, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.reason = reason


class Stopped(TablesplitError):
    """Neither waiting nor quarantine helps; never raised itself, only its subclasses."""


class Fatal(Stopped):
    """Going on could lose or corrupt items: stop. ``remedy`` is the command to run."""


class TableMissing(Fatal):
    """There is no table of that name."""


class Trimmed(Fatal):
    """Unread stream records are gone (older than 24 hours). Going on would skip them."""


class StreamGone(Fatal):
    """The stream or one of its shards no longer exists although it was not read to its end."""


class Misconfigured(Stopped):
    """Wrong usage or configuration: nothing was touched."""

    exit_status = 2


class WrongSettings(Misconfigured):
    """Settings are wrong: a line for each."""

    def __init__(self, lines: Sequence[str], *, remedy: str) -> None:
        super().__init__("\n".join(lines), remedy=remedy)
        self._lines = tuple(lines)

    @property
    def lines(self) -> tuple[str, ...]:
        return self._lines


class WrongMapping(Misconfigured):
    """A mapping file is wrong: its most basic problem, and how many more there are; ``in_full``: a line for each."""

    def __init__(self, source: str, problems: Sequence[tuple[int, str]], *, remedy: str, full: bool = False) -> None:
        """``problems``: line and message of each, the most basic first. ``source``: the file's name."""
        (line, first), *others = problems
        self._source, self._problems, self._what_to_do, self._full = source, problems, remedy, full
        if full:
            super().__init__(f"{source} has {_counted(len(problems), 'problem')}", remedy=remedy)
        else:
            count = _counted(len(others), "further problem")
            more = f"; it has {count}: see `tablesplit mapping check {source}`" if others else ""
            super().__init__(f"{source}:{line}: {first}", remedy=remedy + more)

    def in_full(self) -> "WrongMapping":
        """The same error with a line for each problem, in the order of the file."""
        return WrongMapping(self._source, self._problems, remedy=self._what_to_do, full=True)

    @property
    def lines(self) -> tuple[str, ...]:
        places = (f"{self._source}:{line}: {message}" for line, message in sorted(self._problems))
        return (self.message, *places) if self._full else (self.message,)

    def to_json(self) -> dict[str, Any]:
        rows = [{"line": line, "message": message} for line, message in sorted(self._problems)]
        return {**super().to_json(), "problems": rows}


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


class Refused(Stopped):
    """The answer is no (a check is not met, another process holds the lease): nothing was touched."""

    exit_status = 1


class Interrupted(Stopped):
    """The operator stopped the command before its end; ``remedy`` is the command that goes on."""


class Paused(Interrupted):
    """Stopped at a limit that the operator has set: the same command would stop again."""


class Unexpected(Stopped):
    """A fault of tablesplit's own, or of the machine's: no other error of this tree says what has happened."""


class Fenced(Stopped):
    """This worker's lease has expired by its own monotonic clock: it writes nothing more; another worker has taken over."""


class ConditionRefusedError(Exception):
    """The condition of a single write was not met. Not one of the tree: ``service.dynamodb`` turns it into False."""


KINDS = frozenset(
    {
        Retryable,
        Throttled,
        Poison,
        Fatal,
        Trimmed,
        StreamGone,
        Misconfigured,
        Refused,
        Interrupted,
        Paused,
        Unexpected,
        Fenced,
    }
)
"""The errors that programs can tell apart. Every other class has the kind of the nearest of these that it derives from."""


def as_ours(error: Exception) -> TablesplitError:
    """The error itself when it is one of these; otherwise Unexpected, with its kind, its message and the last place of ours that it
    went through. Of several at once, the first."""
    place = _place(error)
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
        place = _place(error) or place
    if isinstance(error, TablesplitError):
        return error
    said = f": {error}" if str(error) else ""
    return Unexpected(
        f"unexpected {type(error).__name__}{said} ({place or 'outside tablesplit'})",
        remedy="give the same command again; if it comes back, report this line",
    )


def _place(error: Exception) -> str:
    """File and line of the innermost frame that is ours; "" when there is none."""
    ours = [
        f"{frame.f_code.co_filename.removeprefix(_ROOT)}:{line}"
        for frame, line in walk_tb(error.__traceback__)
        if frame.f_code.co_filename.startswith((f"{_ROOT}service/", f"{_ROOT}backfill/"))
    ]
    return ours[-1] if ours else ""
