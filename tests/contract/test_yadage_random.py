"""Workflows that hypothesis makes up do the same in yadage and compiled."""

import itertools
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, event, given, note, settings

from relance.languages.model import PlanError
from relance.languages.support.places import ROOT
from relance.languages.yadage import workflows as yadage

from .conftest import say
from .planned import Planned
from .random_yadage import workflows
from .test_yadage import MACHINE, files, signed

Run = Callable[[Path, str], dict[str, Any]]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Run]]:
    """Give a folder, and yadage in one process that runs workflows which lie there."""
    folder = tmp_path_factory.mktemp("random").resolve()
    python = say(MACHINE / "yadage.sh").strip()
    command = [python, MACHINE / "yadage_runs.py", folder, folder / "yadage"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def run(_: Path, name: str) -> dict[str, Any]:
            print(name, file=process.stdin, flush=True)
            return dict(json.loads(process.stdout.readline()))

        yield folder, run
        process.stdin.close()


NUMBERS = itertools.count()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(workflows())
def test_a_workflow_that_is_made_up_does_what_it_does_in_yadage(
    reference: tuple[Path, Run], made: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    folder, run = reference
    workflow, parameters = made
    name = f"w{next(NUMBERS)}"
    (folder / f"{name}.yml").write_text(yaml.safe_dump(workflow, sort_keys=False), "utf-8")
    (folder / f"{name}.input.yml").write_text(yaml.safe_dump(parameters), "utf-8")
    note((folder / f"{name}.yml").read_text("utf-8"))
    note((folder / f"{name}.input.yml").read_text("utf-8"))
    expected = run(folder, name)
    own, theirs = folder / "compiled" / name, folder / "yadage" / name
    read = yadage.read(folder, f"{name}.yml").workflow
    given_parameters = yaml.safe_load((folder / f"{name}.input.yml").read_text("utf-8"))
    event("yadage fails" if "failed" in expected else "yadage succeeds")
    if "failed" in expected:
        note(str(expected))
        with pytest.raises(PlanError):
            Planned(read, given_parameters, own).jobs()
        return
    assert expected["unapplied"] == []
    found = Planned(read, given_parameters, own).jobs()
    signs = {f"{ROOT}/init": "@init", f"{ROOT}/workdir": "@work"}
    real = {f"{theirs}/init": "@init", str(theirs): "@work"}
    assert signed(found, signs) == signed(expected["jobs"], real)
    here = {f"{own}/init": "@init", f"{own}/workdir": "@work"}
    assert files(own / "workdir", here) == files(theirs, real)
