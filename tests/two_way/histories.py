"""One random history under a seed: hot items, several writers a side, late streams, crashes, lost answers; then it is judged."""

from service.core.item.wire import Item
from service.core.item.write import Put
from service.core.mapping.inverse import inverse
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward
from service.core.rules import guarded as apply_rule
from service.errors import Poison, Retryable
from service.rehearsal.history import History, Logged
from service.rehearsal.judgement import judge
from tests.convergence.invariants import Violated
from tests.convergence.trampoline import Turn
from tests.two_way.conductor import Entering, trouble
from tests.two_way.control_view import held_names, lost_fields
from tests.two_way.hot_items import COUNTER, HOT, MONTHS, SHARED_COUNTER, Writer
from tests.two_way.processes import end, superseded, take_over
from tests.two_way.recorder import UNRECORDED, Recorder, elements, flat
from tests.two_way.side_tables import old_key
from tests.two_way.world import GENERATION, World, new_world

STEPS = 20_000
"""A round that is not quiet after this many steps fails."""

CHECK_EVERY = 8
"""Steps between two checks whether it is quiet."""

V2_ONLY = frozenset({"flag", "GSI2PK", "pipeline_id"})
SIDES = ("old", "v2")


def run_history(seed: int, mapping: Mapping, *, merges: bool = False, any_form: bool = False) -> World:
    """Run the history that ``seed`` decides. Raises Violated with all that breaks a sentence of ``judgement``.

    ``merges``: whether the mapping says that both sides count ``visits`` and extend ``tags``; ``any_form``: whether the old side
    writes a field in forms that v2 cannot have.
    """
    world = new_world(seed, mapping, ("DEAL", "LEAD"))
    world.mapping_merges, world.any_form = merges, any_form
    recorder, quiet = Recorder(mapping, frozenset({"tags"}) if merges else frozenset()), []
    try:
        begin(world, recorder)
        for _ in range(world.rng.choice((1, 1, 2, 3))):
            start_round(world)
            play(world)
            quiet.append(len(recorder.operations) - 0.5)
    finally:
        world.stage.close()
    broken = judge(history_of(world, recorder, quiet)) + stamps_left(world)
    if broken:
        raise Violated("\n".join(broken))
    return world


def begin(world: World, recorder: Recorder) -> None:
    """The items that are on both sides at the start, and the processes of the sync."""
    rng, memory = world.rng, world.memory
    world.pages = rng.choice((2, 4, 8))
    for item in _items_at_the_start():
        memory.apply(Put(world.old, item))
        memory.apply(apply_rule.copy_write(world.mapping, item, GENERATION))
    for table in world.tables:
        for shard in world.shards(table):
            world.positions[table, shard] = world.length(table, shard)
    watch(world, recorder)
    _lose_answers(world, rng.choice((0.0, 0.0, 0.02, 0.1)))
    world.creating = rng.random() < 0.5
    if rng.random() < 0.2:
        world.rule, world.epoch, world.entered = "guarded", 1, False
        world.stage.start("entering", Entering(world).run())
    for table in world.tables:
        take_over(world, table)


def start_round(world: World) -> None:
    """The writers of a round; a stream that is late; crashes and take-overs."""
    rng = world.rng
    for side in SIDES:
        for number in range(rng.choice((1, 1, 2))):
            writer = Writer(world, side, rng.choice((2, 4, 8)), creating=world.creating)
            world.stage.start(f"{side} application {number}", writer.run())
    if rng.random() < 0.5:
        world.late[rng.choice(world.tables)] = world.clock.made + rng.choice((100, 400, 1000))
    world.stage.start("trouble", trouble(world, rng.choice((0, 0, 1, 3))))


def play(world: World) -> None:
    """Step until the writers have ended and the owners have read all records and are idle."""
    for step in range(STEPS):
        world.clock.made += 1
        if step % CHECK_EVERY == 0:
            _end_the_superseded(world)
            if _quiet(world):
                return
        world.stage.step()
    raise Violated(f"not quiet after {STEPS} steps: {sorted(world.stage.names())}")


