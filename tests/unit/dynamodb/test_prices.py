"""The price file: the costs by it, and the errors for a wrong file."""

from pathlib import Path

import pytest

from service.config import Settings
from service.dynamodb.prices import Prices, load_prices, read_prices
from service.environment import load_settings
from service.errors import Misconfigured

VALID = """\
# ours
from: our contract
write_million: 2
read_million: 0.5
stream_100k: 0.1
storage_gb_month: 1
pitr_gb_month: 0.25
"""


def test_each_price_is_of_its_own_unit() -> None:
    prices = read_prices(VALID, source="mine.yaml")
    assert prices.origin == "our contract"
    assert prices.of_units(3_000_000, 0) == 6.0
    assert prices.of_units(0, 3_000_000) == 1.5
    assert prices.of_stream_reads(1_000_000) == 1.0
    assert prices.of_storage(3 * 2**30) == 3.0
    assert prices.of_recovery(4 * 2**30) == 1.0


def test_without_a_price_for_recovery_there_is_none() -> None:
    prices = read_prices(VALID.replace("pitr_gb_month: 0.25\n", ""), source="mine.yaml")
    assert prices.of_recovery(2**30) is None


def test_the_packaged_prices_name_their_origin() -> None:
    prices = load_prices(None)
    assert (prices.write_million, prices.read_million, prices.storage_gb_month) == (0.625, 0.125, 0.25)
    assert "us-east-1" in prices.origin


ROWS = {
    "empty": (VALID, "# nothing\n", "1: the price file is empty"),
    "no YAML": ("write_million: 2", "write_million: [2", "4: not YAML: expected ',' or ']', but got ':'"),
    "no map": (VALID, "- 1\n", "1: the prices: should be a map of keys and values"),
    "misspelt": (
        "read_million",
        "read_milion",
        "4: unknown key 'read_milion'; known here: "
        + ", ".join(field.alias or n for n, field in Prices.model_fields.items()),
    ),
    "missing": ("stream_100k: 0.1\n", "", "1: key 'stream_100k' is missing"),
    "text": ("0.5", "free", "4: read_million: input should be a valid number"),
    "negative": ("0.5", "-0.5", "4: read_million: input should be greater than or equal to 0"),
    "infinite": ("0.5", ".inf", "4: read_million: input should be a finite number"),
    "twice": (
        "stream_100k",
        "read_million",
        "5: key 'read_million' is given twice, first at line 4; remove one of them",
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_wrong_price_file_is_refused_with_its_line(name: str) -> None:
    before, after, line = ROWS[name]
    assert before in VALID
    with pytest.raises(Misconfigured) as refused:
        read_prices(VALID.replace(before, after, 1), source="mine.yaml")
    assert refused.value.message == f"mine.yaml:{line}"
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file or directory"), (b"\xff", "is not UTF-8 text")],
)
def test_a_price_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "mine.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Misconfigured, match=message):
        load_prices(path)


def test_the_environment_names_the_price_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(VALID)
    assert load_prices(Settings().price_file).write_million == 0.625
    monkeypatch.setenv("TABLESPLIT_PRICE_FILE", str(tmp_path / "mine.yaml"))
    assert load_prices(load_settings().price_file).write_million == 2
