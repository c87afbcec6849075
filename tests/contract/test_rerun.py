"""A capsule is run again from what it holds alone, in its own images, and recorded."""

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests import capsules

from relance.capsule.model import Capsule, Role
from relance.digest import of_bytes
from relance.engines.base import Watch
from relance.engines.limits import Limits
from relance.errors import AnalysisError, InputError
from relance.model import RunStatus, RuntimeKind
from relance.recording.build import Effects
from relance.recording.sources import written_graph
from relance.rerun import execution, folder
from relance.rerun.execution import Settings
from relance.rerun.folder import Work
from relance.steps import situation
from relance.steps.situation import Place, Runner
from relance.store.store import Store

pytestmark = pytest.mark.container

OUTSIDE = "/data-of-relance-tests/deep/down/c.txt"
SNAKEFILE = rb"""
configfile: "config.yaml"

rule all:
    input: "results/total.json"

rule count:
    input: lambda wildcards: config["elsewhere"] if wildcards.s == "c" else f"data/{wildcards.s}.txt"
    output: "results/{s}.count"
    container: "docker://registry.example/counting:1.0"
    params: threshold=config["threshold"]
    shell: "bash scripts/count.sh {input} > {output}"

rule sum:
    input: expand("results/{s}.count", s=config["samples"])
    output: "results/total.json"
    log: "logs/sum.log"
    container: "docker://registry.example/counting:1.0"
    shell:
        '''
        total=0; for f in {input}; do total=$((total + $(cat $f))); done
        echo '2 samples' > {log}
        printf '{{"total": %d}}\n' $total > {output}
        '''
"""
CONFIGURATION = f"threshold: 100.0\nsamples: [a, b]\nelsewhere: {OUTSIDE}\n".encode()
NOBODY = Watch(lambda _: None, lambda: None)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def counting(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Capsule:
    """The small capsule with a workflow that really runs, and an input that lay elsewhere."""
    layout = store.layout
    image = capsules.shell_image(layout, tmp_path_factory.mktemp("image"))
    capsule = capsules.small(layout, image=image)
    kept = [file for file in capsule.files if file.path not in {"Snakefile", "config.yaml"}]
    kept += [
        capsules.kept(layout, "Snakefile", SNAKEFILE),
        capsules.kept(layout, "config.yaml", CONFIGURATION),
    ]
    kept += [capsules.kept(layout, OUTSIDE, b"x\ny\n", Role.INPUT)]
    return replace(capsule, files=tuple(sorted(kept, key=lambda file: file.path)))


@pytest.fixture
def work(store: Store, counting: Capsule, tmp_path: Path) -> Work:
    return folder.prepare(store, counting, tmp_path / "work")


def settings(kind: RuntimeKind = RuntimeKind.APPTAINER, **others: object) -> Settings:
    return Settings(os.environ, kind, **others)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [RuntimeKind.APPTAINER, RuntimeKind.PODMAN])
def test_a_capsule_reproduces_its_products_and_the_run_is_recorded(
    work: Work, counting: Capsule, kind: RuntimeKind
) -> None:
    done = execution.run(work, settings(kind), NOBODY)
    assert (done.result.status, done.result.message) == (RunStatus.OK, "")
    products = {file.path: file.digest for file in counting.files if file.role is Role.PRODUCT}
    assert products == {path: of_bytes((work.analysis / path).read_bytes()) for path in products}
    record = done.record
    assert record is not None
    assert {file.path: file.digest for file in record.files} | products == {
        file.path: file.digest for file in record.files
    }
    assert [job.rule for job in record.jobs if job.status == "ok"] == ["count", "count", "sum"]
    (image,) = counting.images
    assert {job.image.config for job in record.jobs if job.outputs} == {image.config}
    assert {job.image.resolved for job in record.jobs if job.outputs} == {"run"}
    assert (record.run.graph, record.run.runtime) == (True, kind.value)
    assert done.path is not None
    assert not done.path.is_relative_to(work.analysis)


def test_an_input_that_was_not_fetched_is_named_with_how_to_get_it(
    store: Store, counting: Capsule, tmp_path: Path
) -> None:
    files = tuple(
        replace(file, stored=None, locations=("https://example.org/a.txt",))
        if file.path == "data/a.txt"
        else file
        for file in counting.files
    )
    lacking = folder.prepare(store, replace(counting, files=files), tmp_path / "work")
    with pytest.raises(InputError, match=r"add --fetch: data/a\.txt is kept elsewhere"):
        execution.graph(lacking, settings())


def test_the_graph_follows_the_values_given_and_nothing_runs(work: Work) -> None:
    engine = execution.engine(work, settings())
    graph = execution.graph(work, settings(values={"samples": ["a"]}), engine)
    assert sorted(job["rule"] for job in graph.jobs) == ["all", "count", "sum"]
    assert graph.configuration["samples"] == ["a"]
    assert len(execution.graph(work, settings(), engine).jobs) == 4
    assert not (work.analysis / "results").exists()


