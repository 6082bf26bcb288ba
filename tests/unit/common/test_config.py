"""Settings: each bound with its exact line, names that nobody knows, `.env`, times that must fit together."""

import os
from pathlib import Path

import pytest

from service.aws_profile import default_region_note
from service.config import Settings, variable_name
from service.environment import load_configured_mapping, load_settings
from service.errors import Misconfigured

BOUNDS = {
    "TABLESPLIT_HTTP_PORT": ("1", "65535", "port that the HTTP server listens on"),
    "TABLESPLIT_BACKFILL_HTTP_PORT": (
        "1",
        "65535",
        "port on which a backfill serves its metrics; without it, a backfill serves none",
    ),
    "TABLESPLIT_CONNECTIONS": ("1", "1000", "maximum number of connections to DynamoDB"),
    "TABLESPLIT_CONNECT_TIMEOUT_SECONDS": ("0.1", "60", "seconds to open a connection"),
    "TABLESPLIT_REQUEST_TIMEOUT_SECONDS": ("0.5", "120", "seconds for one request, including its answer"),
    "TABLESPLIT_MAX_ATTEMPTS": ("1", "100", "maximum number of attempts for one request"),
    "TABLESPLIT_RETRY_DEADLINE_SECONDS": ("1", "3600", "seconds for all attempts of one request together"),
    "TABLESPLIT_LEASE_SECONDS": ("1", "300", "seconds after which a worker that has not renewed its lease is replaced"),
    "TABLESPLIT_HEARTBEAT_SECONDS": ("0.1", "100", "seconds between two renewals of a lease"),
    "TABLESPLIT_CLOCK_MARGIN_SECONDS": (
        "0",
        "300",
        "seconds that the writer horizon adds, because clocks run at different speeds",
    ),
    "TABLESPLIT_PURGE_GRACE_SECONDS": ("1", "86400", "seconds that a tombstone is kept at least before it is purged"),
    "TABLESPLIT_PURGE_SWEEP_SECONDS": ("10", "604800", "seconds between two searches of the v2 tables for tombstones"),
    "TABLESPLIT_GATE_LAG_SECONDS": ("1", "3600", "seconds of lag that keep a gate closed"),
    "TABLESPLIT_GATE_LAG_LOW_SECONDS": (
        "0",
        "86400",
        "seconds for which the lag must have been below TABLESPLIT_GATE_LAG_SECONDS",
    ),
    "TABLESPLIT_GATE_VALIDATION_AGE_SECONDS": (
        "60",
        "2592000",
        "seconds after which a full validation is too old for a gate",
    ),
    "TABLESPLIT_GATE_VERIFICATION_AGE_SECONDS": (
        "5",
        "86400",
        "seconds after which a verification is too old for the gate of a rollback",
    ),
    "TABLESPLIT_GATE_QUIET_SECONDS": ("1", "604800", "seconds without writes before a side may be closed"),
    "TABLESPLIT_GATE_HEADROOM_SECONDS": (
        "0",
        "86400",
        "seconds that must at least be left until unread changes are trimmed",
    ),
    "TABLESPLIT_MOVE_DEADLINE_SECONDS": ("10", "86400", "seconds for one step of a phase move"),
    "TABLESPLIT_VERIFY_SECONDS": (
        "5",
        "86400",
        "seconds between two comparisons of the keys touched under the ledger rule, and two retries of keys in quarantine",
    ),
    "TABLESPLIT_VERIFY_AGE_SECONDS": (
        "0",
        "604800",
        "seconds after which a touched key that was found equal, and has not been touched since, is compared again",
    ),
    "TABLESPLIT_VERIFY_KEYS_PER_SECOND": (
        "1",
        "100000",
        "touched keys compared a second, at most: each is read on both sides",
    ),
    "TABLESPLIT_KEEP_RESOLVED_SECONDS": (
        "3600",
        "315360000",
        "seconds for which a conflict is kept with its images after it was resolved",
    ),
    "TABLESPLIT_LEDGER_TRIM_SECONDS": (
        "60",
        "604800",
        "minimum seconds between two epochs of the ledger; a new epoch drops entries that are no longer needed",
    ),
    "TABLESPLIT_HOOK_TIMEOUT_SECONDS": ("0.1", "3600", "seconds for one answer of the hook"),
    "TABLESPLIT_HOOK_ATTEMPTS": ("1", "20", "maximum number of attempts to reach the hook"),
    "TABLESPLIT_SHARD_DISCOVERY_SECONDS": ("0.1", "60", "seconds between two listings of the shards"),
    "TABLESPLIT_SHARD_READ_SECONDS": (
        "0.2",
        "10",
        (
            "seconds from one read of a shard to the next at least; DynamoDB allows five reads a second for all readers of a shard "
            "together, and a Lambda function takes four: set 1 beside one"
        ),
    ),
    "TABLESPLIT_POLL_INTERVAL_SECONDS": ("0.25", "30", "seconds to pause after an empty read of a shard"),
    "TABLESPLIT_CHECKPOINT_EVERY_SECONDS": ("0", "60", "seconds between two checkpoints of a busy shard"),
    "TABLESPLIT_SYNC_CONCURRENCY": ("1", "1000", "maximum number of keys whose changes are applied at the same time"),
    "TABLESPLIT_SEGMENTS": (
        "1",
        "10000",
        "number of parallel Scan segments of a validation, and of each job of a backfill",
    ),
    "TABLESPLIT_PAGE_ITEMS": ("1", "1000", "maximum number of items in one Scan page"),
    "TABLESPLIT_BACKFILL_CONCURRENCY": ("1", "256", "maximum number of write requests of a backfill at the same time"),
    "TABLESPLIT_MAX_READ_UNITS": ("1", None, "maximum read units per second of a backfill"),
    "TABLESPLIT_MAX_WRITE_UNITS": ("1", None, "maximum write units per second of a backfill"),
    "AWS_BATCH_JOB_ARRAY_INDEX": ("0", None, "index of this backfill in its array job; AWS Batch sets it"),
    "AWS_BATCH_JOB_ARRAY_SIZE": ("1", "10000", "number of jobs in the array job; AWS Batch sets it"),
    "TABLESPLIT_MAX_COST": ("0.01", None, "US dollars, by the price file, at which a backfill pauses"),
    "TABLESPLIT_KCL_HEAP_MB": ("64", "16384", "MB of heap for each of the two KCL daemons"),
    "TABLESPLIT_SETTLE_SECONDS": ("0", "3600", "seconds that a difference must last to be counted"),
    "TABLESPLIT_SETTLE_TIMEOUT_SECONDS": (
        "1",
        "86400",
        "seconds for which a key that keeps changing is compared again",
    ),
}
TOO_LOW = [(name, low, meaning) for name, (low, _, meaning) in BOUNDS.items()]
TOO_HIGH = [(name, high, meaning) for name, (_, high, meaning) in BOUNDS.items() if high is not None]

