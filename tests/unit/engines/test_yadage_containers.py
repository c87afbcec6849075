"""What yadage's containers run in: what works here, under the name by which yadage calls it."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from relance.engines.runtimes import Ask
from relance.engines.yadage import containers
from relance.engines.yadage.running import Job, reason
from relance.errors import MissingPartError
from relance.model import RuntimeKind


def having(*programs: str) -> Ask:
    """Return what answers as a machine that has these."""

    def ask(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        there = command[0] in programs
        return subprocess.CompletedProcess(command, 0 if there else 127, "1.0 true\n", "not installed\n")

    return ask


@pytest.mark.parametrize(
    ("there", "kind", "commands"),
    [
        (("docker", "podman", "apptainer"), RuntimeKind.DOCKER, set()),
        (("podman", "apptainer"), RuntimeKind.PODMAN, {"docker"}),
        (("apptainer",), RuntimeKind.APPTAINER, {"singularity"}),
    ],
)
def test_the_first_that_works_is_taken(there: tuple[str, ...], kind: RuntimeKind, commands: set[str]) -> None:
    found = containers.chosen(None, Path("/made/out"), having(*there))
    assert found.runtime.kind is kind
    assert set(found.commands) == commands
    assert found.variables["PACKTIVITY_DOCKER_NOPULL"]


def test_apptainer_sees_the_folder_of_the_run_since_its_home_lies_there() -> None:
    found = containers.chosen(RuntimeKind.APPTAINER, Path("/made/out"), having("apptainer"))
    assert found.variables["HOME"] == "/made/out"
    assert found.variables["PACKTIVITY_CONTAINER_RUNTIME"] == "singularity"


def test_where_none_works_each_is_told_with_its_reason() -> None:
    with pytest.raises(MissingPartError) as caught:
        containers.chosen(None, Path("/work"), having())
    assert "docker: not installed; podman: not installed; apptainer: not installed" in caught.value.found


def test_the_reason_of_a_failure_is_what_the_job_itself_said_last(tmp_path: Path) -> None:
    job = Job("fit", "fit", "failed", None, None, {}, "x", None, "RuntimeError: failed")
    assert reason(job, tmp_path) == "RuntimeError: failed"
    logs = tmp_path / "fit/_packtivity"
    logs.mkdir(parents=True)
    (logs / "fit.step.log").write_text("CalledProcessError: exit status 3\nRuntimeError: failed\n")
    assert reason(job, tmp_path) == "CalledProcessError: exit status 3"
    (logs / "fit.run.log").write_text(
        "2026-01-02 03:04:05,678 |  pack.fit.run |   INFO | b'ValueError: no such channel'\n\n"
    )
    assert reason(job, tmp_path) == "ValueError: no such channel"
