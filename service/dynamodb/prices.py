"""The prices of capacity, streams and storage, from a price file that the operator can replace."""

from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from service.core.mapping.yaml_document import FileKind, read_yaml
from service.errors import Misconfigured

PACKAGED = "prices.yaml"
MILLION = 1e6
GB = 2**30
PRICE_FILE = FileKind(
    "price file",
    "correct the price file: the packaged service/dynamodb/prices.yaml has every key",
    "begin with a copy of the packaged service/dynamodb/prices.yaml",
)

Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Prices(BaseModel):
    """Prices in US dollars. Explanation of each: https://aws.amazon.com/dynamodb/pricing/on-demand/"""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    origin: Annotated[str, Field(alias="from", min_length=1)]
    """Where the prices come from, and their date."""
    write_million: Price
    read_million: Price
    stream_100k: Price
    storage_gb_month: Price
    pitr_gb_month: Price | None = None
    """None: the v2 tables have no point-in-time recovery."""
    warm_write_unit: Price | None = None
    """Of raising warm throughput by a write unit a second, once."""
    warm_read_unit: Price | None = None

    def of_units(self, write_units: float, read_units: float) -> float:
        """The cost of these write and read request units."""
        return (write_units * self.write_million + read_units * self.read_million) / MILLION

    def of_warm(self, write_units: float, read_units: float) -> float | None:
        """The cost of raising warm throughput by these units a second; None: the file has no price for it."""
        if self.warm_write_unit is None or self.warm_read_unit is None:
            return None
        return write_units * self.warm_write_unit + read_units * self.warm_read_unit

    def of_stream_reads(self, reads: float) -> float:
        """The cost of this number of GetRecords requests."""
        return reads * self.stream_100k / 1e5

    def of_storage(self, stored_bytes: float) -> float:
        """The cost of these bytes a month, without point-in-time recovery."""
        return stored_bytes / GB * self.storage_gb_month

    def of_recovery(self, stored_bytes: float) -> float | None:
        """The additional cost of point-in-time recovery of these bytes a month; None: the file has no price for it."""
        return None if self.pitr_gb_month is None else stored_bytes / GB * self.pitr_gb_month


@lru_cache(maxsize=8)
def load_prices(path: Path | None) -> Prices:
    """The prices in the file at ``path``; None: the packaged list prices. Each file is read once in a process.

    Raises Misconfigured when it cannot be read or is wrong: file, line, what to do.
    """
    source = PACKAGED if path is None else str(path)
    try:
        text = (files("service.dynamodb") / PACKAGED if path is None else path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not UTF-8 text"
        raise Misconfigured(
            f"price file {source}: {reason}", remedy="correct --prices, or TABLESPLIT_PRICE_FILE"
        ) from error
    return read_prices(text, source=source)


def read_prices(text: str, *, source: str) -> Prices:
    """The prices in the YAML ``text``. ``source`` is the file's name, for messages. Raises Misconfigured."""
    document = read_yaml(text, source=source, kind=PRICE_FILE)
    try:
        return Prices.model_validate(document.content)
    except ValidationError as error:
        # A misspelt key makes two errors, unknown and missing: report the unknown one, which is the cause.
        first = min(error.errors(include_url=False), key=lambda mistake: mistake["type"] != "extra_forbidden")
        raise document.wrong(first["loc"], _message(first)) from error


def _message(error: ErrorDetails) -> str:
    path, kind = error["loc"], error["type"]
    if kind == "extra_forbidden":
        words = (field.alias or name for name, field in Prices.model_fields.items())
        return f"unknown key {path[-1]!r}; known here: {', '.join(words)}"
    if kind == "missing":
        return f"key {path[-1]!r} is missing"
    if not path:
        return "the prices: should be a map of keys and values"
    return f"{path[0]}: {error['msg'][0].lower()}{error['msg'][1:]}"
