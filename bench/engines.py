"""What running a yadage workflow costs beyond its jobs: compiled, in yadage itself, by hand for Snakemake.

    python bench/engines.py [--cores 2] [--kinds processes containers] [--sizes 50 200] [--keep DIR]

A chain of 4 steps, and scatters over a parameter whose jobs' files one more job puts together; each writes a
line or so, as processes and in containers:

- relance: the workflow compiled by `relance convert`, under `relance run`, which records and keeps each job,
- yadage: 0.21.2 in an environment of its own (tests/machine/yadage.sh), with as many processes as cores; its
  containers run in Podman, since it takes no image files,
- Snakemake: rules written by hand for the same jobs, with nothing around them,
- bare: the jobs alone, as many at a time as there are cores.

Columns: seconds from start to end; processor seconds of scheduling, which is all but those of the bare jobs;
seconds a job beyond the bare one. Prints a table; exits with 1 if a target is missed, at 200 jobs: less than
0.1 s a job beyond the bare one, a fifth of yadage's processor time.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
IMAGE = "bench/tool:1"
PROGRAMS = ("bash", "cat", "mkdir", "sed", "touch")
JUDGED = 200
OVERHEAD = 0.1
LESS = 5.0


@dataclass(frozen=True)
class Taken:
    """What something took, in seconds."""

    wall: float
    processor: float
    """Of it and of all processes that it waited for."""


@dataclass(frozen=True)
class Case:
    """Jobs to run."""

    name: str
    count: int
    chained: bool
    contained: bool


@dataclass(frozen=True)
class Row:
    """One way to run a case; None where it was left out."""

    engine: str
    taken: Taken | None
    bare: Taken | None
    remark: str = ""

    @property
    def scheduling(self) -> float | None:
        """Processor seconds beyond those of the bare jobs."""
        return self.taken.processor - self.bare.processor if self.taken and self.bare else None

    def each(self, count: int) -> float | None:
        """Return the seconds a job beyond the bare one."""
        return (self.taken.wall - self.bare.wall) / count if self.taken and self.bare else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--kinds", nargs="+", default=["processes", "containers"])
    parser.add_argument("--sizes", nargs="+", type=int, default=[50, 200])
    parser.add_argument("--keep", type=Path, help="folder to work in and keep; a temporary one if left out")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-engines-") as temporary:
        folder = (given.keep or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        bench = Bench(folder, given.cores)
        try:
            return compare(bench, given.kinds, given.sizes)
        finally:
            bench.close()


def compare(bench: Bench, kinds: Sequence[str], sizes: Sequence[int]) -> int:
    """Measure every case, print a table and return the exit status."""
    met = True
    print(f"{'':<28}{'':<12}{'wall s':>8}{'CPU s':>8}{'s/job':>8}")
    for kind in kinds:
        contained = kind == "containers"
        cases = [Case(f"chain of 4, {kind}", 4, True, contained)]
        cases += [Case(f"{size}-way scatter, {kind}", size, False, contained) for size in sizes]
        for case in cases:
            rows = bench.rows(case)
            for row in rows:
                print(f"{case.name:<28}{row.engine:<12}{_cells(row, case.count)}  {row.remark}", flush=True)
            if case.count >= JUDGED:
                met = _judged(rows, case.count) and met
    return 0 if met else 1


def _cells(row: Row, count: int) -> str:
    if row.taken is None:
        return f"{'–':>8}" * 3
    scheduling, each = row.scheduling, row.each(count)
    if scheduling is None or each is None:
        return f"{row.taken.wall:>8.2f}{'':>16}"
    return f"{row.taken.wall:>8.2f}{scheduling:>8.2f}{each:>8.3f}"


def _judged(rows: Sequence[Row], count: int) -> bool:
    """Print whether the targets are met."""
    by_name = {row.engine: row for row in rows}
    ours, theirs = by_name["relance"], by_name["yadage"]
    each, scheduling = ours.each(count), ours.scheduling
    assert each is not None
    assert scheduling is not None
    checks = [(each < OVERHEAD, f"{each:.3f} s a job beyond the bare one (target: below {OVERHEAD:g})")]
    if theirs.scheduling is not None:
        ratio = theirs.scheduling / max(scheduling, 0.01)
        checks.append((ratio >= LESS, f"{ratio:.1f} times less scheduling than yadage (target: {LESS:g})"))
    for met, text in checks:
        print(f"{'met   ' if met else 'MISSED'}  {text}", flush=True)
    return all(met for met, _ in checks)


@dataclass
class Bench:
    """A folder with an image, and how many jobs may run at a time."""

    folder: Path
    cores: int
    _number: int = 0

    def rows(self, case: Case) -> list[Row]:
        """Run a case in every way."""
        self._number += 1
        place = self.folder / f"case{self._number}"
        place.mkdir()
        (place / "workflow.yml").write_text(yaml.safe_dump(workflow(case)), "utf-8")
        (place / "given.yml").write_text(yaml.safe_dump({"items": list(range(case.count))}), "utf-8")
        bare = self._bare(case, place / "bare", self._apptainer() if case.contained else [])
        rows = [Row("bare", bare, None, "in Apptainer" if case.contained else "")]
        rows.append(Row("relance", self._relance(case, place), bare))
        rows.append(Row("Snakemake", self._snakemake(case, place / "plain"), bare))
        if case.contained and shutil.which("podman") is None:
            return [*rows, Row("yadage", None, None, "left out")]
        if case.contained:
            bare = self._bare(case, place / "podman", self._podman(place / "podman"))
        return [*rows, Row("yadage", self._yadage(case, place), bare, "in Podman" if case.contained else "")]

    def _bare(self, case: Case, place: Path, container: Sequence[str]) -> Taken:
        place.mkdir()
        text = f'cd {place} && mkdir "job$0" && echo "$0" > "job$0/out.txt"'
        numbers = "\n".join(map(str, range(case.count)))
        parallel = 1 if case.chained else self.cores
        command = ["xargs", "-n", "1", "-P", str(parallel), *container, "sh", "-c", text]
        return clocked(command, place, given=numbers)

    def _relance(self, case: Case, place: Path) -> Taken:
        analysis = place / "compiled"
        relance = [sys.executable, "-m", "relance"]
        done([*relance, "convert", "workflow.yml", str(analysis), "given.yml", "-q"], place)
        if case.contained:
            settings = yaml.safe_load((analysis / "config.yaml").read_text("utf-8"))
            settings["images"] = {f"docker://{IMAGE}": str(self._image())}
            (analysis / "config.yaml").write_text(yaml.safe_dump(settings), "utf-8")
        runtime = "apptainer" if case.contained else "plain"
        options = ["--runtime", runtime, "--cores", str(self.cores), "-q"]
        environment = {**os.environ, "RELANCE_STORE": str(place / "store")}
        taken = clocked([*relance, "run", str(analysis), *options], place, environment)
        made(analysis / "workdir", case.count)
        return taken

    def _snakemake(self, case: Case, place: Path) -> Taken:
        place.mkdir()
        container = f"    container: {str(self._image())!r}\n" if case.contained else ""
        before = 'f"job{int(wildcards.n) - 1}/out.txt" if int(wildcards.n) else []'
        files = [f"job{n}/out.txt" for n in range(case.count)]
        needed = f"    input: lambda wildcards: {before}\n" if case.chained else ""
        rules = (
            f"rule all:\n    input: {files if case.chained else 'gather/out.txt'!r}\n"
            f"rule gather:\n    input: {files!r}\n    output: 'gather/out.txt'\n{container}"
            "    shell: 'echo {input} > {output}'\n"
            f"rule job:\n{needed}    output: 'job{{n}}/out.txt'\n{container}"
            "    shell: 'echo {wildcards.n} > {output}'\n"
        )
        (place / "Snakefile").write_text(rules, "utf-8")
        command = [sys.executable, "-m", "snakemake", "--cores", str(self.cores), "--quiet", "all"]
        taken = clocked([*command, *(["--sdm", "apptainer"] if case.contained else [])], place)
        made(place, case.count)
        return taken

    def _yadage(self, case: Case, place: Path) -> Taken:
        script = ROOT / "tests" / "machine" / "yadage.sh"
        python = subprocess.run([script], check=True, capture_output=True, text=True).stdout.strip()
        programs = place / "bin"
        programs.mkdir()
        (place / "out" / "init").mkdir(parents=True)  # which it mounts, there or not
        if case.contained:
            (programs / "docker").symlink_to(shutil.which("podman") or "podman")
        environment = {
            **os.environ,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PACKTIVITY_DOCKER_NOPULL": "1",
            "PACKTIVITY_DOCKER_CMD_MOD": "--network none",
        }
        program = str(Path(python).parent / "yadage-run")
        command = [program, "-b", f"multiproc:{self.cores}", "out", "workflow.yml", "given.yml"]
        taken = clocked(command, place, environment)
        made(place / "out", case.count)
        return taken

    def close(self) -> None:
        """Take the image away from Podman again."""
        if (self.folder / "tool.tar").exists():
            subprocess.run(["podman", "rmi", "--force", IMAGE], capture_output=True, check=False)
            (self.folder / "tool.tar").unlink()

    def _image(self) -> Path:
        """Return an image file with a shell and little else, made of this machine's programs."""
        image = self.folder / "tool.sif"
        if not image.exists():
            done(["apptainer", "build", str(image), str(self._root())], self.folder)
        return image

    def _root(self) -> Path:
        root = self.folder / "root"
        if root.exists():
            return root
        for name in ("usr/bin", "tmp", "proc", "sys", "dev", "etc", "home", "run"):
            (root / name).mkdir(parents=True)
        (root / "bin").symlink_to("usr/bin")
        (root / "usr/bin/sh").symlink_to("bash")
        for name in PROGRAMS:
            program = shutil.which(name) or name
            shutil.copy(program, root / "usr/bin" / name)
            said = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
            for library in re.findall(r"/\S+", said):
                copy = root / library.lstrip("/")
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(library, copy)
        return root

    def _apptainer(self) -> list[str]:
        return ["apptainer", "--silent", "exec", "--bind", str(self.folder), str(self._image())]

    def _podman(self, place: Path) -> list[str]:
        packed = self.folder / "tool.tar"
        if not packed.exists():
            done(["tar", "-C", str(self._root()), "-cf", str(packed), "."], self.folder)
            done(["podman", "import", "--quiet", str(packed), IMAGE], self.folder)
        return ["podman", "run", "--rm", "--network", "none", "-v", f"{place}:{place}", IMAGE]


