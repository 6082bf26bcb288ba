"""The changes of one key in one page, in order: each run of the application's own changes is carried as one.

Only updates are carried as one: a create and a delete are decided by what the other side has at that moment. A record of tablesplit
ends a run: it changes the item, and what the next change has seen. The values between the first and the last change of a run never
reach the other side.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from service.core.item.change import Change
from service.core.rules.authorship import Authorship


@dataclass(frozen=True, slots=True)
class Run:
    """One change of tablesplit, or several of the application that follow one another."""

    first: Change
    last: Change
    changes: tuple[Change, ...]
    """All of them, in order."""
    author: Authorship
    """Of the last change. ``seen`` is what had been seen before the run, if the application made it."""


def runs(
    changes: Sequence[Change],
    seen: str,
    author_of: Callable[[Change, str], Authorship],
    is_update: Callable[[Change], bool],
    *,
    together: bool = True,
) -> Iterator[Run]:
    """The runs of ``changes``. ``seen``: the highest stamp version seen before them; ``author_of(change, seen)`` gives its
    author."""
    current: Run | None = None
    for change in changes:
        author = author_of(change, seen)
        if author.ours or not together or not is_update(change):
            if current is not None:
                yield current
            yield Run(change, change, (change,), author)
            current = None
        else:
            before = () if current is None else current.changes
            current = Run(change if current is None else current.first, change, (*before, change), author)
        seen = author.seen
    if current is not None:
        yield current
