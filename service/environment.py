"""What the environment says, and `.env` below it: the settings, and the names of the mapping's tables.

Beside ``service.aws_profile`` no other module reads the environment.
"""

import os
import pkgutil
import re
from collections import abc
from difflib import SequenceMatcher, get_close_matches
from importlib.resources import files
from typing import Any

from pydantic import ValidationError

from service.aws_profile import (
    CERTIFICATE_NAMES,
    ENDPOINT_NAMES,
    REGION_NAMES,
    STREAMS_NAMES,
    all_services_endpoint,
    require_region,
    said_by_profile,
)
from service.config import AWS_NAMES, PREFIX, Settings, variable_name
from service.core.mapping.mapping import Mapping, load_mapping
from service.core.mapping.schema import TABLE_NAME
from service.dotenv_file import load_dotenv, read_dotenv
from service.errors import Misconfigured, WrongSettings
from service.failpoints import VARIABLE as FAILPOINT
from service.failpoints import arm
from service.hosts import is_local

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
    _refuse_unknown()
    said: dict[str, Any] = said_by_profile()
    if (streams := all_services_endpoint()) is not None and not os.environ.get(STREAMS_NAMES[0]):
        said["streams_endpoint_url"] = streams
    try:
        settings = Settings(**{**said, **changes})
    except ValidationError as error:
        lines = [_line(issue["loc"], issue["input"], issue["msg"]) for issue in error.errors(include_url=False)]
        raise WrongSettings(lines, remedy="docs/settings.md lists the allowed values") from error
    if "aws_region" not in said:
        require_region(own_mapping=settings.mapping is not None, local=is_local(settings.endpoint_url))
    _arm_failpoint(settings)
    return settings


def hook_variables(settings: Settings) -> dict[str, str]:
    """The environment of an executable hook."""
    names = (*FOR_ANY_PROGRAM, *(name.strip() for name in (settings.hook_environment or "").split(",")))
    return {name: os.environ[name] for name in names if name in os.environ}


def use_local_credentials() -> None:
    """Set credentials for a local server unless some are configured: the server accepts any, but the SDK requires them."""
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "local")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "local")


def load_configured_mapping(settings: Settings, *, prefix: str = "") -> Mapping:
    """Load the mapping file that the settings name, with the table names from the environment, each with ``prefix`` before it.

    Raises Misconfigured when it cannot be read or is wrong (file, line, what to do), and when the environment has a name that is
    almost that of one of its tables, which is not set.
    """
    path = settings.mapping
    source = PACKAGED_MAPPING if path is None else str(path)
    try:
        text = (files("service.mappings") / PACKAGED_MAPPING if path is None else path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not UTF-8 text"
        raise Misconfigured(f"mapping file {source}: {reason}", remedy="correct TABLESPLIT_MAPPING") from error
    said = {**read_dotenv(), **os.environ}
    asked: set[str] = set()

    def name_of(variable: str, default: str) -> str:
        asked.add(variable)
        return prefix + _table_name(said, variable, default)

    mapping = load_mapping(text, source=source, names=name_of, resolve=pkgutil.resolve_name)
    _refuse_misspelt(said, asked)
    return mapping


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
    return SequenceMatcher(None, name, variable.upper()).ratio() >= ALIKE


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


def _line(loc: tuple[int | str, ...], value: object, message: str) -> str:
    if not loc:
        return message.removeprefix("Value error, ")
    names: dict[str, tuple[str, ...]] = {field: (name,) for field, name in AWS_NAMES.items()}
    names |= {"aws_region": REGION_NAMES, "endpoint_url": ENDPOINT_NAMES, "ca_bundle": CERTIFICATE_NAMES}
    # pydantic reports the first of several names, also when another one was used
    field = next(
        (field for field, choices in names.items() if loc[0] in choices), str(loc[0]).removeprefix(PREFIX).lower()
    )
    variable = next(filter(os.environ.get, names.get(field, ())), variable_name(field))
    shown = "" if field in ("api_token", "hook_secret") else f"={_PASSWORD.sub('//', str(value))}"
    message = message.removeprefix("Value error, ")
    return f"{variable}{shown}: {message[0].lower()}{message[1:]} ({Settings.model_fields[field].description})"
