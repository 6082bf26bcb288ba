"""Drafts of mappings, as tests make and load them."""

from typing import Any

from service.core.item.wire import Item
from service.core.mapping.draft import draft
from service.core.mapping.mapping import Mapping, load_mapping


def item(**attributes: Any) -> Item:
    return {name: value if isinstance(value, dict) else {"S": value} for name, value in attributes.items()}


def drafted(items: list[Item], *keys: str, **indexes: list[str]) -> str:
    return draft(items, keys or ("pk", "sk"), indexes, "things")


def loaded(text: str) -> Mapping:
    return load_mapping(text, source="draft")
