"""Who is to blame for a rehearsal that went wrong: the analysis, a name, or this machine."""

from pathlib import Path

import pytest

from relance.cli.reana.concluding import conclude
from relance.engines.reana.images import Look, Seen
from relance.engines.rehearsal import Failure, Rehearsal
from relance.errors import AnalysisError, InputError, MissingPartError
from relance.model import Digest
from relance.store.registry.reference import Reference
from relance.store.registry.refusals import BrokenError, NotFoundError, RefusedError

GONE = "docker://registry.example.org/group/gone:1"
BUILT = "docker://relance/toy"
DOCKER = "docker: no space left on device\n\nRun 'docker run --help' for more information"
NEVER = Failure("fit", GONE, "Trying to pull it\nError: no space left on device\n")
BROKE = Failure("count", BUILT, None)


def has(_reference: Reference) -> Seen:
    return Seen(Digest("sha256:" + "1" * 64), None)


def failing(kind: type[NotFoundError | RefusedError | BrokenError]) -> Look:
    def look(reference: Reference) -> Seen:
        raise kind(str(reference), expected="it", found="what the registry said", next_step="do it")

    return look


def rehearsed(folder: Path, *failures: Failure, ended: int = 1) -> Rehearsal:
    (folder / "console.log").write_text("Error in rule fit:\n")
    return Rehearsal(folder, ended, folder / "console.log", False, failures)


def test_a_rehearsal_that_went_well_is_no_error(tmp_path: Path) -> None:
    conclude(rehearsed(tmp_path, BROKE, ended=0), None, has, ())  # it was tried again, and then went well


@pytest.mark.parametrize("failures", [(), (BROKE,)])
def test_what_fails_in_its_container_or_before_any_job_breaks_on_reana(
    tmp_path: Path, failures: tuple[Failure, ...]
) -> None:
    with pytest.raises(AnalysisError, match="the analysis would break on REANA") as caught:
        conclude(rehearsed(tmp_path, *failures), None, has, ())
    assert caught.value.also == ()


def test_what_breaks_goes_before_what_could_not_be_tried(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError) as caught:
        conclude(rehearsed(tmp_path, NEVER, BROKE), None, has, ())
    (other,) = caught.value.also
    assert isinstance(other, MissingPartError)


@pytest.mark.parametrize(
    ("look", "built", "found", "known"),
    [
        (has, (), "Error: no space left on device", " (the image is in its registry)"),
        (has, (GONE,), "Error: no space left on device", " (the image is built here)"),
        (failing(BrokenError), (), "a registry that doesn't answer: what the registry said", ""),
    ],
)
def test_a_machine_that_can_not_start_an_image_is_told_with_the_reason(
    tmp_path: Path, look: Look, built: tuple[str, ...], found: str, known: str
) -> None:
    again = Failure("plot", GONE, "Error: no space left on device")
    with pytest.raises(MissingPartError) as caught:
        conclude(rehearsed(tmp_path, NEVER, again), None, look, built)
    error = caught.value
    assert (error.subject, error.found) == (f"image '{GONE}' of 'fit', 'plot'", found)
    assert error.next_step == f"mend that, and rehearse again; it says nothing about REANA{known}"
    assert error.also == ()


@pytest.mark.parametrize("kind", [NotFoundError, RefusedError])
def test_an_image_that_its_registry_does_not_give_is_a_wrong_name_or_login(
    tmp_path: Path, kind: type[NotFoundError | RefusedError]
) -> None:
    unreachable = Failure("plot", "docker://other.example.org/gone:1", "Error: no route")

    def look(reference: Reference) -> Seen:
        return failing(kind if reference.host == "registry.example.org" else BrokenError)(reference)

    with pytest.raises(InputError, match="'fit': found what the registry said") as caught:
        conclude(rehearsed(tmp_path, unreachable, NEVER), None, look, ())
    assert ("push it" in caught.value.next_step) == (kind is NotFoundError)
    (other,) = caught.value.also
    assert isinstance(other, MissingPartError)


def test_what_reana_takes_for_no_image_is_a_wrong_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="what REANA doesn't pull"):
        conclude(
            rehearsed(tmp_path, Failure("fit", "oras://registry.example.org/a:1", "FATAL")), None, has, ()
        )


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (DOCKER, "docker: no space left on device"),
        ("", "no container, and no reason told"),
        ("a" * 999, "a" * 300),
    ],
)
def test_the_reason_is_the_last_line_that_tells_one(tmp_path: Path, words: str, found: str) -> None:
    with pytest.raises(MissingPartError) as caught:
        conclude(rehearsed(tmp_path, Failure("fit", GONE, words)), None, has, ())
    assert caught.value.found == found
