"""What is said of a run that was refused."""

from pathlib import Path

import pytest

from relance.engines import outcome
from relance.engines.process import Ending
from relance.engines.progress import Tracker
from relance.engines.snakemake import RunFolder
from relance.model import RunRequest, RunStatus, RuntimeKind

PULL = "WorkflowError:\nFailed to pull singularity image from docker://gone/tools:1:\n"


def told(folder: Path, text: str, kind: RuntimeKind) -> str:
    tracker = Tracker()
    tracker.update({"event": "error", "message": text, "time": 1.0})
    ending = Ending(status=1, stopped_by=None, killed=False)
    result = outcome.result(
        RunRequest(folder), kind, RunFolder(folder), ending=ending, tracker=tracker, seconds=1.0
    )
    assert result.status is RunStatus.REFUSED
    return result.message


@pytest.mark.parametrize(
    ("kind", "why", "hint"),
    [
        (RuntimeKind.APPTAINER, "FATAL: no such host", "relance run --mapping FILE"),
        (RuntimeKind.PLAIN, "relance: the image is not known on this machine", "envs/NAME.txt"),
        (RuntimeKind.PODMAN, "relance: the image is not known on this machine", None),
    ],
)
def test_an_image_that_can_t_be_had_is_told_with_what_to_do(
    tmp_path: Path, kind: RuntimeKind, why: str, hint: str | None
) -> None:
    message = told(tmp_path, PULL + why, kind)
    assert why in message
    assert message.endswith(why) if hint is None else hint in message.splitlines()[-1]


def test_another_refusal_is_told_as_it_is(tmp_path: Path) -> None:
    assert told(tmp_path, "WorkflowError:\nno rule", RuntimeKind.APPTAINER) == "WorkflowError:\nno rule"
