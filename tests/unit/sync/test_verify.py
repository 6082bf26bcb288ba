"""Re-verification: what was touched under the ledger rule is compared once it is quiet; what differs twice is reported."""

import asyncio
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from service.control.ledger import Ledger
from service.control.stores import Stores
from service.control.verification import (
    REMEDIES,
    UNMAPPED_REMEDY,
    Verification,
    listing,
    read_verification,
    save_verification,
)
from service.core.item.wire import Item
from service.core.item.write import Delete, Put
from service.core.rules.agreement import DifferenceKind
from service.core.rules.ledger import Place
from service.errors import Retryable
from service.migration.start import create_and_start
from service.migration.status.facts import CaughtUp
from service.migration.status.snapshot import take_snapshot
from service.sync.upkeep.both_sides import read_both_sides
from service.sync.upkeep.trim import Trimmer
from service.sync.upkeep.verify import Verifier
from tests.builders.small_crm import MAPPING, lead, lead_key, old_key, v2_of
from tests.worlds.both_ways_world import BothWays, Lanes, in_dual
from tests.worlds.start_world import Started

A = lead("a", status={"S": "new"})


class NoTrimming:
    async def begin(self) -> None: ...
    async def offer(self, read: object) -> None: ...
    async def end(self) -> None: ...


@pytest.fixture
async def world() -> AsyncIterator[BothWays]:
    world = BothWays()
    await in_dual(world)
    world.lanes = Lanes(world)  # type: ignore[attr-defined]
    running = asyncio.ensure_future(lanes(world).run())
    yield world
    running.cancel()


def lanes(world: BothWays) -> Lanes:
    return cast(Lanes, cast(Any, world).lanes)


def verifier(world: BothWays) -> Verifier:
    return Verifier(
        Stores(world.db, world.control, MAPPING, world.clock),
        SimpleNamespace(
            verify_seconds=300.0, verify_age_seconds=900.0, verify_keys_per_second=50.0, settle_seconds=2.0
        ),
        Ledger(world.control, world.clock, "old", 1),
        cast(Trimmer, NoTrimming()),
    )


async def walked(world: BothWays) -> Verification:
    task = asyncio.ensure_future(verifier(world).walk())
    await world.clock.until(task.done, within=1000)
    assert await read_verification(world.control) == await task
    return await task


async def touched(world: BothWays, *items: Item, quiet: float = 10) -> None:
    """The application writes old items, the lanes carry them, and then it is quiet for a while."""
    for item in items:
        world.db.apply(Put("old", item))
    await world.clock.advance(quiet)


def spoil(world: BothWays, item: Item | None, name: str = "a") -> None:
    """v2 is changed behind the protocol's back: no lane will carry it."""
    world.db.apply(Put("leads", item) if item is not None else Delete("leads", lead_key(name)))
    world.skip()


async def test_what_was_touched_and_is_equal_is_checked(world: BothWays) -> None:
    await touched(world, A, lead("b"), lead("c"))
    world.db.apply(Delete("old", old_key("LEAD", "c")))
    await world.clock.advance(10)
    found = await walked(world)
    assert (found.checked, found.pending, found.differences) == (3, 0, ())


async def test_what_was_touched_just_now_is_pending(world: BothWays) -> None:
    await touched(world, A)
    await touched(world, lead("b"), quiet=0.6)
    found = await walked(world)
    assert (found.checked, found.pending) == (1, 1)


async def test_nothing_is_compared_while_a_lane_makes_no_rounds(world: BothWays) -> None:
    await touched(world, A, lead("b"))
    spoil(world, v2_of(A, status={"S": "won"}))
    lanes(world).reads = False
    found = await walked(world)
    assert (found.checked, found.pending, found.differences) == (0, 2, ())


DIFFERENT = [
    ("a field", v2_of(A, status={"S": "won"})),
    ("nothing on v2", None),
    ("cannot be read", v2_of(A, _sync={"S": "?"})),
]


