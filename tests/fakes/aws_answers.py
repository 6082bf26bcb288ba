"""What AWS answers when it refuses or throttles a request: the words, as data, for the scripted endpoint.

The codes and members are those of botocore's models; the words are AWS's documentation's, or those of public reports of users.
Account, key and table are made up.
"""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.fakes.scripted_endpoint import Reply, error, raw

ACCOUNT = "111122223333"
TABLE = f"arn:aws:dynamodb:ap-southeast-2:{ACCOUNT}:table/Leads"
INDEX = f"{TABLE}/index/by-owner"
KEY = f"arn:aws:kms:ap-southeast-2:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ROLE = f"arn:aws:sts::{ACCOUNT}:assumed-role/sync/worker"
REQUEST_ID = "8PAL3O13K8COBSMD1PCTEFC7K7VV4KQNSO5AEMVJF66Q9ASUAAJG"

DENIED = f"User: {ROLE} is not authorized to perform: dynamodb:PutItem on resource: {TABLE} "
KMS_SUFFIX = " (Service: AWSKMS; Status Code: 400; Error Code: {}; Request ID: d498af9c-a220-4b25-9ea1-8fbc1800d99d; Proxy: null)"
SCALING = (
    "Throughput exceeds the current capacity of your table or index. DynamoDB is automatically scaling your table or index so "
    "please try again shortly. If exceptions persist, check if you have a hot key: "
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html"
)
PROVISIONED = (
    "The level of configured provisioned throughput for the table was exceeded. Consider increasing your provisioning level with "
    "the UpdateTable API."
)


@dataclass(frozen=True)
class Answer:
    """An error answer. ``more``: its further members."""

    code: str
    message: str = ""
    status: int = 400
    more: dict[str, Any] = field(default_factory=dict)

    def reply(self) -> Reply:
        """It, as the endpoint sends it."""
        return error(self.code, self.message, status=self.status, request_id=REQUEST_ID, **self.more)


def _reasons(*reasons: tuple[str, str], name: str = "ThrottlingReasons") -> dict[str, Any]:
    return {name: [{"reason": reason, "resource": resource} for reason, resource in reasons]}


# Throttling. ThrottlingException spells the list without its capital letter.

PARTITION = Answer(
    "ThrottlingException",
    SCALING,
    more=_reasons(("TableWriteKeyRangeThroughputExceeded", TABLE), name="throttlingReasons"),
)
TABLE_PROVISIONED = Answer(
    "ProvisionedThroughputExceededException",
    PROVISIONED,
    more=_reasons(("TableWriteProvisionedThroughputExceeded", TABLE)),
)
INDEX_PROVISIONED = Answer(
    "ProvisionedThroughputExceededException",
    "The level of configured provisioned throughput for one or more global secondary indexes of the table was exceeded.",
    more=_reasons(("IndexWriteProvisionedThroughputExceeded", INDEX)),
)
ON_DEMAND_MAXIMUM = Answer(
    "ThrottlingException",
    "Throughput exceeds the maximum OnDemandThroughput configured on table or index",
    more=_reasons(("TableWriteMaxOnDemandThroughputExceeded", TABLE), name="throttlingReasons"),
)
ACCOUNT_LIMIT = Answer(
    "RequestLimitExceeded",
    "Throughput exceeds the current throughput limit for your account.",
    more=_reasons(("TableWriteAccountLimitExceeded", TABLE)),
)
TWO_REASONS = Answer(
    "ProvisionedThroughputExceededException",
    PROVISIONED,
    more=_reasons(("IndexWriteProvisionedThroughputExceeded", INDEX), ("TableWriteKeyRangeThroughputExceeded", TABLE)),
)
NEW_REASON = Answer("ThrottlingException", more=_reasons(("TableWriteLunarPhaseExceeded", TABLE)))
NO_REASON = Answer("ProvisionedThroughputExceededException", PROVISIONED)

# Refusals by a policy.