def history_of(world: World, recorder: Recorder, quiet: list[float]) -> History:
    """The history as the judgement wants it."""
    held = held_names(world)
    old, v2 = _final_old(world), _final_v2(world)
    return History(
        operations=recorder.operations,
        logged=[Logged(*lost) for lost in lost_fields(world)],
        old={name: item for name, item in old.items() if name not in held},
        v2={name: item for name, item in v2.items() if name not in held},
        quiet=quiet,
        counters=frozenset(COUNTER.values()),
        shared_counters=frozenset({SHARED_COUNTER}),
        v2_only=V2_ONLY,
    )


def stamps_left(world: World) -> list[str]:
    """(e) At the end no live item has the stamp of a tombstone."""
    stamp = world.mapping.stamp
    return [
        f"tombstone's stamp: {table} {item['id']['S']} is live and has {stamp}.d"
        for table in world.tables
        for item in world.memory.items(table)
        if "id" in item and "d" in item.get(stamp, {}).get("M", {})
    ]


def _items_at_the_start() -> list[Item]:
    common: Item = {"created_at": {"S": f"{MONTHS[0]}-15T10:00:00.000Z"}, "owner": {"S": "me"}}
    items = []
    for number in (*HOT, "old-moves", "v2-moves", "lead"):
        entity = "LEAD" if number == "lead" else "DEAL"
        start = {name: {"S": f"{name} of {number}"} for name in ("title", "stage", "note")}
        named: Item = {**old_key(number, entity), "entity_type": {"S": entity}, "id": {"S": number}}
        items.append({**named, **common, **start, "score": {"S": "1,000"}})
    return items


def watch(world: World, recorder: Recorder) -> None:
    """Let the recorder know what is in the tables, and from now on every write of them."""

    def stored(table: str, key: bytes, before: bytes | None, after: bytes | None) -> None:
        if table in world.tables:
            recorder.wrote(table, key, before, after, "application" if world.writing else "sync")

    for table in world.tables:
        for key, text in world.memory.tables[table].items.items():
            recorder.wrote(table, key, None, text, "sync")
    world.memory.stored = stored


def _lose_answers(world: World, share: float) -> None:
    """Some of the sync's requests fail on their way, the answers of some are lost, and some of those are sent again."""
    if not share:
        return

    async def before(operation: str, subject: object) -> None:
        await Turn()
        if world.rng.random() < share / 3:
            raise Retryable("the request was lost", reason="network")

    async def after(operation: str, subject: object) -> None:
        if world.rng.random() < share / 3:
            raise Retryable("the answer was lost", reason="network")

    world.memory.before, world.memory.after = before, after
    world.memory.twice = lambda: world.rng.random() < share / 3


def _end_the_superseded(world: World) -> None:
    for when, name in list(world.ends):
        if when <= world.clock.made:
            end(world, name)
            world.ends.remove((when, name))


def _quiet(world: World) -> bool:
    names = world.stage.names()
    return (
        len(world.idle) >= len(names)
        and all(name.startswith("sync ") and name in world.idle for name in names)
        and world.all_read()
        and not any(superseded(world, table) for table in world.tables)
    )


def _final_old(world: World) -> dict[str, Item]:
    items = [item for item in world.memory.items(world.old) if "id" in item]
    return {item["pk"]["S"]: _normal(world, item) for item in items}


def _final_v2(world: World) -> dict[str, Item]:
    stamp, found = world.mapping.stamp, {}
    for table in world.v2_tables:
        for item in world.memory.items(table):
            if "id" not in item:
                continue
            bare = {name: value for name, value in item.items() if name != stamp}
            try:
                old = inverse(world.mapping, bare, table)
                found[old["pk"]["S"]] = _normal(world, old)
            except Poison as poison:
                found[item["id"]["S"]] = {"unreadable": {"S": poison.message}}
    return found


def _normal(world: World, old: Item) -> Item:
    """The fields that the mapping makes of an old item; of a list that both sides extend, its elements in one order."""
    v2 = forward(world.mapping, {name: value for name, value in old.items() if name != world.mapping.stamp})
    fields = {name: value for name, value in flat(v2.item).items() if name not in UNRECORDED}
    if world.mapping_merges and "tags" in fields:
        fields |= {f"tags {text}": {"S": text} for text in elements(fields.pop("tags"))}
    return fields