MALFORMED = [
    (
        {"TABLESPLIT_HTTP_PORT": "http"},
        (
            "TABLESPLIT_HTTP_PORT=http: input should be a valid integer, unable to parse string as an integer "
            "(port that the HTTP server listens on)"
        ),
    ),
    (
        {"TABLESPLIT_SEGMENTS": "2.5"},
        (
            "TABLESPLIT_SEGMENTS=2.5: input should be a valid integer, unable to parse string as an integer "
            "(number of parallel Scan segments of a validation, and of each job of a backfill)"
        ),
    ),
    (
        {"TABLESPLIT_LEASE_SECONDS": "6s"},
        (
            "TABLESPLIT_LEASE_SECONDS=6s: input should be a valid number, unable to parse string as a number "
            "(seconds after which a worker that has not renewed its lease is replaced)"
        ),
    ),
    (
        {"TABLESPLIT_LOG_FORMAT": "xml"},
        "TABLESPLIT_LOG_FORMAT=xml: input should be 'console' or 'json' (format of the log on stderr)",
    ),
    (
        {"TABLESPLIT_LOG_LEVEL": "loud"},
        "TABLESPLIT_LOG_LEVEL=loud: input should be 'debug', 'info', 'warning' or 'error' (lowest level that is logged)",
    ),
    (
        {"TABLESPLIT_CONTROL_TABLE": "a b"},
        "TABLESPLIT_CONTROL_TABLE=a b: string should match pattern '^[A-Za-z0-9_.-]{3,255}$' (name of the control table)",
    ),
    (
        {"TABLESPLIT_DEMO_SERVER": "mysql"},
        (
            "TABLESPLIT_DEMO_SERVER=mysql: string should match pattern '^(auto|moto|dynamodb-local|https?://.+)$' "
            "(server of the demonstration: moto, dynamodb-local, a URL, or auto: dynamodb-local where Java is installed, else "
            "moto, which takes some minutes)"
        ),
    ),
    (
        {"AWS_ENDPOINT_URL_DYNAMODB": "localhost:8000"},
        (
            "AWS_ENDPOINT_URL_DYNAMODB=localhost:8000: string should match pattern '^https?://[^/]+' "
            "(URL of another server, such as DynamoDB Local, or of a VPC endpoint; AWS_ENDPOINT_URL_DYNAMODB takes precedence; "
            "when neither is set, the profile's)"
        ),
    ),
    (
        {"AWS_ENDPOINT_URL": "localhost:8000"},
        (
            "AWS_ENDPOINT_URL=localhost:8000: string should match pattern '^https?://[^/]+' "
            "(URL of another server, such as DynamoDB Local, or of a VPC endpoint; AWS_ENDPOINT_URL_DYNAMODB takes precedence; "
            "when neither is set, the profile's)"
        ),
    ),
    (
        {"TABLESPLIT_HEARTBEAT_SECONDS": "3.5"},
        "TABLESPLIT_HEARTBEAT_SECONDS=3.5: must be at most half of TABLESPLIT_LEASE_SECONDS",
    ),
    (
        {"TABLESPLIT_PURGE_GRACE_SECONDS": "900"},
        (
            "TABLESPLIT_PURGE_GRACE_SECONDS=900: must be at least 1031 s, because so long a request that was sent before the "
            "delete may arrive (960 s for which AWS accepts it, + lease + retry deadline + clock margin)"
        ),
    ),
    (
        {"TABLESPLIT_PURGE_GRACE_SECONDS": "21", "AWS_ENDPOINT_URL": "http://localhost:8000"},
        (
            "TABLESPLIT_PURGE_GRACE_SECONDS=21: must exceed the writer horizon "
            "(21 s: lease + request timeout + clock margin)"
        ),
    ),
    (
        {"TABLESPLIT_SETTLE_SECONDS": "61"},
        "TABLESPLIT_SETTLE_TIMEOUT_SECONDS=60: must be at least TABLESPLIT_SETTLE_SECONDS",
    ),
]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No `.env` but the test's own, and an environment that the reading of it may fill."""
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal() -> str:
    with pytest.raises(Misconfigured) as refused:
        load_settings()
    return refused.value.message


