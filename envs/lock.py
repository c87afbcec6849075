"""Lock the packages of every environment: exact versions, with the sha256 of each file that may be installed.

    python envs/lock.py [--upgrade]

Reads pyproject.toml and writes requirements/dev.txt (relance with the extras analysis, compare, cwl, test,
dev), run.txt (relance alone) and slurm.txt (what the extra slurm adds to dev.txt; its plugin loads pandas at
each start of Snakemake, so the tests of it have it in a folder of its own). Reads envs/*.in and writes, for
each NAME.in, NAME.txt (for pip, images and plain runs) and NAME.yaml (the same pins as a conda environment).
All these pins are a subset of the development pins, so that tests run what users and images hold. Tools that
tests compare with have environments of their own: tests/machine/*.in to .txt. Resolved for the Python that
runs this, which must be the images' own; the hashes are those of every file of a release, so the locks serve
other versions of Python and other processors too. Without --upgrade, present pins are kept where they still
fit.

Only the index in force is asked: wheels lying on this machine, and constraints set on it, would not be there
elsewhere.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

PYTHON = (3, 11)
FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
MACHINE_SETTINGS = ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_CONSTRAINT", "PIP_NO_INDEX")
HEADER = "# Written by envs/lock.py ('make lock'); edit {source} instead.\n"


class LockError(Exception):
    """What keeps the environments from being locked."""


@dataclass(frozen=True)
class Pin:
    """One package of a lock.

    requirement: name, version and, if it has one, environment marker: ``numpy==2.4.6``.
    hashes: ``sha256:…`` of each of the release's files, sorted.
    """

    requirement: str
    hashes: tuple[str, ...]


def parse(text: str) -> tuple[Pin, ...]:
    """Read the pins of a hash-locked requirements file, in its order."""
    joined = re.sub(r"\\\n", " ", text)
    pins = []
    for line in joined.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            requirement, *hashes = re.split(r"\s+--hash=", line.strip())
            pins.append(Pin(requirement.strip(), tuple(sorted(hashes))))
    return tuple(pins)


def requirements(pins: tuple[Pin, ...], source: str) -> str:
    """Return the text of a requirements file for `pip install --require-hashes -r`."""
    blocks = [" \\\n".join([pin.requirement, *(f"    --hash={h}" for h in pin.hashes)]) for pin in pins]
    return HEADER.format(source=source) + "".join(f"{block}\n" for block in blocks)


def conda_environment(pins: tuple[Pin, ...], source: str) -> str:
    """Return the text of a conda environment whose pip section has the same pins and hashes."""
    lines = [
        HEADER.format(source=source).rstrip("\n"),
        "channels:",
        "  - conda-forge",
        "dependencies:",
        f"  - python={PYTHON[0]}.{PYTHON[1]}",
        "  - pip",
        "  - pip:",
    ]
    for pin in pins:
        lines += ["      - >-", f"        {pin.requirement}", *(f"        --hash={h}" for h in pin.hashes)]
    return "\n".join(lines) + "\n"


def write(path: Path, text: str) -> None:
    """Replace a file's content at once."""
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def resolve(source: Path, present: Path, options: list[str], *, upgrade: bool) -> tuple[Pin, ...]:
    """Run pip-compile on a source file.

    Raises:
        LockError: with the last lines that pip-compile said.
    """
    environment = {name: value for name, value in os.environ.items() if name not in MACHINE_SETTINGS}
    environment |= {"PIP_CONFIG_FILE": os.devnull}
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "lock.txt"
        if present.exists() and not upgrade:
            output.write_text(present.read_text(encoding="utf-8"), encoding="utf-8")
        command = [sys.executable, "-m", "piptools", "compile", "--quiet", "--no-config"]
        command += ["--generate-hashes", "--strip-extras", "--allow-unsafe", "--no-header", "--no-annotate"]
        command += ["--no-emit-index-url", "--no-emit-find-links", "--no-emit-options"]
        command += [*options, "--output-file", str(output), str(source)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            tail = "\n".join(done.stderr.strip().splitlines()[-5:])
            raise LockError(f"{source.name} can't be resolved:\n{tail}")
        return parse(output.read_text(encoding="utf-8"))


def lock(*, upgrade: bool) -> None:
    """Write every lock file; the first that can't be resolved stops it, the files before it are complete."""
    if sys.version_info[:2] != PYTHON:
        wanted, found = (".".join(map(str, version[:2])) for version in (PYTHON, sys.version_info))
        raise LockError(f"found Python {found}, expected {wanted}, as in the images; use python{wanted}")
    development = ROOT / "requirements" / "dev.txt"
    names = ("analysis", "compare", "cwl", "test", "dev")
    extras = [word for name in names for word in ("--extra", name)]
    known = resolve(ROOT / "pyproject.toml", development, extras, upgrade=upgrade)
    write(development, requirements(known, "pyproject.toml"))
    with tempfile.TemporaryDirectory() as folder:
        constraint = Path(folder) / "constraint.txt"
        constraint.write_text("".join(f"{pin.requirement}\n" for pin in known), encoding="utf-8")
        alone = ROOT / "requirements" / "run.txt"
        pins = resolve(ROOT / "pyproject.toml", alone, ["--constraint", str(constraint)], upgrade=upgrade)
        write(alone, requirements(pins, "pyproject.toml"))
        batch = ROOT / "requirements" / "slurm.txt"
        options = ["--extra", "slurm", "--constraint", str(constraint)]
        pins = resolve(ROOT / "pyproject.toml", batch, options, upgrade=upgrade)
        write(batch, requirements(tuple(pin for pin in pins if pin not in known), "pyproject.toml"))
        for source in sorted(FOLDER.glob("*.in")):
            locked = source.with_suffix(".txt")
            pins = resolve(source, locked, ["--constraint", str(constraint)], upgrade=upgrade)
            write(locked, requirements(pins, source.name))
            write(source.with_suffix(".yaml"), conda_environment(pins, source.name))
    for source in sorted((ROOT / "tests" / "machine").glob("*.in")):
        locked = source.with_suffix(".txt")
        write(locked, requirements(resolve(source, locked, [], upgrade=upgrade), source.name))


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description="Lock the packages of every environment in envs/.")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    arguments = parser.parse_args()
    try:
        lock(upgrade=arguments.upgrade)
    except LockError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
