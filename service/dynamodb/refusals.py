"""What AWS refuses by a policy, by a KMS key or by a quota, and who can mend it.

The words of a policy's refusal: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html. They name the
kind of policy, and whether a Deny refuses (then no Allow mends it) or an Allow is missing.
"""

import re

import orjson

from service.errors import Fatal, Misconfigured, Retryable, TablesplitError, Throttled

_POLICY = r"(?P<policy>[\w -]+?policy|permissions boundary)"
_UNAUTHORIZED = re.compile(
    r"User:? ?(?P<user>\S*) is not authorized to perform: (?P<action>[\w-]+:\w+)(?: on resource: (?P<resource>\S+))?(?P<why>.*)",
    re.DOTALL,
)
_DENY = re.compile(rf"with an explicit deny(?: in (?P<article>an? |the )?{_POLICY}(?:: (?P<arn>arn:\S+))?)?")
_NO_ALLOW = re.compile(rf"because no {_POLICY} allows")

_HOLDERS = {
    "service control policy": "the AWS organization's service control policy (its administrators can)",
    "resource control policy": "the AWS organization's resource control policy (its administrators can)",
    "permissions boundary": "the permissions boundary of {user}",
    "session policy": "the session policy with which {user} was assumed",
    "VPC endpoint policy": "the policy of the VPC endpoint through which the requests go",
    "resource-based policy": "the resource policy of the table",
    "identity-based policy": "the policy of {user}",
}
"""Where the operator finds a policy, by AWS's name for its kind."""

_KMS = re.compile(r"KMS [\w ]*error[^:]*:")
KEY_ACTIONS = "kms:Decrypt, kms:Encrypt, kms:ReEncrypt*, kms:GenerateDataKey*, kms:DescribeKey and kms:CreateGrant"
"""What DynamoDB does with a customer managed key in the caller's name
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html)."""

_KEY_STATES = (
    ("disabled", "enable the key: aws kms enable-key"),
    ("is unavailable", "connect the key's own key store again: aws kms connect-custom-key-store"),
    ("is creating", "wait until the key is Enabled (aws kms describe-key), then run the same command"),
    ("is updating", "wait until the key is Enabled (aws kms describe-key), then run the same command"),
    (
        "pending replica deletion",
        "cancel the deletion, then enable the key: aws kms cancel-key-deletion, aws kms enable-key",
    ),
    ("pending deletion", "cancel the deletion, then enable the key: aws kms cancel-key-deletion, aws kms enable-key"),
    ("pending import", "import the key's material"),
    ("NotFound", "check the key: there is none of that name in the table's region"),
    ("not found", "check the key: there is none of that name in the table's region"),
    ("KMSInvalidState", "bring the key to the state Enabled: aws kms describe-key shows its state"),
)
"""What to do by the words of the message; the states: https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html."""

_KEY_THROTTLED = re.compile(r"KMS throttl|\bThrottling(Exception)?\b|[Rr]ate exceeded|exceeded the rate")
_KEY_QUOTA = "ask AWS for a higher quota of requests to KMS (Service Quotas, KMS), or lower the rate"

_QUOTAS = (
    (
        "tables per subscriber",
        "ask AWS for more tables a region (Service Quotas, DynamoDB), or delete tables that are not used",
    ),
    ("per-table limit", "the table has as many indexes as AWS allows: delete one, or ask AWS for more"),
    ("number of tags", "take tags away from the old table, or leave them out: tablesplit create-tables --no-tags"),
    (
        "table maximum",
        "ask AWS for a higher throughput quota a table (Service Quotas, DynamoDB), or give lower --warm-writes and --warm-reads",
    ),
    ("account limit", "ask AWS for a higher throughput quota (Service Quotas, DynamoDB), or ask for less"),
    ("maximum for the account", "ask AWS for a higher throughput quota (Service Quotas, DynamoDB)"),
)
_ANY_QUOTA = "ask AWS for a higher quota (Service Quotas, DynamoDB), or wait if the line names a time"
_PREFIX = "Subscriber limit exceeded:"
_LASTS = re.compile(r"\bexceeds?\b|\bexceeding\b|\blimited\b|\blimit of\b")
_PASSES = re.compile(r"simultaneous|concurrent|at the same time|per second|\brate\b")

