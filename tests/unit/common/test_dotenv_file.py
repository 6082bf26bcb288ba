"""`.env`: whose it must be, what is taken from it, and names that are almost those of the mapping's tables."""

import os
from collections.abc import Callable
from pathlib import Path

import botocore.session
import pytest

from service.config import PREFIX
from service.dotenv_file import DOTENV_NAMES
from service.environment import load_configured_mapping, load_settings
from service.errors import Misconfigured
from tests.documents.pages import ROOT

TABLE_VARIABLES = ("OLD_TABLE_NAME", "LEADS_TABLE", "DEALS_TABLE", "RESOURCES_TABLE", "PIPELINES_TABLE")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No `.env` but the test's own, and an environment that the reading of it may fill."""
    monkeypatch.setattr(os, "environ", os.environ.copy())
    for name in TABLE_VARIABLES:
        os.environ.pop(name, None)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def dotenv(content: str | bytes, mode: int = 0o600) -> Path:
    path = Path(".env")
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return path


def refusal(act: Callable[[], object] = load_settings) -> Misconfigured:
    with pytest.raises(Misconfigured) as refused:
        act()
    assert "\n" not in refused.value.message
    return refused.value


def test_no_variable_of_it_makes_the_sdk_run_code(own_folder: Path) -> None:
    ran = own_folder / "ran"
    (own_folder / "config").write_text(f"[default]\nregion = eu-west-1\ncredential_process = touch {ran}\n")
    dotenv(f"AWS_CONFIG_FILE={own_folder}/config\nLD_PRELOAD=evil.so\nPYTHONPATH=.\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_CONFIG_FILE"):
        os.environ.pop(name, None)
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    before = dict(os.environ)
    load_settings()
    botocore.session.Session().get_credentials()
    assert dict(os.environ) == before
    assert not ran.exists()


def test_the_page_of_settings_lists_what_is_taken_from_it() -> None:
    assert settings_page_list() == {PREFIX} | {name for name in DOTENV_NAMES if not name.startswith(PREFIX)}


def test_a_documented_variable_is_taken_from_it() -> None:
    os.environ.pop("HTTPS_PROXY", None)
    dotenv("HTTPS_PROXY=http://proxy.example\n")
    load_settings()
    assert os.environ["HTTPS_PROXY"] == "http://proxy.example"


def settings_page_list() -> set[str]:
    """The names that docs/settings.md lists in its section on `.env`."""
    section = (ROOT / "docs/settings.md").read_text().split("\n## The file `.env`\n")[1].split("\n## ")[0]
    listed = [line for line in section.splitlines() if line.startswith("- ")]
    return {name for line in listed for name in line.split("`")[1::2] if name.isupper()}


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_one_that_others_may_write_is_refused(mode: int) -> None:
    dotenv("TABLESPLIT_SEGMENTS=3\n", mode)
    assert refusal().message == ".env can be written by others: it is not read"


def test_one_of_another_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    dotenv("TABLESPLIT_SEGMENTS=3\n")
    another = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: another)
    assert refusal().message == ".env belongs to another user: it is not read"


def test_a_link_of_another_user_to_a_file_of_one_s_own_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    dotenv("TABLESPLIT_SEGMENTS=3\n").rename("mine")
    Path(".env").symlink_to("mine")
    assert load_settings().segments == 3
    if os.geteuid() != 0:
        pytest.skip("only root can give a link away")
    os.chown(".env", 12345, 12345, follow_symlinks=False)
    assert refusal().message == ".env belongs to another user: it is not read"


def test_a_pipe_is_refused_and_not_waited_for() -> None:
    os.mkfifo(".env", 0o600)
    assert refusal().message == ".env is not a file"


def test_a_folder_of_that_name_is_another_thing() -> None:
    Path(".env").mkdir()
    load_settings()


@pytest.mark.parametrize("content", ["A=é\n".encode("utf-16"), "AB=x\n".encode("utf-16-le"), b"A=\xff\n"])
def test_one_that_is_not_text_is_refused(content: bytes) -> None:
    dotenv(content)
    assert refusal().message == ".env is not UTF-8 text"


def test_the_mark_that_some_editors_put_first_is_no_part_of_a_name() -> None:
    dotenv("\ufeffTABLESPLIT_SEGMENTS=3\n")
    assert load_settings().segments == 3


def test_a_misspelt_setting_in_it_is_refused() -> None:
    dotenv("TABLESPLIT_SEGMENT=3\n")
    assert refusal().message == "TABLESPLIT_SEGMENT is not a setting"


def mapping() -> object:
    return load_configured_mapping(load_settings())


@pytest.mark.parametrize("where", ["environment", ".env"])
@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("LEADS_TABEL", "LEADS_TABLE"),
        ("LEAD_TABLE", "LEADS_TABLE"),
        ("leads_table", "LEADS_TABLE"),
        ("LEADS_TABLE_NAME", "LEADS_TABLE"),
        ("OLD_TABLE", "OLD_TABLE_NAME"),
        ("RESOURCE_TABLE", "RESOURCES_TABLE"),
    ],
)
def test_a_misspelt_table_variable_is_refused(where: str, name: str, meant: str) -> None:
    if where == ".env":
        dotenv(f"{name}=mine\n")
    else:
        os.environ[name] = "mine"
    refused = refusal(mapping)
    assert refused.message == f"{name} is not a variable of the mapping"
    assert refused.remedy == f"did you mean {meant}? If {name} is another program's, set {meant} too"


@pytest.mark.parametrize("name", ["USERS_TABLE", "TEAMS_TABLE", "TABLE_NAME", "HOSTNAME", "LEADS", "OLDPWD"])
def test_a_variable_of_another_program_is_not_taken_for_one(name: str) -> None:
    os.environ[name] = "theirs"
    mapping()


def test_beside_the_right_one_a_like_name_is_another_program_s() -> None:
    os.environ.update(LEADS_TABLE="leads", LEADS_TABLES="theirs")
    mapping()
