"""Why DynamoDB throttled a request, and what an operator does about it.

An exception for throttling has a list of reasons, each with the ARN of its table or index:
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ThrottlingReason.html. A reason is the words Table or Index, Read
or Write, and the limit. The errors of a batch's statements and of a transaction's items have no such list.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from service.errors import Limit, Throttled

THROTTLING = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2Throttled",
        "LimitExceeded",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "Throttled",
        "Throttling",
        "TooManyRequests",
    }
)
"""The codes, without their suffix."""

LIMITS: dict[str, Limit] = {
    "KeyRangeThroughputExceeded": "partition",
    "ProvisionedThroughputExceeded": "provisioned",
    "MaxOnDemandThroughputExceeded": "on_demand_maximum",
    "AccountLimitExceeded": "account",
}
"""What a reason ends with, by order of what an operator can do least about at once."""

REMEDIES: dict[Limit, str] = {
    "partition": "one partition key has more than 1,000 write or 3,000 read units a second; it passes, or lower the rate",
    "provisioned": "raise the provisioned capacity of {resource} (or its autoscaling maximum), or switch it to on-demand",
    "on_demand_maximum": "raise the maximum of {resource} (MaxReadRequestUnits, MaxWriteRequestUnits), or lower the rate",
    "account": "ask AWS for a higher throughput quota a table (Service Quotas, DynamoDB), or lower the rate",
    "not_said": "",
}

READERS = "at most two readers may read one shard of a stream at a time; stop one of them"


def throttled(call: object, code: str, answer: Mapping[str, Any]) -> Throttled:
    """The error for an answer that throttles ``call``. ``answer``: its content, with its reasons if it has any."""
    found = list(_reasons(answer))
    for ending, limit in LIMITS.items():
        for reason, resource in found:
            if reason.endswith(ending):
                message = f"{call}: throttled by DynamoDB ({code}: {reason} of {resource})"
                return Throttled(message, limit=limit, remedy=REMEDIES[limit].format(resource=resource))
    others = f": {', '.join(reason for reason, _ in found)}" if found else ""
    return Throttled(f"{call}: throttled by DynamoDB ({code}{others})")


def _reasons(answer: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Reason and resource. The list has a capital letter in two of the exceptions, and none in the third."""
    listed = answer.get("ThrottlingReasons") or answer.get("throttlingReasons") or ()
    for one in listed:
        if isinstance(one, Mapping) and one.get("reason"):
            yield str(one["reason"]), str(one.get("resource") or "the table")
