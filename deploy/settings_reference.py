"""The table of settings in the documentation, made from the settings themselves."""

from typing import Any

from service.config import Settings, variable_name


def settings_table() -> str:
    """The table in Markdown: variable, default, bounds and meaning of each setting."""
    rows = ["| variable | default | bounds | meaning |", "|---|---|---|---|"]
    properties = Settings.model_json_schema(by_alias=False)["properties"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else f"`{field.default}`"
        rows.append(f"| `{variable_name(name)}` | {default} | {_bounds(properties[name])} | {field.description} |")
    return "\n".join(rows)


def _bounds(schema: dict[str, Any]) -> str:
    choices = [schema, *schema.get("anyOf", [])]
    rules = {key: value for choice in choices for key, value in choice.items()}
    if "enum" in rules:
        return ", ".join(rules["enum"])
    low, high = rules.get("minimum"), rules.get("maximum")
    if low is None:
        return ""
    return f"{low:g} to {high:g}" if high is not None else f"at least {low:g}"