NOT_ALLOWED = Answer(
    "AccessDeniedException", DENIED + "because no identity-based policy allows the dynamodb:PutItem action"
)
BOUNDARY = Answer(
    "AccessDeniedException", DENIED + "because no permissions boundary allows the dynamodb:PutItem action"
)
BOUNDARY_DENY = Answer("AccessDeniedException", DENIED + "with an explicit deny in a permissions boundary")
SCP = Answer("AccessDeniedException", DENIED + "because no service control policy allows the dynamodb:PutItem action")
SCP_DENY = Answer(
    "AccessDeniedException",
    DENIED
    + "with an explicit deny in a service control policy: "
    + f"arn:aws:organizations::{ACCOUNT}:policy/o-x/service_control_policy/p-y",
)
RCP_DENY = Answer("AccessDeniedException", DENIED + "with an explicit deny in a resource control policy")
ENDPOINT = Answer("AccessDeniedException", DENIED + "because no VPC endpoint policy allows the dynamodb:PutItem action")
ENDPOINT_DENY = Answer("AccessDeniedException", DENIED + "with an explicit deny in a VPC endpoint policy")
IDENTITY_DENY = Answer("AccessDeniedException", DENIED + "with an explicit deny in an identity-based policy")
SESSION = Answer("AccessDeniedException", DENIED + "because no session policy allows the dynamodb:PutItem action")
RESOURCE_DENY = Answer("AccessDeniedException", DENIED + "with an explicit deny in a resource-based policy")
BARE_DENY = Answer("AccessDeniedException", DENIED + "with an explicit deny")

# Refusals by a KMS key: a permission, or an invalid request.

KEY_NOT_ALLOWED = Answer(
    "AccessDeniedException",
    "KMS key access denied error: com.amazonaws.services.kms.model.AWSKMSException: The ciphertext refers to a customer master "
    "key that does not exist, does not exist in this region, or you are not allowed to access."
    + KMS_SUFFIX.format("AccessDeniedException"),
)
KEY_DENY = Answer(
    "AccessDeniedException",
    f"KMS key access denied error: com.amazonaws.services.kms.model.AWSKMSException: User: {ROLE} is not authorized to perform: "
    f"kms:CreateGrant on resource: {KEY} with an explicit deny in a resource-based policy"
    + KMS_SUFFIX.format("AccessDeniedException"),
)
KEY_DISABLED = Answer(
    "ValidationException",
    f"KMS key disabled error: com.amazonaws.services.kms.model.DisabledException: {KEY} is disabled."
    + KMS_SUFFIX.format("DisabledException"),
)


def _key_in_state(state: str) -> Answer:
    return Answer(
        "ValidationException",
        f"KMS validation error: com.amazonaws.services.kms.model.KMSInvalidStateException: {KEY} is {state}."
        + KMS_SUFFIX.format("KMSInvalidStateException"),
    )


KEY_LEAVING = _key_in_state("pending deletion")
KEY_UNKNOWN = Answer(
    "ValidationException",
    f"KMS validation error: com.amazonaws.services.kms.model.NotFoundException: Key '{KEY}' does not exist"
    + KMS_SUFFIX.format("NotFoundException"),
)

KEY_UNAVAILABLE = _key_in_state("unavailable")
KEY_CREATING = _key_in_state("creating")
KEY_IN_NEW_STATE = _key_in_state("asleep")
KEY_THROTTLED = Answer(
    "ValidationException",
    "KMS throttling error: com.amazonaws.services.kms.model.AWSKMSException: You have exceeded the rate at which you may call KMS. "
    "Reduce the frequency of your calls." + KMS_SUFFIX.format("ThrottlingException"),
)

# Who asks, and when.

NO_SUBSCRIPTION = Answer("OptInRequired", "The AWS Access Key Id needs a subscription for the service", 403)
NO_SUBSCRIPTION_JSON = Answer("SubscriptionRequiredException", NO_SUBSCRIPTION.message)
NOT_AUTHORIZED = Answer("NotAuthorized", "You do not have permission to perform this action.")
REQUEST_EXPIRED = Answer("RequestExpired", "Request has expired.")
TIME_SKEWED = Answer(
    "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", 403
)
SIGNATURE_EXPIRED = Answer(
    "InvalidSignatureException",
    "Signature expired: 20261129T195000Z is now earlier than 20261129T195500Z (20261129T200000Z - 5 min.)",
)

