"""What a Kubernetes API server with the Prometheus operator says of a custom resource, by the definitions in crds."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

CRDS = Path(__file__).parent / "crds"


def refusals(resource: dict[str, Any]) -> list[str]:
    """What is wrong with it, each with its place; a field that it does not know is wrong, as with kubectl."""
    found = definition(resource["apiVersion"], resource["kind"]).iter_errors(resource)
    return [f"{error.json_path}: {error.message}" for error in found]


@cache
def definition(api_version: str, kind: str) -> Draft202012Validator:
    """The schema of that kind; raises KeyError when none in crds is of it."""
    known = {
        (f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"]): version["schema"]
        for crd in (yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(CRDS.glob("*.yaml")))
        for version in crd["spec"]["versions"]
    }
    return Draft202012Validator(closed(known[api_version, kind]["openAPIV3Schema"]))


def closed(schema: Any) -> Any:
    """The schema with every object that lists its fields closed to others."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    lists_its_fields = isinstance(schema.get("properties"), dict) and "type" in schema
    return {name: closed(part) for name, part in schema.items()} | (
        {"additionalProperties": False} if lists_its_fields else {}
    )
