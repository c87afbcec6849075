"""The commands of capsules as users type them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests import capsules

from relance.capsule import reading, writing
from relance.capsule.model import Capsule, Parent, Role
from relance.model import UNKNOWN
from relance.specification import reading as specifications
from relance.specification.model import Visibility
from relance.store.store import Store

Done = "subprocess.CompletedProcess[str]"
Command = Callable[..., Done]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def capsule(store: Store) -> Capsule:
    """A capsule of the store, called counting:1.0."""
    found = capsules.small(store.layout, image=capsules.toy_image(store.layout))
    writing.write(store.layout, found, name="counting")
    return found


@pytest.fixture
def relance(tmp_path: Path, store: Store) -> Command:
    def run(*arguments: str, store: Path = store.folder) -> Done:
        return subprocess.run(
            [sys.executable, "-m", "relance", *arguments],
            cwd=tmp_path,
            env={**os.environ, "RELANCE_STORE": str(store), "XDG_CACHE_HOME": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def good(done: Done) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_inspect_tells_what_a_person_wants_to_know(relance: Command, capsule: Capsule) -> None:
    said = good(relance("inspect", "counting", "--files", "--jobs"))
    for words in (
        "counting 1.0: Count events above a threshold",
        "source   3 files, 88 bytes",
        "parameter threshold = 100 GeV (at least 0, at most 7000 GeV): Least energy",
        "result total (public): Events above it",
        "count sample=a: ok, 1.5 s",
        "link     scripts/tally.sh -> count.sh",
        capsule.images[0].config,
    ):
        assert words in said


@pytest.fixture
def blinded(store: Store) -> str:
    """A capsule whose observed result is hidden, called secretive; returns that result."""
    value = "98765.4321"
    text = (
        capsules.SPECIFICATION.replace(b"pointer: /total}", b"pointer: /total, observed: true}")
        .replace(b"products: public, results: public", b"products: blinded, results: blinded")
        .replace(b"name: counting", b"name: secretive")
    )
    found = capsules.small(store.layout)
    total = capsules.kept(
        store.layout, "results/total.json", f'{{"total": {value}}}\n'.encode(), Role.PRODUCT
    )
    total = replace(total, visibility=Visibility.BLINDED)
    files = tuple(total if file.path == total.path else file for file in found.files)
    specification = specifications.parse(text, Path("specification.yaml"))
    writing.write(
        store.layout,
        replace(found, specification=specification, specification_text=text, files=files),
        name="secretive",
    )
    return value


def test_a_blinded_value_is_in_nothing_that_is_said_of_a_capsule(
    relance: Command, capsule: Capsule, blinded: str, tmp_path: Path
) -> None:
    said = [
        good(relance("inspect", "secretive", "--files", "--jobs")),
        good(relance("inspect", "secretive", "--json")),
        good(relance("diff", "counting", "secretive", "--patch")),
        good(relance("diff", "counting", "secretive", "--json")),
        good(relance("verify", "secretive")),
        good(relance("export", "secretive", "crate")),
        (tmp_path / "crate" / "ro-crate-metadata.json").read_text(),
    ]
    assert "result total (blinded)" in said[0]
    assert [text for text in said if blinded in text] == []


def test_a_public_export_refuses_what_is_blinded_and_names_it(
    relance: Command, blinded: str, tmp_path: Path
) -> None:
    for target in ("public.tar", "public"):
        refused = relance("export", "secretive", target, "--public")
        assert refused.returncode == 2
        assert "results/total.json" in refused.stderr
        assert not (tmp_path / target).exists()


def test_a_crate_with_other_files_than_it_declares_is_damaged(
    relance: Command, capsule: Capsule, tmp_path: Path
) -> None:
    good(relance("export", "counting", "crate"))
    assert "is whole" in good(relance("verify", "crate"))
    (tmp_path / "crate" / "more.txt").write_text("more")
    (tmp_path / "crate" / "results" / "total.json").write_text("{}")
    (tmp_path / "crate" / "config.yaml").unlink()
    done = relance("verify", "crate")
    assert done.returncode == 2
    named = [text.partition(":")[0] for text in done.stderr.splitlines()]
    assert named == ["config.yaml", "more.txt", "results/total.json"]


def test_what_nobody_knows_of_a_run_is_left_out(relance: Command, store: Store, capsule: Capsule) -> None:
    less = replace(capsule.run, runtime=UNKNOWN, runtime_version=UNKNOWN, snakemake=UNKNOWN, status=UNKNOWN)
    writing.write(store.layout, replace(capsule, run=less, started=None), name="old")
    said = good(relance("inspect", "old")).splitlines()
    assert said[3] == "run at an unknown time: captured by relance 0.1.0"


def test_inspect_tells_the_same_as_json(relance: Command, store: Store, capsule: Capsule) -> None:
    seen = json.loads(good(relance("inspect", "counting", "--json", "--files", "--jobs")))
    assert seen["digest"] == reading.find(store.layout, "counting").digest
    assert [file["path"] for file in seen["files"]] == [file.path for file in capsule.files]
    assert len(seen["jobs"]) == 3


def test_control_characters_of_a_capsule_don_t_reach_the_terminal(
    relance: Command, store: Store, capsule: Capsule
) -> None:
    text = capsules.SPECIFICATION.replace(b"title: Count", b'title: "\\e[2J\\nCount').replace(
        b"a threshold\n", b'a threshold"\n'
    )
    specification = capsules.reading.parse(text, Path("x"))
    assert "\x1b" in specification.identity.title
    writing.write(
        store.layout, replace(capsule, specification=specification, specification_text=text), name="bad"
    )
    for arguments in (("inspect", "bad"), ("capsules",), ("diff", "counting", "bad", "--patch")):
        assert "\x1b" not in good(relance(*arguments))


def test_a_recast_and_reports_are_told(relance: Command, store: Store, capsule: Capsule) -> None:
    parent = reading.find(store.layout, "counting")
    child = replace(capsule, parent=Parent(parent.digest, {"threshold": 50.0}), not_closed=("a database",))
    index = writing.write(store.layout, child, name="lower")
    report = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": "application/vnd.relance.report.v1",
        "config": {
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": capsule.files[0].digest,
            "size": 2,
        },
        "layers": [],
        "subject": index.to_json(),
    }
    added = store.layout.add_json(report, "application/vnd.oci.image.manifest.v1+json")
    store.layout.attach(added)
    said = good(relance("inspect", "lower"))
    assert f"recast of {parent.digest}: threshold=50" in said
    assert f"report {added.digest}" in said
    assert "not closed: a database" in said


def test_capsules_lists_those_of_the_store(relance: Command, store: Store, capsule: Capsule) -> None:
    writing.write(store.layout, replace(capsule, unknown=("x",)), name="other:2")
    lines = good(relance("capsules")).splitlines()
    assert [line.split()[0] for line in lines] == ["counting:1.0", "other:2"]
    assert json.loads(good(relance("capsules", "--json")))[0]["title"] == "Count events above a threshold"


def test_capsules_of_a_store_that_is_not_there_are_none(relance: Command, tmp_path: Path) -> None:
    done = relance("capsules", store=tmp_path / "none")
    assert (done.returncode, done.stdout) == (0, "")
    assert not (tmp_path / "none").exists()


def test_a_capsule_goes_to_another_store_in_one_file(
    relance: Command, capsule: Capsule, tmp_path: Path
) -> None:
    good(relance("export", "counting", "counting.tar"))
    other = tmp_path / "other"
    seen = json.loads(good(relance("inspect", "counting.tar", "--json", store=other)))
    assert not other.exists()
    brought = json.loads(good(relance("import", "counting.tar", "--json", store=other)))
    assert brought == {"name": "counting:1.0", "digest": seen["digest"]}
    good(relance("export", "counting", "again.tar", store=other))
    assert (tmp_path / "again.tar").read_bytes() == (tmp_path / "counting.tar").read_bytes()


def test_a_capsule_comes_from_a_layout_by_its_name(
    relance: Command, store: Store, capsule: Capsule, tmp_path: Path
) -> None:
    writing.write(store.layout, replace(capsule, unknown=("x",)), name="other")
    third = tmp_path / "third"
    done = relance("import", str(store.content), store=third)
    assert done.returncode == 2
    assert "more than one capsule" in done.stderr
    assert "counting-2:1.0" in good(
        relance("import", f"{store.content}:counting", "--name", "counting-2", store=third)
    )


def test_a_checkout_has_the_files_and_only_those_asked_for(
    relance: Command, capsule: Capsule, tmp_path: Path
) -> None:
    good(relance("checkout", "counting", "all"))
    assert (tmp_path / "all" / "results" / "total.json").is_file()
    assert (tmp_path / "all" / "replay.sh").is_file()
    good(relance("checkout", "counting", "sources", "--role", "source"))
    assert not (tmp_path / "sources" / "results").exists()
    done = relance("checkout", "counting", "all")
    assert (done.returncode, "new or empty" in done.stderr) == (2, True)


def test_a_tar_file_can_be_checked_out_at_once(relance: Command, capsule: Capsule, tmp_path: Path) -> None:
    good(relance("export", "counting", "counting.tar"))
    good(relance("checkout", "./counting.tar", "out", store=tmp_path / "other"))
    assert (tmp_path / "out" / "results" / "total.json").is_file()


@pytest.fixture
def by_reference(store: Store, capsule: Capsule, tmp_path: Path) -> str:
    """Names a capsule that has one file twice by reference, which lies in a folder beside."""
    (tmp_path / "far").write_bytes(b"far away")
    file = replace(
        capsules.kept(store.layout, "data/far.txt", b"far away", Role.INPUT),
        stored=None,
        locations=(str(tmp_path / "nowhere"), f"file://{tmp_path}/far"),
    )
    files = (*capsule.files, file, replace(file, path="data/again.txt"))
    writing.write(store.layout, replace(capsule, files=files), name="far")
    return "far"


def test_what_is_kept_by_reference_is_fetched_on_request(
    relance: Command, by_reference: str, tmp_path: Path
) -> None:
    done = relance("checkout", by_reference, "without")
    assert done.returncode == 0
    assert "data/far.txt is not in the capsule: 8 bytes" in done.stderr
    good(relance("checkout", by_reference, "with", "--fetch"))
    for name in ("far", "again"):
        assert (tmp_path / "with" / "data" / f"{name}.txt").read_bytes() == b"far away"


def test_what_is_not_what_it_was_is_not_fetched(relance: Command, by_reference: str, tmp_path: Path) -> None:
    (tmp_path / "far").write_bytes(b"altered!")
    done = relance("checkout", by_reference, "with", "--fetch")
    assert done.returncode == 3
    assert "another file" in done.stderr
    assert not (tmp_path / "with").exists()


def test_diff_says_what_changed_and_its_exit_code_on_request(
    relance: Command, store: Store, capsule: Capsule
) -> None:
    other = capsules.kept(store.layout, "config.yaml", b"threshold: 50.0\n", Role.SOURCE)
    files = tuple(other if file.path == other.path else file for file in capsule.files)
    run = replace(capsule.run, configuration={"threshold": 50.0})
    writing.write(store.layout, replace(capsule, files=files, run=run), name="lower")
    said = good(relance("diff", "counting", "lower", "--patch"))
    assert "    threshold: 100 → 50" in said
    assert "+threshold: 50.0" in said
    assert relance("diff", "counting", "lower", "--exit-code").returncode == 1
    assert relance("diff", "counting", "counting", "--exit-code").returncode == 0
    value = json.loads(good(relance("diff", "counting", "lower", "--json")))
    assert value["parameters"] == [{"name": "threshold", "before": 100, "after": 50}]
    assert value["equal"] is False


@pytest.mark.parametrize(
    "arguments",
    [
        ("inspect", "none"),
        ("inspect", "none.tar"),
        ("checkout", "none", "out"),
        ("export", "none", "x.tar"),
        ("import", "none.tar"),
        ("import", "counting"),
        ("diff", "counting", "none"),
    ],
)
def test_what_is_not_there_is_told_without_a_traceback(
    relance: Command, capsule: Capsule, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    before = set(tmp_path.iterdir())
    done = relance(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert set(tmp_path.iterdir()) == before
