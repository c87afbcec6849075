"""A recast of the dilepton analysis beside running all of it again.

    python bench/recast.py [--config quick] [--mass 2500] [--cores 2] [--yadage DIR] [--keep DIR]

Each with the same images, which 'relance images build' made here, and cores; the clock is around the whole
command:

- the analysis with that mass under bare `snakemake --use-singularity`, from a fresh copy,
- `relance recast` with that mass, after one with yet another (which makes the runtime images, once a
  machine). The capsule is of a run with the mass that the analysis has: in a copy of the fresh run Snakemake
  ran once more what the mass changes. It goes as one file into a store that knows nothing else, as on
  another machine,
- the jobs of the fresh run as stages of a yadage workflow, in Podman or Docker, since yadage takes no image
  files. yadage 0.21.2 needs a Python environment of its own: DIR is one, made there if it isn't,
- a Snakemake run of one rule that does nothing. Beside it the time in which at least one of the recast's jobs
  ran: what a recast takes beyond both is its own overhead.

Prints a table; exits with 1 if a target is missed: 5 times faster than fresh, which is meant for 'quick', and
not more than the empty run + 1 s + 10% above the jobs' own time. On two cores 'quick' takes ten minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from relance.recording import sources

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("Snakefile", "workflows", "containers", "envs", "specs")
YADAGE = "tests/machine/yadage.txt"
FASTER = 5.0
SECONDS, FRACTION = 1.0, 0.1
MADE = (
    "origin",
    "original",
    "store",
    "first",
    "recast",
    "fresh",
    "empty0",
    "empty1",
    "empty2",
    "yadage",
    "out",
    "bin",
)
EMPTY = "rule all:\n    output: 'done'\n    shell: 'touch {output}'\n"


@dataclass(frozen=True)
class Row:
    """A way to get the new limit, and how long it took, in seconds; None if it can't be had here."""

    name: str
    seconds: float | None
    remark: str = ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--config", default="quick")
    parser.add_argument("--mass", default="2500", help="GeV")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--yadage", type=Path, help="Python environment for yadage; made if it isn't there")
    parser.add_argument("--keep", type=Path, help="folder to work in and keep; a temporary one if left out")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-recast-") as temporary:
        folder = (given.keep or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        return compare(folder, given.config, given.mass, given.cores, given.yadage)


def compare(folder: Path, config: str, mass: str, cores: int, yadage: Path | None) -> int:
    """Measure all, print the table and return the exit status."""
    for name in MADE:
        shutil.rmtree(folder / name, ignore_errors=True)  # of an earlier call that was to be kept
    say("fresh run")
    fresh, analysis = fresh_run(folder, config, mass, cores)
    say("running with the analysis's own mass, and capturing that")
    capsule = captured(folder, analysis, config, cores)
    environment = {**os.environ, "RELANCE_STORE": str(folder / "store")}
    call("import", str(capsule), environment=environment)
    say("first recast")
    first = recast(folder / "first", "2345", cores, environment)
    say("recast")
    seconds = recast(folder / "recast", mass, cores, environment)
    record = json.loads((folder / "recast" / "recast.json").read_text("utf-8"))
    ran = [job["name"] for job in record["jobs"] if job["state"] == "run"]
    own = busy(folder / "recast")
    empty = min(empty_run(folder / f"empty{number}", cores) for number in range(3))
    limit = f"results/{config}/fit/result.json"
    same = json.loads((analysis / limit).read_text("utf-8"))["limits"]
    found = folder / "recast/work/analysis" / limit
    agrees = json.loads(found.read_text("utf-8"))["limits"] == same
    rows = [
        Row("fresh snakemake --use-singularity", fresh, "all jobs"),
        Row("relance recast", seconds, f"{len(ran)} of {len(record['jobs'])} jobs run: {', '.join(ran)}"),
        Row("  the first on this machine", first, "runtime images made, too"),
        Row("  its jobs alone", own, "at least one of them running"),
        Row("empty Snakemake run", empty, "one rule, no container; the best of 3"),
        yadage_row(folder, analysis, cores, yadage),
    ]
    print(f"\n{'dilepton, ' + config + f', {cores} cores':<36}{'s':>8}{'÷ recast':>10}")
    for row in rows:
        shown = f"{row.seconds:>8.1f}{row.seconds / seconds:>10.2f}" if row.seconds else f"{'–':>8}{'–':>10}"
        print(f"{row.name:<36}{shown}  {row.remark}")
    overhead, allowed = seconds - own, empty + SECONDS + FRACTION * own
    checks = (
        (
            fresh / seconds >= FASTER,
            f"{fresh / seconds:.1f} times faster than fresh (target on quick: {FASTER:g})",
        ),
        (overhead <= allowed, f"{overhead:.1f} s beyond its jobs (target: at most {allowed:.1f} s)"),
        (agrees, "the limits of the fresh run" if agrees else "other limits than the fresh run"),
    )
    for met, text in checks:
        print(f"{'met   ' if met else 'MISSED'}  {text}")
    return 0 if all(met for met, _ in checks) else 1


def captured(folder: Path, fresh: Path, config: str, cores: int) -> Path:
    """Run a copy of a finished run with the analysis's own mass, capture it and return the capsule's file."""
    capsule = folder / "dilepton.tar"
    environment = {**os.environ, "RELANCE_STORE": str(folder / "origin")}
    analysis = folder / "original"
    shutil.copytree(fresh, analysis, symlinks=True)
    for name, image in built(analysis).items():
        short = image["config"].removeprefix("sha256:")[:12]
        source = f"oci:{Path(image['runtime']['path']).parents[2] / 'content'}:{name}/{short}"
        call("images", "import", source, "--name", name, "-q", environment=environment)
    options = ("--config", config, "--runtime", "apptainer", "--cores", str(cores), "-q")
    call("run", str(analysis), *options, environment=environment)
    call("capture", str(analysis), "-o", str(capsule), "-q", environment=environment)
    return capsule


def built(analysis: Path) -> dict[str, Any]:
    """Return the images that were built on this machine, by name."""
    listed = (analysis / "containers/images.local.yaml").read_text("utf-8")
    found: dict[str, Any] = yaml.safe_load(listed)["images"]
    return found


def fresh_run(folder: Path, config: str, mass: str, cores: int) -> tuple[float, Path]:
    """Run a fresh copy under bare Snakemake; return its time and where it is."""
    analysis = copied(folder / "fresh")
    for image in built(analysis).values():
        Path(image["runtime"]["path"]).read_bytes()  # whether it lay in memory before is not to be measured
    overlay = folder / "mass.yaml"
    overlay.write_text(f"signal:\n  mass: {mass}\n", "utf-8")
    configurations = (f"workflows/dilepton/config/{config}.yaml", str(overlay))
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--cores",
        str(cores),
        "--use-singularity",
        "--quiet",
        "all",
    ]
    return clocked([*command, "--configfile", *configurations], analysis), analysis


