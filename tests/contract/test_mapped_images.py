"""An analysis whose image nobody can pull any more: run, captured and recast with what stands in for it."""

import json
import os
from pathlib import Path

import pytest
from tests import capsules
from tests.contract.conftest import Relance

from relance.capsule import reading
from relance.store.descriptors import MANIFEST_TYPE, Descriptor
from relance.store.layout import Layout
from relance.store.store import Store

pytestmark = pytest.mark.container

GONE = "docker://127.0.0.1:9/tools:1"
PROGRAM = "scripts/total.sh"
SNAKEFILE = f"""
configfile: "config.yaml"

checkpoint count:
    input: data="data/a.txt", program=workflow.source_path("scripts/total.sh")
    output: "results/total.json"
    container: "{GONE}"
    params: threshold=config["threshold"]
    shell: "bash {{input.program}} {{params.threshold}} > {{output}}"
"""


@pytest.fixture
def gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Relance:
    """The analysis, with a mapping file beside it."""
    monkeypatch.setenv("RELANCE_STORE", str(tmp_path / "store"))
    kept = Layout(tmp_path / "kept")
    image = capsules.shell_image(kept, tmp_path / "image")
    kept.name("tools:1", Descriptor(MANIFEST_TYPE, image.manifest, image.manifest_size))
    mapping = {"version": 1, "images": [{"name": GONE, "use": "oci:kept:tools:1", "config": image.config}]}
    (tmp_path / "mapping.yaml").write_text(json.dumps(mapping))
    folder = tmp_path / "counting"
    files = {
        "Snakefile": SNAKEFILE,
        "config.yaml": "threshold: 100\n",
        "data/a.txt": "e\n",
        "scripts/total.sh": """echo '{"total":' $1'}'\n""",
        "specs/counting.yaml": capsules.SPECIFICATION.decode(),
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return Relance(folder)


def captured(relance: Relance, name: str = "counting") -> reading.Capsule:
    layout = Store(Path(os.environ["RELANCE_STORE"])).layout
    (found,) = [one for full, one in layout.names().items() if full.partition("/")[2].startswith(name)]
    return reading.read(layout, found)


@pytest.mark.parametrize("runtime", ["apptainer", "podman"])
def test_an_analysis_whose_image_is_gone_runs_and_is_captured_with_what_stands_in(
    gone: Relance, runtime: str
) -> None:
    given = ("run", "--runtime", runtime, "--mapping", "../mapping.yaml")
    done = gone(*given)
    assert done.returncode == 0, done.stderr
    assert f"tools:1 stands in for {GONE}, as ../mapping.yaml says" in done.stderr
    assert "nothing to do" in gone(*given).stdout
    # Nothing is left by which a run without the mapping would take it for the image itself.
    without = gone("run", "--runtime", runtime, "--no-reuse", "--", "--forceall")
    assert without.returncode != 0
    assert gone(*given, "--no-reuse", "--", "--forceall").returncode == 0
    told = gone("capture", "--json")
    assert told.returncode == 0, told.stderr
    (image,) = captured(gone).images
    assert (image.stands_for, image.written, image.resolved) == (GONE, (GONE,), "run")
    assert captured(gone).run.stand_ins == (GONE,)
    # Snakemake runs a copy of the script, at another path each time.
    (job,) = captured(gone).jobs
    assert (job.record.inputs[1], job.record.command) == (PROGRAM, f"bash {PROGRAM} 100 > results/total.json")
    assert f"stands for {GONE}" in gone("inspect", "counting").stdout


def test_a_capsule_without_its_image_is_checked_out_and_recast_with_what_stands_in(
    gone: Relance, tmp_path: Path
) -> None:
    mapping = ("--mapping", "../mapping.yaml")
    assert gone("run", "--runtime", "apptainer", *mapping).returncode == 0
    record = next(gone.folder.glob(".snakemake/relance/run-*/record.json"))
    told = json.loads(record.read_text())
    told["run"].pop("stand_ins")  # as of a run long ago, when the image could be pulled
    for job in told["jobs"]:
        job["image"] |= {"manifest": "unknown", "config": "unknown", "runtime": "unknown"}
    record.write_text(json.dumps(told))
    assert "can't be had" in gone("capture").stdout
    assert captured(gone).images == ()
    out = gone("checkout", "counting", str(tmp_path / "out"), "--images", *mapping)
    assert out.returncode == 0, out.stderr
    assert (tmp_path / "out/.relance/images/index.json").is_file()
    recast = ("recast", "counting", "--set", "threshold=7", "--runtime", "apptainer", "-o", "../recast")
    assert gone(*recast).returncode != 0
    done = gone(*recast, *mapping)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "recast/work/analysis/results/total.json").read_text()) == {"total": 7}
    told = gone("capture", "../recast/work/analysis", "-o", "seven")
    assert told.returncode == 0, told.stderr
    assert [image.stands_for for image in captured(gone, "seven").images] == [GONE]
