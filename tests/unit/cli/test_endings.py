"""However a command ends, it says so in a line or two: never a traceback, and never with the status of an ordinary no."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import click
import pytest

from service.cli.answer import Answer, print_answer
from service.cli.main import main, run_as_program
from service.cli.run import run_alone

ROOT = Path(__file__).parents[3]
ANSWERING = (
    "import sys; from service.cli.main import main, run_as_program; import click\n"
    "from service.cli.answer import Answer, print_answer\n"
    "run_as_program(click.Command('x', callback=lambda: print_answer(Answer({'k': '😀'}, 'key 😀\\nnext'), as_json=False)), 'x')"
)


def ended(
    code: str, *, folder: Path, stdout: int | None = None, **variables: str
) -> subprocess.CompletedProcess[bytes]:
    """A Python process that runs ``code`` in ``folder``. Its stdout has a buffer, whatever this process was told."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "", **variables}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE if stdout is None else stdout,
        stderr=subprocess.PIPE,
        timeout=60,
    )


def test_a_key_that_the_terminal_cannot_show_is_escaped(tmp_path: Path) -> None:
    done = ended(ANSWERING, folder=tmp_path, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"key \\ud83d\\ude00\nnext\n", b"")


@pytest.mark.parametrize(
    "code",
    [
        ANSWERING,
        "import sys; sys.argv = ['t', '--help']; from service.cli import main; main()",
        "import sys; sys.argv = ['t', '-V']; from service.cli import main; main()",
    ],
)
def test_a_full_disk_below_stdout_is_a_failure_in_one_line(tmp_path: Path, code: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = ended(code, folder=tmp_path, stdout=full.fileno())
    assert done.returncode == 3
    first, remedy = done.stderr.decode().splitlines()
    assert "No space left on device" in first
    assert first.startswith("error: ")
    assert remedy.startswith("what to do: ")


def test_a_pipe_that_nobody_reads_is_a_failure_in_one_line(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = ended(ANSWERING, folder=tmp_path, stdout=write)
    os.close(write)
    assert (done.returncode, done.stderr.decode().splitlines()[0]) == (3, "error: cannot write to stdout: Broken pipe")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_a_dotenv_of_another_encoding_is_named(tmp_path: Path, encoding: str) -> None:
    (tmp_path / ".env").write_bytes("TABLESPLIT_SEGMENTS=4\n".encode(encoding))
    code = "import sys; sys.argv = ['tablesplit', 'status']; from service.cli import main; main()"
    done = ended(code, folder=tmp_path)
    assert (done.returncode, done.stderr.decode().splitlines()) == (
        2,
        ["error: .env is not UTF-8 text", "what to do: save it as UTF-8, or remove it"],
    )


@pytest.mark.parametrize(
    "error", [KeyError("a\nb"), BrokenPipeError(32, "Broken pipe"), ExceptionGroup("lanes", [ValueError("x")])]
)
def test_an_error_that_nobody_has_foreseen_is_one_line_with_its_place(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def body(_: object) -> Answer:
        raise error

    monkeypatch.setattr(sys, "argv", ["tablesplit"])
    with pytest.raises(SystemExit) as end:
        run_as_program(click.Command("x", callback=lambda: run_alone(body, as_json=False)), "x")
    first, remedy = capsys.readouterr().err.splitlines()
    inner = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
    assert end.value.code == 3
    assert first.startswith(f"error: unexpected {type(inner).__name__}: ")
    assert "(service/cli/run.py:" in first
    assert remedy.startswith("what to do: ")


def test_an_answer_and_an_error_cannot_clear_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    print_answer(Answer({"key": "\x9b2J"}, "key \x1b[2J"), as_json=False)
    print_answer(Answer({"key": "\x9b2J"}, "key \x1b[2J"), as_json=True)
    assert capsys.readouterr().out == 'key \\u001b[2J\n{\n  "key": "\\u009b2J"\n}\n'


def test_without_stdout_and_stderr_a_command_does_its_work(tmp_path: Path) -> None:
    closed = subprocess.run(
        ["sh", "-c", 'exec "$0" -c "$1" >&- 2>&-', sys.executable, ANSWERING],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
    )
    assert closed.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["hold", "--why", "\udcff"], "error: the argument \\udcff is not UTF-8 text"),
        (["migrate", "--max-cost", "1e999"], "error: Invalid value for '--max-cost': 1e999 is not a finite number."),
        (
            ["status", "--until-caught-up", "nan"],
            "error: Invalid value for '--until-caught-up': nan is not a finite number.",
        ),
    ],
)
def test_what_no_number_and_no_text_can_be_is_wrong_usage(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], line: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["tablesplit", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert (end.value.code, capsys.readouterr().err.splitlines()[0]) == (2, line)


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_the_version_is_told_without_the_command_line(tmp_path: Path, option: str) -> None:
    code = (
        f"import sys; sys.argv = ['tablesplit', {option!r}]; from service.cli import main\n"
        "try: main()\n"
        "finally: print(sorted({'click', 'pydantic', 'boto3', 'importlib.metadata', 'service.config'} & set(sys.modules)))"
    )
    done = ended(code, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().splitlines() == [f"tablesplit, version {version('tablesplit')}", "[]"]