def test_nothing_set_gives_the_defaults_of_the_design():
    settings = load_settings()
    assert (settings.aws_region, settings.control_table) == ("ap-southeast-2", "tablesplit-control")
    assert (settings.http_host, settings.http_port) == ("127.0.0.1", 8080)
    assert settings.writer_horizon_seconds == 6 + 10 + 5


def test_a_grace_as_long_as_a_signed_request_lives_is_enough_and_the_default_is_longer():
    default = load_settings()
    assert default.purge_horizon_seconds == 6 + 960 + 5
    assert default.purge_grace_seconds > default.purge_horizon_seconds + default.retry_deadline_seconds
    os.environ["TABLESPLIT_PURGE_GRACE_SECONDS"] = "1031"
    assert load_settings().purge_grace_seconds == 1031


def test_a_local_server_needs_no_more_grace_than_the_writer_horizon():
    os.environ.update(TABLESPLIT_PURGE_GRACE_SECONDS="22", AWS_ENDPOINT_URL="http://127.0.0.1:8000")
    settings = load_settings()
    assert settings.purge_horizon_seconds == settings.writer_horizon_seconds == 21


def test_every_setting_with_bounds_has_a_row_here():
    numeric = {
        variable_name(name) for name, field in Settings.model_fields.items() if field.annotation in _number_types()
    }
    assert numeric == set(BOUNDS)


def _number_types() -> list[object]:
    return [int, float, int | None, float | None]


@pytest.mark.parametrize(("variable", "low", "meaning"), TOO_LOW)
def test_a_value_below_the_bound_is_refused_with_one_line(variable, low, meaning):
    value = f"{float(low) - 1:g}"
    os.environ[variable] = value
    assert refusal() == f"{variable}={value}: input should be greater than or equal to {low} ({meaning})"


@pytest.mark.parametrize(("variable", "high", "meaning"), TOO_HIGH)
def test_a_value_above_the_bound_is_refused_with_one_line(variable, high, meaning):
    value = str(int(high) + 1)
    os.environ[variable] = value
    assert refusal() == f"{variable}={value}: input should be less than or equal to {high} ({meaning})"