@pytest.mark.parametrize("v2", [row[1] for row in DIFFERENT], ids=[row[0] for row in DIFFERENT])
async def test_a_difference_that_lasts_is_reported(world: BothWays, v2: Item | None) -> None:
    await touched(world, A, lead("b"))
    spoil(world, v2)
    found = await walked(world)
    assert (found.checked, found.pending, found.differences) == (1, 0, (old_key("LEAD", "a"),))


def reads_of(world: BothWays, walking: Verifier) -> Callable[[], Any]:
    """Walks with one verifier, and returns how often that walk has read the old item A, and what it found."""

    async def walk() -> tuple[int, Verification]:
        read: list[Item] = []

        async def note(operation: str, subject: object) -> None:
            nonlocal read
            if operation == "get_many":
                read += [key for key in cast("list[Item]", subject) if key == old_key("LEAD", "a")]

        world.db.before = note
        task = asyncio.ensure_future(walking.walk())
        await world.clock.until(task.done, within=1000)
        world.db.before = None
        return len(read), await task

    return walk


async def test_a_key_that_was_found_equal_is_read_again_only_when_it_was_touched_or_its_turn_comes(
    world: BothWays,
) -> None:
    """The walk is beside production: at a million keys, to read all of them each five minutes takes 6,700 reads a second."""
    await touched(world, A)
    walk = reads_of(world, verifier(world))
    reads = []
    for _ in range(6):
        read, found = await walk()
        assert (found.checked, found.pending, found.total) == (1, 0, 0)
        reads.append(read)
        await world.clock.advance(10)
    assert reads[0] == 1, "a worker's first walk compares all"
    assert sum(reads[1:4]) == 1
    assert sum(reads[3:6]) == 1, "each three walks, as verify_age_seconds says"


async def test_a_key_that_was_touched_since_it_was_compared_is_read_by_the_next_walk(world: BothWays) -> None:
    await touched(world, *(lead(name) for name in "abcdefgh"))
    walk = reads_of(world, verifier(world))
    await walk()
    await touched(world, lead("a", status={"S": "won"}))
    spoil(world, v2_of(lead("a", status={"S": "lost"})))
    _, found = await walk()
    assert (found.checked, found.total) == (7, 1)
    world.db.apply(Put("leads", v2_of(lead("a", status={"S": "won"}))))
    world.skip()
    for _ in range(2):
        _, found = await walk()
    assert (found.checked, found.total) == (8, 0), "a key that differs is compared by each walk"


async def test_a_walk_that_could_not_compare_leaves_everything_to_the_next(world: BothWays) -> None:
    await touched(world, A)
    walk = reads_of(world, verifier(world))
    lanes(world).reads = False
    assert (await walk())[1].pending == 1
    lanes(world).reads = True
    await world.clock.advance(10)
    read, found = await walk()
    assert (read, found.checked) == (1, 1)


async def test_it_compares_no_more_keys_a_second_than_allowed(world: BothWays) -> None:
    await touched(world, *(lead(f"{number}") for number in range(100)))
    began = world.clock.monotonic()
    found = await walked(world)
    assert found.checked == 100
    assert world.clock.monotonic() - began >= 2, "100 keys at 50 a second"


async def listed(world: BothWays) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", (await listing(world.control))["items"])


def away_with(v2_lead: str, *, old: bool = False) -> Callable[[BothWays], None]:
    """One side loses the item behind the protocol's back."""

    def spoil_it(world: BothWays) -> None:
        world.remove(*(("old", old_key("LEAD", v2_lead)) if old else ("leads", lead_key(v2_lead))))
        world.skip()

    return spoil_it


def two_places(world: BothWays) -> None:
    world.db.apply(Put("leads", v2_of(lead("a", created="2024-06-01"), _sync=None)))