def empty_run(folder: Path, cores: int) -> float:
    """Time a Snakemake run that does nothing."""
    folder.mkdir()
    (folder / "Snakefile").write_text(EMPTY, "utf-8")
    return clocked([sys.executable, "-m", "snakemake", "--cores", str(cores), "--quiet", "all"], folder)


def yadage_row(folder: Path, analysis: Path, cores: int, environment: Path | None) -> Row:
    """Run the jobs of a finished run as a yadage workflow in a folder of their own."""
    name = "the same jobs under yadage 0.21.2"
    engine = next((found for found in ("podman", "docker") if answers(found)), None)
    if environment is None or engine is None:
        return Row(name, None, "no --yadage given" if environment is None else "neither Docker nor Podman")
    program = environment / "bin" / "yadage-run"
    if not program.exists():
        say("making yadage's environment")
        venv.create(environment, with_pip=True)
        install = (environment / "bin" / "pip", "install", "--quiet", "--require-hashes", "-r")
        subprocess.run([*install, ROOT / YADAGE], check=True)
    say("yadage")
    jobs = finished(analysis)
    place = copied(folder / "yadage")
    by_path = {image["runtime"]["path"]: image["reference"] for image in built(analysis).values()}
    stages = list(workflow(jobs, place, by_path))
    (folder / "workflow.yml").write_text(yaml.safe_dump({"stages": stages}), "utf-8")
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    (programs / "docker").unlink(missing_ok=True)
    (programs / "docker").symlink_to(shutil.which(engine) or engine)
    variables = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PACKTIVITY_DOCKER_NOPULL": "1",
        "PACKTIVITY_DOCKER_CMD_MOD": f"-v {place}:{place} --network none -e OMP_NUM_THREADS=1 "
        "-e OPENBLAS_NUM_THREADS=1",
    }
    # yadage takes a workflow's path for one in the folder that it is called in.
    command = [str(program.absolute()), "-b", f"multiproc:{cores}", "out", "workflow.yml"]
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - began
    results = [path for job in jobs for path in job.outputs if "/fit/" in path]
    missing = [path for path in results if not (place / path).exists()]
    (folder / "yadage.log").write_text(done.stdout + done.stderr, "utf-8")
    if done.returncode or missing:
        return Row(name, None, f"it failed; see {folder / 'yadage.log'} (--keep)")
    return Row(name, taken, f"in {engine}")


