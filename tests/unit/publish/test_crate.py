"""A capsule as an RO-Crate: the validator passes it, and our own check finds what that one doesn't."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests import capsules

from relance.capsule import writing
from relance.capsule.model import Capsule
from relance.errors import InputError
from relance.model import Digest
from relance.publish import crate, rocrate
from relance.store.layout import Layout

MACHINE = Path(__file__).parents[2] / "machine"


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return Layout(tmp_path_factory.mktemp("store") / "content")


@pytest.fixture(scope="module")
def capsule(layout: Layout) -> Capsule:
    return capsules.small(layout, image=capsules.toy_image(layout))


@pytest.fixture
def folder(layout: Layout, capsule: Capsule, tmp_path: Path) -> Path:
    digest = writing.write(layout, capsule, name="counting").digest
    crate.export(layout, capsule, digest, tmp_path / "crate")
    return tmp_path / "crate"


def graph(folder: Path) -> dict[str, dict[str, Any]]:
    document = json.loads((folder / rocrate.METADATA).read_text("utf-8"))
    return {entity["@id"]: entity for entity in document["@graph"]}


def test_the_validator_of_the_profile_finds_nothing(folder: Path) -> None:
    called = subprocess.run([MACHINE / "rocrate.sh"], check=True, capture_output=True, text=True)
    program, contexts = called.stdout.split()
    command = [program, "-y", "validate", "--offline", "--cache-path", contexts, "--no-paging"]
    done = subprocess.run(
        [*command, "-p", "provenance-run-crate-0.5", str(folder)], capture_output=True, text=True, check=False
    )
    assert "RO-Crate is a valid provenance-run-crate-0.5" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


def test_each_job_names_its_image_by_digest_and_its_files_by_hash(folder: Path, capsule: Capsule) -> None:
    entities = graph(folder)
    jobs = [entities[f"#job-{number}"] for number in range(3)]
    for job in jobs:
        image = entities[job["containerImage"]["@id"]]
        assert image["sha256"] == capsule.images[0].manifest[7:]
        assert image["identifier"] == capsule.images[0].config
    digests = {file.path: file.digest[7:] for file in capsule.files}
    for action in jobs:
        for named in (action["object"], action["result"]):
            for reference in named if isinstance(named, list) else [named]:
                assert entities[reference["@id"]]["sha256"] == digests[entities[reference["@id"]]["name"]]


def test_what_a_capsule_only_knows_is_told_but_not_declared_as_a_file(
    layout: Layout, capsule: Capsule, tmp_path: Path
) -> None:
    files = [replace(file, stored=None) if file.path == "results/a.count" else file for file in capsule.files]
    crate.export(layout, replace(capsule, files=tuple(files)), Digest("sha256:" + "0" * 64), tmp_path / "c")
    entity = graph(tmp_path / "c")["#known-results%2Fa.count"]
    assert entity["@type"] == "CreativeWork"
    assert crate.check(tmp_path / "c") == ()


def test_two_exports_are_the_same_bytes(
    layout: Layout, capsule: Capsule, folder: Path, tmp_path: Path
) -> None:
    digest = writing.write(layout, capsule, name="counting").digest
    crate.export(layout, capsule, digest, tmp_path / "again")
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            assert (tmp_path / "again" / path.relative_to(folder)).read_bytes() == path.read_bytes()


def test_our_own_check_finds_what_is_altered_missing_and_undeclared(folder: Path) -> None:
    assert crate.check(folder) == ()
    (folder / "results/total.json").write_text('{"total": 6}\n')
    (folder / "data/a.txt").unlink()
    (folder / "extra.txt").write_text("nobody declared me\n")
    (folder / "leading-out").symlink_to("/etc")
    faults = {fault.path: fault.found for fault in crate.check(folder)}
    assert set(faults) == {"results/total.json", "data/a.txt", "extra.txt", "leading-out"}
    assert faults["data/a.txt"] == "none"


@pytest.mark.parametrize("text", ["{", "[]", '{"@graph": [{}]}', '{"@graph": 3}'])
def test_metadata_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / rocrate.METADATA).write_text(text)
    with pytest.raises(InputError, match="the metadata of an RO-Crate"):
        crate.check(tmp_path)


def test_a_folder_that_is_there_is_not_touched(layout: Layout, capsule: Capsule, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError, match="a folder that isn't there yet"):
        crate.export(layout, capsule, Digest("sha256:" + "0" * 64), tmp_path / "mine")


def test_a_workflow_that_is_not_in_the_capsule_is_named(
    layout: Layout, capsule: Capsule, tmp_path: Path
) -> None:
    files = tuple(file for file in capsule.files if file.path != "Snakefile")
    with pytest.raises(InputError, match="Snakefile, the workflow that the specification names"):
        crate.export(layout, replace(capsule, files=files), Digest("sha256:" + "0" * 64), tmp_path / "c")
    assert not (tmp_path / "c").exists()
