"""When an open shard counts as read to its end. DynamoDB never says so, so it is inferred from several pages."""

from typing import Any

from service.dynamodb.protocol import RecordsPage

PAGES_AT_TIP = 4
"""This many short pages in a row. One empty page proves nothing: "it might take multiple calls to get to a portion of the shard
that contains stream records" (API reference, GetRecords). The number is our choice; a decision that depends on it waits for two
rounds."""

SHORT_PAGE_RECORDS = 500
SHORT_PAGE_BYTES = 500_000
"""Half of what GetRecords returns at most (1,000 records, 1 MB): a page above either limit is probably one of a backlog."""

RECENT_SECONDS = 120.0
"""A short page's records must not be older: little traffic long ago makes short pages too. The limit is generous, because
clocks differ and DynamoDB Local cuts times down to the minute."""


class Tip:
    """Follows the pages of one iterator chain. Start a new one with every new iterator."""

    def __init__(self) -> None:
        self._short_pages = 0

    @property
    def reached(self) -> bool:
        """Whether the pages so far show that the shard is read to its end."""
        return self._short_pages >= PAGES_AT_TIP

    def note(self, page: RecordsPage, now: float) -> None:
        """Take the next page into account. ``now``: when its request began, in epoch seconds."""
        self._short_pages = self._short_pages + 1 if is_short(page, now) else 0


def is_short(page: RecordsPage, now: float) -> bool:
    """Whether a page looks like one from the tip: empty, or a few recent records."""
    if not page.records:
        return True
    contents: list[dict[str, Any]] = [record["dynamodb"] for record in page.records]  # type: ignore[misc]  # wire form
    size = sum(content.get("SizeBytes", 0) for content in contents)
    recent = now - contents[-1].get("ApproximateCreationDateTime", 0.0) <= RECENT_SECONDS
    return recent and len(contents) < SHORT_PAGE_RECORDS and size < SHORT_PAGE_BYTES
