"""`relance recast` on a small captured analysis, in real containers and from the capsule alone."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from tests.capsules import runtime_image, shell_image
from tests.contract.conftest import ANALYSES

import relance
from relance import schema
from relance.capsule import reading
from relance.store import fsck, images
from relance.store.images import LocalImage
from relance.store.store import Store

pytestmark = pytest.mark.container

RESULT = "results/fit/result.json"
ALWAYS = ("--runtime", "apptainer", "--cores", "2")


class Machine:
    """A store and `relance` as users run it on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store(folder / "store")
        self.environment = {**os.environ, "RELANCE_STORE": str(self.store.folder)}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "relance", *arguments]

    def __call__(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def well(self, *arguments: str) -> str:
        done = self(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def recast(self, name: str, *arguments: str) -> dict[str, object]:
        self.well("recast", "recastable", *arguments, "-o", name, *ALWAYS, "-q")
        return json.loads((self.folder / name / "recast.json").read_text())

    def analysis(self, name: str, change: Callable[[Path], object] = lambda _: None) -> Path:
        """Return a copy of the analysis that runs in an image of this machine's programs."""
        folder = self.folder / name
        shutil.copytree(ANALYSES / "recastable", folder, ignore=shutil.ignore_patterns(".snakemake"))
        image = shell_image(self.store.layout, self.folder, "docker://relance/recastable")
        runtime = runtime_image(self.store.layout, image, self.store.runtime)
        reference = "localhost/relance/recastable:test"
        built = LocalImage(
            image.config, image.config, image.manifest, image.config, "podman", reference, runtime
        )
        (folder / "containers").mkdir()
        images.write_local(folder, {"recastable": built})
        change(folder)
        return folder


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """The capsule `recastable` is in its store; the analysis that it was made of is gone."""
    made = Machine(tmp_path_factory.mktemp("recast"))
    analysis = made.analysis("original")
    made.well("run", str(analysis), *ALWAYS, "-q")
    made.well("capture", str(analysis), "-o", "recastable", "-q")
    shutil.rmtree(analysis)
    return made


@pytest.fixture(scope="module")
def heavy(machine: Machine) -> Path:
    """A full run from scratch, with another mass and no store that knows anything."""
    analysis = machine.analysis("heavy")
    machine.well("run", str(analysis), "--set", "signal.mass=900.0", *ALWAYS, "-q", "--no-reuse")
    return analysis


@pytest.fixture(scope="module")
def recast_heavy(machine: Machine) -> dict[str, object]:
    return machine.recast("heavier", "--set", "signal.mass=0.9 TeV")


def ran(record: dict[str, object]) -> set[str]:
    return {job["name"] for job in record["jobs"] if job["state"] == "run"}


def products(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((folder / "results").rglob("*"))
        if path.is_file()
    }


def test_only_the_path_of_the_signal_is_run_and_its_result_is_that_of_a_full_run(
    machine: Machine, heavy: Path, recast_heavy: dict[str, object]
) -> None:
    assert ran(recast_heavy) == {
        "generate sample=signal",
        "reduce sample=signal",
        "histogram sample=signal",
        "fit",
    }
    expected = products(heavy)
    found = products(machine.folder / "heavier/work/analysis")
    assert {path: expected[path] for path in found} == found
    assert {RESULT, "results/fit/workspace.json", "results/histograms/one.json"} <= found.keys()
    assert "results/generation/one.hepmc" not in found


def test_the_folder_tells_what_was_changed_in_what_and_what_came_out(
    machine: Machine, recast_heavy: dict[str, object]
) -> None:
    assert list(Draft202012Validator(schema.bundled("recast-result")).iter_errors(recast_heavy)) == []
    parent = reading.find(machine.store.layout, "recastable")
    assert recast_heavy["parent"]["digest"] == parent.digest
    assert recast_heavy["changes"]["parameters"] == {"signal.mass": {"value": 900, "unit": "GeV"}}
    limit = recast_heavy["results"]["limit"]
    assert (limit["unit"], limit["captured"], limit["recast"]) == ("fb", 0.0954, 0.1336)
    assert recast_heavy["conditions"] == {"luminosity": {"value": 10, "unit": "fb^-1"}}
    folder = machine.folder / "heavier"
    assert (
        "limit           0.09540           0.1336            fb    1.400"
        in (folder / "results.txt").read_text().splitlines()
    )
    assert (folder / "limits.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "limits.pdf").read_bytes().startswith(b"%PDF")


def test_a_recast_that_is_done_is_only_read_again(machine: Machine, recast_heavy: dict[str, object]) -> None:
    folder = machine.folder / "heavier"
    before = (folder / "recast.json").read_bytes()
    changed = ("--set", "signal.mass=900", "-o", "heavier", *ALWAYS)
    done = machine("recast", "recastable", *changed)
    assert (done.returncode, "this recast is done already" in done.stderr) == (0, True)
    assert "limit           0.09540           0.1336            fb    1.400" in done.stdout.splitlines()
    assert (folder / "recast.json").read_bytes() == before
    assert machine.well("recast", "recastable", *changed, "--json", "-q").encode() == before


def test_the_folder_of_another_recast_or_of_something_else_is_refused(
    machine: Machine, recast_heavy: dict[str, object]
) -> None:
    done = machine("recast", "recastable", "--set", "signal.mass=800", "-o", "heavier", *ALWAYS)
    assert done.returncode == 2
    assert "holds another recast" in done.stderr
    (machine.folder / "mine").mkdir()
    (machine.folder / "mine/thesis.tex").write_text("")
    done = machine("recast", "recastable", "--set", "signal.mass=800", "-o", "mine", *ALWAYS)
    assert (done.returncode, "a new or empty folder" in done.stderr) == (2, True)
    assert [path.name for path in (machine.folder / "mine").iterdir()] == ["thesis.tex"]


def test_a_given_file_runs_what_reads_it_and_gives_the_result_of_a_full_run(
    machine: Machine, heavy: Path
) -> None:
    theirs = machine.folder / "theirs.dat"
    shutil.copy(heavy / "results/generation/signal.hepmc", theirs)
    record = machine.recast("given", "--input", f"signal={theirs}")
    assert ran(record) == {"reduce sample=signal", "histogram sample=signal", "fit"}
    analysis = machine.folder / "given/work/analysis"
    assert (analysis / RESULT).read_bytes() == (heavy / RESULT).read_bytes()
    assert (analysis / "recast/inputs/signal.hepmc").read_bytes() == theirs.read_bytes()
    assert record["changes"]["inputs"]["signal"]["digest"].endswith(
        hashlib.sha256(theirs.read_bytes()).hexdigest()
    )


def test_a_patch_of_the_likelihood_runs_the_fit_alone(machine: Machine) -> None:
    patch = [{"op": "replace", "path": "/channels/0/samples/0/data", "value": [0, 70, 5]}]
    (machine.folder / "patch.json").write_text(json.dumps(patch))
    record = machine.recast("likelihood", "--input", "patch=patch.json")
    assert ran(record) == {"fit"}
    workspace = machine.folder / "likelihood/work/analysis/results/fit/workspace.json"
    assert json.loads(workspace.read_text()) == {"signal": [0, 70, 5]}
    assert record["results"]["selected"]["recast"] == 75
    (machine.folder / "patch.json").write_text(json.dumps(patch[0]))
    refused = machine("recast", "recastable", "--input", "patch=patch.json", "-o", "refused", *ALWAYS)
    assert (refused.returncode, "expected a pyhf patch" in refused.stderr) == (2, True)


def test_a_recast_can_be_captured_and_names_its_parent(
    machine: Machine, recast_heavy: dict[str, object]
) -> None:
    machine.well("capture", "heavier/work/analysis", "-o", "heavier", "-q")
    layout = machine.store.layout
    captured = reading.read(layout, reading.find(layout, "heavier"))
    assert captured.parent is not None
    assert captured.parent.digest == recast_heavy["parent"]["digest"]
    assert dict(captured.parent.parameters) == {"signal.mass": 900}
    # Its record is that of the recast, its image that of the capsule; what it needn't restore is not missed.
    assert (captured.run.made, captured.run.runtime, captured.not_closed) == (
        "during the run",
        "apptainer",
        (),
    )
    assert [image.resolved for image in captured.images] == ["run"]
    assert "verdict: reproduced\n" in machine.well("verify", "heavier", "--rerun", *ALWAYS)


def test_a_recast_of_a_case_is_judged_by_its_references(machine: Machine) -> None:
    record = machine.recast("case", "--case", "heavy")
    assert [(one["result"], one["found"], one["agrees"]) for one in record["validation"]] == [
        ("limit", 0.1336, True)
    ]
    done = machine(
        "recast", "recastable", "--case", "heavy", "--set", "luminosity=20", "-o", "wrong", *ALWAYS, "-q"
    )
    assert done.returncode == 1
    assert "error: result 'limit': found 0.0667, expected 0.1336" in done.stderr


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--set", "signal.mass=900 fb"), "expected a unit of energy"),
        (("--set", "signal.mas=900"), "did you mean 'signal.mass'?"),
        (("--set", "signal.mass=9 TeV"), "expected at most 2000 GeV"),
        (("--set", "signal.mass"), "expected a name and a value"),
        (("--input", f"signal={__file__}"), "expected HepMC3 events"),
        (("--input", "signal=none.hepmc"), "input 'signal': none.hepmc: found No such file"),
        (("--case", "lite"), "expected one of heavy"),
        ((), "this recast changes nothing"),
    ],
)
def test_what_is_not_allowed_is_told_before_anything_is_written(
    machine: Machine, given: tuple[str, ...], message: str
) -> None:
    before = sorted(path.name for path in machine.folder.iterdir())
    done = machine("recast", "recastable", *given, "-o", "refused")
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in machine.folder.iterdir()) == before


