"""The contract of what settles conflicts and keys in quarantine over HTTP: the bodies of its POSTs, and what it needs."""

from typing import Annotated, Any, Protocol, Self

from pydantic import BaseModel, Field, model_validator

from service.control.conflicts import Kept
from service.http_api.text import Text, body

IDS_AT_MOST = 100
"""Of one request: each costs some requests to DynamoDB, one after the other."""

Id = Annotated[Text, Field(min_length=1, max_length=128)]
Why = Annotated[Text, Field(max_length=500, description="the reason, for the audit log")]
MERGED = '{"pk": "LEAD#7", "sk": "METADATA", "entity_type": "LEAD", "status": "won"}'
"""An item for `merge`, in the examples."""


class _Kept(BaseModel):
    """Which version to keep."""

    keep: Kept = Field(description="which version to keep; `merge`: the one in `item`")
    item: Text | None = Field(
        default=None, description="for `merge`, the old item as it should become: a text, of DynamoDB's JSON or plain"
    )

    def require_one_item(self, conflicts: int) -> None:
        """Raises ValueError where ``keep``, ``item`` and the number of conflicts do not go together."""
        if (self.keep == "merge") != (self.item is not None):
            raise ValueError("`merge` needs an `item`; the other choices take none")
        if self.item is not None and conflicts != 1:
            raise ValueError("`merge` is for one conflict")


class ChoicesRequest(_Kept):
    """Conflicts to be resolved by one choice. Nothing is written: the answer says what that gives up."""

    model_config = body({"ids": ["ID", "ANOTHER_ID"], "keep": "v2"}, {"ids": ["ID"], "keep": "merge", "item": MERGED})

    ids: list[Id] = Field(min_length=1, max_length=IDS_AT_MOST)

    @model_validator(mode="after")
    def _together(self) -> Self:
        self.require_one_item(len(self.ids))
        return self


class ResolutionRequest(_Kept):
    """Conflicts to resolve, as /v1/conflicts/choices has shown it."""

    model_config = body(
        {"seen": {"ID": "SEEN", "ANOTHER_ID": "ITS_SEEN"}, "keep": "v2", "why": "v2 is newer"},
        {"seen": {"ID": "SEEN"}, "keep": "merge", "item": MERGED},
    )

    seen: dict[Id, str] = Field(
        min_length=1, max_length=IDS_AT_MOST, description="by id, the `seen` of the choice that was shown"
    )
    why: Why = ""

    @model_validator(mode="after")
    def _together(self) -> Self:
        self.require_one_item(len(self.seen))
        return self


class RetryRequest(BaseModel):
    """Keys in quarantine whose waiting changes are to be applied."""

    model_config = body({"ids": ["ID", "ANOTHER_ID"]})

    ids: list[Id] = Field(min_length=1, max_length=IDS_AT_MOST)


class DropRequest(BaseModel):
    """Keys in quarantine whose waiting changes are to be lost."""

    model_config = body({"ids": ["ID"], "why": "a test item"})

    ids: list[Id] = Field(min_length=1, max_length=IDS_AT_MOST)
    why: Annotated[Why, Field(min_length=1)]


class SettlementApi(Protocol):
    """Settles what needs a person, as the commands `conflicts` and `quarantine` do.

    ``by``: the token's owner, for the audit log.
    """

    async def conflict(self, conflict_id: str) -> dict[str, Any]:
        """The document of `conflicts show --json`. Raises Misconfigured for an unknown id."""

    async def choices(self, request: ChoicesRequest) -> dict[str, Any]:
        """What the choice gives up, for each conflict; writes nothing. Raises Misconfigured for an unknown id or a wrong item."""

    async def resolve(self, request: ResolutionRequest, *, by: str) -> dict[str, Any]:
        """Resolve what was shown. A conflict that is another one by now stays open; the answer says why."""

    async def quarantined(self, key_id: str) -> dict[str, Any]:
        """The document of `quarantine show --json`. Raises Misconfigured for an unknown id."""

    async def retry(self, request: RetryRequest) -> dict[str, Any]:
        """Apply what waits. Raises Refused while a phase move is under way. The answer names the ids that are not in quarantine."""

    async def drop(self, request: DropRequest, *, by: str) -> dict[str, Any]:
        """Lose what waits. The answer names the ids that are not in quarantine."""
