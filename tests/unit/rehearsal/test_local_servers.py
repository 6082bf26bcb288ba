"""Local servers: what is missing is named in one line, a bad archive is refused, nothing is left running."""

import shutil
import socket
import subprocess
import sys
import tarfile
from hashlib import sha256
from pathlib import Path

import pytest
from tenacity import Retrying, retry_unless_exception_type, stop_after_delay

from service.errors import Fatal, Misconfigured
from service.rehearsal.servers import dynamodb_local, local_servers
from service.rehearsal.servers.checksums import require_listed
from service.rehearsal.servers.dynamodb_local import java_command
from service.rehearsal.servers.fetch import run_client
from tests.fakes.servers import moto_for_tests

SOURCE = Path(dynamodb_local.__file__).parent


def only(monkeypatch: pytest.MonkeyPatch, *programs: str) -> None:
    """The machine has these programs and no others."""
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if name in programs else None)


MISSING = [
    ((), "DynamoDB Local needs Java, which is not installed", "install Java 17"),
    (("java",), "DynamoDB Local is fetched by npm or mvn, and neither is installed", "install npm, or Maven"),
]


@pytest.mark.parametrize(("programs", "line", "remedy"), MISSING)
def test_a_missing_program_is_named(monkeypatch, tmp_path, programs, line, remedy) -> None:
    only(monkeypatch, *programs)
    with pytest.raises(Misconfigured) as refused:
        java_command(tmp_path)
    assert str(refused.value) == line
    assert refused.value.remedy.startswith(remedy)


def deliver(monkeypatch: pytest.MonkeyPatch, *jars: str) -> None:
    """npm delivers an archive of these files."""

    def pack(subject: str, command: list[str], folder: Path) -> None:
        with tarfile.open(folder / "package.tgz", "w:gz") as archive:
            for jar in jars:
                (folder / jar).touch()
                archive.add(folder / jar, f"package/{jar}")

    only(monkeypatch, "java", "npm")
    monkeypatch.setattr(dynamodb_local, "run_client", pack)


def test_an_archive_with_another_digest_is_refused_and_not_kept(monkeypatch, tmp_path) -> None:
    deliver(monkeypatch, "DynamoDBLocal.jar")
    with pytest.raises(Misconfigured, match="the archive from npm does not have the expected checksum"):
        java_command(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("change", ["another", "missing", "one more"])
def test_jars_from_maven_that_are_not_those_of_the_list_are_refused_and_not_kept(
    monkeypatch, tmp_path, change: str
) -> None:
    def copy(subject: str, command: list[str], folder: Path) -> None:
        """The files of the list, but what they hold; a test that has all of them would have to fetch 90 MB."""
        (folder / "maven").mkdir()
        for line in (SOURCE / "dynamodb_local.sha256").read_text().splitlines():
            (folder / "maven" / line.split()[1]).write_text("another" if change == "another" else "")
        if change == "missing":
            (folder / "maven" / "DynamoDBLocal.jar").unlink()
        if change == "one more":
            (folder / "maven" / "more.jar").touch()

    only(monkeypatch, "java", "mvn")
    monkeypatch.setattr(dynamodb_local, "run_client", copy)
    with pytest.raises(Misconfigured, match="is not as the list of checksums has it"):
        java_command(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"a": "1", "b": "2"}, None),
        ({"a": "1"}, "b"),
        ({"a": "1", "b": "3"}, "b"),
        ({"a": "1", "b": "2", "c": ""}, "c"),
    ],
)
def test_a_folder_has_exactly_what_is_listed(tmp_path, files: dict[str, str], named: str | None) -> None:
    listing = "".join(
        f"{sha256(content.encode()).hexdigest()}  {name}\n" for name, content in {"a": "1", "b": "2"}.items()
    )
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    if named is None:
        require_listed("It", tmp_path, listing)
        return
    with pytest.raises(Misconfigured, match=f"^It: {named} is not as the list"):
        require_listed("It", tmp_path, listing)


def test_what_is_in_the_cache_is_not_fetched_again(monkeypatch, tmp_path) -> None:
    jar = tmp_path / "dynamodb-local-npm" / "package" / "DynamoDBLocal.jar"
    jar.parent.mkdir(parents=True)
    jar.touch()
    deliver(monkeypatch)
    assert str(jar) in java_command(tmp_path)


def test_a_failed_fetch_quotes_the_tool(tmp_path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no network')"]
    with pytest.raises(Misconfigured, match=r"^A jar: .* could not fetch it: no network$"):
        run_client("A jar", command, tmp_path)


def test_a_server_that_ends_at_once_is_quoted(monkeypatch) -> None:
    monkeypatch.setattr(local_servers, "java_command", lambda cache: [sys.executable, "-c", "print('out of memory')"])
    with (
        pytest.raises(Fatal, match=r"^DynamoDB Local ended at once with status 0; it printed: out of memory$"),
        local_servers.dynamodb_local(),
    ):
        pass


@pytest.mark.moto
def test_a_server_ends_with_its_block() -> None:
    with local_servers.local_server("moto") as url:
        port = int(url.rpartition(":")[2])
        socket.create_connection(("127.0.0.1", port)).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


@pytest.mark.moto
def test_a_server_ends_when_its_user_is_killed() -> None:
    code = "from service.rehearsal.servers.local_servers import moto_server as m\nwith m() as url: print(url, flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as user:
        port = int(user.stdout.readline().rpartition(b":")[2])
        user.kill()
    stopped = Retrying(retry=retry_unless_exception_type(ConnectionRefusedError), stop=stop_after_delay(300))
    with pytest.raises(ConnectionRefusedError):
        stopped(lambda: socket.create_connection(("127.0.0.1", port)).close())


def test_an_endpoint_is_taken_as_it_is() -> None:
    with local_servers.local_server("http://127.0.0.1:8000") as url:
        assert url == "http://127.0.0.1:8000"


@pytest.mark.parametrize(("ci", "outcome"), [("true", Misconfigured), ("", pytest.skip.Exception)])
def test_a_missing_tier_fails_in_ci_and_is_skipped_elsewhere(monkeypatch, ci, outcome) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(local_servers, "find_spec", lambda name: None)
    with pytest.raises(outcome, match="moto's server is not installed"), moto_for_tests():
        pass