def test_what_the_workflow_itself_refuses_is_told_in_its_words_and_leaves_nothing(machine: Machine) -> None:
    done = machine("recast", "recastable", "--set", "seed=13", "-o", "unlucky", *ALWAYS)
    assert (done.returncode, "13 is unlucky" in done.stderr) == (2, True)
    assert not (machine.folder / "unlucky").exists()


def test_a_dry_run_says_what_would_run_and_why_and_leaves_nothing(machine: Machine) -> None:
    before = sorted(path.name for path in machine.folder.iterdir())
    told = machine.well("recast", "recastable", "--set", "luminosity=20", "--dry-run", *ALWAYS)
    assert told == (
        "fit\n    why: parameter luminosity changed: 10 → 20\n"
        "1 jobs would run, 3 be restored; 6 are not needed\n"
    )
    assert sorted(path.name for path in machine.folder.iterdir()) == before


def test_what_an_earlier_recast_made_is_not_made_again(
    machine: Machine, recast_heavy: dict[str, object]
) -> None:
    record = machine.recast("again", "--set", "signal.mass=900", "--set", "luminosity=40")
    assert ran(record) == {"fit"}


def test_nothing_is_restored_if_that_is_asked_for(machine: Machine, heavy: Path) -> None:
    record = machine.recast("fresh", "--set", "signal.mass=900", "--no-reuse")
    assert len(ran(record)) == 10
    assert products(machine.folder / "fresh/work/analysis") == products(heavy)


