"""A recast of an analysis whose data are kept elsewhere: only what the jobs need that run is fetched."""

import json
import os
from pathlib import Path

import pytest
from tests import capsules
from tests.contract.conftest import Relance

from relance.digest import of_bytes
from relance.store import images as known_images
from relance.store.images import LocalImage
from relance.store.store import Store

pytestmark = pytest.mark.container

BIG = b"3\n1\n2\n"
SNAKEFILE = """
from pathlib import Path
import yaml

configfile: "config.yaml"

BUILT = yaml.safe_load((Path(workflow.basedir) / "containers/images.local.yaml").read_text("utf-8"))
IMAGE = BUILT["images"]["counting"]["runtime"]["path"]

rule total:
    input: "results/selected.txt"
    output: "results/total.json"
    container: IMAGE
    params: threshold=config["threshold"]
    shell: "printf '{{\\"total\\": %s}}' {params.threshold} > {output}"

rule select:
    input: big="data/big.txt", other="data/other.txt"
    output: "results/selected.txt"
    container: IMAGE
    params: cut=config["cut"]
    shell: "grep -v '^{params.cut}$' {input.big} {input.other} > {output}"
"""
PRODUCTS = """products:
  keep: [{path: results/selected.txt}]
  external:
    - {path: data/big.txt, size: %d, sha256: %s, locations: ["%s"]}
    - {path: data/other.txt, size: %d, sha256: %s, locations: ["%s"]}
"""
CUT = "    cut: {title: Number to leave out, type: integer, key: cut}\n  results:\n"


@pytest.fixture
def counting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Relance:
    """The analysis, run and captured; the data lie in the folder `kept` beside it."""
    monkeypatch.setenv("RELANCE_STORE", str(tmp_path / "store"))
    store = Store(tmp_path / "store")
    image = capsules.shell_image(store.layout, tmp_path / "image")
    runtime = capsules.runtime_image(store.layout, image, store.runtime)
    folder, kept = tmp_path / "counting", tmp_path / "kept"
    external: list[object] = []
    for name in ("big.txt", "other.txt"):
        for place in (kept / name, folder / "data" / name):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(BIG)
        external += [len(BIG), of_bytes(BIG).removeprefix("sha256:"), (kept / name).as_uri()]
    specification = capsules.SPECIFICATION.decode().replace("  results:\n", CUT)
    (folder / "specs").mkdir()
    (folder / "containers").mkdir()
    (folder / "specs/counting.yaml").write_text(specification + PRODUCTS % tuple(external))
    (folder / "Snakefile").write_text(SNAKEFILE)
    (folder / "config.yaml").write_text("threshold: 100\ncut: 1\n")
    nothing = of_bytes(b"")
    built = LocalImage(
        nothing, image.config, image.manifest, nothing, "podman", "localhost/relance/counting:1", runtime
    )
    known_images.write_local(folder, {"counting": built})
    relance = Relance(folder)
    for words in (("run", "--runtime", "apptainer"), ("capture",)):
        done = relance(*words)
        assert done.returncode == 0, done.stderr
    return relance


def test_only_what_jobs_need_that_run_is_fetched(counting: Relance, tmp_path: Path) -> None:
    recast = ("recast", "counting", "--runtime", "apptainer")
    (tmp_path / "kept").rename(tmp_path / "gone")
    first = counting(*recast, "--set", "threshold=7", "-o", "../seven")
    assert first.returncode == 0, first.stderr
    assert "1 jobs run, 1 restored" in first.stdout
    assert "left where it is kept: data/big.txt (6 bytes), data/other.txt" in first.stderr
    work = tmp_path / "seven/work/analysis"
    assert not os.path.lexists(work / "data/big.txt")
    (record,) = work.glob(".snakemake/relance/run-*/record.json")
    files = {file["path"]: file for file in json.loads(record.read_text())["files"]}
    assert (files["data/big.txt"]["kind"], files["data/big.txt"]["digest"]) == ("file", of_bytes(BIG))

    other = (*recast, "--set", "cut=2", "-o", "../two")
    planned = json.loads(counting(*other, "--dry-run", "--json").stdout)
    assert (planned["fetched"], planned["left"]) == ({"data/big.txt": 6, "data/other.txt": 6}, {})
    refused = counting(*other)
    assert (refused.returncode, "add --fetch" in refused.stderr) == (2, True)
    assert not (tmp_path / "two").exists()
    (tmp_path / "gone").rename(tmp_path / "kept")
    done = counting(*other, "--fetch")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "two/work/analysis/data/big.txt").read_bytes() == BIG
    selected = (tmp_path / "two/work/analysis/results/selected.txt").read_text()
    assert selected == "".join(
        f"data/{name}.txt:{number}\n" for name in ("big", "other") for number in (3, 1)
    )
