"""How long a request that was signed once may still arrive."""

from service.hosts import is_local

SIGNATURE_SECONDS = 900.0
"""How long after it was signed AWS still accepts a request, at the most that any source says.

AWS's guide says "within five minutes of the time stamp in the request" in most cases
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-signing.html), and answers of DynamoDB name that limit ("- 5 min.",
https://github.com/aws/aws-sdk-js-v3/issues/7605). Other services name 15 minutes
(http://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/AboutTimestamp.html). DynamoDB promises neither, so the
longer one counts here.
"""

SIGNER_CLOCK_SECONDS = 60.0
"""How far the signer's clock may be ahead, which makes its requests live longer: preflight allows no more."""


def signed_request_seconds(endpoint_url: str | None) -> float:
    """How many seconds after it was signed a request may still be accepted; 0 for a local server, which holds nothing back on
    a network and checks no time."""
    return 0.0 if is_local(endpoint_url) else SIGNATURE_SECONDS + SIGNER_CLOCK_SECONDS
