"""`relance capture` on a small analysis that really ran, in a container."""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests import capsules
from tests.killing import Killer

from relance.capsule import reading
from relance.capsule.model import Capsule, Role
from relance.digest import of_bytes, of_file
from relance.store import fsck
from relance.store import images as known_images
from relance.store.images import LocalImage
from relance.store.store import Store

pytestmark = pytest.mark.container

KILLS = 38  # of captures; 8 of pushes (test_registries.py) and 4 of recasts (test_recast.py) make 50
SNAKEFILE = """
from pathlib import Path
import yaml

configfile: "config.yaml"

BUILT = yaml.safe_load((Path(workflow.basedir) / "containers/images.local.yaml").read_text("utf-8"))
IMAGE = BUILT["images"]["counting"]["runtime"]["path"]

rule all:
    input: "results/total.json"

rule count:
    input: "data/{s}.txt"
    output: "results/{s}.count"
    container: IMAGE
    params: threshold=config["threshold"]
    shell: "bash scripts/count.sh {input} > {output}"

rule sum:
    input: expand("results/{s}.count", s=config["samples"])
    output: "results/total.json"
    log: "logs/sum.log"
    container: IMAGE
    shell:
        '''
        total=0; for f in {input}; do total=$((total + $(cat $f))); done
        echo summed > {log}
        printf '{{"total": %d}}' $total > {output}
        '''
"""
SPECIFICATION = capsules.SPECIFICATION.decode() + "products: {keep: [{path: results/a.count}]}\n"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def original(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An analysis with its run, never changed."""
    folder = tmp_path_factory.mktemp("original") / "counting"
    files = {
        "Snakefile": SNAKEFILE,
        "config.yaml": "threshold: 100.0\nsamples: [a, b]\n",
        "scripts/count.sh": '#!/bin/bash\nsource "${0%/*}/lines.sh"\nlines "$1"\n',
        "scripts/lines.sh": 'lines() { grep -c . < "$1"; }\n',
        "data/a.txt": "e\ne\n",
        "data/b.txt": "m\nm\nm\n",
        "specs/counting.yaml": SPECIFICATION,
        "specs/other.yaml": "something: else\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "scripts/count.sh").chmod(0o755)
    (folder / "containers").mkdir()
    image = capsules.shell_image(store.layout, tmp_path_factory.mktemp("image"))
    runtime = capsules.runtime_image(store.layout, image, store.runtime)
    built = LocalImage(
        of_bytes(b""),
        image.config,
        image.manifest,
        of_bytes(b""),
        "podman",
        "localhost/relance/counting:1",
        runtime,
    )
    known_images.write_local(folder, {"counting": built})
    called(folder, store, "run", "--runtime", "apptainer", "--cores", "2", "--quiet", "--no-reuse")
    return folder


@pytest.fixture
def analysis(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "counting", symlinks=True))


def command(folder: Path, store: Store, *arguments: str) -> dict[str, object]:
    environment = {**os.environ, "RELANCE_STORE": str(store.folder)}
    return {
        "args": [sys.executable, "-m", "relance", *arguments],
        "cwd": folder,
        "env": environment,
        "text": True,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
    }


def called(folder: Path, store: Store, *arguments: str, status: int = 0) -> str:
    done = subprocess.run(**command(folder, store, *arguments), check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout if status == 0 else done.stderr


def captured(folder: Path, store: Store, *arguments: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(called(folder, store, "capture", "--json", *arguments))
    return found


def opened(store: Store, name: str) -> Capsule:
    return reading.read(store.layout, reading.find(store.layout, name))


def refusal(folder: Path, store: Store, *arguments: str) -> str:
    """Return why a capture is refused; nothing is named in the store then."""
    before = store.layout.names()
    said = called(folder, store, "capture", *arguments, status=2)
    assert "Traceback" not in said
    assert store.layout.names() == before
    return said


# --- what goes in ------------------------------------------------------------------------------------------


def test_a_capsule_holds_what_the_analysis_is_and_what_it_is_told_to_keep(
    analysis: Path, store: Store
) -> None:
    found = captured(analysis, store)
    capsule = opened(store, str(found["digest"]))
    roles = {file.path: (file.role, file.stored is not None) for file in capsule.files}
    assert roles == {
        "Snakefile": (Role.SOURCE, True),
        "config.yaml": (Role.SOURCE, True),
        "containers/images.local.yaml": (Role.SOURCE, True),
        "data/a.txt": (Role.INPUT, True),
        "data/b.txt": (Role.INPUT, True),
        "logs/sum.log": (Role.LOG, True),
        "results/a.count": (Role.PRODUCT, True),
        "results/b.count": (Role.PRODUCT, False),
        "results/total.json": (Role.PRODUCT, True),
        "scripts/count.sh": (Role.SOURCE, True),
        "scripts/lines.sh": (Role.SOURCE, True),
        "specs/counting.yaml": (Role.SOURCE, True),
        "specs/other.yaml": (Role.SOURCE, True),
    }
    for file in capsule.files:
        assert file.digest == of_file(analysis / file.path)
    assert [file.path for file in capsule.files if file.executable] == ["scripts/count.sh"]
    assert [job.record.rule for job in capsule.jobs] == ["count", "count", "sum"]
    assert capsule.jobs[2].needs == (0, 1)
    assert len(capsule.images) == 1
    assert capsule.not_closed == capsule.unknown == ()


def test_the_same_run_captured_twice_is_the_same_capsule(
    analysis: Path, store: Store, tmp_path: Path
) -> None:
    first = captured(analysis, store)
    again = captured(analysis, store, "-o", "another-name:2")
    assert again["digest"] == first["digest"]
    names = store.layout.names()
    assert {str(described.digest) for name, described in names.items() if "another-name" in name} == {
        first["digest"]
    }


def test_a_name_that_meant_another_run_is_told(analysis: Path, store: Store) -> None:
    before = captured(analysis, store, "-o", "mine")
    (analysis / "README.md").write_text("more\n")
    after = captured(analysis, store, "-o", "mine")
    assert before["digest"] != after["digest"]
    assert [before["replaced"], after["replaced"]] == [None, before["digest"]]
    assert captured(analysis, store, "-o", "mine")["replaced"] is None


def test_a_capture_can_be_one_file(analysis: Path, store: Store, tmp_path: Path) -> None:
    called(analysis, store, "capture", "-o", str(tmp_path / "counting.tar"))
    elsewhere = Store(tmp_path / "elsewhere")
    called(tmp_path, elsewhere, "import", str(tmp_path / "counting.tar"))
    assert opened(elsewhere, "counting").specification == opened(store, "counting").specification


def test_what_a_person_has_not_decided_yet_is_told(analysis: Path, store: Store) -> None:
    path = analysis / "specs/counting.yaml"
    path.write_text(path.read_text().replace("licence: MIT", "licence: MIT  # decide: which licence"))
    done = subprocess.run(**command(analysis, store, "capture", "-o", "undecided:1"), check=False)
    assert done.returncode == 0
    assert "1 places left to decide, the first on line 8: which licence" in done.stderr


def test_a_dry_run_writes_nothing(analysis: Path, tmp_path: Path) -> None:
    elsewhere = Store(tmp_path / "elsewhere")
    said = called(analysis, elsewhere, "capture", "--dry-run")
    assert "results/b.count" in said
    assert not elsewhere.folder.exists()


def test_a_run_under_plain_snakemake_can_be_captured_afterwards_and_says_what_is_not_known(
    analysis: Path, store: Store
) -> None:
    shutil.rmtree(analysis / ".snakemake")
    shutil.rmtree(analysis / "results")
    snakemake(analysis, store, "--use-singularity")
    capsule = opened(store, str(captured(analysis, store)["digest"]))
    assert any("recorded only after its end" in text for text in capsule.unknown)
    assert {file.path for file in capsule.files if file.role is Role.PRODUCT} == {
        "results/a.count",
        "results/b.count",
        "results/total.json",
    }


def test_snakemake_captures_by_its_reporter(analysis: Path, store: Store) -> None:
    expected = captured(analysis, store)["digest"]
    done = snakemake(analysis, store, "--reporter", "relance", "--use-singularity")
    assert f"captured counting:1.0: {expected}" in done.stdout + done.stderr


def snakemake(folder: Path, store: Store, *arguments: str) -> "subprocess.CompletedProcess[str]":
    called_as = command(folder, store)
    called_as["args"] = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    done = subprocess.run(**called_as, check=False)
    assert done.returncode == 0, done.stderr
    return done


# --- what is refused ---------------------------------------------------------------------------------------


def test_a_changed_product_is_named(analysis: Path, store: Store) -> None:
    (analysis / "results/total.json").write_text('{"total": 6}')
    refused = refusal(analysis, store)
    assert "'results/total.json' changed since" in refused
    assert "remove 'results/total.json', and run the analysis again" in refused


def test_a_changed_undeclared_script_is_named(analysis: Path, store: Store) -> None:
    (analysis / "scripts/lines.sh").write_text("lines() { echo 7; }\n")
    assert "'scripts/lines.sh' changed since" in refusal(analysis, store)


def test_a_script_that_is_gone_is_named(analysis: Path, store: Store) -> None:
    (analysis / "scripts/lines.sh").unlink()
    assert "'scripts/lines.sh' not there" in refusal(analysis, store)


def test_a_product_that_is_to_be_kept_and_is_gone_is_named(analysis: Path, store: Store) -> None:
    (analysis / "results/a.count").unlink()
    said = refusal(analysis, store)
    assert "'results/a.count' not there" in said
    assert "--forceall" in said


def test_a_large_input_is_kept_by_reference_or_asked_for(analysis: Path, store: Store) -> None:
    said = refusal(analysis, store, "--inside-up-to", "5")
    assert "input 'data/b.txt' is large" in said
    assert "products.external" in said
    data = {"path": "data/b.txt", "size": 6, "sha256": of_file(analysis / "data/b.txt")[7:]}
    specification = yaml.safe_load(SPECIFICATION)
    specification["products"]["external"] = [{**data, "locations": ["https://example.org/b.txt"]}]
    (analysis / "elsewhere.yaml").write_text(yaml.safe_dump(specification))
    found = captured(analysis, store, "--inside-up-to", "5", "--spec", "elsewhere.yaml", "-o", "external:1")
    held = {file.path: file for file in opened(store, str(found["digest"])).files}["data/b.txt"]
    assert held.stored is None
    assert held.locations == ("https://example.org/b.txt",)


@pytest.mark.parametrize(
    ("written", "wrong", "words"),
    [
        ("file: Snakefile", "file: Snakemakefile", "'Snakefile', which ran"),
        ("pointer: /total", "pointer: /sum", "results/total.json#/sum"),
        ("file: results/total.json", "file: results/sum.json", "results/sum.json"),
        ("file: results/total.json, pointer: /total", "file: Snakefile, pointer: /total", "Snakefile"),
    ],
)
def test_a_specification_that_the_run_contradicts_is_refused(
    analysis: Path, store: Store, written: str, wrong: str, words: str
) -> None:
    assert written in SPECIFICATION
    (analysis / "specs/counting.yaml").write_text(SPECIFICATION.replace(written, wrong))
    assert words in refusal(analysis, store)


def test_a_parameter_that_nobody_looks_at_is_told(analysis: Path, store: Store) -> None:
    text = SPECIFICATION.replace("key: threshold}", "key: treshold}")
    (analysis / "specs/counting.yaml").write_text(text)
    said = called(analysis, store, "capture", "-o", "mistyped")
    assert "parameter 'threshold' is written to 'treshold'" in said


def test_a_reference_to_other_data_is_refused(analysis: Path, store: Store) -> None:
    specification = yaml.safe_load(SPECIFICATION)
    other = {"path": "data/b.txt", "size": 6, "sha256": "0" * 64, "locations": ["https://example.org/b.txt"]}
    specification["products"]["external"] = [other]
    (analysis / "elsewhere.yaml").write_text(yaml.safe_dump(specification))
    assert "data/b.txt is not the data" in refusal(analysis, store, "--spec", "elsewhere.yaml")


def test_an_image_that_is_in_no_store_is_named(analysis: Path, tmp_path: Path) -> None:
    elsewhere = Store(tmp_path / "elsewhere")
    said = called(analysis, elsewhere, "capture", status=2)
    assert "image 'counting' is not in the store" in said


def test_a_folder_without_specification_is_told_how_to_get_one(analysis: Path, store: Store) -> None:
    (analysis / "specs/counting.yaml").unlink()
    assert "relance init" in refusal(analysis, store)


@pytest.mark.parametrize("size", ["many", "1 parsec", "-"])
def test_a_size_that_is_none_is_refused(analysis: Path, store: Store, size: str) -> None:
    assert "expected a size such as 500MB" in refusal(analysis, store, "--inside-up-to", size)


# --- secrets -----------------------------------------------------------------------------------------------


def test_a_private_key_among_the_sources_stops_a_capture(analysis: Path, store: Store) -> None:
    secret = (
        "-----BEGIN " + "RSA PRIVATE KEY-----\n" + "MIIEow" * 20 + "\n-----END " + "RSA PRIVATE KEY-----\n"
    )
    (analysis / "scripts/grid.pem").write_text(secret)
    said = refusal(analysis, store)
    assert "scripts/grid.pem" in said
    assert "MIIEow" not in said
    assert store.layout.size(of_bytes(secret.encode())) is None


# --- many at once, and killed ------------------------------------------------------------------------------


def sound(store: Store) -> None:
    assert fsck.check(store).damages == ()


def test_eight_processes_may_capture_into_one_store(original: Path, store: Store, tmp_path: Path) -> None:
    shared = Store(Path(shutil.copytree(store.folder, tmp_path / "store")))
    folders = []
    for number in range(8):
        folder = Path(shutil.copytree(original, tmp_path / f"analysis{number}", symlinks=True))
        (folder / "README.md").write_text(f"number {number}\n")
        folders.append(folder)
    running = [
        subprocess.Popen(**command(folder, shared, "capture", "--json", "-o", f"counting:{number}"))
        for number, folder in enumerate(folders)
    ]
    said = [process.communicate() for process in running]
    assert [process.returncode for process in running] == [0] * 8, said
    assert len({json.loads(out)["digest"] for out, _ in said}) == 8
    sound(shared)
    for number in range(8):
        text = next(file for file in opened(shared, f"counting:{number}").files if file.path == "README.md")
        assert text.digest == of_bytes(f"number {number}\n".encode())


def test_a_capture_killed_at_any_moment_loses_nothing_and_goes_on(
    original: Path, store: Store, tmp_path: Path
) -> None:
    shared = Store(Path(shutil.copytree(store.folder, tmp_path / "store")))
    whole = Store(Path(shutil.copytree(store.folder, tmp_path / "whole")))
    folder = Path(shutil.copytree(original, tmp_path / "counting", symlinks=True))
    killed = 0
    with Killer(1, folder) as killer:
        for number in range(3 * KILLS):
            # Each has something to keep that no killed one has kept.
            more = random.Random(number).randbytes(1 << 20)
            (folder / "data" / f"more{number}.bin").write_bytes(more)
            if number == 0:
                assert killer.load("capture", "--store", whole.folder) == 0
                assert killer.run("capture", "--store", whole.folder) == 0
            killed += killer.kill("capture", "--store", shared.folder)
            sound(shared)
            if killed == KILLS:
                break
    assert killed == KILLS
    assert captured(folder, shared)["digest"] == captured(folder, whole)["digest"]
    sound(shared)