@pytest.mark.parametrize(("environment", "line"), MALFORMED)
def test_a_malformed_value_is_refused_with_one_line(environment, line):
    os.environ.update(environment)
    assert refusal() == line


def test_each_wrong_variable_has_its_own_line():
    os.environ.update({"TABLESPLIT_HTTP_PORT": "0", "TABLESPLIT_SEGMENTS": "0"})
    assert [line.split("=")[0] for line in refusal().splitlines()] == ["TABLESPLIT_HTTP_PORT", "TABLESPLIT_SEGMENTS"]


def test_a_misspelt_variable_is_refused_with_the_nearest_name():
    os.environ["TABLESPLIT_SEGMENT"] = "4"
    with pytest.raises(Misconfigured, match=r"^TABLESPLIT_SEGMENT is not a setting$") as refused:
        load_settings()
    assert refused.value.remedy == "did you mean TABLESPLIT_SEGMENTS?"


def test_variables_for_the_tests_are_no_settings():
    os.environ["TABLESPLIT_TEST_ENDPOINT"] = "http://127.0.0.1:8000"
    assert load_settings().endpoint_url is None


def test_an_empty_variable_counts_as_not_set():
    os.environ["TABLESPLIT_API_TOKEN"] = ""
    assert load_settings().api_token is None


def test_the_token_is_not_shown():
    os.environ["TABLESPLIT_API_TOKEN"] = "a-secret-of-24-characters"
    assert "a-secret-of-24-characters" not in repr(load_settings())


TOKEN_FORM = "must have at least 16 characters, letters, digits and '-._~+/' (for example: openssl rand -hex 32)"


@pytest.mark.parametrize(
    ("tokens", "wrong"),
    [
        ("fifteen-of-them", f"the token {TOKEN_FORM}"),
        ("a token with spaces in it", f"the token {TOKEN_FORM}"),
        ("alice:0123456789abcdef,bob:short-secret", f"token 2 {TOKEN_FORM}"),
        (
            "al ice:0123456789abcdef",
            "the token: the name before the colon must be letters, digits, '.', '_', '@' and '-'",
        ),
        ("alice:0123456789abcdef,alice:fedcba9876543210", "token 2: its name, or the token itself, is there twice"),
        ("alice:0123456789abcdef,bob:0123456789abcdef", "token 2: its name, or the token itself, is there twice"),
    ],
)
def test_a_token_that_is_short_or_not_to_be_sent_is_refused_without_showing_it(tokens, wrong):
    os.environ["TABLESPLIT_API_TOKEN"] = tokens
    line = refusal()
    assert line.startswith(f"TABLESPLIT_API_TOKEN: {wrong} (")
    assert not any(part in line for part in ("0123456789abcdef", "short-secret", "fifteen", "with spaces"))


@pytest.mark.parametrize("value", ["1e999", "inf", "nan"])
def test_a_number_is_finite(value):
    os.environ["TABLESPLIT_MAX_COST"] = value
    assert refusal().startswith(
        f"TABLESPLIT_MAX_COST={'nan' if value == 'nan' else value}: input should be a finite number ("
    )


def test_a_certificate_needs_its_key(own_folder):
    (own_folder / "certificate.pem").touch()
    os.environ["TABLESPLIT_HTTP_CERTIFICATE"] = "certificate.pem"
    assert refusal() == "TABLESPLIT_HTTP_CERTIFICATE and TABLESPLIT_HTTP_CERTIFICATE_KEY: give both, or neither"


def test_a_proxy_is_an_address_or_a_network():
    os.environ["TABLESPLIT_HTTP_PROXIES"] = "10.0.0.0/8, ::1"
    assert load_settings().http_proxies == "10.0.0.0/8, ::1"
    os.environ["TABLESPLIT_HTTP_PROXIES"] = "10.0.0.1,*"
    assert refusal().startswith("TABLESPLIT_HTTP_PROXIES=10.0.0.1,*: '*' does not appear to be an IPv4 or IPv6 network")


def test_a_dotenv_file_is_read_and_the_environment_goes_first(own_folder):
    (own_folder / ".env").write_text("TABLESPLIT_SEGMENTS=3\nTABLESPLIT_PAGE_ITEMS=100\nLEADS_TABLE=From-Dotenv\n")
    (own_folder / ".env").chmod(0o600)
    os.environ["TABLESPLIT_PAGE_ITEMS"] = "50"
    settings = load_settings()
    assert (settings.segments, settings.page_items) == (3, 50)
    assert load_configured_mapping(settings).entities["LEAD"].table == "From-Dotenv"


