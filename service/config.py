"""Settings: every one with its variable, default, bounds and meaning, and what several must be together.

``service.environment`` reads them.
"""

from ipaddress import ip_network
from pathlib import Path
from typing import Literal, Self

from pydantic import AliasChoices, Field, FilePath, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.api_tokens import parsed_tokens
from service.aws_profile import (
    CERTIFICATE_NAMES,
    DEFAULT_REGION,
    ENDPOINT_FORM,
    ENDPOINT_NAMES,
    REGION_NAMES,
    STREAMS_NAMES,
)
from service.core.mapping.schema import TABLE_NAME
from service.hosts import is_aws, is_local, is_server_url, without_password
from service.signed_requests import signed_request_seconds

PREFIX = "TABLESPLIT_"
HOST_NAMES = r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*( *, *[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*)*$"
VARIABLE_NAMES = r"^[A-Za-z_][A-Za-z0-9_]*( *, *[A-Za-z_][A-Za-z0-9_]*)*$"
AWS_NAMES = {
    "aws_region": "AWS_REGION",
    "endpoint_url": "AWS_ENDPOINT_URL",
    "streams_endpoint_url": "AWS_ENDPOINT_URL_DYNAMODB_STREAMS",
    "ca_bundle": "AWS_CA_BUNDLE",
    "batch_array_index": "AWS_BATCH_JOB_ARRAY_INDEX",
    "batch_array_size": "AWS_BATCH_JOB_ARRAY_SIZE",
    "batch_job_id": "AWS_BATCH_JOB_ID",
}


class Settings(BaseSettings):
    """Every setting, with its default, bounds and meaning; a unit is in the name."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="forbid",
        env_ignore_empty=True,
        populate_by_name=True,
        allow_inf_nan=False,
    )

    aws_region: str = Field(
        DEFAULT_REGION,
        validation_alias=AliasChoices(*REGION_NAMES),
        min_length=1,
        description="the AWS region of the tables; when this is not set, AWS_DEFAULT_REGION, then the profile's, "
        "then that in the name of AWS_ENDPOINT_URL's host; the default is only for the packaged mapping and local servers",
    )
    endpoint_url: str | None = Field(
        None,
        validation_alias=AliasChoices(*ENDPOINT_NAMES),
        pattern=r"^https?://[^/]+",
        description="URL of another server, such as DynamoDB Local, or of a VPC endpoint; "
        "AWS_ENDPOINT_URL_DYNAMODB takes precedence; when neither is set, the profile's",
    )
    streams_endpoint_url: str | None = Field(
        None,
        validation_alias=AliasChoices(*STREAMS_NAMES),
        pattern=r"^https?://[^/]+",
        description="URL of the VPC endpoint of DynamoDB Streams; without it, that of AWS_ENDPOINT_URL unless it is AWS's",
    )
    ca_bundle: FilePath | None = Field(
        None,
        validation_alias=AliasChoices(*CERTIFICATE_NAMES),
        description="path of the certificates that are trusted instead of the system's, for every request to AWS; "
        "without it, SSL_CERT_FILE, then the profile's",
    )
    control_table: str = Field("tablesplit-control", pattern=TABLE_NAME, description="name of the control table")
    mapping: Path | None = Field(
        None, description="path of a mapping file; without it, the packaged CRM mapping is used"
    )

    price_file: Path | None = Field(
        None, description="path of a price file; without it, the packaged list prices are used"
    )

    http_host: str = Field("127.0.0.1", min_length=1, description="address that the HTTP server listens on")
    http_port: int = Field(8080, ge=1, le=65535, description="port that the HTTP server listens on")
    backfill_http_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="port on which a backfill serves its metrics; without it, a backfill serves none",
    )
    http_hosts: str | None = Field(
        None,
        pattern=HOST_NAMES,
        description="names, with commas between them, by which the HTTP server is reached beside localhost and IP addresses; "
        "a request that was sent to another name is refused",
    )
    http_proxies: str | None = Field(
        None,
        description="addresses or networks, with commas between them, of the proxies in front of the HTTP server, whose "
        "X-Forwarded-For is believed; without it, none is",
    )
    http_certificate: FilePath | None = Field(
        None,
        description="path of the HTTP server's TLS certificate, with its chain, as PEM; without it, it speaks plain HTTP",
    )
    http_certificate_key: FilePath | None = Field(
        None, description="path of the certificate's key, as PEM without a password"
    )
    api_token: SecretStr | None = Field(
        None,
        description="token of at least 16 characters that a POST must send, and a GET unless the server is bound to a loopback "
        "address, without proxies or further hosts; several, with commas between them, have a name each, which the audit log "
        "shows: alice:...,bob:...",
    )
    log_format: Literal["console", "json"] = Field("console", description="format of the log on stderr")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="lowest level that is logged")
    cloudwatch_namespace: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9._#:-]{1,255}$",
        description="namespace of the metrics that sync writes for CloudWatch, a line on stdout each minute in the embedded metric "
        "format; without it, it writes none",
    )

    connections: int = Field(64, ge=1, le=1000, description="maximum number of connections to DynamoDB")
    connect_timeout_seconds: float = Field(5, ge=0.1, le=60, description="seconds to open a connection")
    request_timeout_seconds: float = Field(
        10, ge=0.5, le=120, description="seconds for one request, including its answer"
    )
    max_attempts: int = Field(10, ge=1, le=100, description="maximum number of attempts for one request")
    retry_deadline_seconds: float = Field(
        60, ge=1, le=3600, description="seconds for all attempts of one request together"
    )

    lease_seconds: float = Field(
        6, ge=1, le=300, description="seconds after which a worker that has not renewed its lease is replaced"
    )
    heartbeat_seconds: float = Field(2, ge=0.1, le=100, description="seconds between two renewals of a lease")
    clock_margin_seconds: float = Field(
        5, ge=0, le=300, description="seconds that the writer horizon adds, because clocks run at different speeds"
    )
    purge_grace_seconds: float = Field(
        1200, ge=1, le=86_400, description="seconds that a tombstone is kept at least before it is purged"
    )
    purge_sweep_seconds: float = Field(
        21_600, ge=10, le=604_800, description="seconds between two searches of the v2 tables for tombstones"
    )

    shard_discovery_seconds: float = Field(2, ge=0.1, le=60, description="seconds between two listings of the shards")
    shard_read_seconds: float = Field(
        0.25,
        ge=0.2,
        le=10,
        description="seconds from one read of a shard to the next at least; DynamoDB allows five reads a second for all readers "
        "of a shard together, and a Lambda function takes four: set 1 beside one",
    )
    poll_interval_seconds: float = Field(
        0.5, ge=0.25, le=30, description="seconds to pause after an empty read of a shard"
    )
    checkpoint_every_seconds: float = Field(
        1, ge=0, le=60, description="seconds between two checkpoints of a busy shard"
    )
    sync_concurrency: int = Field(
        64, ge=1, le=1000, description="maximum number of keys whose changes are applied at the same time"
    )

    engine: Literal["embedded", "kcl"] = Field(
        "embedded",
        description="engine that reads the streams: embedded, in one process, or kcl, in many, with the Kinesis Client Library",
    )
    kcl_jars: Path = Field(
        Path("deploy/kcl/target"), description="folder of the kcl engine's jars, which `make kcl` builds"
    )
    kcl_application: str = Field(
        "tablesplit-kcl", pattern=TABLE_NAME, max_length=100, description="prefix of the names of KCL's tables"
    )
    kcl_properties: Path | None = Field(None, description="path of a file with further KCL properties")
    kcl_heap_mb: int = Field(256, ge=64, le=16_384, description="MB of heap for each of the two KCL daemons")

    segments: int = Field(
        8,
        ge=1,
        le=10_000,
        description="number of parallel Scan segments of a validation, and of each job of a backfill",
    )
    page_items: int = Field(250, ge=1, le=1000, description="maximum number of items in one Scan page")
    backfill_concurrency: int = Field(
        16, ge=1, le=256, description="maximum number of write requests of a backfill at the same time"
    )
    max_read_units: float | None = Field(None, ge=1, description="maximum read units per second of a backfill")
    max_write_units: float | None = Field(None, ge=1, description="maximum write units per second of a backfill")

    max_cost: float | None = Field(
        None, ge=0.01, description="US dollars, by the price file, at which a backfill pauses"
    )
    batch_array_index: int | None = Field(
        None,
        validation_alias=AWS_NAMES["batch_array_index"],
        ge=0,
        description="index of this backfill in its array job; AWS Batch sets it",
    )
    batch_array_size: int | None = Field(
        None,
        validation_alias=AWS_NAMES["batch_array_size"],
        ge=1,
        le=10_000,
        description="number of jobs in the array job; AWS Batch sets it",
    )
    batch_job_id: str | None = Field(
        None, validation_alias=AWS_NAMES["batch_job_id"], description="id of the job; AWS Batch sets it"
    )

    settle_seconds: float = Field(5, ge=0, le=3600, description="seconds that a difference must last to be counted")
    settle_timeout_seconds: float = Field(
        60, ge=1, le=86_400, description="seconds for which a key that keeps changing is compared again"
    )

    gate_lag_seconds: float = Field(10, ge=1, le=3600, description="seconds of lag that keep a gate closed")
    gate_lag_low_seconds: float = Field(
        60, ge=0, le=86_400, description="seconds for which the lag must have been below TABLESPLIT_GATE_LAG_SECONDS"
    )
    gate_validation_age_seconds: float = Field(
        86_400, ge=60, le=2_592_000, description="seconds after which a full validation is too old for a gate"
    )
    gate_verification_age_seconds: float = Field(
        1800, ge=5, le=86_400, description="seconds after which a verification is too old for the gate of a rollback"
    )
    gate_quiet_seconds: float = Field(
        60, ge=1, le=604_800, description="seconds without writes before a side may be closed"
    )
    gate_headroom_seconds: float = Field(
        14_400, ge=0, le=86_400, description="seconds that must at least be left until unread changes are trimmed"
    )
    move_deadline_seconds: float = Field(600, ge=10, le=86_400, description="seconds for one step of a phase move")

    verify_seconds: float = Field(
        300,
        ge=5,
        le=86_400,
        description="seconds between two comparisons of the keys touched under the ledger rule, "
        "and two retries of keys in quarantine",
    )
    verify_age_seconds: float = Field(
        3600,
        ge=0,
        le=604_800,
        description="seconds after which a touched key that was found equal, and has not been touched since, is compared again",
    )
    verify_keys_per_second: float = Field(
        1000, ge=1, le=100_000, description="touched keys compared a second, at most: each is read on both sides"
    )
    ledger_trim_seconds: float = Field(
        21_600,
        ge=60,
        le=604_800,
        description="minimum seconds between two epochs of the ledger; a new epoch drops entries that are no longer needed",
    )

    keep_resolved_seconds: float = Field(
        2_592_000,
        ge=3600,
        le=315_360_000,
        description="seconds for which a conflict is kept with its images after it was resolved",
    )

    hook: str | None = Field(
        None, min_length=1, description="executable or URL that is asked before each phase move and notified after it"
    )
    hook_secret: SecretStr | None = Field(None, min_length=16, description="key that signs the messages to the hook")
    hook_environment: str | None = Field(
        None,
        pattern=VARIABLE_NAMES,
        description="names of variables, with commas between them, that an executable hook gets beside those that any program "
        "needs (PATH, HOME, language, time zone)",
    )
    hook_timeout_seconds: float = Field(30, ge=0.1, le=3600, description="seconds for one answer of the hook")
    hook_attempts: int = Field(3, ge=1, le=20, description="maximum number of attempts to reach the hook")

    demo_server: str = Field(
        "auto",
        pattern=r"^(auto|moto|dynamodb-local|https?://.+)$",
        description="server of the demonstration: moto, dynamodb-local, a URL, or auto: dynamodb-local where Java is installed, "
        "else moto, which takes some minutes",
    )

    @property
    def streams_url(self) -> str | None:
        """The URL for streams; None is AWS's own. AWS has a host for each of the two services, any other server serves both."""
        if self.streams_endpoint_url is not None:
            return self.streams_endpoint_url
        return None if is_aws(self.endpoint_url) else self.endpoint_url

    @property
    def writer_horizon_seconds(self) -> float:
        """Seconds after which a replaced worker, or a repair, can no longer write: lease, longest request, margin."""
        return self.lease_seconds + self.request_timeout_seconds + self.clock_margin_seconds

    @property
    def purge_horizon_seconds(self) -> float:
        """Seconds after which no request of a replaced worker can still arrive, not even one that the network has held back."""
        life = max(self.request_timeout_seconds, signed_request_seconds(self.endpoint_url))
        return self.lease_seconds + life + self.clock_margin_seconds

    @field_validator("api_token")
    @classmethod
    def _tokens_can_be_sent(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None:
            parsed_tokens(token.get_secret_value())
        return token

    @field_validator("http_proxies")
    @classmethod
    def _proxies_are_addresses(cls, proxies: str | None) -> str | None:
        for proxy in [] if proxies is None else proxies.split(","):
            ip_network(proxy.strip())
        return proxies

    @model_validator(mode="after")
    def _certificate_has_its_key(self) -> Self:
        if (self.http_certificate is None) != (self.http_certificate_key is None):
            raise ValueError(f"{PREFIX}HTTP_CERTIFICATE and {PREFIX}HTTP_CERTIFICATE_KEY: give both, or neither")
        return self

    @field_validator("endpoint_url", "streams_endpoint_url")
    @classmethod
    def _server_without_password(cls, url: str | None) -> str | None:
        """Without it no message and no log shows it."""
        if url is not None and not is_server_url(url):
            raise ValueError(f"not the URL of a server; write it like {ENDPOINT_FORM}")
        return None if url is None else without_password(url)

    @model_validator(mode="after")
    def _array_has_its_size(self) -> Self:
        index, size = self.batch_array_index, self.batch_array_size
        if index is not None and (size is None or index >= size):
            raise ValueError(
                f"{AWS_NAMES['batch_array_index']}={index}: must be below {AWS_NAMES['batch_array_size']}, "
                f"which {'is not set' if size is None else f'is {size}'}"
            )
        return self

    @model_validator(mode="after")
    def _grace_outlasts_requests(self) -> Self:
        grace = f"{PREFIX}PURGE_GRACE_SECONDS={self.purge_grace_seconds:g}"
        if self.purge_grace_seconds <= self.writer_horizon_seconds:
            raise ValueError(
                f"{grace}: must exceed the writer horizon "
                f"({self.writer_horizon_seconds:g} s: lease + request timeout + clock margin)"
            )
        # A retry is signed anew, so the last attempt of an earlier write may be as late as the deadline of all its attempts.
        longest = self.purge_horizon_seconds + self.retry_deadline_seconds
        if not is_local(self.endpoint_url) and self.purge_grace_seconds < longest:
            raise ValueError(
                f"{grace}: must be at least {longest:g} s, because so long a request that was sent before the delete may "
                f"arrive ({signed_request_seconds(self.endpoint_url):g} s for which AWS accepts it, + lease + retry deadline "
                "+ clock margin)"
            )
        return self

    @model_validator(mode="after")
    def _times_fit_together(self) -> Self:
        if self.heartbeat_seconds * 2 > self.lease_seconds:
            raise ValueError(
                f"{PREFIX}HEARTBEAT_SECONDS={self.heartbeat_seconds:g}: must be at most half of {PREFIX}LEASE_SECONDS"
            )
        if self.hook is not None and self.hook_secret is None:
            raise ValueError(
                f"{PREFIX}HOOK={self.hook}: needs {PREFIX}HOOK_SECRET, which signs the messages to the hook"
            )
        if self.settle_timeout_seconds < self.settle_seconds:
            raise ValueError(
                f"{PREFIX}SETTLE_TIMEOUT_SECONDS={self.settle_timeout_seconds:g}: must be at least {PREFIX}SETTLE_SECONDS"
            )
        return self


def variable_name(field: str) -> str:
    """The environment variable of a setting."""
    return AWS_NAMES.get(field, PREFIX + field.upper())
