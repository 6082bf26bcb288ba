"""Commands in turn, in one process: each of them imports for a second otherwise. ``python -m tests.terraform.commands``.

stdin: a JSON list of argument lists; stdout: a line of JSON for each, with its exit status and its answer.
"""

import contextlib
import io
import json
import sys

from service.cli.main import main as command_line


def main() -> None:
    """Run what stdin says."""
    for arguments in json.load(sys.stdin):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            status = run(arguments)
        print(json.dumps([arguments, status, said.getvalue()]), flush=True)


def run(arguments: list[str]) -> int:
    """The exit status of one command."""
    sys.argv = ["tablesplit", *arguments]
    try:
        command_line()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


if __name__ == "__main__":
    main()
