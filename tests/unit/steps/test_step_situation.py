"""What is known of a run before it begins, apart from its files."""

from pathlib import Path

import pytest

from relance.engines.environments import Environment
from relance.model import Digest, ImageRef, RuntimeKind
from relance.specification.model import Outside
from relance.steps import situation
from relance.steps.situation import Runner

CONFIG = Digest(f"sha256:{'c' * 64}")
FILE = Path("/store/runtime/x.sqsh")
BUILT = ImageRef("toy", (str(FILE), "docker://relance/toy", "docker://registry/toy@x"), CONFIG, FILE)
LOCKED = ImageRef("toy", ("docker://relance/toy",), None, None)


def test_an_image_that_was_built_here_is_told_by_its_configuration() -> None:
    told = f"config {CONFIG}"
    by_engine = situation.images(Runner(RuntimeKind.PODMAN, images=(BUILT,)))
    assert by_engine == dict.fromkeys(BUILT.written, told)
    # Apptainer would pull what a reference names.
    assert situation.images(Runner(RuntimeKind.APPTAINER, images=(BUILT,))) == {str(FILE): told}
    assert situation.images(Runner(RuntimeKind.DOCKER, images=(LOCKED,))) == {}


def test_plain_processes_run_in_locked_packages_whatever_image_is_built(tmp_path: Path) -> None:
    lock = tmp_path / "toy.txt"
    lock.write_text("numpy==1\n")
    environment = Environment("toy", lock, tmp_path / "toy")
    runner = Runner(RuntimeKind.PLAIN, images=(BUILT,), environments=(environment,))
    first = situation.images(runner)
    assert set(first) == set(BUILT.written)
    lock.write_text("numpy==2\n")
    assert set(situation.images(runner).values()).isdisjoint(first.values())
    assert situation.images(Runner(RuntimeKind.PLAIN, images=(BUILT,))) == {}


def test_rules_that_need_the_world_are_named_unless_reusing_them_is_declared_safe() -> None:
    declared = (
        Outside("network", "a database", "calibration", ("calibrate", "fit")),
        Outside("cvmfs", "atlas.cern.ch", "releases never change", ("reconstruct",), reuse=True),
    )
    assert situation.outside(declared) == {
        "calibrate": "network (a database)",
        "fit": "network (a database)",
    }
    assert situation.outside((Outside("kerberos", "eos", "data"),)) == {"*": "kerberos (eos)"}


@pytest.mark.parametrize("argument", ["--forcerun", "-R", "--forceall", "-F", "--touch", "--until=fit"])
def test_options_that_ask_for_more_turn_restoring_off(argument: str) -> None:
    assert situation.harmful(["results/x", argument]) == argument.partition("=")[0]


def test_targets_and_harmless_options_do_not() -> None:
    assert situation.harmful(["results/x", "--retries", "3", "--config", "a=1", "-k"]) is None
    assert situation.harmful(["--slurm-qos", "short", "--slurm-no-requeue", "--local-cores=2"]) is None