# Quotas, and what is busy for a moment.

TABLE_QUOTA = Answer(
    "LimitExceededException", "Subscriber limit exceeded: There is a limit of 2500 tables per subscriber"
)
SIMULTANEOUS = Answer(
    "LimitExceededException",
    "Subscriber limit exceeded: Only 10 tables can be created, updated, or deleted simultaneously",
)
INVALID = "One or more parameter values were invalid: "
WARM_TOO_HIGH = Answer(
    "ValidationException",
    INVALID + "Requested WriteUnitsPerSecond for WarmThroughput for table exceeds the table maximum of 40000",
)
ACCOUNT_UNITS = Answer(
    "ValidationException",
    INVALID + "The following units for table Leads exceed the account limit: WriteCapacityUnits",
)
INDEX_COUNT = Answer("ValidationException", INVALID + "GlobalSecondaryIndex count exceeds the per-table limit of 20")
ACCOUNT_UNITS_LIMIT = Answer(
    "LimitExceededException",
    "Subscriber limit exceeded: The requested WriteCapacityUnits, 1010, would exceed the account limit of 80000",
)
TAG_COUNT = Answer("LimitExceededException", "Subscriber limit exceeded: The number of tags exceeds 50")
NEW_QUOTA = Answer("LimitExceededException", "Subscriber limit exceeded: The number of replicas exceeds 9")
TAG_RATE = Answer(
    "LimitExceededException", "Subscriber limit exceeded: TagResource can be called up to five times per second"
)
TTL_CHANGED = Answer("ValidationException", "Time to live has been modified multiple times within a fixed interval")
STREAM_READERS = Answer("LimitExceededException", "Too many operations for a given subscriber.")
TABLE_IN_USE = Answer(
    "ResourceInUseException",
    "Attempt to change a resource which is still in use: Table is being updated: Leads",
)
REPLICA_CONFLICT = Answer(
    "ReplicatedWriteConflictException",
    "One or more items in this request are being modified by a request in another Region.",
)
# What gives credentials: STS answers in XML, SSO in JSON.

STS_REQUEST_ID = "c6104cbe-af31-11e0-8154-cbc7ccf896c7"


def assumed_role(key: str, lasts_seconds: float) -> Reply:
    """The answer of AssumeRole: credentials that last so long from now on."""
    until = datetime.fromtimestamp(time.time() + lasts_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    credentials = (
        f"<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken>"
        f"<Expiration>{until}</Expiration>"
    )
    user = f"<AssumedRoleUser><Arn>{ROLE}</Arn><AssumedRoleId>AROA:worker</AssumedRoleId></AssumedRoleUser>"
    result = f"<AssumeRoleResult><Credentials>{credentials}</Credentials>{user}</AssumeRoleResult>"
    return raw(
        f'<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">{result}</AssumeRoleResponse>'.encode()
    )


def sts_error(code: str, message: str, status: int) -> Reply:
    """An error answer of STS."""
    content = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    document = (
        f'<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">{content}'
        f"<RequestId>{STS_REQUEST_ID}</RequestId></ErrorResponse>"
    )
    return raw(document.encode(), status=status)


STS_BUSY = sts_error("Throttling", "Rate exceeded", 400)
STS_DENIED = sts_error(
    "AccessDenied",
    f"User: arn:aws:iam::{ACCOUNT}:user/eve is not authorized to perform: sts:AssumeRole on resource: "
    f"arn:aws:iam::{ACCOUNT}:role/sync",
    403,
)
STS_KEY = sts_error("InvalidClientTokenId", "The security token included in the request is invalid.", 403)
SSO_ENDED = raw(
    b'{"__type": "com.amazonaws.switchboard.portal#UnauthorizedException", "message": "Session token not found or invalid"}',
    status=401,
    headers={"x-amzn-ErrorType": "UnauthorizedException"},
)

STREAM_UNKNOWN = Answer("ResourceNotFoundException", "Requested resource not found: Stream: ARN not found")
