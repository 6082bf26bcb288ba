"""What AWS refuses by a policy, by a KMS key or by a quota, and who can mend it.

The words of a policy's refusal: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html. They name the
kind of policy, and whether a Deny refuses (then no Allow mends it) or an Allow is missing.
"""

import re

import orjson

from service.errors import Fatal

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
    ("pending deletion", "cancel the deletion, then enable the key: aws kms cancel-key-deletion, aws kms enable-key"),
    ("pending import", "import the key's material"),
    ("NotFound", "check the key: there is none of that name in the table's region"),
    ("not found", "check the key: there is none of that name in the table's region"),
)

_QUOTAS = (
    (
        "tables per subscriber",
        "ask AWS for more tables a region (Service Quotas, DynamoDB), or delete tables that are not used",
    ),
    ("per-table limit", "the table has as many indexes as AWS allows: delete one, or ask AWS for more"),
    ("maximum for the account", "ask AWS for a higher throughput quota (Service Quotas, DynamoDB)"),
)


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


def key_refusal(call: object, message: str) -> Fatal | None:
    """The error for a request that fails because of the table's KMS key; None when ``message`` is about something else.

    DynamoDB sends it as a refused permission or, when the key is disabled or gone, as an invalid request.
    """
    kms = _KMS.search(message)
    if kms is None:
        return None
    said = " ".join(message[kms.end() :].split())
    return Fatal(f"{call}: the table's KMS key cannot be used: {said[:300]}", remedy=_key_remedy(said))


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
    for words, remedy in _QUOTAS:
        if words in message:
            return Fatal(f"{call}: a quota of the account is used up: {' '.join(message.split())}", remedy=remedy)
    return None
