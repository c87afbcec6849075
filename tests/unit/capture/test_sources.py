"""Which files of a folder come with the analysis."""

import os
import subprocess
from pathlib import Path

import pytest

from relance.capture import sources
from relance.errors import InputError


@pytest.fixture
def analysis(tmp_path: Path) -> Path:
    for name in (
        "Snakefile",
        "scripts/fit.py",
        "data/list.txt",
        "results/limit.json",
        ".snakemake/x",
        "notes.md",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "plots").mkdir()
    return tmp_path


def in_git(folder: Path, ignored: str) -> None:
    (folder / ".gitignore").write_text(ignored)
    subprocess.run(["git", "-C", str(folder), "init", "-q"], check=True)


def test_without_git_everything_but_products_and_leavings_counts(analysis: Path) -> None:
    found = sources.listed(analysis, (), {"results/limit.json"})
    assert found.files == ("Snakefile", "data/list.txt", "notes.md", "scripts/fit.py")
    assert found.folders == ("plots",)


def test_with_git_what_it_ignores_does_not_count(analysis: Path) -> None:
    in_git(analysis, "notes.md\nresults\n")
    found = sources.listed(analysis, (), set())
    assert found.files == (".gitignore", "Snakefile", "data/list.txt", "scripts/fit.py")


def test_patterns_of_the_specification_decide_even_over_git(analysis: Path) -> None:
    in_git(analysis, "data\n")
    found = sources.listed(analysis, ("Snakefile", "data", "scripts/*.py"), set())
    assert found.files == ("Snakefile", "data/list.txt", "scripts/fit.py")


def test_what_lies_in_a_folder_that_a_job_makes_is_a_product(analysis: Path) -> None:
    assert "results/limit.json" not in sources.listed(analysis, (), {"results"}).files


def test_a_product_whose_name_holds_wildcards_means_itself_alone(analysis: Path) -> None:
    assert "notes.md" in sources.listed(analysis, (), {"*"}).files


def test_a_link_inside_is_kept_as_a_link(analysis: Path) -> None:
    (analysis / "scripts" / "list.txt").symlink_to("../data/list.txt")
    (link,) = sources.listed(analysis, (), set()).links
    assert (link.path, link.target) == ("scripts/list.txt", "../data/list.txt")


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../elsewhere"])
def test_a_link_that_leads_out_is_refused(analysis: Path, target: str) -> None:
    (analysis / "scripts" / "out").symlink_to(target)
    with pytest.raises(InputError, match=r"scripts/out can't be preserved.*expected it to lead"):
        sources.listed(analysis, (), set())


def test_a_pipe_is_refused(analysis: Path) -> None:
    os.mkfifo(analysis / "pipe")
    with pytest.raises(InputError, match="found a socket, pipe or device"):
        sources.listed(analysis, (), set())


def test_a_recast_that_lies_in_the_analysis_is_an_analysis_of_its_own(analysis: Path) -> None:
    before = sources.listed(analysis, (), set())
    work = analysis / "small-recast-1234" / "work" / "analysis"
    work.mkdir(parents=True)
    for path in (work / "Snakefile", work.parents[1] / "recast.json", work.parents[1] / "results.txt"):
        path.touch()
    assert sources.listed(analysis, (), set()) == before
    in_git(analysis, "")
    assert not [name for name in sources.listed(analysis, (), set()).files if "recast" in name]
