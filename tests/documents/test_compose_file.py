"""The compose file as text: what Compose starts together with what, which needs no engine to see."""

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
APPLICATIONS = {name for name, service in SERVICES.items() if "--write" in service.get("command", ())}


def started_with(name: str) -> set[str]:
    """The services that `docker compose start NAME` starts: Compose starts what it depends on as well."""
    return {name}.union(*(started_with(one) for one in SERVICES[name].get("depends_on", ())))


def test_there_is_an_application_for_each_side() -> None:
    assert {"seed", "seed-v2"} == APPLICATIONS


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - APPLICATIONS))
def test_no_start_of_one_part_starts_an_application_that_was_stopped(name: str) -> None:
    """After the move to v2, `docker compose start sync` brought the old side's writer back."""
    assert started_with(name) & APPLICATIONS == set()


def test_neither_application_starts_the_other() -> None:
    assert "seed-v2" not in started_with("seed")
    assert "seed" not in started_with("seed-v2")


def test_what_is_built_here_is_pulled_from_nowhere() -> None:
    built = {name: service for name, service in SERVICES.items() if "build" in service}
    assert len(built) == 8
    assert {service["pull_policy"] for service in built.values()} == {"never"}
