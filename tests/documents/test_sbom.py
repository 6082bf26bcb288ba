"""What the bill of materials says of a package's licence, and that the same contents give the same bytes."""

import pytest

from deploy.release.sbom import Contents, licences, write_sbom
from deploy.release.source import Source

MIT = "License :: OSI Approved :: MIT License"
BSD = "License :: OSI Approved :: BSD License"
ROWS = {
    "an expression says most": (("MIT OR Apache-2.0", "MIT", [MIT]), ["MIT OR Apache-2.0"]),
    "an id goes before classifiers": (("", "Apache-2.0", [MIT]), ["Apache-2.0"]),
    "classifiers go before words": (("", "Dual License", [MIT, BSD]), ["MIT License", "BSD License"]),
    "words are better than nothing": (("", "as is", []), ["as is"]),
    "a whole text is no name": (("", "Permission is hereby granted " * 9, []), []),
    "other classifiers are no licence": (("", "", ["Typing :: Typed"]), []),
}


@pytest.mark.parametrize("row", ROWS)
def test_a_licence_is_said_in_the_form_that_says_most(row):
    (expression, licence, classifiers), wanted = ROWS[row]
    found = licences({"expression": expression, "licence": licence, "classifiers": classifiers})
    assert [getattr(one, "value", None) or one.id or one.name for one in found] == wanted


def contents(image: str) -> Contents:
    package = {"name": "A_b.c", "version": "1.0", "expression": "MIT", "licence": "", "classifiers": []}
    debian = {
        "Package": "libc6",
        "Version": "2:2.36-9",
        "Architecture": "amd64",
        "source:Package": "glibc",
        "source:Version": "2.36",
    }
    inventory = {
        "system": {"ID": "debian", "VERSION_ID": "12"},
        "python": "3.12.1",
        "python_packages": [package],
        "debian_packages": [debian],
    }
    return Contents(image, inventory, {"a-b-c": "0" * 64})


def test_the_same_contents_give_the_same_bytes_and_another_image_others():
    source = Source("0.2.0", "abc", 1_700_000_000)
    one, again, other = (write_sbom(contents(f"sha256:{digit * 64}"), source, "base") for digit in "112")
    assert one == again != other
    assert '"timestamp": "2023-11-14T22:13:20+00:00"' in one


def test_packages_are_named_as_scanners_look_them_up():
    text = write_sbom(contents(f"sha256:{'1' * 64}"), Source("0.2.0", "abc", 0), "base")
    assert '"purl": "pkg:pypi/a-b-c@1.0"' in text
    assert '"purl": "pkg:deb/debian/libc6@2:2.36-9?arch=amd64&distro=debian-12&upstream=glibc%402.36"' in text