def test_the_endpoint_of_dynamodb_goes_before_the_one_of_all_services():
    os.environ.update(AWS_ENDPOINT_URL="http://all:1", AWS_ENDPOINT_URL_DYNAMODB="http://dynamodb:2")
    assert load_settings().endpoint_url == "http://dynamodb:2"
    del os.environ["AWS_ENDPOINT_URL_DYNAMODB"]
    assert load_settings().endpoint_url == "http://all:1"


def test_the_packaged_mapping_takes_its_table_names_from_the_environment():
    os.environ.update(OLD_TABLE_NAME="old", DEALS_TABLE="deals")
    mapping = load_configured_mapping(load_settings())
    assert (mapping.old.table, mapping.entities["DEAL"].table) == ("old", "deals")
    assert mapping.entities["LEAD"].table == "CRM-Leads-v2"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "mapping file mine.yaml: No such file or directory"),
        (b"\xff", "mapping file mine.yaml: is not UTF-8 text"),
    ],
)
def test_a_mapping_file_that_cannot_be_read_is_refused(own_folder, content, message):
    os.environ["TABLESPLIT_MAPPING"] = "mine.yaml"
    if content is not None:
        (own_folder / "mine.yaml").write_bytes(content)
    with pytest.raises(Misconfigured) as refused:
        load_configured_mapping(load_settings())
    remedy = "correct the file, or its name (TABLESPLIT_MAPPING, or on the command line)"
    assert (refused.value.message, refused.value.remedy) == (message, remedy)


@pytest.mark.parametrize(
    ("environment", "region"),
    [
        ({}, "ap-southeast-2"),
        ({"AWS_DEFAULT_REGION": "us-east-1"}, "us-east-1"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"}, "eu-west-1"),
    ],
)
def test_the_region_is_found_as_the_sdk_finds_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str], region: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AWS_REGION", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert load_settings().aws_region == region


PROFILES = """
[default]
[profile app]
region = eu-central-1
endpoint_url = https://everything.example:1
[profile services]
region = eu-central-1
services = mine
endpoint_url = https://everything.example:1
ca_bundle = {bundle}
[services mine]
dynamodb =
  endpoint_url = https://vpce-1.dynamodb.eu-central-1.vpce.amazonaws.com
dynamodb_streams =
  endpoint_url = https://vpce-2.streams.dynamodb.eu-central-1.vpce.amazonaws.com
"""


