"""The re-check: a candidate is a difference only when it outlasts the lag; until then it is `not-yet`."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from service.clock import Clock
from service.core.mapping.mapping import Mapping
from service.core.rules.verdict import (
    Finding,
    Kind,
    Pair,
    PairFingerprints,
    Source,
    as_written,
    fingerprint,
    judge,
    lasts,
)
from service.validation.reader import Reader
from service.validation.waits import InterruptibleWaits, Settled

READ_PAIRS = 100
"""Pairs read together, as many as one BatchGetItem reads. Their items, of up to 400 KB each, are in memory only during that
read."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A suspected difference: something that differed when a page was compared."""

    pair: Pair
    first_seen: float
    """Epoch seconds."""
    index: str | None = None
    """The index that did not have the item; None: the items themselves differed."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What one reading of both sides shows of a candidate's pair."""

    finding: Finding
    fingerprints: PairFingerprints
    old: Source | None = None
    """The old item that was read."""


class RecheckOutcome(Enum):
    """AGREES: there is no difference. LASTS: it is a difference. NOT_YET: the key was still changing at the timeout."""

    AGREES = "agrees"
    LASTS = "lasts"
    NOT_YET = "not-yet"


@dataclass(frozen=True, slots=True)
class RecheckResult:
    """The outcome for one candidate, with the last finding of its pair."""

    candidate: Candidate
    finding: Finding
    outcome: RecheckOutcome


@dataclass(frozen=True, slots=True)
class RecheckRule:
    """How the candidates of one comparison are re-checked."""

    observe: Callable[[Sequence[Candidate]], Awaitable[list[Observation]]]
    """Reads both sides of the candidates' pairs, and gives one observation for each."""
    watched: frozenset[Kind]
    """The kinds of finding that the comparison looks for; with any other the candidate agrees."""
    follows_moves: bool
    """When the old item now belongs to another v2 key, continue with that pair."""


@dataclass(frozen=True, slots=True)
class _Pending:
    candidate: Candidate
    previous: PairFingerprints | None = None


class Recheck:
    """Reads candidates again, each time after the sync was seen caught up, until each one has an outcome."""

    def __init__(
        self,
        waits: InterruptibleWaits,
        clock: Clock,
        *,
        settle_seconds: float,
        timeout_seconds: float,
        settled: Settled | None,
    ) -> None:
        """``settle_seconds``: the wait before each further reading. ``timeout_seconds``: the longest re-check of a candidate,
        and the longest wait for ``settled``."""
        self._waits = waits
        self._clock = clock
        self._settle_seconds = settle_seconds
        self._timeout_seconds = timeout_seconds
        self._settled = settled

    async def resolve(self, rule: RecheckRule, candidates: Sequence[Candidate]) -> list[RecheckResult]:
        """The result for each candidate, in no order. A key that keeps changing ends as NOT_YET after the timeout."""
        deadline = self._clock.monotonic() + self._timeout_seconds
        results: list[RecheckResult] = []
        pending = [_Pending(candidate) for candidate in candidates]
        while pending:
            in_time = self._clock.monotonic() < deadline
            verdicts = await _observe_all(rule, pending, in_time=in_time)
            results += [verdict for verdict in verdicts if isinstance(verdict, RecheckResult)]
            pending = [verdict for verdict in verdicts if isinstance(verdict, _Pending)]
            if pending and not await self._settle():
                # changes may still be on their way: the reading before does not count
                pending = [_Pending(entry.candidate) for entry in pending]
        return results

    async def _settle(self) -> bool:
        """Wait for the sync; False when it has not caught up in time."""
        # An index may lag behind its table by so much, even when the sync has caught up.
        await self._waits.sleep(self._settle_seconds)
        return self._settled is None or await self._waits.until(self._settled, self._timeout_seconds)


async def observe_items(reader: Reader, mapping: Mapping, candidates: Sequence[Candidate]) -> list[Observation]:
    """One reading of both sides of each candidate's pair."""
    pairs = [candidate.pair for candidate in candidates]
    observations = []
    for pair, (v2, old) in zip(pairs, await reader.read_pairs(pairs), strict=True):
        fingerprints = PairFingerprints(fingerprint(v2), fingerprint(old.item if old else None))
        shown = as_written(old, v2) if old is not None and v2 is not None else old
        observations.append(Observation(judge(mapping, pair, v2, old), fingerprints, shown))
    return observations


async def _observe_all(
    rule: RecheckRule, pending: Sequence[_Pending], *, in_time: bool
) -> list[RecheckResult | _Pending]:
    verdicts: list[RecheckResult | _Pending] = []
    for start in range(0, len(pending), READ_PAIRS):
        group = pending[start : start + READ_PAIRS]
        observations = await rule.observe([entry.candidate for entry in group])
        verdicts += [
            _verdict(rule, entry, observation, in_time=in_time)
            for entry, observation in zip(group, observations, strict=True)
        ]
    return verdicts


def _verdict(
    rule: RecheckRule, pending: _Pending, observation: Observation, *, in_time: bool
) -> RecheckResult | _Pending:
    """``in_time``: before the timeout, so that the candidate may be read again."""
    candidate, finding = pending.candidate, observation.finding
    if rule.follows_moves and finding.moved_to is not None:
        moved = replace(candidate, pair=finding.moved_to)
        return _Pending(moved) if in_time else RecheckResult(moved, finding, RecheckOutcome.NOT_YET)
    if finding.kind not in rule.watched:
        return RecheckResult(candidate, finding, RecheckOutcome.AGREES)
    if pending.previous is not None and lasts(pending.previous, observation.fingerprints):
        return RecheckResult(candidate, finding, RecheckOutcome.LASTS)
    if in_time:
        return _Pending(candidate, observation.fingerprints)
    return RecheckResult(candidate, finding, RecheckOutcome.NOT_YET)