KINDS: list[tuple[Callable[[BothWays], None], str, list[str]]] = [
    (lambda world: spoil(world, v2_of(A, status={"S": "won"}, company={"S": "Y"})), "fields", ["company", "status"]),
    (lambda world: spoil(world, v2_of(A, _sync={"S": "?"})), "unreadable", ["damaged_stamp"]),
    (away_with("a"), "missing_on_v2", []),
    (away_with("a", old=True), "missing_on_old", []),
    (two_places, "two_live_keys", []),
]


@pytest.mark.parametrize(("spoiled", "kind", "fields"), KINDS, ids=[row[1] for row in KINDS])
async def test_the_list_says_how_a_key_differs_and_where(
    world: BothWays, spoiled: Callable[[BothWays], None], kind: str, fields: list[str]
) -> None:
    await touched(world, A, lead("b"))
    spoiled(world)
    await world.clock.advance(10)
    await walked(world)
    (row,) = await listed(world)
    assert (row["key"], row["entity"]) == ({"pk": "LEAD#a", "sk": "METADATA"}, "LEAD")
    assert (row["difference"], row["fields"]) == (kind, fields)
    assert len(row["v2"]) == (2 if kind == "two_live_keys" else 1)
    assert row["remedy"] == REMEDIES[cast(DifferenceKind, kind)]


async def test_an_old_item_that_belongs_nowhere_on_v2_is_one_for_the_quarantine(world: BothWays) -> None:
    await touched(world, A)
    away_with("a")(world)
    world.db.apply(Put("old", {**A, "entity_type": {"S": "of no entity"}}))
    world.skip()
    await world.clock.advance(10)
    await walked(world)
    (row,) = await listed(world)
    assert (row["difference"], row["v2"], row["remedy"]) == ("missing_on_v2", [], UNMAPPED_REMEDY)


async def test_the_list_keeps_since_when_a_key_differs_until_it_is_equal(world: BothWays) -> None:
    await touched(world, A)
    spoil(world, v2_of(A, status={"S": "won"}))
    await walked(world)
    (first,) = await listed(world)
    await world.clock.advance(100)
    await walked(world)
    (second,) = await listed(world)
    assert (second["first_seen"], second["last_seen"] > first["last_seen"]) == (first["first_seen"], True)
    await touched(world, {**A, "status": {"S": "new2"}})
    spoil(world, v2_of({**A, "status": {"S": "new2"}}))
    found = await walked(world)
    assert (found.checked, found.differing, await listed(world)) == (1, 0, [])


async def test_a_key_that_cannot_be_compared_again_stays_listed_and_counted(world: BothWays) -> None:
    await touched(world, A)
    spoil(world, v2_of(A, status={"S": "won"}))
    await walked(world)
    before = await listed(world)
    lanes(world).reads = False
    found = await walked(world)
    assert (found.pending, found.differing, await listed(world)) == (1, 1, before)


