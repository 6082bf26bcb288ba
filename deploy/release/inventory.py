"""What an image has in it. It asks the image itself: the image's own Python runs this file, and prints a JSON document."""

import json
import platform
import subprocess
import sys
import sysconfig
from importlib.metadata import Distribution, distributions
from typing import Any

FIELDS = ("Package", "Version", "Architecture", "source:Package", "source:Version")


def python_packages() -> list[dict[str, Any]]:
    """Those of the program's environment, and those of the base's Python below it."""
    base = {"base": sys.base_prefix, "platbase": sys.base_exec_prefix}
    below = {sysconfig.get_path(name, vars=base) for name in ("purelib", "platlib")}
    return [_package(one) for one in distributions(path=[*dict.fromkeys([*sys.path[1:], *sorted(below)])])]


def _package(one: Distribution) -> dict[str, Any]:
    said = {name: one.metadata.get_all(name) or [] for name in ("License-Expression", "License", "Classifier")}
    return {
        "name": one.metadata["Name"],
        "version": one.version,
        "expression": "".join(said["License-Expression"]),
        "licence": "".join(said["License"]),
        "classifiers": said["Classifier"],
    }


def debian_packages() -> list[dict[str, str]]:
    """Those that dpkg has installed."""
    form = "\t".join(f"${{{field}}}" for field in FIELDS) + "\n"
    listed = subprocess.run(
        ["dpkg-query", "--show", f"--showformat={form}"], capture_output=True, text=True, check=True
    )
    return [dict(zip(FIELDS, line.split("\t"), strict=True)) for line in listed.stdout.splitlines()]


if __name__ == "__main__":
    found = {
        "system": platform.freedesktop_os_release(),
        "python": platform.python_version(),
        "python_packages": python_packages(),
        "debian_packages": debian_packages(),
    }
    json.dump(found, sys.stdout)
