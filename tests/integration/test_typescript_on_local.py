"""The TypeScript application of `examples/` before a migration, on both sides of `dual` at once, and after a cutover, by node.

What it writes on one side it reads on both: fields, moves of a key, deletes, counters of both sides, and changes on condition.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from backfill.options import BackfillOptions
from examples.entities import DEAL, LEAD, Item, Ref, Repository
from service.app import App
from service.control.workers import BEAT_SECONDS, BOTH, Workers, worker_id
from service.migration.backfill import copy_old_table
from service.migration.start import create_and_start
from service.migration.status.snapshot import log_status
from service.migration.validation import run_validation
from service.rehearsal.demo.run import QUICK as QUICK_DEMO
from service.rehearsal.moves import move
from service.rehearsal.tables import own_tables
from service.sync.worker import CATCH_UP_QUESTION_SECONDS, raise_failure, sync_lanes
from service.validation.options import ValidationOptions
from tests.builders.mappings import CRM_TEXT
from tests.builders.planes import plane_settings
from tests.fakes.typescript_example import TypeScriptProgram, TypeScriptRepository

QUICK = {**QUICK_DEMO, "lease_seconds": 4.0, "heartbeat_seconds": 1.0}

ROUNDS = 8
"""How often each side counts, and tries to take a lead."""
DAY = "2024-03-05T01:00:00Z"
LATER = "2024-04-05T01:00:00Z"
HOPS = 3
"""As for a rehearsal: a change, what it is carried back as, and that read again."""

pytestmark = pytest.mark.local


class Application:
    """An instance on each side, for leads and for deals."""

    def __init__(self, app: App, program: TypeScriptProgram) -> None:
        def at(entity: Any, side: Any) -> Repository:
            tables = {"old": app.mapping.old.table, "v2": app.mapping.entities[entity.name].table}
            return TypeScriptRepository(program, entity, side, **tables)

        self.before = at(LEAD, "before")
        self.leads = {side: at(LEAD, side) for side in ("old", "v2")}
        self.deals = {side: at(DEAL, side) for side in ("old", "v2")}

    def same(self, records: dict[str, Repository], refs: Iterable[Ref]) -> list[Item | None]:
        """The records as both sides have them. A field of v2 that the old table never had is its default there."""
        both = [(records["old"].get(ref), records["v2"].get(ref)) for ref in refs]
        for old, v2 in both:
            assert (old is None) == (v2 is None)
            assert (old or {}).items() <= (v2 or {}).items()
        return [v2 for _, v2 in both]


@asynccontextmanager
async def migrating(server: str, folder: Path) -> AsyncIterator[App]:
    """The packaged CRM, whose followers this application counts itself."""
    counted = CRM_TEXT.replace("followers: {type: int, default: 0}", "followers: {type: int, default: 0, merge: add}")
    mapping = folder / "crm.yaml"
    mapping.write_text(counted, encoding="utf-8")
    settings = plane_settings(server, mapping=mapping, **QUICK)
    cold = boto3.client("dynamodb", endpoint_url=server, region_name=settings.aws_region)
    cold.list_tables()  # its first answer may take longer than QUICK waits for one
    async with own_tables(settings, "tablesplit-typescript") as app:
        yield app


async def caught_up(app: App) -> None:
    for _ in range(HOPS):
        while not await Workers(app.control, app.clock).caught_up(CATCH_UP_QUESTION_SECONDS, BOTH):
            await raise_failure(app)
            await app.clock.sleep(BEAT_SECONDS)


async def test_what_the_application_writes_on_one_side_it_reads_on_both(
    dynamodb_local: str, typescript_example: TypeScriptProgram, tmp_path: Path
) -> None:
    async with migrating(dynamodb_local, tmp_path) as app:
        crm = Application(app, typescript_example)
        leads, deals = await asyncio.to_thread(written_before, crm)
        await create_and_start(app)
        async with sync_lanes(app, log_status(app)):
            await copy_old_table(app, BackfillOptions(owner=worker_id()), asyncio.Event())
            await asyncio.to_thread(crm.before.update, leads[0], {"status": "contacted"})
            await caught_up(app)
            assert [lead["status"] for lead in crm.same(crm.leads, leads)] == ["contacted", "new", "new"]
            assert (await run_validation(app, ValidationOptions(), asyncio.Event())).equal
            await move(app, "cutover")
            await both_sides_write(app, crm, leads, deals)
            await move(app, "cutover --finish")
            await asyncio.to_thread(crm.leads["v2"].update, leads[1], {"note": "after the cutover", "website": "x.org"})
            await caught_up(app)
            assert crm.leads["old"].get(leads[1])["note"] == "after the cutover"
            crm.same(crm.leads, leads)
            crm.same(crm.deals, [Ref(deals[0].id, LATER), *deals[1:]])
        assert (await run_validation(app, ValidationOptions(), asyncio.Event())).equal


def written_before(crm: Application) -> tuple[list[Ref], list[Ref]]:
    leads = [
        crm.before.create({"id": str(n), "name": f"Lead {n}", "status": "new", "created_at": DAY}) for n in range(3)
    ]
    deals = [crm.deals["old"].create({"id": str(n), "company": "Isdom", "created_at": DAY}) for n in range(3)]
    for lead in leads:
        crm.before.add(lead, "followers", 10)
    return leads, deals


async def both_sides_write(app: App, crm: Application, leads: list[Ref], deals: list[Ref]) -> None:
    """In `dual`, old and v2 at once."""
    counted = [asyncio.to_thread(count, crm.leads[side], leads[0], side) for side in ("old", "v2")]
    taken = [asyncio.to_thread(take_turns, crm.leads["v2"], leads[1], name) for name in ("ann", "bob")]
    await asyncio.gather(*counted, *taken, asyncio.to_thread(change_deals, crm, deals))
    await caught_up(app)
    counters, turns, _ = crm.same(crm.leads, leads)
    assert (counters["followers"], counters["calls_old"], counters["calls_v2"]) == (10 + 2 * ROUNDS, ROUNDS, ROUNDS)
    assert turns["turns"] == len(turns["taken_by"]) == 2 * ROUNDS
    moved = Ref(deals[0].id, LATER)
    records = crm.same(crm.deals, [moved, deals[1], deals[2], Ref("9", LATER)])
    assert (records[0]["owner"], records[0]["stage"]) == ("ann", "won")
    assert records[1] is None
    assert (records[2]["owner"], records[2]["note"]) == ("bob", "hers")
    assert records[3]["company"] == "Funholding"
    assert crm.deals["v2"].get(deals[0]) is None
    assert [deal["id"] for deal in crm.deals["v2"].list_by_stage("won")] == ["0"]
    assert [deal["id"] for deal in crm.deals["old"].list_by_stage("won")] == ["0"]


def count(leads: Repository, lead: Ref, side: str) -> None:
    """One counter of both sides, and one of this side alone that is gathered on v2."""
    for _ in range(ROUNDS):
        leads.add(lead, "followers", 1)
        leads.add(lead, f"calls_{side}", 1)


def take_turns(leads: Repository, lead: Ref, name: str) -> None:
    """Read, and change it if it still is what was read: two instances, none of whose changes is lost."""
    for _ in range(ROUNDS):
        done = False
        while not done:
            record = leads.get(lead)
            taken = record.get("taken_by", [])
            changes = {"turns": record.get("turns", 0) + 1, "taken_by": [*taken, name]}
            done = leads.update_if(lead, {"turns": record.get("turns")}, changes)


def change_deals(crm: Application, deals: list[Ref]) -> None:
    """Different fields of one deal on both sides, a key that moves, a delete, a new deal, and a change on condition."""
    crm.deals["old"].update(deals[0], {"owner": "ann"})
    moved = crm.deals["v2"].change_created_at(deals[0], LATER)
    crm.deals["v2"].move_stage(moved, "won")
    crm.deals["old"].delete(deals[1])
    unowned = crm.deals["old"].get(deals[2]).get("owner")
    assert crm.deals["old"].update_if(deals[2], {"owner": unowned}, {"owner": "bob"})
    assert not crm.deals["old"].update_if(deals[2], {"owner": unowned}, {"owner": "ann"})
    crm.deals["v2"].update(deals[2], {"note": "hers"})
    crm.deals["v2"].create({"id": "9", "company": "Funholding", "created_at": LATER})
