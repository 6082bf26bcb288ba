"""Lists what is in an image, as a JSON document. The image's own Python runs this file, so it imports nothing of the project."""

import json
import platform
import subprocess
import sys
import sysconfig
from importlib.metadata import Distribution, distributions
from typing import Any

FIELDS = ("Package", "Version", "Architecture", "source:Package", "source:Version")


def python_packages() -> list[dict[str, Any]]:
    """The packages of the program's environment, and those of the base image's Python."""
    base = {"base": sys.base_prefix, "platbase": sys.base_exec_prefix}
    base_paths = {sysconfig.get_path(name, vars=base) for name in ("purelib", "platlib")}
    paths = [*dict.fromkeys([*sys.path[1:], *sorted(base_paths)])]
    return [_package(distribution) for distribution in distributions(path=paths)]


def _package(distribution: Distribution) -> dict[str, Any]:
    metadata = distribution.metadata
    fields = {name: metadata.get_all(name) or [] for name in ("License-Expression", "License", "Classifier")}
    return {
        "name": metadata["Name"],
        "version": distribution.version,
        "expression": "".join(fields["License-Expression"]),
        "licence": "".join(fields["License"]),
        "classifiers": fields["Classifier"],
    }


def debian_packages() -> list[dict[str, str]]:
    """The packages that dpkg has installed."""
    form = "\t".join(f"${{{field}}}" for field in FIELDS) + "\n"
    listed = subprocess.run(
        ["dpkg-query", "--show", f"--showformat={form}"], capture_output=True, text=True, check=True
    )
    return [dict(zip(FIELDS, line.split("\t"), strict=True)) for line in listed.stdout.splitlines()]


if __name__ == "__main__":
    inventory = {
        "system": platform.freedesktop_os_release(),
        "python": platform.python_version(),
        "python_packages": python_packages(),
        "debian_packages": debian_packages(),
    }
    json.dump(inventory, sys.stdout)
