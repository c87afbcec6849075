"""`relance init` on a small analysis, on a tidy one and on the dilepton analysis itself."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.contract.conftest import Relance

from relance.drafting import draft, words
from relance.specification import reading

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tidy(analysis: Callable[[str], Relance]) -> Relance:
    return analysis("tidy")


def test_a_draft_is_valid_and_says_what_is_left_to_decide(tidy: Relance) -> None:
    done = tidy("init")
    assert (done.returncode, done.stderr) == (0, "")
    path = tidy.folder / "specs" / "tidy.yaml"
    lines = path.read_text().splitlines()
    reading.load(path)
    told = [line.strip() for line in done.stdout.splitlines() if line.startswith("    specs/tidy.yaml:")]
    assert f"{len(told)} places are left to decide" in done.stdout
    for entry in told:
        _, number, question = entry.split(":", 2)
        assert lines[int(number) - 1].endswith(f"{words.MARK} {question.strip()}")


def test_a_draft_holds_what_can_be_found(tidy: Relance) -> None:
    assert tidy("init").returncode == 0
    drafted = reading.load(tidy.folder / "specs" / "tidy.yaml")
    ada, collaboration = drafted.identity.authors
    assert (ada.name, ada.orcid) == ("Ada Physicist", "0000-0002-1825-0097")
    assert collaboration.name == "The # Collaboration"
    assert drafted.identity.title == "Search for a resonance: in two channels"
    assert (drafted.identity.version, drafted.identity.keywords) == ("2.1.0", ("search", "no"))
    (form,) = drafted.interface.inputs["signal_file"].forms
    assert (form.level, form.formats, form.key) == ("hepmc", ("hepmc3",), "signal.file")
    mass = drafted.interface.parameters["signal.mass"]
    assert (mass.default, mass.unit) == (2.5, "TeV")
    assert drafted.interface.results["limit"].file == "{output}/limit.json"
    assert [kept.path for kept in drafted.products.keep] == ["{output}/plots/**"]
    assert [(part.kind, part.rules) for part in drafted.outside] == [("cvmfs", ("limit",))]


def test_a_secret_of_the_configuration_is_not_drafted(tidy: Relance) -> None:
    assert "not-for-anyone" not in tidy("init", "--dry-run").stdout


def test_what_must_be_decided_stands_beside_what_it_is_about(tidy: Relance) -> None:
    lines = tidy("init", "--dry-run").stdout.splitlines()
    about = {question: lines[number - 1] for number, question in draft.decisions("\n".join(lines))}
    image = "rule limit: image \"docker://docker.io/library/python:3.11\" isn't pinned; write '…@sha256:…'"
    assert image in about
    assert not any("rule select: image" in question for question in about)
    assert any("is it the signal?" in question and "signal.file" in line for question, line in about.items())


def test_the_same_analysis_gives_the_same_draft(tidy: Relance) -> None:
    first, second = tidy("init", "--dry-run"), tidy("init", "--dry-run")
    assert first.returncode == 0
    assert first.stdout == second.stdout
    assert not (tidy.folder / "specs").exists()


def test_a_specification_that_is_there_is_kept_unless_forced(tidy: Relance) -> None:
    path = tidy.folder / "specs" / "tidy.yaml"
    assert tidy("init").returncode == 0
    drafted = path.read_text()
    edited = drafted.replace('version: "2.1.0"', 'version: "3"')
    path.write_text(edited)
    told = tidy("init")
    assert (told.returncode, path.read_text()) == (0, edited)
    assert "is there, and kept; " in told.stdout
    assert "specs/tidy.yaml:8: " in told.stdout
    path.write_text("".join(line.partition("# decide")[0].rstrip() + "\n" for line in edited.splitlines()))
    assert "is finished; go on with 'relance run'" in tidy("init").stdout
    assert tidy("init", "-o", "specs/tidy.yaml").returncode == 2
    assert tidy("init", "--force").returncode == 0
    assert path.read_text() == drafted


def test_a_specification_of_another_name_is_the_analysis_s_own(tidy: Relance) -> None:
    assert tidy("init", "-o", "specs/search.yaml").returncode == 0
    told = tidy("init")
    assert (told.returncode, "specs/search.yaml" in told.stdout) == (0, True)
    assert [path.name for path in (tidy.folder / "specs").iterdir()] == ["search.yaml"]


def test_a_broken_specification_is_told_instead_of_drafted_over(tidy: Relance) -> None:
    assert tidy("init").returncode == 0
    (path,) = (tidy.folder / "specs").glob("*.yaml")
    path.write_text(path.read_text().replace('default: "2.5 TeV"', "default: 2.5 TV"))
    refused = tidy("init")
    assert refused.returncode == 2
    assert "expected a unit of energy" in refused.stderr


def test_a_snakefile_that_snakemake_refuses_is_told_in_its_words(tidy: Relance) -> None:
    (tidy.folder / "data" / "events.hepmc").unlink()
    refused = tidy("init")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "data/events.hepmc" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (tidy.folder / "specs").exists()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("rule", "SyntaxError"),
        ('raise ValueError("none of that")', "none of that"),
        ('configfile: "nope.yaml"', "nope.yaml"),
    ],
)
def test_a_snakefile_that_can_not_be_read_is_told_on_one_line(tidy: Relance, line: str, words: str) -> None:
    (tidy.folder / "Snakefile").write_text(f"{line}\n")
    refused = tidy("init")
    assert refused.returncode == 2
    assert words in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert "Traceback" not in refused.stderr


def test_a_folder_without_an_analysis_is_refused(tmp_path: Path) -> None:
    refused = Relance(tmp_path)("init")
    assert refused.returncode == 2
    assert "expected a Snakefile in it" in refused.stderr


def test_authors_come_from_the_history_where_nothing_else_names_them(toy: Relance) -> None:
    def git(*arguments: str, who: str = "") -> None:
        settings = [
            "-c",
            f"user.name={who}",
            "-c",
            "user.email=someone@example.org",
            "-c",
            "commit.gpgsign=false",
        ]
        subprocess.run(["git", *settings, *arguments], cwd=toy.folder, check=True, capture_output=True)

    git("init")
    git("add", "Snakefile")
    git("commit", "-m", "first", who="Émilie: du Châtelet")
    for number in range(2):
        git("commit", "--allow-empty", "-m", f"{number}", who="Nobody")
        with (toy.folder / "config.yaml").open("a") as file:
            file.write(f"# {number}\n")
        git("add", "config.yaml")
        git("commit", "-m", f"{number}", who="Chien-Shiung Wu")
    assert toy("init").returncode == 0
    drafted = reading.load(toy.folder / "specs" / "toy.yaml")
    assert [author.name for author in drafted.identity.authors] == ["Chien-Shiung Wu", "Émilie: du Châtelet"]
    assert set(drafted.interface.results) == {"shout", "environment"}
    assert "example.org" not in (toy.folder / "specs" / "toy.yaml").read_text()


def test_the_dilepton_analysis_is_drafted_with_the_units_of_its_configuration(tmp_path: Path) -> None:
    path = tmp_path / "dilepton.yaml"
    done = Relance(ROOT)("init", ".", "-o", str(path), env={**os.environ, "LANG": "C"})
    assert done.returncode == 0, done.stderr
    drafted = reading.load(path)
    mass = drafted.interface.parameters["signal.mass"]
    assert (mass.key, mass.unit, mass.default) == ("signal.mass", "GeV", 2000.0)
    assert drafted.interface.parameters["luminosity"].unit == "fb^-1"
    by_hand = reading.load(ROOT / "specs" / "dilepton.yaml")
    assert drafted.workflow == replace(
        by_hand.workflow, sources=()
    )  # which files belong to it, a person says
    assert {result.file for result in drafted.interface.results.values()} >= {
        result.file for result in by_hand.interface.results.values()
    }