def workflow(case: Case) -> dict[str, Any]:
    """Return a case as a workflow of yadage."""
    name, _, tag = IMAGE.partition(":")
    contained = {"environment_type": "docker-encapsulated", "image": name, "imagetag": tag}
    step = {
        "process": {"process_type": "string-interpolated-cmd", "cmd": "echo {item} > {out}"},
        "environment": contained if case.contained else {"environment_type": "localproc-env"},
        "publisher": {"publisher_type": "frompar-pub", "outputmap": {"out": "out"}},
    }
    out = "{workdir}/out.txt"
    if not case.chained:
        scatter = {
            "scheduler_type": "multistep-stage",
            "parameters": {"item": {"step": "init", "output": "items"}, "out": out},
            "scatter": {"method": "zip", "parameters": ["item"]},
            "step": step,
        }
        gather = {
            "scheduler_type": "singlestep-stage",
            "parameters": {"item": {"stages": "job", "output": "out"}, "out": out},
            "step": step,
        }
        return {
            "stages": [
                {"name": "job", "dependencies": ["init"], "scheduler": scatter},
                {"name": "gather", "dependencies": ["job"], "scheduler": gather},
            ]
        }
    stages = []
    for number in range(case.count):
        last = f"job{number - 1}"
        schedule = {
            "scheduler_type": "singlestep-stage",
            "parameters": {"item": {"step": last, "output": "out"} if number else "first", "out": out},
            "step": step,
        }
        waits = [last] if number else []
        stages.append({"name": f"job{number}", "dependencies": waits, "scheduler": schedule})
    return {"stages": stages}


def made(folder: Path, count: int) -> None:
    """Make sure that every job has written its file."""
    found = len(list(folder.glob("job*/out.txt")))
    if found != count:
        sys.exit(f"{folder}: {found} of {count} files were written")


def clocked(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    *,
    given: str = "",
) -> Taken:
    """Run a command and return what it took."""
    log = folder / "console.log"
    with log.open("ab") as console, tempfile.TemporaryFile() as words:
        words.write(given.encode())
        words.seek(0)
        began = time.perf_counter()
        child = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=words, stdout=console, stderr=subprocess.STDOUT
        )
        _, status, used = os.wait4(child.pid, 0)
        wall = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(command[:4])} … failed: {log.read_text('utf-8', 'replace')[-800:]}")
    return Taken(wall, used.ru_utime + used.ru_stime)


def done(command: Sequence[str], folder: Path) -> None:
    """Run a command whose time doesn't count."""
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


if __name__ == "__main__":
    sys.exit(main())
