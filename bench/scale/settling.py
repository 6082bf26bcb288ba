"""Measures the CPU that the embedded engine's check whether a round is complete takes with many shards.

``python -m bench.scale.settling`` prints it; ``costs.SETTLE_SECONDS_PER_SHARD`` is from there. The engine checks after each
discovery, and again when every shard has been read to its end since then; each check goes over all shards that it knows.
"""

import time

from bench.scale.limits import SHARD_LIFE_SECONDS
from service.core.shards import FORGET_SECONDS, Position, awaiting_children
from service.streams.rounds import Rounds

NOW = 1e9
CHECKS, ROUNDS = 20, 7
FINISHED_PER_LINEAGE = int(FORGET_SECONDS / SHARD_LIFE_SECONDS)
"""Finished shards that the engine remembers for each shard that it reads."""


def known_shards(live: int) -> dict[str, Position]:
    """The shards that the engine knows after two days, with ``live`` open shards that roll over."""
    return {_name(number, life): _position(number, life) for number in range(live) for life in _generations()}


def _generations() -> range:
    """The shards of one lineage, the oldest first."""
    return range(FINISHED_PER_LINEAGE + 1)


def _name(number: int, life: int) -> str:
    return f"shardId-{life:020d}-{number:08x}"


def _position(number: int, life: int) -> Position:
    parent = _name(number, life - 1) if life else None
    if life == FINISHED_PER_LINEAGE:
        return Position(parent, "1" * 24, as_of=NOW)
    finished = NOW - SHARD_LIFE_SECONDS * (FINISHED_PER_LINEAGE - life)
    return Position(parent, "1" * 24, "finished", finished, as_of=finished)


def check_round(known: dict[str, Position], rounds: Rounds) -> None:
    """The check that ``EmbeddedEngine`` makes after a read that has reached a shard's end."""
    late = awaiting_children(known, NOW)
    unfinished = [shard for shard, position in known.items() if position.state == "reading"]
    rounds.settle(unfinished, children_late=bool(late))


def seconds_per_check(live: int) -> float:
    """CPU seconds of one check, the least of some rounds."""
    known, rounds = known_shards(live), Rounds()
    rounds.listed(rounds.ticket())
    return min(_timed(known, rounds) for _ in range(ROUNDS))


def _timed(known: dict[str, Position], rounds: Rounds) -> float:
    began = time.process_time()
    for _ in range(CHECKS):
        check_round(known, rounds)
    return (time.process_time() - began) / CHECKS


if __name__ == "__main__":
    for live in (10, 100, 250, 500):
        seconds, known = seconds_per_check(live), live * len(_generations())
        print(
            f"{live:4} shards, {known:5} known: {seconds * 1e6:6.0f} us a check, {seconds / known * 1e6:.2f} us a known shard"
        )
