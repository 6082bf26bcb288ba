"""Where a soak happens: its server, its tables, its mapping, and the environment of its processes."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from service.app import App, open_app
from service.environment import load_settings
from service.migration.start import create_and_start
from service.rehearsal.counting import SHARED_COUNTER
from service.rehearsal.demo.items import old_items
from service.rehearsal.tables import load_items, make_old_table

MAPPING = Path("service/mappings/crm.yaml")
TABLES = ("OLD_TABLE_NAME", "LEADS_TABLE", "DEALS_TABLE", "RESOURCES_TABLE", "PIPELINES_TABLE")
OPPORTUNITIES = 60

SETTINGS = {
    "TABLESPLIT_CLOCK_MARGIN_SECONDS": "0.5",
    "TABLESPLIT_PURGE_SWEEP_SECONDS": "10",
    "TABLESPLIT_SHARD_DISCOVERY_SECONDS": "1",
    "TABLESPLIT_POLL_INTERVAL_SECONDS": "0.5",
    "TABLESPLIT_CHECKPOINT_EVERY_SECONDS": "0.3",
    "TABLESPLIT_VERIFY_SECONDS": "5",
    "TABLESPLIT_SETTLE_SECONDS": "1",
    "TABLESPLIT_SEGMENTS": "4",
    "TABLESPLIT_PAGE_ITEMS": "50",
    "TABLESPLIT_GATE_LAG_SECONDS": "120",
    "TABLESPLIT_GATE_LAG_LOW_SECONDS": "0",
    "TABLESPLIT_GATE_QUIET_SECONDS": "1",
}
"""Short times: a soak need not be as cautious as an operator."""

PATIENT = {"TABLESPLIT_REQUEST_TIMEOUT_SECONDS": "60"}
"""For the soak's own requests, which a busy machine may keep waiting: a write whose answer is late would be written once more."""

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "soak", "AWS_SECRET_ACCESS_KEY": "soak", "AWS_REGION": "ap-southeast-2"}


@dataclass(frozen=True, slots=True)
class Site:
    """An open App that talks to the server itself, and the environment of the processes that talk to the proxy."""

    app: App
    folder: Path
    environment: dict[str, str]
    lease_seconds: float


@asynccontextmanager
async def open_site(server: str, proxy: str, folder: Path, lease_seconds: float) -> AsyncIterator[Site]:
    """The tables made, loaded and started, for the block. The server is to be thrown away afterwards: nothing is deleted."""
    variables = _variables(folder)
    os.environ.update(variables | PATIENT | {"AWS_ENDPOINT_URL": server, "TABLESPLIT_LOG_LEVEL": "error"})
    async with open_app(load_settings()) as app:
        await make_old_table(app)
        await load_items(app, old_items(OPPORTUNITIES))
        await create_and_start(app)
        quick = {"AWS_ENDPOINT_URL": proxy, "TABLESPLIT_LOG_LEVEL": "info", **_times(lease_seconds)}
        yield Site(app, folder, {**os.environ, **quick}, lease_seconds)


def use_no_settings_of_ours() -> None:
    """Forget the settings of whoever runs this."""
    for name in list(os.environ):
        if name.startswith(("TABLESPLIT_", "AWS_")) or name in TABLES:
            del os.environ[name]


def _variables(folder: Path) -> dict[str, str]:
    tables = {name: f"soak-{name.lower()}" for name in TABLES}
    mapping = folder / "mapping.yaml"
    mapping.write_text(_mapping_with_counter(), encoding="utf-8")
    return {
        **CREDENTIALS,
        **SETTINGS,
        **tables,
        "TABLESPLIT_CONTROL_TABLE": "soak-control",
        "TABLESPLIT_MAPPING": str(mapping),
    }


def _times(lease_seconds: float) -> dict[str, str]:
    """The settings that depend on the lease. The grace of a tombstone outlasts every pause and every request."""
    seconds = {
        "LEASE": lease_seconds,
        "HEARTBEAT": lease_seconds / 4,
        "REQUEST_TIMEOUT": lease_seconds,
        "PURGE_GRACE": 2 * lease_seconds + 4,
    }
    return {f"TABLESPLIT_{name}_SECONDS": f"{value:g}" for name, value in seconds.items()}


def _mapping_with_counter() -> str:
    """The CRM's mapping with the counter that both sides count (``merge: add``)."""
    document = yaml.safe_load((Path(__file__).parents[2] / MAPPING).read_text(encoding="utf-8"))
    for entity in document["entities"].values():
        entity["merge"] = {SHARED_COUNTER: "add"}
    return yaml.safe_dump(document, sort_keys=False)
