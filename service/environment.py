"""What the environment says, and `.env` below it: the settings, and the names of the mapping's tables.

Beside ``service.aws_profile``, and ``service.telemetry.export`` for OpenTelemetry's own variables, no other module reads it.
"""

import os
import pkgutil
import re
from collections import abc
from difflib import SequenceMatcher, get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from service.aws_profile import (
    CERTIFICATE_NAMES,
    ENDPOINT_NAMES,
    REGION_NAMES,
    STREAMS_NAMES,
    Said,
    region_is_said,
    require_region,
    said_beside_variables,
    unset_empty_variables,
)
from service.config import AWS_NAMES, PREFIX, Settings, variable_name
from service.core.mapping.mapping import Mapping, load_mapping
from service.core.mapping.schema import TABLE_NAME
from service.dotenv_file import load_dotenv, read_dotenv
from service.errors import Misconfigured, WrongSettings
from service.failpoints import VARIABLE as FAILPOINT
from service.failpoints import arm
from service.hosts import is_local, region_of

PACKAGED_MAPPING = "crm.yaml"
TEST_PREFIX = "TABLESPLIT_TEST_"
FOR_ANY_PROGRAM = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "TZ", "TMPDIR"
)  # fmt: skip
"""What an executable hook gets of the environment: neither credentials nor tokens."""
ALIKE = 0.85
"""From this ratio of difflib on, a name is taken for a misspelt one: one wrong, missing or exchanged letter of ten is above it."""
SHORTEST_MISSPELT = 8
"""Shorter names, such as HOME and USER, are other programs'."""
_PASSWORD = re.compile("//[^/]*@")


def load_settings(**changes: Any) -> Settings:
    """Load the settings: ``changes`` (by field) before the process's environment, before a `.env` file in the working directory,
    before the AWS profile.

    Raises Misconfigured with a line for each wrong variable: its name, its value, what it must be.
    """
    load_dotenv()
    unset_empty_variables()
    _refuse_unknown()
    said = {field: one for field, one in said_beside_variables().items() if field not in changes}
    values: dict[str, Any] = {field: one.value for field, one in said.items()}
    try:
        settings = Settings(**{**values, **changes})
    except ValidationError as error:
        issues = error.errors(include_url=False)
        lines = [_line(issue["loc"], issue["input"], issue["msg"], said) for issue in issues]
        raise WrongSettings(list(dict.fromkeys(lines)), remedy="docs/settings.md lists the allowed values") from error
    settings = _in_its_region(settings, said, told="aws_region" in changes or region_is_said())
    _arm_failpoint(settings)
    return settings


def _in_its_region(settings: Settings, said: abc.Mapping[str, Said], *, told: bool) -> Settings:
    """The settings with the region that the endpoints' hosts name, where none was told.

    Raises Misconfigured when two of them differ: AWS refuses a signature for another region.
    """
    region = settings.aws_region if told else None
    by = f"{_source('aws_region', said)}={region}"
    for field in ("endpoint_url", "streams_endpoint_url"):
        url = getattr(settings, field)
        named = region_of(url)
        if named is not None and region not in (None, named):
            raise Misconfigured(
                f"{_source(field, said)}={url} is in region {named}, but {by}",
                remedy="set AWS_REGION to the region of the tables, or correct the endpoint",
            )
        if named is not None and region is None:
            region, by = named, f"{_source(field, said)}={url} is in {named}"
    if region is None:
        require_region(own_mapping=settings.mapping is not None, local=is_local(settings.endpoint_url))
    return settings if region is None else settings.model_copy(update={"aws_region": region})


def hook_variables(settings: Settings) -> dict[str, str]:
    """The environment of an executable hook."""
    names = (*FOR_ANY_PROGRAM, *(name.strip() for name in (settings.hook_environment or "").split(",")))
    return {name: os.environ[name] for name in names if name in os.environ}


def daemon_variables() -> dict[str, str]:
    """The environment of KCL's daemon, whose SDK would take AWS_ENDPOINT_URL for STS, and DynamoDB's VPC endpoint for streams. The
    daemon is told its endpoints."""
    return {name: value for name, value in os.environ.items() if name != "AWS_ENDPOINT_URL"}


def use_local_credentials() -> None:
    """Set credentials for a local server unless some are configured: the server accepts any, but the SDK requires them."""
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "local")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "local")


def load_configured_mapping(settings: Settings, *, prefix: str = "") -> Mapping:
    """Load the mapping file that the settings name; otherwise as ``load_mapping_file``."""
    return load_mapping_file(settings.mapping, prefix=prefix)


