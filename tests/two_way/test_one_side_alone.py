"""An item that only the old side writes: after each write that application reads what it has written, whatever the sync does.

The histories create, change, move, delete and put the item in random order, with the sync's steps at random moments between them.
An attacker found the class: after a move and a delete, reverse took a tombstone of forward's for a delete of v2's application.
"""

from random import Random

from service.core.item.wire import Item
from tests.two_way.application import CREATED, KEY
from tests.two_way.script import STREAMS, Script
from tests.two_way.world import CONTROL

SEEDS = 200
"""Without the rule of own deletes, the seventh fails."""
OPERATIONS = ("move", "delete", "put", "put elsewhere", "update")


class OldSide:
    """The application of the old side, and what it expects to read."""

    def __init__(self, script: Script, rng: Random) -> None:
        self.script, self.rng = script, rng
        self.title: str | None = "0"
        self.month = 0
        self.writes = 0

    def write(self) -> None:
        """One random write."""
        self.writes += 1
        title = f"w{self.writes}"
        operation = self.rng.choice(OPERATIONS) if self.title is not None else "put"
        if operation == "delete":
            self.script.old_delete()
            self.title = None
            return
        if operation == "move":
            self.month = 1 - self.month
            self.script.old_update(month=self.month)
            return
        if operation == "put elsewhere":
            self.month = 1 - self.month
        if operation == "update":
            self.script.old_update(title=title)
        else:
            self.script.old_put(month=self.month, title=title)
        self.title = title

    def reads_its_own_write(self) -> bool:
        """Whether the old item is as it was written last."""
        item: Item = self.script.world.memory.item(self.script.world.old, KEY) or {}
        if self.title is None:
            return "title" not in item
        return item.get("title") == {"S": self.title} and item.get("created_at") == {"S": CREATED[self.month]}


def play(seed: int) -> None:
    """One history, to its end."""
    rng, script = Random(seed), Script()
    side, left, steps = OldSide(script, rng), rng.randint(3, 7), list[str]()
    while left or any(script.left(stream) for stream in STREAMS):
        stream = rng.choice([*(["write"] if left else []), *(each for each in STREAMS if script.left(each))])
        steps.append(str(stream))
        if stream == "write":
            side.write()
            left -= 1
        elif stream == "old":
            script.forward()
        else:
            script.reverse(int(stream))
        assert side.reads_its_own_write(), f"seed {seed}: {side.title} was written last; {steps}"
    logged = [item for item in script.world.memory.items(CONTROL) if item["pk"]["S"].startswith("conflict#")]
    assert logged == [], f"seed {seed}: nobody else has written"


def test_the_old_side_reads_its_own_last_write() -> None:
    for seed in range(SEEDS):
        play(seed)
