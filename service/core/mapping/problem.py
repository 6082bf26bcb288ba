"""A problem of a mapping file as the checks find it, and the order of checks that rely on each other."""

from collections.abc import Iterable, Iterator

from service.core.mapping.yaml_document import Path

Problem = tuple[Path, str]
"""Where it is in the document, and what is wrong and what to do."""


def in_turn(*checks: Iterable[Problem]) -> Iterator[Problem]:
    """The problems of the first of ``checks`` that finds some: what comes after it relies on it, and is not asked."""
    for check in checks:
        found = list(check)
        yield from found
        if found:
            return
