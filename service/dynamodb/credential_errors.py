"""That there are no AWS credentials, or none that a request can use: errors that are not the credential chain's own."""

from service.dynamodb.signing import Credentials
from service.errors import Misconfigured

NOT_RENEWED = "credentials_not_renewed"
"""The reason in the metrics."""

RENEWAL_REMEDY = "renew them (`aws sso login`, or new AWS_ACCESS_KEY_ID values), then run the same command"
KEYS_REMEDY = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (a local server takes any)"
INSTANCE_REMEDY = (
    f"{KEYS_REMEDY}; on an EC2 instance, give it a role, "
    "and for a container there set the hop limit HttpPutResponseHopLimit to 2"
)


def no_credentials(*, instance_asked: bool = False) -> Misconfigured:
    """The error for an empty provider chain. ``instance_asked``: botocore has asked EC2's metadata service too, and takes what it
    refuses or does not answer for the absence of an instance."""
    if not instance_asked:
        return Misconfigured("no AWS credentials were found", remedy=KEYS_REMEDY)
    return Misconfigured(
        "no AWS credentials were found, and EC2's metadata service (IMDS) gives none", remedy=INSTANCE_REMEDY
    )


def expired_credentials() -> Misconfigured:
    """The error for credentials that the server rejects as expired and the chain does not renew."""
    return Misconfigured("the AWS credentials have expired", remedy=RENEWAL_REMEDY)


def sendable(credentials: Credentials) -> Credentials:
    """The same. Raises Misconfigured for an access key or session token that no header of a request can carry."""
    sent = f"{credentials.access_key}{credentials.token or ''}"
    if sent.isascii() and sent.isprintable():
        return credentials
    raise Misconfigured(
        "the AWS credentials hold a character that none has, such as the end of a line",
        remedy="set access key and session token anew, without anything before or after them",
    )
