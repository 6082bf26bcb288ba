"""The judgement of a soak, by the judges of the rehearsals, and its table."""

from collections import Counter
from dataclasses import dataclass

from bench.soak.application import SoakApplication
from bench.soak.plan import ANY_MOMENT, Done, Plan
from service.app import App
from service.failpoints import NAMES
from service.rehearsal.counted import Counted, judge_counting
from service.rehearsal.final_state import different_keys, logged_changes, old_side, v2_side
from service.rehearsal.tally import Tally, tally_writes

DELETE = "delete of"
"""How a line of the tally about a lost delete begins: the item is there again."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of every write."""

    tally: Tally
    counted: Counted
    equal: bool
    """Whether the product's own validation found both sides equal."""
    conflicts: int
    """Changes in the conflict log."""

    @property
    def resurrected(self) -> list[str]:
        """The deletes whose item is there."""
        return [line for line in self.tally.lost if line.startswith(DELETE)]

    @property
    def lost(self) -> list[str]:
        """The other writes that are nowhere, and what breaks a promise about increments and compare-and-sets."""
        copies = self.counted.copies - self.counted.copies_found
        missing = [f"{copies} copies are not on both sides"] if copies else []
        return [*(line for line in self.tally.lost if not line.startswith(DELETE)), *self.counted.broken, *missing]

    @property
    def diverged(self) -> list[str]:
        """The keys whose two sides differ."""
        unseen = [] if self.equal or self.tally.different else ["the validation found differences"]
        return [*self.tally.different, *unseen]

    @property
    def ok(self) -> bool:
        """Nothing lost, nothing resurrected, nothing diverged."""
        return not (self.lost or self.resurrected or self.diverged)

    def to_text(self) -> str:
        """A line for each thing that is wrong."""
        wrong = {"LOST": self.lost, "RESURRECTED": self.resurrected, "DIVERGED": self.diverged}
        return "\n".join(f"{word}: {line}" for word, found in wrong.items() for line in found)


async def judged(app: App, application: SoakApplication, *, equal: bool) -> Verdict:
    """Judge both sides as they are now. ``equal``: what the validation has found."""
    old, v2 = await old_side(app), await v2_side(app)
    logged = await logged_changes(app)
    different = different_keys(app.mapping, old, v2)
    tally = tally_writes(application.log.attempts, old, logged, different=different)
    return Verdict(tally, judge_counting(application.counting.log, old, v2), equal, len(logged))


def table(plan: Plan, done: Done, verdict: Verdict, seconds: float) -> str:
    """The figures, as a table in Markdown."""
    return "\n".join(
        [
            "| what | how often |",
            "|---|---|",
            *(f"| {name} | {value} |" for name, value in _rows(plan, done, verdict, seconds)),
        ]
    )


def _rows(plan: Plan, done: Done, verdict: Verdict, seconds: float) -> list[tuple[str, str]]:
    kills, pauses = (counter.total() - counter[ANY_MOMENT] for counter in (done.kills, done.pauses))
    names = len(done.kills.keys() - {ANY_MOMENT})
    faults: Counter[str] = Counter()
    for (fault, _), count in done.faults.items():
        faults[fault] += count
    tally, counted = verdict.tally, verdict.counted
    return [
        (
            "`kill -9`",
            f"{done.of('kill')} of {plan.kills}: {kills} at {names} of {len(NAMES)} failpoints, the others at random",
        ),
        (
            "pauses longer than a lease",
            f"{done.of('pause')} of {plan.pauses}: {pauses} at failpoints, the others at random",
        ),
        ("faults of the server", f"{done.of('fault')} of {plan.faults}: {_listed(faults)}"),
        ("cycles there and back", f"{done.cycles} of {plan.cycles} ({done.moves} moves)"),
        (
            "writes acknowledged",
            f"{tally.acknowledged} ({tally.present} there, {tally.replaced} replaced, {tally.in_conflict} in the conflict log)",
        ),
        (
            "increments acknowledged",
            f"{counted.increments} (on old {counted.found_on_old}, on v2 {counted.found_on_v2})",
        ),
        ("compare-and-sets", f"{counted.compare_and_sets} (held {counted.held})"),
        ("copies with their stamp", f"{counted.copies} (on both sides {counted.copies_found})"),
        ("changes in the conflict log", f"{verdict.conflicts}"),
        ("processes that ended by themselves", f"{len(done.ended)}"),
        ("minutes", f"{seconds / 60:.1f}"),
        ("**lost**", f"**{len(verdict.lost)}**"),
        ("**resurrected**", f"**{len(verdict.resurrected)}**"),
        ("**diverged**", f"**{len(verdict.diverged)}**"),
    ]


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"
