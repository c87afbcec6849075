"""Speed and memory of keeping an analysis's files, beside hashing and copying them in the plainest way.

    python bench/capture.py [--gigabytes 1] [--files 2000] [--folder DIR]

Makes files of random bytes, nine tenths of the gigabytes in few large ones and the rest in small ones, and
measures, each in a process of its own, from files that are not in memory:

- hashing: hashlib over all files, in as many threads;
- copying: `shutil.copyfile` of each, in as many threads;
- put_all: the same files into an empty store (`relance.store.content`), hashed, verified and deduplicated;
- put_all again: the same unchanged files;
- capture: `relance capture` of an analysis whose one job reads all of them, run and recorded before, into
  another empty store;
- capture again: the same.

What is done again is done three times. The first counts, which comes right after all was written; the worst
is shown beside it.

Every row that writes ends when all is on the disk. The ratio of put_all is its throughput to that of the
slower of hashing and copying; that of the second put_all how many times it is faster than the first. The
folder should be on the disk that the store is on; it needs twice the gigabytes, and is emptied again.
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
from dataclasses import dataclass
from pathlib import Path

LARGE = 1_000_000_000  # bytes of each large file, if there are so many
TRIALS = 3  # of what takes seconds only
SETTLED = 2.5  # seconds after which a file's digest may be remembered

HASHING = """
import hashlib, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
def one(path):
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
with ThreadPoolExecutor(int(sys.argv[2])) as pool:
    list(pool.map(one, sorted(Path(sys.argv[1]).iterdir())))
"""
COPYING = """
import os, shutil, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
def one(path):
    shutil.copyfile(path, Path(sys.argv[3]) / path.name)
with ThreadPoolExecutor(int(sys.argv[2])) as pool:
    list(pool.map(one, sorted(Path(sys.argv[1]).iterdir())))
os.sync()
"""
KEEPING = """
import os, sys
from pathlib import Path
from relance.store import content
from relance.store.hashing import Memory
from relance.store.store import Store
store = Store(Path(sys.argv[3]))
memory = Memory(store.folder / "digests.json")
files = list(Path(sys.argv[1]).iterdir())
with store.writing():
    content.put_all(store.layout, files, cache=memory, threads=int(sys.argv[2]))
memory.write()
os.sync()
"""
CAPTURING = """
import os, sys
from relance.cli import run_command_line
status = run_command_line(["capture", "--quiet", "--inside-up-to", "1TB", "--store", *sys.argv[1:]])
os.sync()
sys.exit(status)
"""
SNAKEFILE = """
from pathlib import Path

rule count:
    input: sorted(map(str, Path("files").iterdir()))
    output: "results/number.json"
    shell: "echo $(ls files | wc -l) > {output}"
"""
SPECIFICATION = """
format: analysis-specification
version: 1
identity: {name: large, title: Many large files, version: "1", authors: [{name: bench}], licence: CC0-1.0}
workflow: {language: snakemake, file: Snakefile}
interface:
  results: {number: {title: Number of files, type: file, file: results/number.json}}
visibility: {specification: public, products: public, results: public}
"""


@dataclass(frozen=True)
class Measured:
    """One process: wall time in seconds and peak resident memory in MB."""

    seconds: float
    megabytes: float


def measure(folder: Path, program: str, *arguments: str | Path | int) -> Measured:
    """Run a program to its end, once nothing of a folder's files is in memory or on its way to the disk.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    os.sync()
    forget(folder)
    # What is measured before fills the memory, and pushes programs out of it.
    subprocess.run([sys.executable, "-m", "relance", "capture", "--help"], check=True, capture_output=True)
    command = [sys.executable, "-c", program, *map(str, arguments)]
    started = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command[:2])
    return Measured(time.perf_counter() - started, usage.ru_maxrss / 1024)


