"""Old keys as text, to look things up by."""

import json

from service.core.item.wire import Item


def key_text(key: Item) -> str:
    """One text for one key, whatever the order of its attributes."""
    return json.dumps(key, sort_keys=True)
