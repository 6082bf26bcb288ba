"""moto behind a record of who asked what: ``python -m tests.terraform.recording -p PORT FILE``.

Each component signs with an access key named like it; a line of FILE is ``[access key, action, [table, stream or index, ...]]``,
with the actions that IAM asks for: a transaction's are those of its items, PartiQL's are PartiQLInsert and PartiQLUpdate.
"""

import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from service.rehearsal.servers import moto_in_turn

IN_TRANSACTION = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}
STATEMENT = re.compile(r'(INSERT|UPDATE)(?: INTO)? "([^"]+)"')
TABLE = re.compile(r"table/([^/]+)$")
STREAM = re.compile(r"table/([^/]+)/stream/")


class Recorder:
    """A WSGI application that writes down what it passes on."""

    def __init__(self, app: Any, file: Path) -> None:
        self._app = app
        self._file = file.open("a", buffering=1)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        if target.startswith("DynamoDB"):
            self._write(environ, target.rpartition(".")[2], json.loads(body))
        return list(self._app(environ, start_response))

    def _write(self, environ: dict[str, Any], operation: str, request: dict[str, Any]) -> None:
        found = re.search(r"Credential=([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
        who = found[1] if found else "nobody"
        for action, resource in calls(operation, request):
            self._file.write(json.dumps([who, action, resource]) + "\n")


def calls(operation: str, request: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What IAM is asked for one request: actions, each with a table, ``TABLE/index``, ``TABLE/stream``, or nothing."""
    yield from _of_items(operation, request) or [(operation, _of_one(operation, request))]


def _of_items(operation: str, request: dict[str, Any]) -> list[tuple[str, str]]:
    """The calls of a request for several items; none when it is not one."""
    if operation == "TransactWriteItems":
        return [
            (IN_TRANSACTION[kind], one["TableName"]) for item in request["TransactItems"] for kind, one in item.items()
        ]
    if operation == "BatchExecuteStatement":
        statements = [STATEMENT.findall(one["Statement"])[0] for one in request["Statements"]]
        return [(f"PartiQL{word.capitalize()}", table) for word, table in statements]
    return [(operation, table) for table in request.get("RequestItems", ())]


def _of_one(operation: str, request: dict[str, Any]) -> str:
    """What a request for one thing is about."""
    if operation == "ListTables":
        return ""
    if "TableName" in request:
        return request["TableName"] + ("/index" if "IndexName" in request else "")
    if "ResourceArn" in request:
        return TABLE.findall(request["ResourceArn"])[0]
    return STREAM.findall(request.get("StreamArn") or request["ShardIterator"])[0] + "/stream"


def main() -> None:
    """Serve until the process is ended."""
    file = Path(sys.argv.pop())
    inner = moto_in_turn.InTurn
    setattr(moto_in_turn, "InTurn", lambda app: Recorder(inner(app), file))  # noqa: B010
    moto_in_turn.main()


if __name__ == "__main__":
    main()
