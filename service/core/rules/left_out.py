"""Items that stay behind (``leave_out`` of the mapping): no rule sees them. To every rule there is no item where one is.

A change that makes an item of the mapping out of one, or the other way, is therefore a create or a delete.
"""

from collections.abc import Sequence
from dataclasses import replace

from service.core.item.change import Change
from service.core.mapping.mapping import Mapping


def carried(mapping: Mapping, changes: Sequence[Change]) -> Sequence[Change]:
    """The changes of the old table as the rules see them, in their order: without items that stay behind."""
    if not mapping.leave_out:
        return changes
    seen = [_carried(mapping, change) for change in changes]
    return [change for change in seen if change.old is not None or change.new is not None]


def _carried(mapping: Mapping, change: Change) -> Change:
    old, new = (None if image is None or mapping.leaves_out(image) else image for image in (change.old, change.new))
    return change if (old, new) == (change.old, change.new) else replace(change, old=old, new=new)
