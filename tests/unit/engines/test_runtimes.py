import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from relance.engines import runtimes
from relance.engines.runtimes import Absence
from relance.errors import MissingPartError
from relance.model import Digest, ImageRef, Runtime, RuntimeKind

DIGEST = Digest("sha256:" + "a" * 64)
BUILT = ImageRef("fit", ("/images/fit.sqsh", "docker://relance/fit"), DIGEST, Path("/dev/null"))
UNBUILT = ImageRef("fit", ("docker://relance/fit",), None, None)


def machine(**answers: tuple[int, str]):
    """A machine whose programs answer so: name, or name and first argument joined by `_` → status, text."""

    def ask(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        status, text = answers.get("_".join(command[:2]), answers.get(command[0], (127, "not installed")))
        return subprocess.CompletedProcess(list(command), status, text, text)

    return ask


def supply(_kind: RuntimeKind, image: ImageRef) -> None:
    raise MissingPartError(f"image {image.name}", expected="it", found="no file", next_step="build it")


def test_apptainer_counts_only_if_it_can_run_an_image() -> None:
    works = machine(apptainer=(0, "apptainer version 1.4.5"))
    assert runtimes.find(RuntimeKind.APPTAINER, [BUILT], supply, works) == Runtime(
        RuntimeKind.APPTAINER, "1.4.5"
    )
    cannot = machine(apptainer=(0, "apptainer version 1.4.5"), apptainer_exec=(255, "FATAL: no /dev/fuse"))
    found = runtimes.find(RuntimeKind.APPTAINER, [BUILT], supply, cannot)
    assert isinstance(found, Absence)
    assert "no /dev/fuse" in found.reason


def test_an_apptainer_that_unpacks_images_works_and_says_so() -> None:
    slow = machine(apptainer=(0, "v 1.4.5"), apptainer_exec=(0, "INFO: Converting SIF to temporary sandbox"))
    found = runtimes.find(RuntimeKind.APPTAINER, [BUILT], supply, slow)
    assert isinstance(found, Runtime)
    assert "unpacks one for every step" in found.remark


@pytest.mark.parametrize(("said", "rootless"), [("4.3.1 true", True), ("5.0.0 false", False)])
def test_podman_tells_whether_it_is_rootless(said: str, rootless: bool) -> None:
    found = runtimes.find(RuntimeKind.PODMAN, [], supply, machine(podman=(0, said)))
    assert found == Runtime(RuntimeKind.PODMAN, said.split(maxsplit=1)[0], rootless=rootless)


def test_docker_without_its_service_is_absent() -> None:
    found = runtimes.find(
        RuntimeKind.DOCKER, [], supply, machine(docker=(1, "Cannot connect to the Docker daemon"))
    )
    assert isinstance(found, Absence)
    assert found.reason == "Cannot connect to the Docker daemon"


@pytest.mark.parametrize("kind", [RuntimeKind.APPTAINER, RuntimeKind.PODMAN, RuntimeKind.DOCKER])
def test_a_runtime_without_the_images_is_absent(kind: RuntimeKind) -> None:
    works = machine(apptainer=(0, "v 1.4.5"), podman=(0, "4.3 true"), docker=(0, "20.10"))
    found = runtimes.find(kind, [UNBUILT], supply, works)
    assert found == Absence(kind, "no image for fit", "type 'relance images build'")


def test_an_image_that_the_engine_lacks_is_given_to_it() -> None:
    given: list[tuple[RuntimeKind, str]] = []
    lacks = machine(podman=(0, "4.3 true"), podman_image=(125, "no"))
    has = machine(podman=(0, "4.3 true"))
    for answers in (lacks, has):
        found = runtimes.find(
            RuntimeKind.PODMAN, [BUILT], lambda kind, image: given.append((kind, image.name)), answers
        )
        assert found == Runtime(RuntimeKind.PODMAN, "4.3", rootless=True)
    assert given == [(RuntimeKind.PODMAN, "fit")]


def test_an_engine_that_cannot_be_given_an_image_is_absent() -> None:
    lacks = machine(podman=(0, "4.3 true"), podman_image=(125, "no"))
    found = runtimes.find(RuntimeKind.PODMAN, [BUILT], supply, lacks)
    reason = "it lacks the image 'fit': image fit: found no file"
    assert found == Absence(RuntimeKind.PODMAN, reason, "build it")


def test_the_first_that_works_is_taken_and_the_others_are_told() -> None:
    def find(kind: RuntimeKind) -> Runtime | Absence:
        return (
            Runtime(kind, "1") if kind is RuntimeKind.DOCKER else Absence(kind, "not installed", "install it")
        )

    runtime, absences = runtimes.choose(None, find)
    assert runtime.kind is RuntimeKind.DOCKER
    assert [absence.kind for absence in absences] == [RuntimeKind.APPTAINER, RuntimeKind.PODMAN]


def test_with_no_engine_at_all_plain_processes_remain() -> None:
    runtime, absences = runtimes.choose(None, lambda kind: runtimes.find(kind, [], supply, machine()))
    assert runtime.kind is RuntimeKind.PLAIN
    assert len(absences) == 3
    # Nobody gave the option that a wanted runtime is asked for with.
    assert not any("--runtime" in absence.remedy for absence in absences)


@pytest.mark.parametrize("kind", [RuntimeKind.APPTAINER, RuntimeKind.PODMAN, RuntimeKind.DOCKER])
def test_a_wanted_runtime_that_is_missing_is_an_error_that_says_how_to_get_it(kind: RuntimeKind) -> None:
    with pytest.raises(MissingPartError) as caught:
        runtimes.choose(kind, lambda kind: runtimes.find(kind, [], supply, machine()))
    assert f"runtime '{kind}' can't be used: found not installed" in str(caught.value)
    assert "install it" in str(caught.value)
    assert str(caught.value).endswith("; or leave --runtime out")


def test_a_program_that_is_not_there_or_hangs_is_an_answer_too() -> None:
    assert runtimes.ask(["no-such-program-anywhere"]).returncode == 127


def test_only_the_runtimes_that_serve_are_tried() -> None:
    tried: list[RuntimeKind] = []

    def find(kind: RuntimeKind) -> Runtime | Absence:
        tried.append(kind)
        return Runtime(kind, "") if kind is RuntimeKind.PLAIN else Absence(kind, "no", "get it")

    among = (RuntimeKind.APPTAINER, RuntimeKind.PLAIN)
    runtime, absences = runtimes.choose(None, find, among)
    assert (runtime.kind, tuple(tried)) == (RuntimeKind.PLAIN, among)
    assert [absence.kind for absence in absences] == [RuntimeKind.APPTAINER]
