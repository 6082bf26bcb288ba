"""Requests made ready to be sent: signed bytes, as a client sends them. DynamoDB Local takes old ones, too."""

import time
from typing import Any
from urllib.parse import urlsplit

import orjson

from service.core.item.wire import Item
from service.dynamodb.signing import Credentials, Signer

LOCAL = Credentials("local", "local")


def prepared(url: str, operation: str, request: dict[str, Any]) -> bytes:
    """A request to the server at ``url``."""
    body = orjson.dumps(request)
    headers = Signer(url, "ap-southeast-2").headers(LOCAL, f"DynamoDB_20120810.{operation}", body, time.time())
    headers["content-length"] = str(len(body))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {urlsplit(url).path or '/'} HTTP/1.1\r\n{lines}\r\n".encode() + body


def application_update(url: str, table: str, key: Item, mark: str) -> bytes:
    """The application's change of an old item, which ``mark`` tells from others."""
    changed = {
        "UpdateExpression": "SET #n = :n",
        "ExpressionAttributeNames": {"#n": "notes"},
        "ExpressionAttributeValues": {":n": {"S": mark}},
    }
    return prepared(url, "UpdateItem", {"TableName": table, "Key": key, **changed})
