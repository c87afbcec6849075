"""`relance check` as people call it: on our own analysis, on a broken one, and on somebody else's."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "specs/schemas/check-report.schema.json").read_text("utf-8"))
SNAKEFILE = """\
import pathlib
pathlib.Path("executed").touch()


rule all:
    input:
        "results/c.txt",


rule first:
    output:
        "results/a.txt",
    container:
        "docker://some/image@sha256:0"
    shell:
        "set -euo pipefail; mkdir -p results; echo a > {output}"


rule second:
    input:
        "data.txt",
    output:
        "results/b.txt",
    container:
        "docker://some/image@sha256:0"
    shell:
        "set -euo pipefail; mkdir -p results; cat {input} results/a.txt > {output}"


rule third:
    input:
        "results/b.txt",
        "results/a.txt",
    output:
        "results/c.txt",
    container:
        "docker://some/image@sha256:0"
    shell:
        "cat {input} | sort > {output}"
"""
REANA = """\
inputs:
  files:
    - Snakefile
workflow:
  type: snakemake
  file: Snakefile
outputs:
  files:
    - results/d.txt
"""


def check(*words: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "relance", "check", *map(str, words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def codes(done: subprocess.CompletedProcess[str]) -> list[tuple[str, str, int | None]]:
    content = json.loads(done.stdout)
    Draft202012Validator(SCHEMA).validate(content)
    return [(one["code"], one["file"], one["line"]) for one in content["findings"]]


def analysis(folder: Path) -> Path:
    folder.mkdir()
    (folder / "Snakefile").write_text(SNAKEFILE)
    (folder / "reana.yaml").write_text(REANA)
    (folder / "data.txt").write_text("data\n")
    return folder


def test_our_own_analysis_is_clean_for_reana(tmp_path: Path) -> None:
    place = tmp_path / "analysis"
    place.mkdir()
    for name in ("Snakefile", "reana.yaml", "workflows", "containers", "envs", "specs"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, place / name)
    (place / "containers/images.local.yaml").unlink(missing_ok=True)
    done = check("--for", "reana", "--strict", folder=place)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("0 errors, 0 warnings")


def test_the_graph_tells_what_the_text_does_not(tmp_path: Path) -> None:
    place = analysis(tmp_path / "analysis")
    done = check("--for", "reana", "--format", "json", folder=place)
    assert done.returncode == 1
    assert codes(done) == [
        ("RL502", "Snakefile", 26),
        ("RL305", "Snakefile", 39),
        ("RL408", "reana.yaml", 1),
        ("RL409", "reana.yaml", 9),
    ]
    assert (place / "executed").exists(), "only running the Snakefile's Python tells this"
    assert not (place / ".snakemake").exists()


def test_nothing_of_a_snakefile_runs_with_no_parse(tmp_path: Path) -> None:
    place = analysis(tmp_path / "analysis")
    done = check("--no-parse", "--for", "reana", "--format", "json", folder=place)
    assert [code for code, _, _ in codes(done)] == ["RL305"]
    assert not (place / "executed").exists()
    assert not (place / ".snakemake").exists()


RECORDED = """\
rule third:
    input:
        "b.txt",
    output:
        "c.txt",
    params:
        also="a.txt",
    shell:
        "cat {input} {params.also} > {output}"


rule first:
    output:
        "a.txt",
        "b.txt",
    shell:
        "echo a | tee {output}"
"""


def test_a_recorded_run_tells_what_commands_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELANCE_STORE", str(tmp_path / "store"))
    place = tmp_path / "analysis"
    place.mkdir()
    (place / "Snakefile").write_text(RECORDED)
    command = [sys.executable, "-m", "relance", "run", "--runtime", "plain", "--no-reuse"]
    subprocess.run(command, cwd=place, check=True, capture_output=True)
    found = ("RL502", "Snakefile", 8)
    assert codes(check("--no-parse", "--format", "json", folder=place)) == [found]
    (place / "Snakefile").write_text(RECORDED + "# another\n")
    assert codes(check("--no-parse", "--format", "json", folder=place)) == []


def test_a_missing_input_is_told_with_its_rule(tmp_path: Path) -> None:
    place = analysis(tmp_path / "analysis")
    (place / "data.txt").unlink()
    done = check(place, folder=tmp_path)
    assert done.returncode == 1
    assert "analysis/Snakefile:20: error RL501: rule second, input 'data.txt': found neither" in done.stdout


def test_github_is_told_the_path_from_where_it_stands(tmp_path: Path) -> None:
    place = analysis(tmp_path / "analysis")
    done = check("analysis/reana.yaml", "--no-parse", "--format", "github", folder=tmp_path)
    assert place.is_dir()
    assert done.stdout.splitlines()[0].startswith(
        "::warning file=analysis/Snakefile,line=39,title=RL305::rule"
    )


def test_what_is_no_analysis_is_wrong_usage(tmp_path: Path) -> None:
    done = check(".", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{tmp_path} is no analysis: found none of them, expected one of Snakefile" in done.stderr
    (tmp_path / "x.yaml").write_text("a: 1\n")
    done = check("x.yaml", folder=tmp_path)
    assert done.returncode == 2
    assert "x.yaml can't be checked: found none of these" in done.stderr
