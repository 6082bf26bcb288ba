"""moto's server with correct and faster transactions: ``python -m service.rehearsal.servers.moto_in_turn -p PORT``.

For a transaction, moto copies every table that it names, and puts the copies back when a condition fails. That is slow, and it
loses what another request has written meanwhile. Here requests are answered one after the other, and the conditions of a
transaction are checked first, by themselves: a transaction that fails has changed nothing, so nothing needs to be copied.
Most of the remaining time moto spends on guessing under which of many names an attribute value has its type; here the name is
looked up.
"""

import argparse
import copy
from collections.abc import Callable, Iterable
from threading import Lock
from types import SimpleNamespace
from typing import Any

from moto.core.serialize import ResponseSerializer
from moto.dynamodb import models
from moto.dynamodb.models.table import Table
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple

Transaction = list[dict[str, Any]]
WsgiApplication = Callable[[dict[str, Any], Any], Iterable[bytes]]

TYPES = frozenset({"S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL"})

_execute = models.DynamoDBBackend.transact_write_items
_guess = ResponseSerializer.get_value


class InTurn:
    """A WSGI application that answers one request at a time."""

    def __init__(self, app: WsgiApplication) -> None:
        self._app = app
        self._lock = Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        with self._lock:
            return list(self._app(environ, start_response))


def transact(backend: models.DynamoDBBackend, items: Transaction) -> None:
    """Execute a transaction. Raises moto's error when a condition does not hold; then nothing has changed."""
    _execute(backend, [{"ConditionCheck": _condition(backend, *next(iter(item.items())))} for item in items])
    _execute(backend, items)


def _condition(backend: models.DynamoDBBackend, kind: str, operation: dict[str, Any]) -> dict[str, Any]:
    """The operation reduced to a check of its condition."""
    if kind != "Put":
        return operation
    table = backend.get_table(operation["TableName"])
    names = (table.hash_key_attr, table.range_key_attr)
    key = {name: operation["Item"][name] for name in names if name is not None}
    return {**{name: value for name, value in operation.items() if name != "Item"}, "Key": key}


def _deepcopy(value: Any) -> Any:
    return value if isinstance(value, Table) else copy.deepcopy(value)


def member(serializer: ResponseSerializer, value: Any, key: str, shape: Any) -> Any:
    """The member ``key`` of a value in an answer; for an attribute value, by its type's name, without guessing."""
    return value.get(key) if key in TYPES and isinstance(value, dict) else _guess(serializer, value, key, shape)


def main() -> None:
    """Serve until the process ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-p", type=int, required=True)
    models.__dict__["copy"] = SimpleNamespace(deepcopy=_deepcopy, copy=copy.copy)
    setattr(models.DynamoDBBackend, "transact_write_items", transact)  # noqa: B010 (replaced on purpose)
    setattr(ResponseSerializer, "get_value", member)  # noqa: B010
    app = InTurn(DomainDispatcherApplication(create_backend_app))
    run_simple("127.0.0.1", parser.parse_args().p, app, threaded=True, request_handler=MotoRequestHandler)


if __name__ == "__main__":
    main()