@pytest.mark.parametrize("kind", [RuntimeKind.APPTAINER, RuntimeKind.PODMAN])
def test_an_input_that_lay_elsewhere_is_at_its_path_and_told_by_its_own_content(
    work: Work, kind: RuntimeKind
) -> None:
    done = execution.run(work, settings(kind, values={"samples": ["c"]}), NOBODY)
    assert done.result.status is RunStatus.OK, done.result.message
    assert (work.analysis / "results" / "c.count").read_text() == "2\n"
    assert done.record is not None
    assert {file.path: file.digest for file in done.record.files}[OUTSIDE] == of_bytes(b"x\ny\n")
    assert not Path("/data-of-relance-tests").exists()


def test_what_a_workflow_names_elsewhere_is_not_read_for_its_record(work: Work, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("a secret")
    snakefile = work.analysis / "Snakefile"
    lines = f"\nos.makedirs({str(tmp_path)!r}, exist_ok=True); open({str(secret)!r}, 'w').write('x')\n"
    lines += snakefile.read_text().replace('f"data/{wildcards.s}.txt"', repr(str(secret)))
    snakefile.write_text("import os" + lines)
    done = execution.run(work, settings(keep_going=True), NOBODY)
    assert done.record is not None
    told = {file.path: file for file in done.record.files}[str(secret)]
    # Snakemake saw what the workflow wrote there, in the sandbox; the file of this machine nobody read.
    assert (told.kind, told.digest, told.source) == ("gone", of_bytes(b"x"), "snakemake")


def test_a_refusal_of_the_workflow_is_told_in_its_words(work: Work) -> None:
    snakefile = work.analysis / "Snakefile"
    snakefile.write_text("raise ValueError('no such \\x1b[31mquark')\n")
    with pytest.raises(InputError) as raised:
        execution.graph(work, settings())
    assert "no such" in raised.value.found
    assert "\x1b" not in raised.value.found


def test_a_forged_graph_is_an_error_and_no_traceback(work: Work) -> None:
    forged = b"""
import os, sys, atexit
path = [a for a in sys.orig_argv if a.endswith("graph.json")][0]
def forge():
    for name in ("", ".partial"):
        try: os.unlink(path + name)
        except OSError: pass
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as stream:
        stream.write('{"jobs": ' + "[" * 200000)
    os._exit(0)
forge()
"""
    (work.analysis / "Snakefile").write_bytes(forged + SNAKEFILE)
    with pytest.raises((InputError, AnalysisError)):
        execution.graph(work, settings())


def test_nothing_is_prepared_over_somebodys_files(store: Store, counting: Capsule, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(InputError, match="can't take a capsule to run"):
        folder.prepare(store, counting, tmp_path)


@pytest.mark.parametrize("path", ["/etc/passwd", "/usr/lib/x", "/x", "/proc/1/environ", "/a,b/c/d"])
def test_an_input_that_would_hide_the_system_is_refused(
    store: Store, counting: Capsule, tmp_path: Path, path: str
) -> None:
    hostile = capsules.kept(store.layout, path, b"x", Role.INPUT)
    files = tuple(sorted((*counting.files, hostile), key=lambda file: file.path))
    with pytest.raises(InputError, match="can't be put where rules expect it"):
        folder.prepare(store, replace(counting, files=files), tmp_path / "work")
    assert not (tmp_path / "work").exists()


def test_runtime_images_are_made_once(
    work: Work, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []
    execution.engine(work, settings(say=told.append))
    told.clear()
    before: Callable[[str], str | None] = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "sqfstar" else before(name))
    engine = execution.engine(work, settings(say=told.append))
    assert told == []
    (image,) = engine.images
    assert image.runtime_path is not None
    assert image.runtime_path.is_relative_to(store.runtime)


@pytest.mark.parametrize("named", ["log", "output"])
def test_a_job_that_says_it_writes_elsewhere_is_refused_before_anything_is_read(
    work: Work, tmp_path: Path, named: str
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("a secret")
    snakefile = work.analysis / "Snakefile"
    old = '"logs/sum.log"' if named == "log" else '"results/{s}.count"\n    container'
    new = (
        repr(str(secret))
        if named == "log"
        else f'"results/{{s}}.count", {str(secret) + "-{s}"!r}\n    container'
    )
    assert old in snakefile.read_text()
    snakefile.write_text(snakefile.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match="can't be run in a folder of its own"):
        execution.graph(work, settings())
    assert secret.read_text() == "a secret"


def test_files_that_a_graph_names_elsewhere_are_not_hashed(work: Work, tmp_path: Path) -> None:
    endless = "/dev/zero"
    snakefile = work.analysis / "Snakefile"
    snakefile.write_text(snakefile.read_text().replace('f"data/{wildcards.s}.txt"', repr(endless)))
    engine = execution.engine(work, settings())
    graph = execution.graph(work, settings(), engine)
    place = Place(work.analysis, execution.reading(work), graph, work.lies)
    found = situation.read(
        place,
        Runner(engine.runtime.kind, engine.runtime.version, engine.images),
        Effects(tmp_path / "digests.json", lambda _: None, lambda _done, _all: None),
    )
    assert endless not in found.digests
    assert "scripts/count.sh" in found.digests


def test_a_trusted_capsule_runs_without_a_sandbox_in_its_images(work: Work, counting: Capsule) -> None:
    trusted = settings(trusted=True)
    engine = execution.engine(work, trusted)
    with execution.starting(work, trusted, engine) as start:
        assert start.reads
        graph = execution.graph(work, trusted, engine, start)
        assert list(work.runs.glob("run-*")) == [start.folder.path]
        done = execution.run(work, trusted, NOBODY, engine, start)
    assert (done.result.status, done.result.message) == (RunStatus.OK, "")
    products = {file.path: file.digest for file in counting.files if file.role is Role.PRODUCT}
    assert products == {path: of_bytes((work.analysis / path).read_bytes()) for path in products}
    ran = written_graph(start.folder.graph)
    assert ran is not None
    assert [job["shellcmd"] for job in ran.jobs] == [job["shellcmd"] for job in graph.jobs]


def test_nothing_of_a_capsule_runs_on_while_a_plan_is_made_of_its_graph(work: Work) -> None:
    beats = work.analysis / "beats"
    beating = "while :; do echo >> beats; sleep 0.05; done"
    snakefile = (
        "import os, subprocess\n"
        f"subprocess.Popen(['sh', '-c', {beating!r}], start_new_session=True)\n"
        "while not os.path.exists('beats'):\n    pass\n"
    )
    (work.analysis / "Snakefile").write_text(snakefile + SNAKEFILE.decode())
    engine = execution.engine(work, settings())
    with execution.starting(work, settings(), engine) as start:
        assert not start.reads
        execution.graph(work, settings(), engine, start)
        assert start.child.process.poll() is None
        before = beats.stat().st_size
        time.sleep(0.5)
        assert beats.stat().st_size == before


def test_values_change_what_runs_and_reach_the_jobs(work: Work) -> None:
    done = execution.run(work, settings(values={"samples": ["b"], "threshold": 7}), NOBODY)
    assert done.result.status is RunStatus.OK
    assert (work.analysis / "results" / "total.json").read_text() == '{"total": 3}\n'
    assert done.record is not None
    parameters = [job.parameters for job in done.record.jobs if job.rule == "count"]
    assert [[item.value for item in one] for one in parameters] == [[7]]
    again = execution.run(work, settings(values={"samples": ["b"], "threshold": 7}), NOBODY)
    assert (again.result.status, again.result.steps_total) == (RunStatus.OK, 0)
    assert again.record is not None
    assert {job.rule for job in again.record.jobs} >= {"count", "sum"}


@pytest.mark.parametrize("kind", [RuntimeKind.APPTAINER, RuntimeKind.PODMAN])
def test_a_job_that_would_fill_the_disk_is_ended_with_its_run(work: Work, kind: RuntimeKind) -> None:
    snakefile = work.analysis / "Snakefile"
    greedy = "total=0; for n in $(seq 40); do seq 1000000 > part$n; done"
    snakefile.write_text(snakefile.read_text().replace("total=0", greedy))
    with pytest.raises(AnalysisError, match="at most 60 MB of disk"):
        execution.run(work, settings(kind, limits=Limits(disk=60_000_000)), NOBODY)
    assert not (work.analysis / "results" / "total.json").exists()


def test_only_the_targets_asked_for_are_made(work: Work) -> None:
    done = execution.run(work, settings(targets=("results/a.count",)), NOBODY)
    assert done.result.status is RunStatus.OK
    assert [path.name for path in (work.analysis / "results").iterdir()] == ["a.count"]


def test_a_runtime_image_that_the_capsule_only_claims_is_not_run(
    store: Store, counting: Capsule, tmp_path: Path
) -> None:
    other = store.runtime / f"{of_bytes(b'of somebody else').removeprefix('sha256:')}.sqsh"
    other.parent.mkdir(parents=True, exist_ok=True)
    other.write_bytes(b"of somebody else")
    (image,) = counting.images
    claimed = replace(counting, images=(replace(image, runtime=of_bytes(b"of somebody else")),))
    work = folder.prepare(store, claimed, tmp_path / "work")
    (ready,) = execution.engine(work, settings()).images
    assert ready.runtime_path is not None
    assert ready.runtime_path != other
    other.unlink()