def forget(folder: Path) -> None:
    """Ask the kernel to drop its copies of a folder's files; programs stay in memory, as they do in use."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as stream:
                os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def make(folder: Path, size: int, number: int) -> list[int]:
    """Write the files; return their sizes in bytes."""
    folder.mkdir()
    small = size // 10 // max(number, 1)
    large = size - small * number
    sizes = [small] * number + [min(LARGE, large - at) for at in range(0, large, LARGE)]
    for index, length in enumerate(sizes):
        with (folder / f"{index:06d}").open("wb") as stream:
            left = length
            while left:
                left -= stream.write(os.urandom(min(left, 1 << 22)))
    return sizes


def main() -> None:
    """Measure and print, a row as soon as it is there."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gigabytes", type=float, default=1.0, help="of all files together (10⁹ bytes)")
    parser.add_argument("--files", type=int, default=2000, help="number of small files")
    parser.add_argument("--threads", type=int, default=min(8, len(os.sched_getaffinity(0))))
    parser.add_argument("--folder", type=Path, help="where to make the files (default: the system's /tmp)")
    parser.add_argument("--json", type=Path, help="write the numbers to this file too")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="relance-bench-", dir=given.folder) as temporary:
        measured = stored(Path(temporary), given)
    if given.json:
        given.json.write_text(json.dumps(measured, indent=2), encoding="utf-8")


def stored(folder: Path, given: argparse.Namespace) -> dict[str, float]:
    """Measure the store; return throughputs in MB/s and ratios."""
    files, copies, store = folder / "files", folder / "copies", folder / "store"
    sizes = make(files, round(given.gigabytes * 1e9), given.files)
    megabytes = sum(sizes) / 1e6
    print(f"{len(sizes)} files, {megabytes / 1e3:.1f} GB, {given.threads} threads")
    print(f"{'step':<16}{'s':>9}{'MB/s':>9}{'MB':>7}{'ratio':>9}  ratio to", flush=True)
    hashing = measure(folder, HASHING, files, given.threads)
    show("hashing", hashing, megabytes)
    copies.mkdir()
    copying = measure(folder, COPYING, files, given.threads, copies)
    shutil.rmtree(copies)
    show("copying", copying, megabytes)
    time.sleep(SETTLED)
    first = measure(folder, KEEPING, files, given.threads, store)
    ratio = max(hashing.seconds, copying.seconds) / first.seconds
    show("put_all", first, megabytes, ratio, "the slower of these")
    seconds = [measure(folder, KEEPING, files, given.threads, store) for _ in range(TRIALS)]
    second = seconds[0]
    show("put_all again", second, megabytes, first.seconds / second.seconds, f"put_all; {worst(seconds)}")
    shutil.rmtree(store)
    analysis = recorded(folder, files)
    capture = measure(folder, CAPTURING, store, analysis)
    captured = max(hashing.seconds, copying.seconds) / capture.seconds
    show("capture", capture, megabytes, captured, "the slower of hashing and copying")
    agains = [measure(folder, CAPTURING, store, analysis) for _ in range(TRIALS)]
    again = agains[0]
    show("capture again", again, megabytes, capture.seconds / again.seconds, f"capture; {worst(agains)}")
    return {
        "hashing": megabytes / hashing.seconds,
        "copying": megabytes / copying.seconds,
        "put_all": megabytes / first.seconds,
        "ratio": ratio,
        "again": first.seconds / second.seconds,
        "memory": first.megabytes,
        "capture": megabytes / capture.seconds,
        "capture ratio": captured,
        "capture again": capture.seconds / again.seconds,
        "capture memory": capture.megabytes,
    }


def worst(trials: list[Measured]) -> str:
    """Tell the longest of several trials."""
    return f"at worst {max(one.seconds for one in trials):.2f} s"


def recorded(folder: Path, files: Path) -> Path:
    """Make an analysis of the files, and run it; return its folder."""
    analysis = folder / "analysis"
    (analysis / "specs").mkdir(parents=True)
    files.rename(analysis / "files")
    (analysis / "Snakefile").write_text(SNAKEFILE, encoding="utf-8")
    (analysis / "specs" / "large.yaml").write_text(SPECIFICATION, encoding="utf-8")
    command = [sys.executable, "-m", "relance", "run", "--runtime", "plain", "--no-reuse", "--quiet"]
    subprocess.run([*command, str(analysis)], check=True)
    return analysis


def show(step: str, found: Measured, megabytes: float, *ratio: float | str) -> None:
    """Print one row."""
    told = [f"{ratio[0]:.2f}", str(ratio[1])] if ratio else ["–", ""]
    print(
        f"{step:<16}{found.seconds:>9.2f}{megabytes / found.seconds:>9.0f}{found.megabytes:>7.0f}"
        f"{told[0]:>9}  {told[1]}",
        flush=True,
    )


if __name__ == "__main__":
    main()