_NO_SUBSCRIPTION = frozenset({"OptInRequired", "SubscriptionRequired"})
_TTL_CHANGED = "Time to live has been modified multiple times"


def denied(call: object, operation: str, subject: str, message: str) -> Fatal:
    """The error for a request that a policy refuses."""
    found = _UNAUTHORIZED.search(message)
    action = found["action"] if found else f"dynamodb:{operation}"
    why = found["why"] if found else message
    user = (found and found["user"]) or "the caller"
    if deny := _DENY.search(why):
        return _forbidden(call, action, deny, user)
    if found and found["resource"]:
        missing = orjson.dumps({"Effect": "Allow", "Action": action, "Resource": found["resource"]}).decode()
    else:
        missing = f"{action} on {subject}"
    none = _NO_ALLOW.search(why)
    holder = _holder(none["policy"] if none else "identity-based policy", user)
    return Fatal(f"{call}: no permission for {action}", remedy=f"add {missing} to {holder}")


def _forbidden(call: object, action: str, deny: re.Match[str], user: str) -> Fatal:
    policy = deny["policy"] or "policy"
    holder = _holder(policy, user) + (f", {deny['arn']}" if deny["arn"] else "")
    return Fatal(
        f"{call}: a Deny in {deny['article'] or 'a '}{policy} forbids {action}",
        remedy=f"remove or narrow the Deny in {holder}; no Allow overrides it",
    )


def _holder(policy: str, user: str) -> str:
    return _HOLDERS.get(policy, "a policy that applies to {user}").format(user=user)


def key_refusal(call: object, message: str) -> Fatal | Throttled | None:
    """The error for a request that fails because of the table's KMS key; None when ``message`` is about something else.

    DynamoDB sends it as a refused permission or, when the key is disabled or gone, as an invalid request.
    """
    kms = _KMS.search(message)
    if kms is None:
        return None
    said = " ".join(message[kms.end() :].split())[:300]
    if is_key_throttled(message):
        return Throttled(f"{call}: AWS KMS throttles the table's key: {said}", limit="account", remedy=_KEY_QUOTA)
    return Fatal(f"{call}: the table's KMS key cannot be used: {said}", remedy=_key_remedy(said))


def is_key_throttled(message: str) -> bool:
    """Whether a request fails only because too many ask for the key: the same request may succeed later."""
    kms = _KMS.search(message)
    return kms is not None and _KEY_THROTTLED.search(message[kms.start() :]) is not None


def _key_remedy(said: str) -> str:
    for words, remedy in _KEY_STATES:
        if words in said:
            return remedy
    found = _UNAUTHORIZED.search(said)
    user = (found and found["user"]) or "the caller"
    if found and _DENY.search(found["why"]):
        return f"remove or narrow the Deny for {found['action']} in the key's policy or in those of {user}; no Allow overrides it"
    return f"allow {user} {KEY_ACTIONS} on the key, in the key's policy or in that of {user}"


def quota_refusal(call: object, message: str) -> Fatal | None:
    """The error for a quota that waiting does not mend; None when ``message`` is about another limit."""
    said = " ".join(message.split())
    for words, remedy in _QUOTAS:
        if words in message:
            return Fatal(f"{call}: a quota of the account is used up: {said}", remedy=remedy)
    own = said.removeprefix(_PREFIX)
    if own and _LASTS.search(own) and not _PASSES.search(own):
        return Fatal(f"{call}: a quota of the account is used up: {said}", remedy=_ANY_QUOTA)
    return None


def value_refusal(call: object, message: str) -> TablesplitError | None:
    """The error for an invalid value in a request about a whole table; None when AWS's words name nothing that we know."""
    if _TTL_CHANGED in message:
        return Retryable(
            f"{call}: {' '.join(message.split())}",
            reason="table_in_use",
            remedy="wait an hour, then run the same command: it continues where it stopped",
        )
    return quota_refusal(call, message) if any(words in message for words, _ in _QUOTAS) else None


def account_refusal(call: object, plain: str, code: str, region: str) -> Misconfigured | None:
    """The error for an account that has not this service; None for another code. ``plain``: it without its suffix."""
    if plain not in _NO_SUBSCRIPTION:
        return None
    return Misconfigured(
        f"{call}: the AWS account is not subscribed to the service ({code})",
        remedy=f"complete the account's sign-up in the AWS console, and enable region {region} for it; or correct AWS_PROFILE",
    )
