"""What a month of the deployment costs: quantities times the prices of a file."""

from pathlib import Path

import pytest
import yaml

from deploy.terraform_cost import PRICES, cost_table, dollars, example_lines, kcl_lines, module_lines

ROOT = Path(__file__).parents[2]


def test_every_line_is_its_quantity_times_its_price() -> None:
    prices = dict.fromkeys(yaml.safe_load(PRICES.read_text()), 0.0)
    assert dollars(module_lines(), prices) == 0
    assert dollars(module_lines(tasks=3), prices | {"vcpu_hour": 0.04}) == pytest.approx(3 * 730 * 0.04)
    assert dollars(module_lines(tasks=1, memory_mib=4096), prices | {"memory_gb_hour": 0.01}) == pytest.approx(29.2)


def test_what_the_kcl_engine_adds_grows_with_shards_and_tasks() -> None:
    writes = dict.fromkeys(yaml.safe_load(PRICES.read_text()), 0.0) | {"write_million": 1.0}
    leases_alone = dollars(kcl_lines(tasks=0, streams=0, shards=100), writes)
    assert leases_alone == pytest.approx(100 * 0.3 * 2.628, rel=0.001)  # three times in ten seconds
    assert dollars(kcl_lines(tasks=4), writes) > dollars(kcl_lines(tasks=2), writes)


def test_the_prices_are_those_of_the_file_that_is_named(tmp_path: Path) -> None:
    doubled = {name: 2 * price for name, price in yaml.safe_load(PRICES.read_text()).items()}
    mine = tmp_path / "mine.yaml"
    mine.write_text(yaml.safe_dump(doubled))
    assert "| NAT gateway | 730 hours | 0.09 | 65.70 |" in cost_table(mine)


def test_the_containers_page_states_the_sums() -> None:
    prices = yaml.safe_load(PRICES.read_text())
    module = dollars(module_lines(), prices)
    both = module + dollars(example_lines(), prices)
    said = f"defaults are about {module:.0f} USD a month, {both:.0f} with the example's network"
    assert said in " ".join((ROOT / "docs" / "containers.md").read_text().split())
