"""The bill of materials of an image, as a CycloneDX document. The same image gives the same bytes."""

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
"""A longer name is taken for the licence's whole text."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in an image, and from which wheels it was installed."""

    image: str
    inventory: Mapping[str, Any]
    wheels: Mapping[str, str]
    """The SHA-256 of the file that was installed, by the package's name in the index's spelling."""


def read_contents(image: str, tree: Path, source: Source, building: Building) -> Contents:
    """Read them from the image, and from the builder, which still has the report that pip wrote on installing."""
    command = ["docker", "run", "--rm", "--interactive", "--network=none", image, "python", "-"]
    answer = subprocess.run(command, input=INVENTORY.read_bytes(), capture_output=True, check=True)
    with TemporaryDirectory() as folder:
        write_stage("reports", tree, source, replace(building, cached=True), Path(folder))
        return Contents(image, json.loads(answer.stdout), dict(_installed_wheels(Path(folder))))


def _installed_wheels(reports: Path) -> Iterator[tuple[str, str]]:
    for report in sorted(reports.iterdir()):
        for package in json.loads(report.read_text(encoding="utf-8"))["install"]:
            yield index_name(package["metadata"]["name"]), package["download_info"]["archive_info"]["hashes"]["sha256"]


def index_name(name: str) -> str:
    """A package's name as the index and the lock files spell it."""
    return name.lower().replace("_", "-").replace(".", "-")


def write_sbom(contents: Contents, source: Source, base: str) -> str:
    """The document as JSON text. Its serial number comes from the image's id, its time from the commit."""
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
    components = [
        _interpreter(contents.inventory["python"]),
        *_python_packages(contents),
        *_debian_packages(contents.inventory),
    ]
    bom = Bom(components=components, serial_number=uuid5(NAMESPACE_OID, contents.image))
    bom.metadata.component = subject
    bom.metadata.timestamp = datetime.fromtimestamp(source.epoch, UTC)
    bom.register_dependency(subject, components)
    return str(JsonV1Dot6(bom).output_as_string(indent=2)) + "\n"


def _interpreter(version: str) -> Component:
    url = PackageURL("generic", name="python", version=version)
    return _component(url, ComponentType.PLATFORM)


def _python_packages(contents: Contents) -> Iterator[Component]:
    for package in contents.inventory["python_packages"]:
        name = index_name(package["name"])
        wheel = contents.wheels.get(name)
        hashes = [HashType(alg=HashAlgorithm.SHA_256, content=wheel)] if wheel else []
        url = PackageURL("pypi", name=name, version=package["version"])
        yield _component(url, licenses=licences(package), hashes=hashes)


def licences(package: Mapping[str, Any]) -> list[License]:
    """The licences that a Python package states, in the most exact form that it has: an SPDX expression, an SPDX id, or names."""
    factory = LicenseFactory()
    if package["expression"]:
        return [factory.make_from_string(package["expression"])]
    stated = (package["licence"] or "").strip()
    classified = [text.rpartition(" :: ")[2] for text in package["classifiers"] if text.startswith("License :: ")]
    if fixup_id(stated) or not classified:
        return [factory.make_from_string(stated)] if 0 < len(stated) <= LONGEST_LICENCE_NAME else []
    return [factory.make_with_name(name) for name in classified]


def _debian_packages(inventory: Mapping[str, Any]) -> Iterator[Component]:
    system = inventory["system"]
    for package in inventory["debian_packages"]:
        qualifiers = {
            "arch": package["Architecture"],
            "distro": f"{system['ID']}-{system['VERSION_ID']}",
            "upstream": f"{package['source:Package']}@{package['source:Version']}",
        }
        yield _component(PackageURL("deb", system["ID"], package["Package"], package["Version"], qualifiers))


def _component(url: PackageURL, kind: ComponentType = ComponentType.LIBRARY, **more: Any) -> Component:
    return Component(name=url.name, version=url.version, purl=url, bom_ref=str(url), type=kind, **more)
