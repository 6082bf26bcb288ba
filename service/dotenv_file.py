"""The `.env` file of the working directory: whose it must be, and which variables are taken from it.

A variable can make the AWS SDK or the loader of programs run code (AWS_CONFIG_FILE by `credential_process`, LD_PRELOAD), and the
working directory may be one that others write. So the file must be the user's own, and of it only the documented names count.
"""

import os
import stat
from io import StringIO
from pathlib import Path

from dotenv.main import DotEnv

from service.aws_profile import CERTIFICATE_NAMES, ENDPOINT_NAMES, PROFILE_NAMES, REGION_NAMES, STREAMS_NAMES
from service.config import PREFIX, Settings, variable_name
from service.errors import Misconfigured

DOTENV = Path(".env")
CREDENTIAL_NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
NETWORK_NAMES = ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT")
DOTENV_NAMES = frozenset(
    (
        *(variable_name(field) for field in Settings.model_fields),
        *(*REGION_NAMES, *ENDPOINT_NAMES, *STREAMS_NAMES, *CERTIFICATE_NAMES, *PROFILE_NAMES),
        *(*CREDENTIAL_NAMES, *NETWORK_NAMES),
    )
)
"""What docs/settings.md says that `.env` may hold, beside all that begins with PREFIX and the mapping's names of tables."""

REMEDY = (
    "make it yours (chown), and writable by nobody else (chmod go-w .env); or remove it, and set the variables yourself"
)


def load_dotenv() -> None:
    """Put the settings that `.env` has into the environment, where they are not set yet; other variables are left out.

    Raises as ``read_dotenv`` does.
    """
    for name, value in read_dotenv().items():
        if name.startswith(PREFIX) or name in DOTENV_NAMES:
            os.environ.setdefault(name, value)


def read_dotenv() -> dict[str, str]:
    """Every variable of `.env`, by name; none when there is no such file.

    Raises Misconfigured when it is another user's, when others may write it, and when it is not UTF-8 text.
    """
    content = _own_content()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise Misconfigured(f"{DOTENV} is not UTF-8 text", remedy="save it as UTF-8, or remove it")
    found = DotEnv(None, stream=StringIO(text), override=False).dict()
    return {name: value for name, value in found.items() if value is not None}


def _own_content() -> bytes:
    """The bytes of the file, b"" without one. A folder of that name (a virtual environment) is none."""
    try:
        if DOTENV.is_dir():
            return b""
        link = DOTENV.lstat()
        # the file is judged as it was opened: what is put in its place meanwhile is not read; a pipe is not waited for
        with os.fdopen(os.open(DOTENV, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            _require_own(link, os.fstat(file.fileno()))
            return file.read()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise Misconfigured(f"{DOTENV} cannot be read: {error.strerror or error}", remedy=REMEDY) from error


def _require_own(link: os.stat_result, file: os.stat_result) -> None:
    """``link``: what stands in the directory; ``file``: what it leads to, mostly the same. Raises Misconfigured."""
    user = os.geteuid()
    if not stat.S_ISREG(file.st_mode):
        raise Misconfigured(f"{DOTENV} is not a file", remedy=REMEDY)
    if link.st_uid != user or file.st_uid != user:
        raise Misconfigured(f"{DOTENV} belongs to another user: it is not read", remedy=REMEDY)
    if file.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Misconfigured(f"{DOTENV} can be written by others: it is not read", remedy=REMEDY)
