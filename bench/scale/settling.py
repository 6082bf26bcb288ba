"""Measures what the embedded engine's look whether a round is complete costs with many shards.

``python -m bench.scale.settling`` prints it; ``costs.SETTLE_SECONDS_PER_SHARD`` was read from there. The engine looks after each
discovery, and once every shard has been read to its end since; each look goes over all shards that it knows.
"""

import time

from bench.scale.limits import SHARD_LIFE_SECONDS
from service.core.shards import FORGET_SECONDS, Position, awaiting_children
from service.streams.rounds import Rounds

NOW = 1e9
LOOKS, ROUNDS = 20, 7
FINISHED_A_LINEAGE = int(FORGET_SECONDS / SHARD_LIFE_SECONDS)
"""Finished shards that are remembered for each that is read."""


def known_shards(live: int) -> dict[str, Position]:
    """What the engine knows after two days of ``live`` shards that roll over."""
    return {_name(number, life): _position(number, life) for number in range(live) for life in _lives()}


def _lives() -> range:
    return range(FINISHED_A_LINEAGE + 1)


def _name(number: int, life: int) -> str:
    return f"shardId-{life:020d}-{number:08x}"


def _position(number: int, life: int) -> Position:
    parent = _name(number, life - 1) if life else None
    if life == FINISHED_A_LINEAGE:
        return Position(parent, "1" * 24, as_of=NOW)
    finished = NOW - SHARD_LIFE_SECONDS * (FINISHED_A_LINEAGE - life)
    return Position(parent, "1" * 24, "finished", finished, as_of=finished)


def look(known: dict[str, Position], rounds: Rounds) -> None:
    """What ``EmbeddedEngine`` does after a read that found a shard's end."""
    late = awaiting_children(known, NOW)
    unfinished = [shard for shard, position in known.items() if position.state == "reading"]
    rounds.settle(unfinished, children_late=bool(late))


def seconds_a_look(live: int) -> float:
    """CPU seconds of one look, the least of some rounds."""
    known, rounds = known_shards(live), Rounds()
    rounds.listed(rounds.ticket())
    return min(_timed(known, rounds) for _ in range(ROUNDS))


def _timed(known: dict[str, Position], rounds: Rounds) -> float:
    began = time.process_time()
    for _ in range(LOOKS):
        look(known, rounds)
    return (time.process_time() - began) / LOOKS


if __name__ == "__main__":
    for live in (10, 100, 250, 500):
        seconds, known = seconds_a_look(live), live * len(_lives())
        print(
            f"{live:4} shards, {known:5} known: {seconds * 1e6:6.0f} us a look, {seconds / known * 1e6:.2f} us a known shard"
        )