async def test_the_list_is_bounded_and_the_count_is_not(world: BothWays, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.sync.upkeep.verify.LISTED_AT_MOST", 2)
    monkeypatch.setattr("service.sync.upkeep.verify.MAX_CANDIDATES", 1)
    monkeypatch.setattr("service.sync.upkeep.verify.BATCH_ENTRIES", 1)
    names = ("a", "b", "c", "d", "e")
    await touched(world, *map(lead, names))
    for name in names:
        spoil(world, None, name)
    found = await walked(world)
    assert (found.differing, len(found.differences), len(await listed(world))) == (5, 2, 2)


async def test_the_log_has_the_count_at_warning_and_the_keys_at_debug_only(world: BothWays) -> None:
    await touched(world, A)
    spoil(world, v2_of(A, status={"S": "won"}))
    with capture_logs() as log:
        await walked(world)
    assert [(line["log_level"], line.get("differences"), line.get("fields")) for line in log] == [
        ("warning", 1, None),
        ("debug", None, ["status"]),
    ]
    assert [line["log_level"] for line in log if "LEAD#a" in str(line)] == ["debug"]


async def test_the_list_is_read_page_by_page(world: BothWays) -> None:
    await touched(world, A, lead("b"), lead("c"))
    for name in ("a", "b", "c"):
        spoil(world, None, name)
    await walked(world)
    first = await listing(world.control, limit=2)
    second = await listing(world.control, after=first["next"], limit=2)
    assert [*first["items"], *second["items"]] == await listed(world)
    assert (len(first["items"]), second["next"], first["differences"]) == (2, None, 3)


async def test_an_item_at_a_known_place_that_represents_another_old_item_is_not_of_this_one(world: BothWays) -> None:
    """v2's application wrote a wrong id and corrected it: the ledger still knows the place for the wrong id."""
    world.put_on_both_sides(A, v2_of(A))
    asked = [(old_key("LEAD", name), [Place("leads", lead_key("a"))]) for name in "ab"]
    found = await read_both_sides(world.db, MAPPING, asked)
    assert [sides.v2[0].item is not None for sides in found] == [True, False]


async def test_two_live_places_are_a_difference(world: BothWays) -> None:
    await touched(world, A)
    world.db.apply(Put("leads", v2_of(lead("a", created="2024-06-01"), _sync=None)))
    await world.clock.advance(10)
    assert (await walked(world)).differences == (old_key("LEAD", "a"),)


async def test_a_write_of_the_application_between_the_streams_and_the_look_is_no_difference(world: BothWays) -> None:
    await touched(world, A)
    writes = iter([v2_of(A, status={"S": "won"})])

    async def in_between(operation: str, subject: object) -> None:
        if operation == "get_many":
            for item in writes:
                world.db.apply(Put("leads", item))

    world.db.before = in_between
    found = await walked(world)
    assert (found.checked, found.differences) == (1, ())


async def test_what_changes_between_the_two_looks_is_pending(world: BothWays) -> None:
    await touched(world, A)
    spoil(world, v2_of(A, status={"S": "won"}))
    reads = iter(range(1, 100))

    async def in_between(operation: str, subject: object) -> None:
        if operation == "get_many" and next(reads) == 5:
            spoil(world, v2_of(A, status={"S": "lost"}))

    world.db.before = in_between
    found = await walked(world)
    assert (found.pending, found.differences) == (1, ())


async def test_a_place_that_only_the_old_item_tells_is_looked_at(world: BothWays) -> None:
    world.put_on_both_sides(A, v2_of(A))
    ledger = Ledger(world.control, world.clock, "old", 1)
    read = await ledger.read(old_key("LEAD", "a"))
    world.db.apply(ledger.update(read, read.entry.forward)[0])
    await world.clock.advance(10)
    assert (await walked(world)).checked == 1


async def test_the_status_shows_what_was_found() -> None:
    app = Started().app
    await create_and_start(app)
    assert (await take_snapshot(app, caught_up=CaughtUp(True, True))).facts.verification is None
    await save_verification(app.control, Verification(7, 2, (old_key("LEAD", "a"),), 0.0))
    status = await take_snapshot(app, caught_up=CaughtUp(True, True))
    assert status.to_json()["verification"] == {
        "checked": 7,
        "pending": 2,
        "differences": 1,
        "keys": [{"pk": "LEAD#a", "sk": "METADATA"}],
        "finished_at": "1970-01-01T00:00:00Z",
    }
    assert "verification 7 touched keys equal, 1 different, 2 not quiet yet" in status.to_text()


async def test_it_goes_on_after_passing_trouble(world: BothWays) -> None:
    await touched(world, A)

    async def trouble(operation: str, subject: object) -> None:
        if operation == "query" and subject == {"pk": {"S": "ledger#00"}}:
            world.db.before = None
            raise Retryable("throttled", reason="throttled")

    world.db.before = trouble
    running = asyncio.ensure_future(verifier(world).run())
    await world.clock.advance(100)
    assert await read_verification(world.control) is None
    await world.clock.advance(300)
    assert await read_verification(world.control) is not None
    running.cancel()
