"""An analysis that is exported to other workflow languages makes the same files there, to the byte."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from relance.cli import form_sources, forms
from relance.languages import snakefile
from relance.languages import yadage as reader
from relance.languages.writing import serial

ANALYSES = Path(__file__).parents[1] / "analyses"
MACHINE = Path(__file__).parents[1] / "machine"
PRODUCTS = ("fit/result.json", "fit/workspace.json", "histograms/signal.json", "generation/one.hepmc")


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
    forms.write(source, "reana", {}, folder / "reana")
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


def test_the_serial_form_makes_the_same_files_step_by_step(exported: Path, made: dict[str, bytes]) -> None:
    declared = yaml.safe_load((exported / "reana/reana.yaml").read_text("utf-8"))
    workspace = exported / "workspace"
    for path in declared["inputs"]["files"]:
        (workspace / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(exported / "reana" / path, workspace / path)
    for step in declared["workflow"]["specification"]["steps"]:
        text = serial.command(step, declared["inputs"]["parameters"])
        subprocess.run(["bash", "-c", text], cwd=workspace, check=True)
    assert products(workspace) == made
    assert all((workspace / path).is_file() for path in declared["outputs"]["files"])