def test_an_audit_names_a_job_that_makes_something_else_each_time(machine: Machine) -> None:
    def noisy(folder: Path) -> None:
        program = folder / "scripts/histogram.sh"
        program.write_text(program.read_text().replace('do echo "${counts[bin]}"', 'do echo "$RANDOM"'))
        specification = folder / "specs/recastable.yaml"
        specification.write_text(specification.read_text().replace("name: recastable", "name: noisy"))

    analysis = machine.analysis("noisy", noisy)
    machine.well("run", str(analysis), *ALWAYS, "-q")
    machine.well("capture", str(analysis), "-q")
    done = machine(
        "recast", "noisy", "--set", "luminosity=20", "-o", "audited", "--audit", "2", *ALWAYS, "-q"
    )
    assert done.returncode == 1
    for line in done.stderr.splitlines():
        assert line.startswith("error: job 'histogram sample=")
        assert "made something else when it was run once more: results/histograms/" in line
    assert len(done.stderr.splitlines()) == 2
    quiet = machine.recast("quiet", "--set", "luminosity=20", "--audit")
    assert [one["differing"] for one in quiet["audit"]] == [[], [], []]


@pytest.mark.parametrize(("number", "mass"), [(signal.SIGINT, "666"), (signal.SIGKILL, "667")])
def test_the_same_command_goes_on_where_a_recast_was_ended(
    machine: Machine, number: signal.Signals, mass: str
) -> None:
    name = f"ended-{number.name}"
    arguments = ("recast", "recastable", "--set", f"signal.mass={mass}", "-o", name, *ALWAYS)
    analysis = machine.folder / name / "work/analysis"
    with machine.start(*arguments) as running:
        while not (analysis / "results/histograms/two.json").exists() or not list(
            (machine.folder / name / "work/runs").glob("run-*/events.jsonl")
        ):
            assert running.poll() is None, running.communicate()
            time.sleep(0.05)
        time.sleep(2)
        running.send_signal(number)
        _, told = running.communicate(timeout=60)
    if number is signal.SIGINT:
        assert running.returncode == 130
        assert "type the same command to go on" in told
    assert json.loads((machine.folder / name / "recast.json").read_text())["status"] == "unfinished"
    (analysis / "go").touch()
    machine.well(*arguments)
    record = json.loads((machine.folder / name / "recast.json").read_text())
    assert (record["status"], len(ran(record))) == ("ok", 4)


