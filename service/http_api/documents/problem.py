"""The document of every error."""

from typing import Literal

from pydantic import ConfigDict, Field

from service.core.phases.gate import Condition
from service.http_api.documents.parts import Document, Key


class Lack(Document):
    cause: str
    text: str


class KeyLeftBehind(Document):
    table: str
    key: Key
    lacks: list[Lack]


class LeftBehindDocument(Document):
    count: int
    keys: list[KeyLeftBehind]
    unlisted: int
    verified: str | None


class Problem(Document):
    """An error, by RFC 9457."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "status": 409,
                    "title": "The gate is closed",
                    "detail": "the gate to dual is closed: quarantine is 2, wanted 0",
                    "conditions": [
                        {
                            "name": "quarantine",
                            "value": 2,
                            "threshold": 0,
                            "met": False,
                            "since": "2026-11-23T00:03:09Z",
                            "remedy": "tablesplit quarantine list",
                        }
                    ],
                }
            ]
        }
    )

    type: Literal["about:blank"]
    status: int
    title: str
    detail: str
    """What is wrong, with the remedy."""
    request_id: str = ""
    """AWS's, where it refused a request."""
    conditions: list[Condition] = Field(default_factory=list)
    """Of a closed gate: those that are not met."""
    left_behind: LeftBehindDocument | None = None
    """Of a rollback: the keys that the old table will not have in full."""
