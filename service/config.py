"""Settings: one frozen value, read from the environment (and `.env`) once. No other module reads the environment."""

import os
import pkgutil
import re
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Self

from dotenv import load_dotenv
from pydantic import AliasChoices, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.core.mapping.mapping import Mapping, load_mapping
from service.core.mapping.schema import TABLE_NAME
from service.errors import Misconfigured

PACKAGED_MAPPING = "crm.yaml"
PREFIX = "TABLESPLIT_"
TEST_PREFIX = "TABLESPLIT_TEST_"
AWS_NAMES = {
    "aws_region": "AWS_REGION",
    "endpoint_url": "AWS_ENDPOINT_URL",
    "batch_array_index": "AWS_BATCH_JOB_ARRAY_INDEX",
    "batch_array_size": "AWS_BATCH_JOB_ARRAY_SIZE",
    "batch_job_id": "AWS_BATCH_JOB_ID",
}
REGION_NAMES = ("AWS_REGION", "AWS_DEFAULT_REGION")
ENDPOINT_NAMES = ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL")


class Settings(BaseSettings):
    """Everything that can be set, with unit (in the name), default and bounds."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True, populate_by_name=True
    )

    aws_region: str = Field(
        "ap-southeast-2",
        validation_alias=AliasChoices(*REGION_NAMES),
        min_length=1,
        description="the tables' region; without it, AWS_DEFAULT_REGION",
    )
    endpoint_url: str | None = Field(
        None,
        validation_alias=AliasChoices(*ENDPOINT_NAMES),
        pattern=r"^https?://[^/]+",
        description="another server, such as DynamoDB Local; AWS_ENDPOINT_URL_DYNAMODB goes first",
    )
    control_table: str = Field("tablesplit-control", pattern=TABLE_NAME, description="the control table's name")
    mapping: Path | None = Field(None, description="a mapping file; without one, the packaged CRM mapping")

    price_file: Path | None = Field(None, description="a price file; without one, the packaged list prices")

    http_host: str = Field("127.0.0.1", min_length=1, description="address of the HTTP side")
    http_port: int = Field(8080, ge=1, le=65535, description="port of the HTTP side")
    backfill_http_port: int | None = Field(
        None, ge=1, le=65535, description="port of a backfill's own metrics; without one it serves none"
    )
    api_token: SecretStr | None = Field(
        None, min_length=1, description="what a POST must bear; without it every POST is refused"
    )
    log_format: Literal["console", "json"] = Field("console", description="form of the log, on stderr")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")

    connections: int = Field(64, ge=1, le=1000, description="connections to DynamoDB at most")
    connect_timeout_seconds: float = Field(5, ge=0.1, le=60, description="time to connect")
    request_timeout_seconds: float = Field(10, ge=0.5, le=120, description="time for one request, answer included")
    max_attempts: int = Field(10, ge=1, le=100, description="attempts of one request")
    retry_deadline_seconds: float = Field(60, ge=1, le=3600, description="time for all attempts of one request")

    lease_seconds: float = Field(6, ge=1, le=300, description="a worker that does not renew for so long is superseded")
    heartbeat_seconds: float = Field(2, ge=0.1, le=100, description="how often a lease is renewed")
    clock_margin_seconds: float = Field(
        5, ge=0, le=300, description="what the writer horizon adds for clocks that run unevenly"
    )
    purge_grace_seconds: float = Field(900, ge=1, le=86_400, description="least age of a tombstone that is purged")
    purge_sweep_seconds: float = Field(
        21_600, ge=10, le=604_800, description="how often v2 tables are searched for tombstones"
    )

    shard_discovery_seconds: float = Field(2, ge=0.1, le=60, description="how often shards are listed")
    poll_interval_seconds: float = Field(0.5, ge=0.25, le=30, description="pause after an empty read of a shard")
    checkpoint_every_seconds: float = Field(1, ge=0, le=60, description="how often a busy shard's position is saved")
    sync_concurrency: int = Field(64, ge=1, le=1000, description="keys whose changes are applied at once")

    engine: Literal["embedded", "kcl"] = Field(
        "embedded", description="how streams are read: in one process, or by many with the Kinesis Client Library"
    )
    kcl_jars: Path = Field(
        Path("deploy/kcl/target"), description="the folder with the kcl engine's jars, which `make kcl` fills"
    )
    kcl_application: str = Field(
        "tablesplit-kcl", pattern=TABLE_NAME, max_length=100, description="beginning of the names of KCL's tables"
    )
    kcl_properties: Path | None = Field(None, description="a file with further KCL properties")
    kcl_heap_mb: int = Field(256, ge=64, le=16_384, description="MB of heap of each of the two KCL daemons")

    segments: int = Field(
        8, ge=1, le=10_000, description="parallel Scan segments of validation, and of each job of the backfill"
    )
    page_items: int = Field(250, ge=1, le=1000, description="items of one Scan page")
    backfill_concurrency: int = Field(16, ge=1, le=256, description="write requests of the backfill at once")
    max_read_units: float | None = Field(None, ge=1, description="read units per second of the backfill at most")
    max_write_units: float | None = Field(None, ge=1, description="write units per second of the backfill at most")

    max_cost: float | None = Field(
        None, ge=0.01, description="US dollars, by the price file, at which a backfill pauses"
    )
    batch_array_index: int | None = Field(
        None,
        validation_alias=AWS_NAMES["batch_array_index"],
        ge=0,
        description="which job of an array job a backfill is; AWS Batch sets it",
    )
    batch_array_size: int | None = Field(
        None,
        validation_alias=AWS_NAMES["batch_array_size"],
        ge=1,
        le=10_000,
        description="how many jobs the array job has; AWS Batch sets it",
    )
    batch_job_id: str | None = Field(
        None, validation_alias=AWS_NAMES["batch_job_id"], description="the job; AWS Batch sets it"
    )

    settle_seconds: float = Field(5, ge=0, le=3600, description="how long a difference must last to count")
    settle_timeout_seconds: float = Field(60, ge=1, le=86_400, description="how long a changing key is looked at again")

    gate_lag_seconds: float = Field(10, ge=1, le=3600, description="lag that keeps a gate closed")
    gate_lag_low_seconds: float = Field(60, ge=0, le=86_400, description="how long lag must have been below it")
    gate_validation_age_seconds: float = Field(
        86_400, ge=60, le=2_592_000, description="greatest age of the full validation that a gate asks for"
    )
    gate_quiet_seconds: float = Field(
        60, ge=1, le=604_800, description="how long a side must be quiet before it closes"
    )
    gate_headroom_seconds: float = Field(
        14_400, ge=0, le=86_400, description="least time until unread changes are trimmed"
    )
    move_deadline_seconds: float = Field(600, ge=10, le=86_400, description="time for one step of a phase move")

    verify_seconds: float = Field(
        300, ge=5, le=86_400, description="how often keys touched under the ledger rule are compared again"
    )
    ledger_trim_seconds: float = Field(
        21_600, ge=60, le=604_800, description="how often at most the ledger begins a new epoch, to drop what is over"
    )

    hook: str | None = Field(
        None, min_length=1, description="executable or URL asked before each phase move, and told after"
    )
    hook_secret: SecretStr | None = Field(None, min_length=16, description="key of the signature on what a hook gets")
    hook_timeout_seconds: float = Field(30, ge=0.1, le=3600, description="time for one answer of the hook")
    hook_attempts: int = Field(3, ge=1, le=20, description="attempts to reach the hook")

    demo_server: str = Field(
        "moto", pattern=r"^(moto|dynamodb-local|https?://.+)$", description="server of the demonstration"
    )

    @property
    def writer_horizon_seconds(self) -> float:
        """After so long a superseded worker, or a repair, can write nothing more: lease, longest request, margin."""
        return self.lease_seconds + self.request_timeout_seconds + self.clock_margin_seconds

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
    def _times_fit_together(self) -> Self:
        if self.heartbeat_seconds * 2 > self.lease_seconds:
            raise ValueError(
                f"{PREFIX}HEARTBEAT_SECONDS={self.heartbeat_seconds:g}: must be at most half of {PREFIX}LEASE_SECONDS"
            )
        if self.purge_grace_seconds <= self.writer_horizon_seconds:
            raise ValueError(
                f"{PREFIX}PURGE_GRACE_SECONDS={self.purge_grace_seconds:g}: must exceed the writer horizon "
                f"({self.writer_horizon_seconds:g} s: lease + request timeout + clock margin)"
            )
        if self.hook is not None and self.hook_secret is None:
            raise ValueError(
                f"{PREFIX}HOOK={self.hook}: needs {PREFIX}HOOK_SECRET, by which the hook knows who calls it"
            )
        if self.settle_timeout_seconds < self.settle_seconds:
            raise ValueError(
                f"{PREFIX}SETTLE_TIMEOUT_SECONDS={self.settle_timeout_seconds:g}: must be at least {PREFIX}SETTLE_SECONDS"
            )
        return self


def load_settings(**changes: Any) -> Settings:
    """The settings that ``changes`` say (by field), below them the process's environment, and below it a `.env` file in the working
    directory.

    Raises Misconfigured with a line for each wrong variable: its name, its value, what it must be.
    """
    load_dotenv(Path(".env"))
    _refuse_unknown()
    try:
        return Settings(**changes)
    except ValidationError as error:
        lines = [_line(issue["loc"], issue["input"], issue["msg"]) for issue in error.errors(include_url=False)]
        raise Misconfigured("\n".join(lines), remedy="docs/settings.md says what each may be") from error


def variable_name(field: str) -> str:
    """The environment variable of a setting."""
    return AWS_NAMES.get(field, PREFIX + field.upper())


def use_local_credentials() -> None:
    """Credentials for a local server, where none are configured: it takes any, but the SDK wants some."""
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "local")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "local")


def load_configured_mapping(settings: Settings, *, prefix: str = "") -> Mapping:
    """The mapping file that the settings name, with the table names that the environment gives, each after ``prefix``.

    Raises Misconfigured when it can't be read or is wrong: file, line, what to do.
    """
    path = settings.mapping
    source = PACKAGED_MAPPING if path is None else str(path)
    try:
        text = (files("service.mappings") / PACKAGED_MAPPING if path is None else path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not UTF-8 text"
        raise Misconfigured(f"mapping file {source}: {reason}", remedy="correct TABLESPLIT_MAPPING") from error
    return load_mapping(
        text,
        source=source,
        names=lambda variable, default: prefix + _table_name(variable, default),
        resolve=pkgutil.resolve_name,
    )


def _table_name(variable: str, default: str) -> str:
    name = os.environ.get(variable) or default
    if not re.match(TABLE_NAME, name):
        raise Misconfigured(
            f"{variable}={name}: not a table name", remedy="3 to 255 letters (a to z), digits, '_', '-' and '.'"
        )
    return name


def settings_table() -> str:
    """The table of docs/settings.md, in Markdown."""
    rows = ["| variable | default | bounds | meaning |", "|---|---|---|---|"]
    properties = Settings.model_json_schema(by_alias=False)["properties"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else f"`{field.default}`"
        rows.append(f"| `{variable_name(name)}` | {default} | {_bounds(properties[name])} | {field.description} |")
    return "\n".join(rows)


def _bounds(schema: dict[str, Any]) -> str:
    choices = [schema, *schema.get("anyOf", [])]
    found = {key: value for choice in choices for key, value in choice.items()}
    if "enum" in found:
        return ", ".join(found["enum"])
    low, high = found.get("minimum"), found.get("maximum")
    if low is None:
        return ""
    return f"{low:g} to {high:g}" if high is not None else f"at least {low:g}"


def _refuse_unknown() -> None:
    known = {variable_name(field) for field in Settings.model_fields}
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and not name.startswith(TEST_PREFIX) and name not in known:
            nearest = get_close_matches(name, known, n=1)
            hint = f"did you mean {nearest[0]}?" if nearest else "see docs/settings.md"
            raise Misconfigured(f"{name} is not a setting", remedy=hint)


def _line(loc: tuple[int | str, ...], value: object, message: str) -> str:
    if not loc:
        return message.removeprefix("Value error, ")
    names: dict[str, tuple[str, ...]] = {field: (name,) for field, name in AWS_NAMES.items()}
    names |= {"aws_region": REGION_NAMES, "endpoint_url": ENDPOINT_NAMES}
    # pydantic tells the first of several names, whichever was used
    field = next(
        (field for field, choices in names.items() if loc[0] in choices), str(loc[0]).removeprefix(PREFIX).lower()
    )
    variable = next(filter(os.environ.get, names.get(field, ())), variable_name(field))
    shown = "" if field in ("api_token", "hook_secret") else f"={value}"
    return f"{variable}{shown}: {message[0].lower()}{message[1:]} ({Settings.model_fields[field].description})"
