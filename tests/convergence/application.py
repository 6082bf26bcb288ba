"""The application in the convergence tests: it writes a few old items in every way that matters to the rules."""

from random import Random

from service.core.item.wire import Item
from service.core.item.write import Delete, Put
from tests.convergence.trampoline import turn
from tests.fakes.memory import MemoryDynamoDB

CREATED = ("2024-01-31T23:30:00-02:00", "2024-03-01", "yesterday")
"""Three months, hence three v2 keys: 2024-02 (in UTC), 2024-03 and 1970-01."""

CONTENTS: tuple[Item, ...] = (
    {"title": {"S": "Deal with Acme"}, "company": {"S": "Acme"}, "value": {"N": "85"}, "stage": {"S": "won"}},
    {"title": {"S": ""}, "value": {"S": '"1,054"'}, "stage": {"NULL": True}, "shade": {"SS": ["b", "a"]}},
    {"company": {"N": "7"}, "value": {"N": "0"}, "owner": {"S": "Ada"}, "updated_at": {"S": "2024-04-01"}},
)
"""Clean, dirty and sparse; few, so that contents occur again (A-B-A)."""

PAUSES = (1, 1, 1, 6, 25)
"""Steps between two writes: at once, or long enough for a removal to be applied, checkpointed and purged."""


def old_key(number: int) -> Item:
    """The key of an application's item."""
    return {"pk": {"S": f"DEAL#{number}"}, "sk": {"S": "METADATA"}}


def old_item(number: int, created: str, content: Item) -> Item:
    """An old item as the application writes it."""
    named = {"entity_type": {"S": "DEAL"}, "id": {"S": str(number)}, "created_at": {"S": created}}
    return {**old_key(number), **named, **content}


def random_item(rng: Random, number: int) -> Item:
    """One of the few items that live at this number."""
    return old_item(number, rng.choice(CREATED), rng.choice(CONTENTS))


async def write_old(memory: MemoryDynamoDB, table: str, rng: Random, numbers: int, writes: int) -> None:
    """Put, update, move, delete and re-create items; each write is one step."""
    for _ in range(writes):
        for _ in range(rng.choice(PAUSES)):
            await turn()
        number = rng.randrange(numbers)
        if rng.random() < 0.35:
            memory.apply(Delete(table, old_key(number)))
        else:
            memory.apply(Put(table, random_item(rng, number)))
