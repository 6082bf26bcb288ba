"""`python -m deploy.release image|sbom|all [--base IMAGE]`: makes the image of this work tree, its bill of materials, or a release.

The last two are written to `dist/`. Exit status 2: refused, with one line that says why and one that says what to do; 1: a program
has failed, with its error output.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import click

from deploy.release.base import pinned
from deploy.release.image import BASE, Building, build
from deploy.release.making import check_releasable, make_release
from deploy.release.sbom import read_contents, write_sbom
from deploy.release.source import CommandFailed, read_source
from service.errors import Misconfigured

TREE = Path.cwd()
DIST = TREE / "dist"
LOCAL = "tablesplit:local"
"""The image's name in docker-compose.yml."""


def make_image(base: str) -> None:
    """Build the image of the work tree as it is."""
    print(build(TREE, read_source(TREE), Building(base), LOCAL))


def make_sbom(base: str) -> None:
    """Write the bill of materials of that image."""
    source, building = read_source(TREE), Building(base)
    contents = read_contents(build(TREE, source, building, LOCAL), TREE, source, building)
    DIST.mkdir(exist_ok=True)
    (DIST / "sbom.cdx.json").write_text(write_sbom(contents, source, base), encoding="utf-8")


def make_all(base: str) -> None:
    """Make a release of the commit, with an image whose layers are all built anew, on a base that is named by its digest."""
    check_releasable(TREE, read_source(TREE))
    make_release(TREE, DIST, Building(pinned(TREE, base), cached=False))


MADE: dict[str, Callable[[str], None]] = {"image": make_image, "sbom": make_sbom, "all": make_all}


@click.command(help=__doc__)
@click.argument("product", type=click.Choice(list(MADE)))
@click.option(
    "--base",
    default=BASE,
    show_default=True,
    help="The base. A release takes it by its digest, from deploy/images.digests, or as it is given: NAME:TAG@sha256:...",
)
def main(product: str, base: str) -> None:
    """Make the product, or print why it cannot be made."""
    try:
        MADE[product](base)
    except (Misconfigured, CommandFailed) as refused:
        click.echo(f"{refused}\n{refused.remedy}".strip(), err=True)
        sys.exit(refused.exit_status)


if __name__ == "__main__":
    main()