def load_mapping_file(path: Path | None, *, prefix: str = "") -> Mapping:
    """Load the mapping in ``path`` (None: the packaged one), with its tables' names from the environment, each after ``prefix``.

    Raises Misconfigured when it cannot be read or is wrong (file, line, what to do), and when the environment has a name that is
    almost that of one of its tables, which is not set.
    """
    source = PACKAGED_MAPPING if path is None else str(path)
    try:
        text = (files("service.mappings") / PACKAGED_MAPPING if path is None else path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not UTF-8 text"
        remedy = "correct the file, or its name (TABLESPLIT_MAPPING, or on the command line)"
        raise Misconfigured(f"mapping file {source}: {reason}", remedy=remedy) from error
    said = {**read_dotenv(), **os.environ}
    asked: set[str] = set()

    def name_of(variable: str, default: str) -> str:
        asked.add(variable)
        return prefix + _table_name(said, variable, default)

    mapping = load_mapping(text, source=source, names=name_of, resolve=pkgutil.resolve_name)
    _refuse_misspelt(said, asked)
    return mapping


def configured_mapping_file() -> Path | None:
    """The file that TABLESPLIT_MAPPING names, in the environment or in `.env`; None: the packaged mapping.

    Needs no other setting, such as a region.
    """
    name = {**read_dotenv(), **os.environ}.get(variable_name("mapping"))
    return Path(name) if name else None


def packaged_mapping_file() -> Path:
    """The packaged mapping's file."""
    return Path(str(files("service.mappings") / PACKAGED_MAPPING))


def _table_name(said: abc.Mapping[str, str], variable: str, default: str) -> str:
    name = said.get(variable) or default
    if not re.match(TABLE_NAME, name):
        raise Misconfigured(
            f"{variable}={name}: not a table name", remedy="3 to 255 letters (a to z), digits, '_', '-' and '.'"
        )
    return name


def _refuse_misspelt(said: abc.Mapping[str, str], known: set[str]) -> None:
    """Only names of tables that are not set can be meant by another one: so a like name of another program's has a way out."""
    unset = sorted(name for name in known if name and not said.get(name))
    for name in sorted(said.keys() - known):
        meant = next((variable for variable in unset if _is_like(name.upper(), variable)), None)
        if meant is not None and not name.startswith(PREFIX):
            raise Misconfigured(
                f"{name} is not a variable of the mapping",
                remedy=f"did you mean {meant}? If {name} is another program's, set {meant} too",
            )


def _is_like(name: str, variable: str) -> bool:
    if len(name) < SHORTEST_MISSPELT:
        return False
    if name.startswith(f"{variable}_") or variable.startswith(f"{name}_"):
        return True
    like = SequenceMatcher(None, name, variable.upper())  # the quick ratios are never below the ratio
    return like.real_quick_ratio() >= ALIKE and like.quick_ratio() >= ALIKE and like.ratio() >= ALIKE


def _refuse_unknown() -> None:
    known = {variable_name(field) for field in Settings.model_fields}
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and not name.startswith(TEST_PREFIX) and name not in known:
            nearest = get_close_matches(name, known, n=1)
            hint = f"did you mean {nearest[0]}?" if nearest else "see docs/settings.md"
            raise Misconfigured(f"{name} is not a setting", remedy=hint)


def _arm_failpoint(settings: Settings) -> None:
    """Raises Misconfigured where the tables are not a test's, and as ``arm`` does."""
    armed = os.environ.get(FAILPOINT) or None
    if armed is not None and not is_local(settings.endpoint_url):
        raise Misconfigured(f"{FAILPOINT} is for tests on a local server only", remedy="unset it")
    arm(armed)


_VARIABLES: dict[str, tuple[str, ...]] = {field: (name,) for field, name in AWS_NAMES.items()} | {
    "aws_region": REGION_NAMES,
    "endpoint_url": ENDPOINT_NAMES,
    "streams_endpoint_url": STREAMS_NAMES,
    "ca_bundle": CERTIFICATE_NAMES,
}
"""The variables of each setting that is AWS's, by precedence."""


def _source(field: str, said: abc.Mapping[str, Said]) -> str:
    """What has said the value of a setting: a variable, or the profile."""
    if field in said:
        return said[field].by
    return next(filter(os.environ.get, _VARIABLES.get(field, ())), variable_name(field))


def _line(loc: tuple[int | str, ...], value: object, message: str, said: abc.Mapping[str, Said]) -> str:
    if not loc:
        return message.removeprefix("Value error, ")
    # pydantic reports the first of several names, also when another one was used
    field = next(
        (field for field, choices in _VARIABLES.items() if loc[0] in choices), str(loc[0]).removeprefix(PREFIX).lower()
    )
    shown = "" if field in ("api_token", "hook_secret") else f"={_PASSWORD.sub('//', str(value))}"
    message = message.removeprefix("Value error, ")
    meaning = f" ({Settings.model_fields[field].description})" if field not in said else ""
    return f"{_source(field, said)}{shown}: {message[0].lower()}{message[1:]}{meaning}"
