"""The bill of materials of an image, as a CycloneDX document: the same image gives the same bytes."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.spdx import fixup_id
from packageurl import PackageURL

from deploy.release.image import Building, write_stage
from deploy.release.source import Source

INVENTORY = Path(__file__).with_name("inventory.py")
LONGEST_LICENCE_NAME = 80
"""A longer one is the licence's whole text."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What an image has in it, and from which wheels it was installed."""

    image: str
    inventory: Mapping[str, Any]
    wheels: Mapping[str, str]
    """The SHA-256 of the file that was installed, by the package's name in the index's spelling."""


def read_contents(image: str, tree: Path, source: Source, building: Building) -> Contents:
    """Ask the image; and the builder, which still has what pip said when it installed."""
    ask = ["docker", "run", "--rm", "--interactive", "--network=none", image, "python", "-"]
    answer = subprocess.run(ask, input=INVENTORY.read_bytes(), capture_output=True, check=True)
    with TemporaryDirectory() as folder:
        write_stage("reports", tree, source, replace(building, cached=True), Path(folder))
        return Contents(image, json.loads(answer.stdout), dict(_installed_wheels(Path(folder))))


def _installed_wheels(reports: Path) -> Iterator[tuple[str, str]]:
    for report in sorted(reports.iterdir()):
        for one in json.loads(report.read_text(encoding="utf-8"))["install"]:
            yield indexed(one["metadata"]["name"]), one["download_info"]["archive_info"]["hashes"]["sha256"]


def indexed(name: str) -> str:
    """A package's name as the index and the lock files spell it."""
    return name.lower().replace("_", "-").replace(".", "-")


def write_sbom(contents: Contents, source: Source, base: str) -> str:
    """The document. Its serial number comes from the image's id, and its time from the commit."""
    subject = Component(
        name="tablesplit",
        version=source.version,
        type=ComponentType.CONTAINER,
        bom_ref="image",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=contents.image.removeprefix("sha256:"))],
        properties=[
            Property(name="tablesplit:revision", value=source.revision),
            Property(name="tablesplit:base", value=base),
        ],
    )
    parts = [_interpreter(contents.inventory["python"]), *_python_parts(contents), *_debian_parts(contents.inventory)]
    bom = Bom(components=parts, serial_number=uuid5(NAMESPACE_OID, contents.image))
    bom.metadata.component = subject
    bom.metadata.timestamp = datetime.fromtimestamp(source.epoch, UTC)
    bom.register_dependency(subject, parts)
    return str(JsonV1Dot6(bom).output_as_string(indent=2)) + "\n"


def _interpreter(version: str) -> Component:
    url = PackageURL("generic", name="python", version=version)
    return _part(url, ComponentType.PLATFORM)


def _python_parts(contents: Contents) -> Iterator[Component]:
    for one in contents.inventory["python_packages"]:
        name = indexed(one["name"])
        wheel = contents.wheels.get(name)
        hashes = [HashType(alg=HashAlgorithm.SHA_256, content=wheel)] if wheel else []
        yield _part(PackageURL("pypi", name=name, version=one["version"]), licenses=licences(one), hashes=hashes)


def licences(package: Mapping[str, Any]) -> list[License]:
    """What a Python package says of its licence, in the form that says most: an SPDX expression, an SPDX id, names."""
    factory = LicenseFactory()
    if package["expression"]:
        return [factory.make_from_string(package["expression"])]
    said = (package["licence"] or "").strip()
    classified = [one.rpartition(" :: ")[2] for one in package["classifiers"] if one.startswith("License :: ")]
    if fixup_id(said) or not classified:
        return [factory.make_from_string(said)] if 0 < len(said) <= LONGEST_LICENCE_NAME else []
    return [factory.make_with_name(name) for name in classified]


def _debian_parts(inventory: Mapping[str, Any]) -> Iterator[Component]:
    system = inventory["system"]
    for one in inventory["debian_packages"]:
        qualifiers = {
            "arch": one["Architecture"],
            "distro": f"{system['ID']}-{system['VERSION_ID']}",
            "upstream": f"{one['source:Package']}@{one['source:Version']}",
        }
        yield _part(PackageURL("deb", system["ID"], one["Package"], one["Version"], qualifiers))


def _part(url: PackageURL, kind: ComponentType = ComponentType.LIBRARY, **more: Any) -> Component:
    return Component(name=url.name, version=url.version, purl=url, bom_ref=str(url), type=kind, **more)
