"""An analysis that is exported to other workflow languages makes the same files there, to the byte."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tests import capsules

from relance.capsule import writing
from relance.cli import form_sources, forms, run_command_line
from relance.engines.reana import declared
from relance.errors import InputError
from relance.languages import snakefile
from relance.languages.yadage import workflows as reader
from relance.store.store import Store

from .reana.server import HERE, TOKEN, Generation, serving

ANALYSES = Path(__file__).parents[1] / "analyses"
MACHINE = Path(__file__).parents[1] / "machine"
PRODUCTS = ("fit/result.json", "fit/workspace.json", "histograms/signal.json", "generation/one.hepmc")


ROOT = Path(__file__).parents[2]


def products(folder: Path) -> dict[str, bytes]:
    """Return what an analysis made, by path, wherever an engine's stages lie."""
    found = {}
    for path in PRODUCTS:
        (one,) = [file for file in folder.rglob(path) if file.is_file() and not file.is_symlink()]
        found[path] = one.read_bytes()
    return found


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small search in every form; in yadage its jobs are processes, since no registry has its image."""
    folder = tmp_path_factory.mktemp("forms")
    analysis = shutil.copytree(ANALYSES / "recastable", folder / "analysis")
    source = form_sources.of_folder(analysis, None, os.environ, folder)
    forms.write(source, "snakemake", {}, folder / "snakemake")
    forms.write(
        source, "reana", {"docker://relance/recastable": "registry.example/search:1"}, folder / "reana"
    )
    forms.write(source, "yadage", {"docker://relance/recastable": ""}, folder / "yadage")
    return folder


@pytest.fixture(scope="module")
def made(exported: Path) -> dict[str, bytes]:
    """What the analysis makes as it is; its Snakemake form and its compiled yadage form run, too."""
    folder = exported / "compiled"
    workflow = reader.read(exported / "yadage", "workflow.yml").workflow
    given = yaml.safe_load((exported / "yadage/parameters.yml").read_text("utf-8"))
    snakefile.write(snakefile.compiled(workflow, "workflow.yml", given), folder)
    shutil.copytree(exported / "yadage/init", folder / "init")
    folders = [exported / name for name in ("analysis", "snakemake", "compiled")]
    command = [sys.executable, MACHINE / "snakemake_runs.py", *folders]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert said.split() == ["0", "0", "0"], (folder / "snakemake.log").read_text("utf-8")
    return products(exported / "analysis")


def test_the_form_for_snakemake_makes_the_same_files(exported: Path, made: dict[str, bytes]) -> None:
    assert products(exported / "snakemake") == made


def test_the_form_for_yadage_makes_the_same_files_when_it_is_compiled(
    exported: Path, made: dict[str, bytes]
) -> None:
    assert products(exported / "compiled/workdir") == made


def test_the_form_for_yadage_makes_the_same_files_in_yadage(exported: Path, made: dict[str, bytes]) -> None:
    toplevel = exported / "toplevel"
    toplevel.mkdir()
    shutil.copy(exported / "yadage/workflow.yml", toplevel / "form.yml")
    shutil.copy(exported / "yadage/parameters.yml", toplevel / "form.input.yml")
    shutil.copytree(exported / "yadage/init", toplevel / "inputs/form")
    python = subprocess.check_output([MACHINE / "yadage.sh"], text=True).strip()
    command = [python, MACHINE / "yadage_runs.py", toplevel, exported / "work", "form"]
    done = json.loads(subprocess.check_output(command, text=True).splitlines()[-1])["form"]
    assert done.get("unapplied") == [], done
    shutil.rmtree(exported / "work/form/init")
    assert products(exported / "work/form") == made


@pytest.mark.parametrize(("form", "generation"), [("reana", Generation.JSON), ("yadage", Generation.BEARER)])
def test_a_server_makes_the_same_files_of_the_forms_for_reana(  # noqa: PLR0917
    form: str,
    generation: Generation,
    exported: Path,
    made: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Servers of 0.9 take serial steps; yadage itself runs its form, as in REANA's engine."""
    engine = HERE
    if form == "yadage":
        engine = replace(HERE, yadage=subprocess.check_output([MACHINE / "yadage.sh"], text=True).strip())
    for name in ("XDG_CACHE_HOME", "RELANCE_STORE"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("REANA_ACCESS_TOKEN", TOKEN)
    got = tmp_path / "got"
    options = ["--skip-images", "--interval=0.2", "-q"]
    with serving(tmp_path / "server", generation, engine=engine) as server:
        monkeypatch.setenv("REANA_SERVER_URL", server.address)
        assert run_command_line(["reana", "submit", str(exported / form), "--wait", *options]) == 0
        assert run_command_line(["reana", "fetch", "-q", "-o", str(got)]) == 0
        assert server.violations == []
        workspace = server.only().workspace
    assert products(workspace) == made
    declared = yaml.safe_load((exported / form / "reana.yaml").read_text("utf-8"))
    for path in declared["outputs"]["files"]:
        assert (got / path).read_bytes() == (workspace / path).read_bytes()
    (record,) = got.glob(".snakemake/relance/run-*/record.json")
    found = json.loads(record.read_text("utf-8"))
    assert found["run"]["snakemake"] == "unknown"
    assert {job["status"] for job in found["jobs"]} == {"ok"}
    assert all("set -euo pipefail" in job["command"] for job in found["jobs"])


def test_our_reader_makes_the_same_of_the_serial_form(exported: Path) -> None:
    form = exported / "reana/reana.yaml"
    assert run_command_line(["convert", str(form), str(exported / "converted"), "-q"]) == 0
    assert yaml.safe_load((exported / "converted/config.yaml").read_text("utf-8"))["parameters"] == {
        "signal_mass": "500.0",
        "luminosity": "10.0",
        "seed": "1",
    }


def test_the_dilepton_analysis_has_a_valid_form_for_each_engine_of_reana(tmp_path: Path) -> None:
    source = form_sources.of_folder(ROOT, "tiny", os.environ, ROOT, fixed=True)
    names = {name: f"registry.example/{name}@sha256:{'1' * 64}" for name in ("generation", "analysis")}
    forms.write(source, "yadage", names, tmp_path / "yadage")
    forms.write(source, "reana", names, tmp_path / "serial")
    forms.write(source, "snakemake", names, tmp_path / "snakemake")
    for language in ("yadage", "serial", "snakemake"):
        found = declared.read(tmp_path / language)
        assert found.language == language
        assert any(path.endswith("results/tiny/fit/result.json") for path in found.outputs)
        assert not any(path.endswith("images.local.yaml") for path in found.inputs)
    workflow = reader.read(tmp_path / "yadage", "workflow.yml").workflow
    steps = declared.serial(declared.read(tmp_path / "serial"))["steps"]
    assert [stage.name for stage in workflow.stages] == [step["name"] for step in steps]
    assert len(steps) == len([job for job in source.jobs if job.outputs])


def test_files_come_along_as_jobs_read_them(tmp_path: Path) -> None:
    analysis = tmp_path / "analysis"
    (analysis / "data/in").mkdir(parents=True)
    (analysis / "data/in/one.txt").write_text("one")
    (analysis / "near.txt").symlink_to("data/in/one.txt")
    (tmp_path / "elsewhere.txt").write_text("far")
    (analysis / "far.txt").symlink_to(tmp_path / "elsewhere.txt")
    (analysis / "specs").mkdir()
    (analysis / "specs/a.yaml").write_bytes(
        capsules.SPECIFICATION.replace(b"configuration: config.yaml", b"sources: [Snakefile]")
    )
    (analysis / "Snakefile").write_text(
        "rule sum:\n    input: 'data/in', 'near.txt', 'far.txt'\n    output: 'out/sum.txt'\n"
        "    container: 'docker://bash:5'\n    shell: 'cat data/in/* near.txt far.txt > {output}'\n"
    )
    source = form_sources.of_folder(analysis, None, os.environ, tmp_path)
    forms.write(source, "reana", {}, tmp_path / "form")
    found = declared.read(tmp_path / "form")
    assert set(found.inputs) == {"Snakefile", "data/in/one.txt", "far.txt", "near.txt"}
    assert (tmp_path / "form/near.txt").is_symlink()
    assert not (tmp_path / "form/far.txt").is_symlink()
    assert source.sought.fixed == {"threshold": "the configuration doesn't say it"}
    (analysis / "data/in/one.txt").unlink()
    with pytest.raises(InputError, match=r"one\.txt"):
        forms.write(source, "reana", {}, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_workflow_of_yadage_is_exported_without_its_shorthand(tmp_path: Path) -> None:
    workflow = ANALYSES / "yadage/references.yml"
    assert run_command_line(["export", "--as", "yadage", str(workflow), str(tmp_path / "form"), "-q"]) == 0
    assert "$ref" not in (tmp_path / "form/workflow.yml").read_text("utf-8")
    assert reader.read(tmp_path / "form", "workflow.yml").files == ("workflow.yml",)


def test_a_capsule_is_exported_as_it_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELANCE_STORE", str(tmp_path / "store"))
    store = Store(tmp_path / "store")
    with store.writing():
        writing.write(store.layout, capsules.small(store.layout), name="counting")
    target = tmp_path / "form"
    assert run_command_line(["export", "--as", "snakemake", "counting", str(target), "-q"]) == 0
    text = (target / "Snakefile").read_text("utf-8")
    assert text.count("\nrule ") == 4
    assert (target / "data/a.txt").is_file()
    guide = (target / "EXPORT.md").read_text("utf-8")
    assert "All parameters are fixed as they were." in guide
    assert "threshold: the capsule tells its jobs as they ran" in guide


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--as", "yadage", "--public", "x", "y"], "--public goes without --as"),
        (["--fixed", "x", "y"], "go with --as"),
        (["--as", "reana", "w.yml", "y"], "compile it"),
        (["--as", "yadage", "--image", "a", ".", "y"], "IMAGE=NAME"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_written(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("w.yml").write_text("stages: []\n")
    Path("Snakefile").write_text("rule all:\n    input: []\n")
    assert run_command_line(["export", *words]) == 2
    assert said in capsys.readouterr().err
    assert not Path("y").exists()