@dataclass(frozen=True)
class Finished:
    """A job as Snakemake noted it."""

    command: str
    image: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def finished(analysis: Path) -> tuple[Finished, ...]:
    """Return the jobs of an analysis that was run, from Snakemake's metadata."""
    found: dict[str, Finished] = {}
    for output, noted in sources.metadata(analysis).outputs.items():
        command = noted["shellcmd"]
        before = found[command].outputs if command in found else ()
        found[command] = Finished(
            command, noted["container_img_url"], tuple(noted["input"]), (*before, output)
        )
    return tuple(found.values())


def workflow(jobs: Sequence[Finished], place: Path, images: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Yield a stage for each job; a stage waits for those whose outputs it reads."""
    makers = {path: number for number, job in enumerate(jobs) for path in job.outputs}
    for number, job in enumerate(jobs):
        needed = sorted({makers[path] for path in job.inputs if path in makers})
        image, _, tag = images[job.image].rpartition(":")
        command = job.command.replace("{", "{{").replace("}", "}}")  # yadage interpolates what it is given
        yield {
            "name": f"job{number}",
            "dependencies": [f"job{other}" for other in needed],
            "scheduler": {
                "scheduler_type": "singlestep-stage",
                "parameters": {
                    "done": "{workdir}/done",
                    **{f"after{other}": {"step": f"job{other}", "output": "done"} for other in needed},
                },
                "step": {
                    "process": {
                        "process_type": "interpolated-script-cmd",
                        "interpreter": "bash",
                        "script": f"cd {place}\n{command}\ntouch {{done}}\n",
                    },
                    "environment": {
                        "environment_type": "docker-encapsulated",
                        "image": image,
                        "imagetag": tag,
                    },
                    "publisher": {"publisher_type": "interpolated-pub", "publish": {"done": "{done}"}},
                },
            },
        }


def busy(recast: Path) -> float:
    """Return for how long at least one job of a recast ran, from its record's times."""
    (written,) = (recast / "work/runs").glob("run-*/record.json")
    times = json.loads(written.read_text("utf-8"))["times"]["jobs"]
    spans = sorted((one["started"], one["ended"]) for one in times if isinstance(one["ended"], (int, float)))
    total, reached = 0.0, 0.0
    for started, ended in spans:
        total += max(0.0, ended - max(started, reached))
        reached = max(reached, ended)
    return total


def copied(folder: Path) -> Path:
    """Copy what a clone has, with the list of images built on this machine."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / part)
    return folder


def call(*arguments: str, environment: Mapping[str, str] | None = None) -> None:
    """Run relance."""
    subprocess.run([sys.executable, "-m", "relance", *arguments], env=environment, check=True)


def recast(folder: Path, mass: str, cores: int, environment: Mapping[str, str]) -> float:
    """Recast with a mass, in GeV, and return the seconds that took."""
    changed = ("--set", f"signal.mass={mass}", "-o", str(folder))
    began = time.perf_counter()
    call(
        "recast", "dilepton", *changed, "--cores", str(cores), "--runtime", "apptainer", "-q",
        environment=environment,
    )  # fmt: skip
    return time.perf_counter() - began


def clocked(command: Sequence[str], folder: Path) -> float:
    """Run a command and return the seconds that took."""
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - began


def answers(engine: str) -> bool:
    """Return whether a container engine works here."""
    if shutil.which(engine) is None:
        return False
    return subprocess.run([engine, "info"], capture_output=True, check=False).returncode == 0


def say(text: str) -> None:
    print(f"{text} …", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
