import importlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.capsules import kept, small

import relance
from relance.capsule import archive, writing
from relance.errors import InputError
from relance.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def opened(store: Store, place: Path | str = "counting", **options: object):
    return relance.open(place, store=store.folder, environment={}, **options)


@pytest.fixture
def counting(store: Store):
    writing.write(store.layout, small(store.layout), name="counting")
    return opened(store)


def test_a_capsule_is_opened_by_name_digest_tar_file_and_layout(
    counting, store: Store, tmp_path: Path
) -> None:
    described = writing.write(store.layout, small(store.layout), name="counting")
    assert (counting.name, counting.version, counting.digest) == ("counting", "1.0", described.digest)
    archive.export_tar(store.layout, described, tmp_path / "counting.tar")
    elsewhere = Store(tmp_path / "elsewhere")
    for place in (tmp_path / "counting.tar", str(tmp_path / "counting.tar"), store.content):
        assert opened(elsewhere, place).digest == described.digest
    assert opened(elsewhere, described.digest).results["total"].value == 5.0


def test_a_capsule_tells_its_parameters_results_jobs_and_files(counting) -> None:
    assert str(counting.parameters["threshold"]) == "100.0 GeV"
    assert str(counting.results["total"]) == "5.000"
    assert [job.record.rule for job in counting.jobs] == ["count", "count", "sum"]
    assert counting.files["Snakefile"].digest.startswith("sha256:")
    assert repr(counting).startswith("<capsule counting 1.0 sha256:")


def test_a_capsule_is_checked_out(counting, tmp_path: Path) -> None:
    folder = counting.checkout(tmp_path / "out")
    assert json.loads((folder / "results/total.json").read_text()) == {"total": 5}


def test_a_capsule_is_verified_and_compared_with_another(counting, store: Store) -> None:
    assert counting.verify().verdict == "intact"
    assert not counting.diff(counting)
    changed = small(store.layout)
    files = tuple(
        kept(store.layout, file.path, b"#!/bin/sh\n", file.role, executable=True)
        if file.path == "scripts/count.sh"
        else file
        for file in changed.files
    )
    writing.write(store.layout, replace(changed, files=files), name="changed")
    found = counting.diff(opened(store, "changed"))
    assert [change.name for change in found.code] == ["scripts/count.sh"]
    blob = store.layout.path(counting.files["data/a.txt"].digest)
    blob.chmod(0o644)
    blob.write_bytes(b"x\nx\n")
    report = counting.verify()
    assert report.verdict == "damaged"
    assert "expected" in report._repr_html_()


def test_what_is_no_capsule_is_refused_with_what_to_do(store: Store, tmp_path: Path) -> None:
    (tmp_path / "analysis").mkdir()
    with pytest.raises(InputError, match="capture the analysis first"):
        opened(store, tmp_path / "analysis")
    with pytest.raises(InputError, match="no-such"):
        opened(store, "no-such")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"threshold": "1 fb"}, "expected a unit of energy"),
        ({"treshold": 1}, "did you mean 'threshold'?"),
        ({"parameters": {"threshold": "8 TeV"}}, "at most 7000 GeV"),
        ({"inputs": {"signal": __file__}}, "expected HepMC3 events"),
        ({}, "changes nothing"),
    ],
)
def test_a_recast_that_is_not_allowed_is_refused_before_anything_is_written(
    counting, tmp_path: Path, changed: dict[str, object], message: str
) -> None:
    for call in (counting.plan, lambda **given: counting.recast(folder=tmp_path / "recast", **given)):
        with pytest.raises(InputError) as raised:
            call(**changed)
        assert message in str(raised.value)
    assert not (tmp_path / "recast").exists()


def test_a_notebook_shows_text_of_an_analysis_as_text(store: Store) -> None:
    capsule = small(store.layout)
    title = "<img src=x onerror=alert(1)>"
    text = capsule.specification_text.replace(b"Count events above a threshold", title.encode())
    identity = replace(capsule.specification.identity, title=title)
    hostile = replace(
        capsule,
        specification=replace(capsule.specification, identity=identity),
        specification_text=text,
    )
    writing.write(store.layout, hostile, name="counting")
    shown = opened(store)._repr_html_()
    assert ("<img" in shown, "&lt;img" in shown) == (False, True)


def test_a_missing_result_is_told(store: Store) -> None:
    capsule = small(store.layout)
    files = tuple(
        kept(store.layout, file.path, b"{}", file.role) if file.path == "results/total.json" else file
        for file in capsule.files
    )
    writing.write(store.layout, replace(capsule, files=files), name="counting")
    with pytest.raises(InputError, match=r"results/total\.json#/total"):
        _ = opened(store).results


def test_the_package_loads_nothing_until_a_capsule_is_opened() -> None:
    assert relance.open is importlib.import_module("relance.api").open
    with pytest.raises(AttributeError, match="no attribute 'shut'"):
        _ = relance.shut