def test_a_recast_killed_at_any_moment_leaves_a_sound_store_and_goes_on(
    machine: Machine, recast_heavy: dict[str, object]
) -> None:
    arguments = ("recast", "recastable", "--set", "signal.mass=900", "-o", "killed", *ALWAYS)
    moments, latest = random.Random(3), 6.0
    killed = 0
    while killed < 4:
        with machine.start(*arguments) as running:
            with suppress(subprocess.TimeoutExpired):
                running.communicate(timeout=moments.uniform(0.1, latest))
            running.kill()
        if running.returncode == -signal.SIGKILL:
            killed += 1
        else:  # a fast machine
            latest /= 2
            shutil.rmtree(machine.folder / "killed")
        assert fsck.check(machine.store).damages == ()
    machine.well(*arguments)
    found = products(machine.folder / "killed/work/analysis")
    assert RESULT in found
    assert found.items() <= products(machine.folder / "heavier/work/analysis").items()


def test_python_calls_the_same_functions(machine: Machine, recast_heavy: dict[str, object]) -> None:
    capsule = relance.open("recastable", store=machine.store.folder, runtime="apptainer", cores=2)
    plan = capsule.plan(signal={"mass": 901})
    assert [job.name for job in plan.jobs if job.state == "run"][-1] == "fit"
    run = capsule.recast(signal={"mass": 900}, luminosity="20 fb^-1", folder=machine.folder / "python")
    assert (run.results["limit"].value, run.results["limit"].unit) == (0.0667, "fb")
    assert str(capsule.results["limit"]) == "0.09540 fb"
    shown = run._repr_html_()
    assert ("<td style='text-align:left'>0.06670</td>" in shown, "data:image/png;base64," in shown) == (
        True,
        True,
    )
