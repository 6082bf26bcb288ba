"""What the self-test asks about items: conditions, PartiQL's answers for each statement, transactions that meet."""

import asyncio

from service.core.item.wire import Item
from service.core.item.write import Absent, AllOf, AnyOf, Condition, Equals, Less, Put, Update
from service.dynamodb.partiql import insert_statement
from service.dynamodb.partiql_writes import statement_of
from service.errors import Retryable
from service.rehearsal.selftest.report import Finding
from service.rehearsal.selftest.site import KEY, Site, key, numbered

MEETINGS = 20
"""Transactions that are sent at the same moment for one item."""


def judged(wrong: list[str], seen: str) -> Finding:
    """``held`` when nothing is wrong."""
    return Finding("broken", "; ".join(wrong)) if wrong else Finding("held", seen)


async def conditions(site: Site) -> Finding:
    """Whether conditional writes decide as the guarded rule needs it."""
    table, store = await site.make("conditions", stream=False), site.app.store
    guard = AnyOf((Absent(("_sync",)), Less(("_sync", "v"), {"S": "0001.10"})))

    async def put(name: str, version: str | None) -> bool:
        stamp = {} if version is None else {"_sync": {"M": {"v": {"S": version}}}}
        await store.write(Put(table, {**key(name), **stamp}))
        return await store.write(Put(table, {**key(name), "won": {"BOOL": True}}, guard))

    answers = {
        "an item without a stamp": await put("none", None),
        "a lower version": await put("lower", "0001.09"),
        "the same version": not await put("same", "0001.10"),
        "a higher version": not await put("higher", "0001.2"),
        "a stamp of another type": not await _number_stamp(site, table, guard),
        "an insert at a free key": await store.write(Put(table, numbered("new", 1), Absent((KEY,)))),
        "an insert at a taken key": not await store.write(Put(table, numbered("new", 2), Absent((KEY,)))),
        "what a refused write leaves": await store.get(table, key("new")) == numbered("new", 1),
    }
    return judged(
        [name for name, right in answers.items() if not right], f"{len(answers)} of {len(answers)} as expected"
    )


async def _number_stamp(site: Site, table: str, guard: AnyOf) -> bool:
    store = site.app.store
    await store.write(Put(table, {**key("number"), "_sync": {"M": {"v": {"N": "1"}}}}))
    return await store.write(Put(table, {**key("number"), "won": {"BOOL": True}}, guard))


async def statements(site: Site) -> Finding:
    """Whether BatchExecuteStatement makes each statement by itself, and answers in their order."""
    table, store = await site.make("statements", stream=False), site.app.store
    names = ("free", "taken", "also free")
    for name in ("taken", "changed"):
        await store.write(Put(table, numbered(name, 1)))
    update = statement_of(Update(table, key("changed"), {"n": {"N": "3"}}, condition=Equals(("n",), {"N": "7"})))
    assert update is not None
    inserts = [
        {"Statement": insert_statement(table, (KEY, "n")), "Parameters": list(numbered(name, 2).values())}
        for name in names
    ]
    answer = await site.request("batch_execute_statement", table, Statements=[*inserts, update.request])
    codes = [response.get("Error", {}).get("Code") for response in answer["Responses"]]
    items = [await store.get(table, key(name)) for name in (*names, "changed")]
    wrong = [] if codes == [None, "DuplicateItem", None, "ConditionalCheckFailed"] else [f"codes {codes}"]
    made = [numbered("free", 2), numbered("taken", 1), numbered("also free", 2), numbered("changed", 1)]
    wrong += ["other items were written than the codes say"] * (items != made)
    return judged(wrong, f"codes {', '.join(str(code) for code in codes)}; only the others were made")


STORED: Item = {
    "n": {"N": "1"},
    "_sync": {"M": {"v": {"S": "0001.10"}, "h": {"S": "ab"}}},
    "list": {"L": [{"S": "a"}, {"NULL": True}]},
    "set": {"SS": ["a", "b"]},
}
SAME: Condition = Equals(("_sync", "h"), {"S": "ab"})
COMPARISONS: dict[str, tuple[Condition, bool]] = {
    "the same map, in another order": (Equals(("_sync",), {"M": {"h": {"S": "ab"}, "v": {"S": "0001.10"}}}), True),
    "another map": (Equals(("_sync",), {"M": {"v": {"S": "0001.10"}}}), False),
    "the same list": (Equals(("list",), {"L": [{"S": "a"}, {"NULL": True}]}), True),
    "another list": (Equals(("list",), {"L": [{"NULL": True}, {"S": "a"}]}), False),
    "the same set, in another order": (Equals(("set",), {"SS": ["b", "a"]}), True),
    "another set": (Equals(("set",), {"SS": ["a"]}), False),
    "a higher version inside a map": (AllOf((SAME, Less(("_sync", "v"), {"S": "0001.2"}))), True),
    "the same version inside a map": (AllOf((SAME, Less(("_sync", "v"), {"S": "0001.10"}))), False),
    "what is not inside a map": (Less(("_sync", "none"), {"S": "9"}), False),
}
"""Conditions of an update of STORED, each with whether it holds."""


async def comparisons(site: Site) -> Finding:
    """Whether statements of a batch compare as conditions do."""
    table, store = await site.make("comparisons", stream=False), site.app.store
    requests = []
    for name, (condition, _) in COMPARISONS.items():
        await store.write(Put(table, {**key(name), **STORED}))
        statement = statement_of(Update(table, key(name), {"n": {"N": "2"}}, condition=condition))
        assert statement is not None
        requests.append(statement.request)
    answer = await site.request("batch_execute_statement", table, Statements=requests)
    made = [not response.get("Error") for response in answer["Responses"]]
    wrong = [
        f"{name}: {'made' if was_made else 'refused'}"
        for (name, (_, holds)), was_made in zip(COMPARISONS.items(), made, strict=True)
        if was_made != holds
    ]
    return judged(wrong, f"{len(made)} of {len(made)} as expected")


async def transactions(site: Site) -> Finding:
    """Whether transactions that meet are each made once or refused whole, and what a plain write meets."""
    table, store = await site.make("transactions", stream=False), site.app.store
    await store.write(Put(table, numbered("counter", 0)))
    refused: list[str] = []

    async def add(number: int) -> int:
        count = {
            "TableName": table,
            "Key": key("counter"),
            "UpdateExpression": "ADD n :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
        mark = {"TableName": table, "Item": numbered(f"mark{number}", number)}
        try:
            await site.request("transact_write_items", table, TransactItems=[{"Update": count}, {"Put": mark}])
        except Retryable as error:
            refused.append(error.reason)
            return 0
        return 1

    plain = Update(table, key("counter"), {"plain": {"BOOL": True}})
    made = sum(await asyncio.gather(*(add(number) for number in range(MEETINGS))))
    written = await store.write(plain)
    item = await store.get(table, key("counter"))
    marks = [await store.get(table, key(f"mark{number}")) for number in range(MEETINGS)]
    counted = int(item["n"]["N"]) if item else None
    wrong = [] if counted == made == sum(mark is not None for mark in marks) else [f"{made} made, {counted} counted"]
    if not written:
        wrong.append("a plain write was refused for good")
    reasons = ", ".join(sorted(set(refused))) or "none"
    return judged(
        wrong, f"{MEETINGS} at once: {made} made, {len(refused)} refused (reason: {reasons}), {counted} counted"
    )
