"""Checks the vocabulary of a mapping file: what pydantic says about it, in words that say what is wrong and what to do."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from service.core.mapping.problem import Problem
from service.core.mapping.schema import PATTERN_MEANINGS, MappingModel, known_keys
from service.core.mapping.yaml_document import Path

EVERYTHING_RELIES_ON: set[Path] = {(), ("version",), ("old",), ("entities",)}
"""Where one of these is wrong, no other check makes sense."""


def read_model(content: Any) -> tuple[MappingModel | None, list[Problem]]:
    """The model of a mapping file's ``content``, and every mistake in its vocabulary, unknown keys first.

    With mistakes, the model of what has none: entities with a mistake are left out. None when too little is left to check.
    """
    try:
        return MappingModel.model_validate(content), []
    except ValidationError as error:
        errors = error.errors(include_url=False)
        return _sound_part(content, [details["loc"] for details in errors]), _problems(errors)


def _problems(errors: Sequence[ErrorDetails]) -> list[Problem]:
    unknown = [error for error in errors if error["type"] == "extra_forbidden"]
    others = [error for error in errors if error not in unknown and not _is_misspelt(error, unknown)]
    return list(dict.fromkeys((error["loc"], _message(error)) for error in (*unknown, *others)))


def _is_misspelt(error: ErrorDetails, unknown: Sequence[ErrorDetails]) -> bool:
    """Whether a key is missing because it is misspelt: the unknown key is the mistake."""
    *place, name = error["loc"] or ("",)
    beside = [str(other["loc"][-1]) for other in unknown if list(other["loc"][:-1]) == place]
    return error["type"] == "missing" and bool(get_close_matches(str(name), beside))


def _sound_part(content: Any, wrong: Sequence[Path]) -> MappingModel | None:
    parts = {path[: 2 if path[:1] == ("entities",) else 1] for path in wrong}
    if parts & EVERYTHING_RELIES_ON:
        return None
    kept = {key: value for key, value in content.items() if (key,) not in parts}
    entities = {name: entity for name, entity in content["entities"].items() if ("entities", name) not in parts}
    return MappingModel.model_validate({"name": "unnamed", **kept, "entities": entities}) if entities else None


def _message(error: ErrorDetails) -> str:
    path, kind = error["loc"], error["type"]
    if kind == "extra_forbidden":
        return f"unknown key {path[-1]!r}; known here: {', '.join(known_keys(path[:-1]))}"
    if kind == "missing":
        return f"key {path[-1]!r} is missing"
    return f"{'.'.join(map(str, path)) or 'the mapping'}: {_requirement(error)}"


def _requirement(error: ErrorDetails) -> str:
    """What the value must be."""
    match error["type"]:
        case "model_type" | "dict_type":
            return "should be a map of keys and values"
        case "too_long":
            return f"at most {error['ctx']['max_length']} keys are allowed"
        case "string_type":
            return "should be text (in quotes when it looks like something else)"
        case "string_pattern_mismatch":
            return PATTERN_MEANINGS[error["ctx"]["pattern"]]
        case "invalid-json-value":
            return "should be a JSON value; put a date in quotes"
    return f"{error['msg'][0].lower()}{error['msg'][1:]}"
