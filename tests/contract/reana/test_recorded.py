"""A run of a server, fetched, is a recorded run like those of this machine."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from relance import digest, schema
from relance.cli import run_command_line

from .conftest import REMOTE, Said
from .server import Fault, Standin

MACHINE = Path(__file__).parents[2] / "machine"
SPECIFICATION = """\
format: analysis-specification
version: 1
identity: {name: remote, title: Small, version: "1.0", authors: [{name: A. Physicist}], licence: MIT}
workflow: {language: snakemake, file: Snakefile, sources: [Snakefile, config.yaml, rules, reana.yaml]}
interface:
  results:
    total: {title: Lines, type: file, file: results/total.txt}
products:
  keep:
    - {path: results/**, reason: small}
visibility: {specification: public, products: public, results: public}
"""


def recorded(folder: Path) -> dict:
    (path,) = folder.glob(".snakemake/relance/run-*/record.json")
    schema.load(path, schema.bundled("run-record"))
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same analysis run here, by Snakemake, with the same parameters."""
    folder = tmp_path_factory.mktemp("local") / "remote"
    shutil.copytree(REMOTE, folder, ignore=shutil.ignore_patterns(".snakemake"))
    (folder / "set.json").write_text(json.dumps({"times": 3, "signal": {"mass": 2500, "width": 0.5}}))
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", "set.json"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


def test_an_analysis_comes_back_from_each_generation_as_it_is_made_here_and_is_recorded(  # noqa: PLR0917
    server: Standin,
    say: Callable[..., Said],
    remote: Path,
    local: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (remote / "reana.yaml").write_text((remote / "reana.yaml").read_text().replace("times: 2", "times: 3"))
    mass = yaml.safe_dump({"mass": 2500}, default_flow_style=True).strip()
    done = say(
        "submit",
        "remote",
        f"--set=signal={mass}",
        "--skip-images",
        "--follow",
        "--fetch=got",
        "--interval=0.2",
    )
    assert done.code == 0, done.err
    assert "counting one" in done.out
    results = tmp_path / "got/results"
    got = sorted(path.relative_to(tmp_path / "got") for path in results.rglob("*") if path.is_file())
    assert list(map(str, got)) == ["results/parts/one.txt", "results/parts/two.txt", "results/total.txt"]
    for path in got:
        assert (tmp_path / "got" / path).read_bytes() == (local / path).read_bytes()
    assert "mass 2500 width 0.5" in (tmp_path / "got/results/total.txt").read_text()
    assert server.only().parameters == {"signal": {"mass": 2500, "width": 0.5}}
    assert not (remote / ".relance").exists()
    as_told(recorded(tmp_path / "got"), server)
    assert run_command_line(["runs", "show", "--dir", "got"]) == 0
    shown = capsys.readouterr().out
    assert server.address in shown
    assert "count name=one: ok" in shown
    assert run_command_line(["compare", "got/results", str(local / "results")]) == 0


def as_told(found: dict, server: Standin) -> None:
    """Check that a record says of a run what the server says, and no more."""
    run = found["run"]
    assert run["remote"] == {
        "engine": "reana",
        "server": server.address,
        "version": str(server.generation) if server.bundles else "unknown",
        "id": server.only().id,
        "name": "remote.1",
    }
    assert [run[key] for key in ("status", "runtime", "snakemake", "made")] == [
        "ok",
        "reana",
        "9.27.1",
        "afterwards",
    ]
    assert run["platform"] == run["processor"] == run["libc"] == "unknown", "nobody tells of the machine"
    assert run["configuration"]["signal"]["mass"] == 2500
    assert [file["path"] for file in run["read_outside"]] == ["{run}/settings.json"]
    jobs = [(job["rule"], job["status"], job["exit"], job["attempts"]) for job in found["jobs"]]
    assert jobs == [("count", "ok", 0, 1), ("count", "ok", 0, 1), ("total", "ok", 0, 1)]
    assert found["times"]["started"] <= found["times"]["ended"]
    files = {file["path"]: file["digest"] for file in found["files"]}
    for path in ("data/one.txt", "results/parts/one.txt", "results/total.txt"):
        assert files[path] == digest.of_file(server.only().workspace / path)


def test_a_fetched_run_can_be_captured_and_verified_by_a_rerun_on_the_server(
    newest: Standin,
    say: Callable[..., Said],
    remote: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (remote / "specification.yaml").write_text(SPECIFICATION)
    for path in (remote / "Snakefile", remote / "rules/count.smk"):
        path.write_text(path.read_text().replace("docker://bash:5", "docker://registry.invalid/bash:5"))
    assert say("submit", "remote", "--skip-images", "--wait", "--interval=0.2").code == 0
    assert say("fetch", "-o", "got").code == 0
    code = run_command_line(["capture", "got", "--spec", str(remote / "specification.yaml"), "--json"])
    _, err = capsys.readouterr()
    assert code == 0, err
    assert run_command_line(["inspect", "remote:1.0", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["runtime"].startswith("reana")
    rerun = ["verify", "remote:1.0", "--rerun", "--on=reana", "--skip-images", "--interval=0.2", "--json"]
    assert run_command_line(rerun) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert report["verdict"] == "reproduced", err
    assert report["rerun_on"]["runtime"] == "reana"
    assert {product["path"]: product["tier"] for product in report["products"]} == dict.fromkeys(
        ["results/parts/one.txt", "results/parts/two.txt", "results/total.txt"], "bytes"
    )
    assert [run.name for run in newest.runs.values()] == ["remote.1", "remote.2"]
    size = (list(newest.runs.values())[-1].workspace / "results/total.txt").stat().st_size
    newest.fault(Fault("GET", "/workspace/results/total.txt", "answer", value=b"x" * size))
    assert run_command_line(rerun) == 1
    assert json.loads(capsys.readouterr().out)["verdict"] == "differs"
    newest.engine = replace(newest.engine, program=("false",))
    assert run_command_line(rerun) == 3, "the image can't be had"
    report = json.loads(capsys.readouterr().out)
    assert (report["verdict"], "products" in report) == ("not closed", False)
    assert "found status failed" in report["message"]
    assert [one.partition(" docker:")[0] for one in report["not_closed"]] == ["image"]


def test_a_failed_run_is_recorded_as_such_with_what_it_left(
    newest: Standin, say: Callable[..., Said], remote: Path, tmp_path: Path
) -> None:
    snakefile = remote / "Snakefile"
    snakefile.write_text(snakefile.read_text().replace("echo adding > {log};", "false;"))
    assert say("submit", "remote", "--skip-images", "--wait", "--interval=0.2").code == 1
    assert say("fetch", "--all", "-o", "got").code == 0
    found = recorded(tmp_path / "got")
    assert found["run"]["status"] == "failed"
    assert [job["status"] for job in found["jobs"]] == ["ok", "ok", "failed"]
    assert [job["exit"] for job in found["jobs"]] == [0, 0, "unknown"]


def test_a_run_that_changed_its_input_is_not_recorded_and_one_from_elsewhere_neither(
    newest: Standin, say: Callable[..., Said], serial: Callable[..., str], tmp_path: Path
) -> None:
    folder = serial(first="echo changed > data/one.txt; echo > one.txt")
    Path(folder, "data/one.txt").write_text("as it was\n")
    assert say("submit", folder, "--skip-images", "--wait", "--interval=0.2").code == 0
    Path(folder, "data/one.txt").write_text("another by now\n")
    done = say("fetch", "-o", "got")
    assert done.code == 0
    assert "not recorded: " in done.err
    assert "the run changed its input" in done.err
    assert not (tmp_path / "got/.snakemake").exists()
    for note in (tmp_path / "cache").rglob("submission.json"):
        note.unlink()
    elsewhere = say("fetch", "serial.1", "-o", "elsewhere")
    assert "wasn't submitted from here" in elsewhere.err
    assert sorted(path.name for path in (tmp_path / "elsewhere").iterdir()) == ["out.txt"]


def test_a_module_that_a_server_adds_is_not_run_here(
    newest: Standin, say: Callable[..., Said], remote: Path, tmp_path: Path
) -> None:
    snakefile = remote / "Snakefile"
    snakefile.write_text(f"import colorsys\n{snakefile.read_text()}")
    assert say("submit", "remote", "--skip-images", "--wait", "--interval=0.2").code == 0
    workspace = newest.only().workspace
    attack = f"open({str(tmp_path / 'ran')!r}, 'w').close()\n"
    (workspace / "colorsys.py").write_text(attack)
    (workspace / "rules/colorsys.py").write_text(attack)
    assert say("fetch", "--all", "-o", "got").code == 0
    assert (tmp_path / "got/colorsys.py").read_text() == attack
    assert [job["rule"] for job in recorded(tmp_path / "got")["jobs"]] == ["count", "count", "total"]
    assert not (tmp_path / "ran").exists()
    (workspace / "Snakefile").write_text(attack)
    changed = say("fetch", "--all", "-o", "changed")
    assert "not recorded: " in changed.err
    assert not (tmp_path / "ran").exists()


def test_a_serial_run_is_recorded_with_the_steps_that_the_server_tells(
    newest: Standin, say: Callable[..., Said], serial: Callable[..., str], tmp_path: Path
) -> None:
    assert say("submit", serial(), "--skip-images", "--fetch=got", "--interval=0.2").code == 0
    found = recorded(tmp_path / "got")
    assert [(job["rule"], job["status"]) for job in found["jobs"]] == [("first", "ok"), ("second", "ok")]
    assert [file["path"] for file in found["files"]] == ["data/one.txt", "out.txt"]


YADAGE = """
stages:
  - name: double
    dependencies: [init]
    scheduler:
      scheduler_type: singlestep-stage
      parameters: {given: {step: init, output: given}, made: "{workdir}/twice.txt"}
      step: &step
        process: {process_type: string-interpolated-cmd, cmd: "cat {given} {given} > {made}"}
        publisher: {publisher_type: frompar-pub, outputmap: {made: made}}
        environment: {environment_type: docker-encapsulated, image: bash, imagetag: "5"}
  - name: again
    dependencies: [double]
    scheduler:
      scheduler_type: singlestep-stage
      parameters: {given: {stages: double, output: made, unwrap: true}, made: "{workdir}/out.txt"}
      step: *step
"""


@pytest.fixture(scope="module")
def yadage() -> str:
    """A Python that has it; made where all tests keep it, not in the folder of one."""
    return subprocess.check_output([MACHINE / "yadage.sh"], text=True).strip()


def test_a_run_of_yadage_is_recorded_with_the_files_of_its_jobs(
    newest: Standin, say: Callable[..., Said], tmp_path: Path, yadage: str
) -> None:
    newest.engine = replace(newest.engine, yadage=yadage)
    folder = tmp_path / "doubling"
    (folder / "data").mkdir(parents=True)
    (folder / "data/one.txt").write_text("one\n")
    (folder / "workflow.yml").write_text(YADAGE)
    declared = {
        "inputs": {
            "directories": ["data"],
            "parameters": {"given": "one.txt"},
            "options": {"initdir": "data"},
        },
        "workflow": {"type": "yadage", "file": "workflow.yml"},
        "outputs": {"files": ["again/out.txt"]},
    }
    (folder / "reana.yaml").write_text(yaml.safe_dump(declared))
    assert say("submit", str(folder), "--skip-images", "--fetch=got", "--interval=0.2").code == 0
    assert (tmp_path / "got/again/out.txt").read_text() == "one\n" * 4
    found = recorded(tmp_path / "got")
    assert [(job["rule"], job["status"], job["inputs"], job["outputs"]) for job in found["jobs"]] == [
        ("double", "ok", ["data/one.txt"], ["double/twice.txt"]),
        ("again", "ok", ["double/twice.txt"], ["again/out.txt"]),
    ]
    given = {one["name"]: one["value"] for one in found["jobs"][0]["parameters"]}
    assert given == {"given": "data/one.txt", "made": "{workdir}/twice.txt"}
    assert all(time["started"] != "unknown" for time in found["times"]["jobs"])
    files = {file["path"]: file["digest"] for file in found["files"]}
    assert files["again/out.txt"] == digest.of_file(tmp_path / "got/again/out.txt")
    assert files["data/one.txt"] == digest.of_file(folder / "data/one.txt")
    noted = newest.only().workspace / "_yadage/yadage_snapshot_workflow.json"
    noted.write_text(noted.read_text().replace(newest.only().id, "../elsewhere"))
    assert say("fetch", "-o", "other").code == 0
    assert {tuple(job["outputs"]) for job in recorded(tmp_path / "other")["jobs"]} == {()}
