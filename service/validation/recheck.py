"""The second look: a difference is not-yet until it has outlasted the lag; only then it is one."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from service.clock import Clock
from service.core.mapping.mapping import Mapping
from service.core.rules.verdict import Finding, Kind, Pair, PairReading, Source, as_written, fingerprint, judge, lasts
from service.validation.reader import Reader
from service.validation.waits import Settled, Waits

LOOK_PLACES = 100
"""Places looked at together, as many as one BatchGetItem reads: their items, of up to 400 KB each, are in memory
only then."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place where a walk saw something differ, at ``first_seen`` epoch seconds; with ``index``, an item
    that index did not give."""

    place: Pair
    first_seen: float
    index: str | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """One look at a candidate, with the old item that it found."""

    finding: Finding
    look: PairReading
    old: Source | None = None


class RecheckOutcome(Enum):
    """AGREES: the candidate came to nothing. LASTS: it is a difference. NOT_YET: still changing when the
    patience ended."""

    AGREES = "agrees"
    LASTS = "lasts"
    NOT_YET = "not-yet"


@dataclass(frozen=True, slots=True)
class Resolved:
    """How a candidate ended."""

    candidate: Candidate
    finding: Finding
    outcome: RecheckOutcome


@dataclass(frozen=True, slots=True)
class Question:
    """What a walk asks of its candidates.

    watched: the kinds of finding that are the walk's subject; any other settles the candidate.
    follows: look on where the old item belongs by now, when it has moved.
    """

    looks: Callable[[Sequence[Candidate]], Awaitable[list[Sight]]]
    watched: frozenset[Kind]
    follows: bool


@dataclass(frozen=True, slots=True)
class _Waiting:
    candidate: Candidate
    before: PairReading | None = None


class Recheck:
    """Looks again at candidates, each time after the sync was seen caught up, until every one is settled."""

    def __init__(
        self,
        waits: Waits,
        clock: Clock,
        *,
        settle_seconds: float,
        timeout_seconds: float,
        settled: Settled | None,
    ) -> None:
        self._waits = waits
        self._clock = clock
        self._settle_seconds = settle_seconds
        self._timeout_seconds = timeout_seconds
        self._settled = settled

    async def resolve(self, question: Question, candidates: Sequence[Candidate]) -> list[Resolved]:
        """How each candidate ends, in no order. A key that keeps changing ends as NOT_YET after the
        timeout."""
        deadline = self._clock.monotonic() + self._timeout_seconds
        resolved: list[Resolved] = []
        waiting = [_Waiting(candidate) for candidate in candidates]
        while waiting:
            patient = self._clock.monotonic() < deadline
            verdicts = await _look(question, waiting, patient=patient)
            resolved += [verdict for verdict in verdicts if isinstance(verdict, Resolved)]
            waiting = [verdict for verdict in verdicts if isinstance(verdict, _Waiting)]
            if waiting and not await self._settle():  # what was seen may still be on its way
                waiting = [_Waiting(one.candidate) for one in waiting]
        return resolved

    async def _settle(self) -> bool:
        """Wait for the sync; False when it has not caught up in time."""
        # An index may trail its table by as much, even when the sync has caught up.
        await self._waits.sleep(self._settle_seconds)
        return self._settled is None or await self._waits.until(self._settled, self._timeout_seconds)


async def look_at_items(reader: Reader, mapping: Mapping, candidates: Sequence[Candidate]) -> list[Sight]:
    """One look at both sides of each candidate's place."""
    places = [candidate.place for candidate in candidates]
    sights = []
    for place, (v2, old) in zip(places, await reader.look(places), strict=True):
        look = PairReading(fingerprint(v2), fingerprint(old.item if old else None))
        shown = as_written(old, v2) if old is not None and v2 is not None else old
        sights.append(Sight(judge(mapping, place, v2, old), look, shown))
    return sights


async def _look(question: Question, waiting: Sequence[_Waiting], *, patient: bool) -> list[Resolved | _Waiting]:
    verdicts: list[Resolved | _Waiting] = []
    for start in range(0, len(waiting), LOOK_PLACES):
        some = waiting[start : start + LOOK_PLACES]
        sights = await question.looks([one.candidate for one in some])
        verdicts += [_verdict(question, one, sight, patient) for one, sight in zip(some, sights, strict=True)]
    return verdicts


def _verdict(question: Question, waiting: _Waiting, sight: Sight, patient: bool) -> Resolved | _Waiting:
    candidate, finding = waiting.candidate, sight.finding
    if question.follows and finding.moved_to is not None:
        moved = replace(candidate, place=finding.moved_to)
        return _Waiting(moved) if patient else Resolved(moved, finding, RecheckOutcome.NOT_YET)
    if finding.kind not in question.watched:
        return Resolved(candidate, finding, RecheckOutcome.AGREES)
    if waiting.before is not None and lasts(waiting.before, sight.look):
        return Resolved(candidate, finding, RecheckOutcome.LASTS)
    return _Waiting(candidate, sight.look) if patient else Resolved(candidate, finding, RecheckOutcome.NOT_YET)
