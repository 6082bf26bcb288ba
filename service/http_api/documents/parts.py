"""What documents of several subjects have in common."""

from typing import Any

from pydantic import BaseModel, ConfigDict

Key = dict[str, str]
"""A key without types: attribute name to value, as text."""
WireItem = dict[str, Any]
"""Attributes in DynamoDB's own JSON."""


class Document(BaseModel):
    """A part of an answer. Times are ISO 8601 in UTC, durations are seconds."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class Page(Document):
    next: str | None
    """The id after which the list goes on, for `after`; null on the last page."""
    as_of: str


class Place(Document):
    table: str
    key: Key


class Refusal(Document):
    reason: str
    message: str
    remedy: str


class ErrorDocument(Document):
    """Why something that was begun here has stopped."""

    kind: str
    message: str
    remedy: str
    request_id: str = ""
    """AWS's, where there is one."""
