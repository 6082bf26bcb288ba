"""The mapping of the random histories: the packaged one, whose deals have a number, a text, a counter and a list more."""

from functools import cache

from service.core.mapping.mapping import Mapping, load_mapping
from tests.builders.mappings import CRM_TEXT

BEFORE = "      due_date: {type: string}\n"
MORE = """\
      score: {type: number}
      sheet: {type: string}
      visits: {type: int, default: 0%s}
      tags: {type: list, default: []%s}
"""


@cache
def hot_mapping(*, merges: bool = False) -> Mapping:
    """``merges``: both sides may count ``visits`` (``merge: add``) and extend ``tags`` (``merge: union``)."""
    more = MORE % ((", merge: add", ", merge: union") if merges else ("", ""))
    text = CRM_TEXT.replace(BEFORE, BEFORE + more)
    assert text != CRM_TEXT
    return load_mapping(text, source="hot.yaml")