@pytest.fixture
def no_region(monkeypatch: pytest.MonkeyPatch, own_folder: Path) -> Path:
    """No variable names a region; a configuration file has some profiles."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "SSL_CERT_FILE"):
        os.environ.pop(name, None)
    bundle = own_folder / "bundle.pem"
    bundle.write_text("")
    (own_folder / "config").write_text(PROFILES.format(bundle=bundle))
    os.environ["AWS_CONFIG_FILE"] = str(own_folder / "config")
    return own_folder


def test_the_profile_gives_region_endpoints_and_certificates(no_region: Path) -> None:
    os.environ["AWS_PROFILE"] = "services"
    settings = load_settings()
    assert settings.aws_region == "eu-central-1"
    assert settings.endpoint_url == "https://vpce-1.dynamodb.eu-central-1.vpce.amazonaws.com"
    assert settings.streams_url == "https://vpce-2.streams.dynamodb.eu-central-1.vpce.amazonaws.com"
    assert settings.ca_bundle == no_region / "bundle.pem"


def test_a_variable_goes_before_the_profile(no_region: Path) -> None:
    os.environ.update(AWS_PROFILE="services", AWS_REGION="us-gov-west-1", AWS_ENDPOINT_URL="https://all.example")
    settings = load_settings()
    assert (settings.aws_region, settings.endpoint_url) == ("us-gov-west-1", "https://all.example")
    assert settings.streams_url == "https://all.example"


def test_the_profile_s_general_endpoint_serves_both(no_region: Path) -> None:
    os.environ["AWS_PROFILE"] = "app"
    settings = load_settings()
    assert (settings.endpoint_url, settings.streams_url) == ("https://everything.example:1",) * 2
    os.environ["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true"
    assert load_settings().endpoint_url is None


def test_an_unknown_profile_is_refused(no_region: Path) -> None:
    os.environ["AWS_PROFILE"] = "nobody"
    with pytest.raises(Misconfigured, match="nobody") as refused:
        load_settings()
    assert refused.value.remedy == "correct AWS_PROFILE, or the AWS config file"


def test_the_packaged_region_stands_when_nothing_was_said(no_region: Path) -> None:
    assert load_settings().aws_region == "ap-southeast-2"
    assert default_region_note() == (
        "no AWS region is set: ap-southeast-2 is used, the packaged mapping's; AWS_REGION sets another"
    )
    os.environ["AWS_REGION"] = "ap-southeast-2"
    assert default_region_note() is None


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"TABLESPLIT_MAPPING": "mine.yaml"}, "default"),
        ({"AWS_PROFILE": "default"}, "default"),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials"}, "default"),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/token", "AWS_ROLE_ARN": "arn:aws:iam::1:role/r"}, "default"),
    ],
)
def test_no_default_region_hides_that_none_is_set(no_region: Path, said: dict[str, str], named: str) -> None:
    os.environ.update(said)
    with pytest.raises(Misconfigured, match=r"^no AWS region is set$") as refused:
        load_settings()
    assert refused.value.remedy == f"set AWS_REGION, or `region` of profile {named} in the AWS config file"


def test_a_local_server_needs_no_region(no_region: Path) -> None:
    os.environ.update(TABLESPLIT_MAPPING="mine.yaml", AWS_ENDPOINT_URL="http://localhost:8000")
    assert load_settings().aws_region == "ap-southeast-2"


VPC_ENDPOINT = "https://vpce-1.dynamodb.eu-west-1.vpce.amazonaws.com"


@pytest.mark.parametrize(
    ("said", "items", "streams"),
    [
        ({"AWS_ENDPOINT_URL_DYNAMODB": "http://localhost:8000"}, "http://localhost:8000", "http://localhost:8000"),
        ({"AWS_ENDPOINT_URL_DYNAMODB": "https://db.example"}, "https://db.example", "https://db.example"),
        ({"AWS_ENDPOINT_URL_DYNAMODB": VPC_ENDPOINT}, VPC_ENDPOINT, None),
        ({"AWS_ENDPOINT_URL_DYNAMODB_STREAMS": "https://s.example"}, None, "https://s.example"),
        (
            {"AWS_ENDPOINT_URL_DYNAMODB": VPC_ENDPOINT, "AWS_ENDPOINT_URL": "https://all.example"},
            VPC_ENDPOINT,
            "https://all.example",
        ),
    ],
)
def test_aws_has_an_endpoint_for_each_service_and_other_servers_have_one_for_both(
    said: dict[str, str], items: str | None, streams: str | None
) -> None:
    os.environ.update(said, AWS_REGION="eu-west-1")
    settings = load_settings()
    assert (settings.endpoint_url, settings.streams_url) == (items, streams)


STREAMS_VPC_ENDPOINT = "https://vpce-2.streams.dynamodb.eu-west-1.vpce.amazonaws.com"
HOSTS = [
    VPC_ENDPOINT,
    "https://vpce-0a1b-2c3d-eu-west-1a.dynamodb.eu-west-1.vpce.amazonaws.com",
    "https://dynamodb.eu-west-1.amazonaws.com",
    "https://dynamodb.eu-west-1.api.aws",
]


@pytest.mark.parametrize("url", HOSTS)
@pytest.mark.parametrize("more", [{}, {"TABLESPLIT_MAPPING": "mine.yaml"}])
def test_the_region_of_the_endpoint_s_host_counts_when_none_is_set(
    no_region: Path, url: str, more: dict[str, str]
) -> None:
    os.environ.update(more, AWS_ENDPOINT_URL=url)
    settings = load_settings()
    assert settings.aws_region == "eu-west-1"
    assert default_region_note(settings.endpoint_url, settings.streams_endpoint_url) is None


def test_the_region_of_the_streams_host_counts_too(no_region: Path) -> None:
    os.environ["AWS_ENDPOINT_URL_DYNAMODB_STREAMS"] = STREAMS_VPC_ENDPOINT
    assert load_settings().aws_region == "eu-west-1"


OTHER_REGIONS = [
    (
        {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": VPC_ENDPOINT},
        f"AWS_ENDPOINT_URL={VPC_ENDPOINT} is in region eu-west-1, but AWS_DEFAULT_REGION=us-east-1",
    ),
    (
        {"AWS_PROFILE": "app", "AWS_ENDPOINT_URL": VPC_ENDPOINT},
        (
            f"AWS_ENDPOINT_URL={VPC_ENDPOINT} is in region eu-west-1, but "
            "profile app (AWS config file): region=eu-central-1"
        ),
    ),
    (
        {
            "AWS_ENDPOINT_URL": "https://dynamodb.us-east-1.amazonaws.com",
            "AWS_ENDPOINT_URL_DYNAMODB_STREAMS": STREAMS_VPC_ENDPOINT,
        },
        (
            f"AWS_ENDPOINT_URL_DYNAMODB_STREAMS={STREAMS_VPC_ENDPOINT} is in region eu-west-1, but "
            "AWS_ENDPOINT_URL=https://dynamodb.us-east-1.amazonaws.com is in us-east-1"
        ),
    ),
]


@pytest.mark.parametrize(("said", "line"), OTHER_REGIONS)
def test_an_endpoint_of_another_region_is_refused(no_region: Path, said: dict[str, str], line: str) -> None:
    os.environ.update(said)
    assert refusal() == line


WRONG_PROFILES = [
    (
        "[profile app]\nregion = eu-west-1\nendpoint_url = http://host:99999\n",
        (
            "profile app (AWS config file): endpoint_url=http://host:99999: not the URL of a server; "
            "write it like http://localhost:8000"
        ),
    ),
    (
        "[profile app]\nregion = eu-west-1\nca_bundle = /nonexistent.pem\n",
        "profile app (AWS config file): ca_bundle=/nonexistent.pem: path does not point to a file",
    ),
    (
        "[profile app]\nregion = eu-west-1\nservices = s\n[services s]\ndynamodb = http://x:1\n",
        "profile app (AWS config file): services: dynamodb = http://x:1: not a section",
    ),
    (
        "[profile app]\nregion = eu-west-1\nservices = s\n[services s]\nsts = http://x:1\n",
        "profile app (AWS config file): services: sts = http://x:1: not a section",
    ),
    (
        "[profile app]\nregion = eu-west-1\nservices = s\n",
        "profile app (AWS config file): services: the AWS config file has no section [services s]",
    ),
]


@pytest.mark.parametrize(("content", "line"), WRONG_PROFILES)
def test_what_is_wrong_in_the_profile_is_said_of_the_profile(no_region: Path, content: str, line: str) -> None:
    (no_region / "config").write_text(content)
    os.environ["AWS_PROFILE"] = "app"
    assert refusal() == line


@pytest.mark.parametrize("url", ["http://host:port", "http://host:99999", "http://ho st", "http://[::1"])
def test_an_endpoint_that_cannot_be_one_is_refused(url: str) -> None:
    os.environ.update(AWS_ENDPOINT_URL_DYNAMODB="http://localhost:8000", AWS_ENDPOINT_URL=url)
    assert refusal() == f"AWS_ENDPOINT_URL={url}: not the URL of a server; write it like http://localhost:8000"


def test_an_empty_variable_counts_as_unset(no_region: Path) -> None:
    empty = ("AWS_CA_BUNDLE", "AWS_PROFILE", "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_ROLE_ARN")
    os.environ.update(dict.fromkeys(empty, ""), AWS_DEFAULT_REGION="eu-west-1")
    settings = load_settings()
    assert (settings.aws_region, settings.ca_bundle, settings.endpoint_url) == ("eu-west-1", None, None)
    assert not set(empty) & os.environ.keys()


def test_a_password_in_an_endpoint_is_not_kept() -> None:
    os.environ["AWS_ENDPOINT_URL"] = "http://user:secret@[::1]:8000/path"
    assert load_settings().endpoint_url == "http://[::1]:8000/path"


def test_a_password_in_a_wrong_endpoint_is_not_shown() -> None:
    os.environ["AWS_ENDPOINT_URL"] = "ftp://user:secret@host"
    assert "secret" not in refusal()


def test_certificates_that_are_not_there_are_refused() -> None:
    os.environ["AWS_CA_BUNDLE"] = "/nonexistent/bundle.pem"
    assert refusal().startswith("AWS_CA_BUNDLE=/nonexistent/bundle.pem: path does not point to a file")
