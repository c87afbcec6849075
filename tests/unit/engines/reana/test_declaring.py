"""A reana.yaml made of a specification."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests import capsules

from relance.engines.reana import declared, declaring
from relance.errors import InputError
from relance.specification import reading
from relance.specification.model import Outside, Specification


@pytest.fixture
def specification(tmp_path: Path) -> Specification:
    path = tmp_path / "counting.yaml"
    path.write_bytes(capsules.SPECIFICATION)
    return reading.load(path)


def needing(specification: Specification, *needs: tuple[str, str]) -> Specification:
    return replace(specification, outside=tuple(Outside(kind, name, "it does") for kind, name in needs))


def test_it_is_read_back_as_what_it_was_made_of(specification: Specification, tmp_path: Path) -> None:
    for path, text in {**capsules.SOURCES, **capsules.INPUTS}.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(text)
    files = [*capsules.SOURCES, *capsules.INPUTS]
    text = declaring.declaration(specification, files, ["results/total.json"])
    (tmp_path / declared.NAME).write_text(text, "utf-8")
    found = declared.read(tmp_path)
    assert (found.language, found.file) == (declared.Language.SNAKEMAKE, "Snakefile")
    assert found.inputs == tuple(sorted(files))
    assert found.outputs == ("results/total.json",)
    assert "resources" not in found.content["workflow"]


def test_what_lies_outside_becomes_resources(specification: Specification, tmp_path: Path) -> None:
    needs = [("cvmfs", "/cvmfs/atlas.cern.ch"), ("cvmfs", "sft.cern.ch"), ("kerberos", "EOS")]
    given = needing(specification, *needs, ("voms", "atlas"), ("other", "a licence server"))
    (tmp_path / "Snakefile").touch()
    (tmp_path / declared.NAME).write_text(declaring.declaration(given, ["Snakefile"], []), "utf-8")
    assert declared.read(tmp_path).content["workflow"]["resources"] == {
        "kerberos": True,
        "voms_proxy": True,
        "cvmfs": ["atlas.cern.ch", "sft.cern.ch"],
    }


def test_cvmfs_without_a_repository_is_refused(specification: Specification) -> None:
    with pytest.raises(InputError, match=r"found 'CVMFS' .*expected the repository of CVMFS"):
        declaring.declaration(needing(specification, ("cvmfs", "CVMFS")), ["Snakefile"], [])
