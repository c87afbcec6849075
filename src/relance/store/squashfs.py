"""Runtime images: one squashfs file made from an image, always the same bytes, that Apptainer runs."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

from relance import digest
from relance.errors import AnalysisError, MissingPartError
from relance.model import Digest
from relance.store.layout import Layout
from relance.store.normalise import Image, open_layers
from relance.store.tree import Content, Entry, Kind, Tree, flatten, write_tar

COMPRESSION = "lz4"
"""On an image of 400 MB: lz4 takes 4 s and 218 MB; zstd 50 s and 137 MB, and starts 0.5 s later."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_MOUNT_POINTS = ("dev", "proc", "sys", "run", "tmp", "var/tmp", "home", "root", "mnt", "srv", "opt")
_MOUNTED_FILES = ("etc/hosts", "etc/resolv.conf", "etc/localtime", "etc/passwd", "etc/group")


@dataclass(frozen=True)
class RuntimeImage:
    """A squashfs file, known by the sha256 of its bytes; size in bytes."""

    path: Path
    digest: Digest
    size: int


def build(layout: Layout, image: Image, folder: Path) -> RuntimeImage:
    """Write the runtime image of an image into `folder`, named by its digest, and return it.

    Raises:
        InputError: a layer is missing, damaged or hostile.
        MissingPartError: sqfstar (squashfs-tools 4.5 or newer) is not there.
        AnalysisError: sqfstar failed, for example because the disk is full.
    """
    program = shutil.which("sqfstar")
    if program is None:
        raise MissingPartError(
            "runtime images can't be made",
            expected="the program sqfstar",
            found="none on the PATH",
            next_step="install squashfs-tools (4.5 or newer)",
        )
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        layers = open_layers(layout, image, stack)
        tree, added = _with_runtime_files(flatten(layers), len(layers), image.settings.environment)
        temporary = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".part-", dir=folder)))
        written = temporary / "image.sqsh"
        _run(program, written, tree, [*layers, added])
        found = digest.of_file(written)
        path = folder / f"{found.removeprefix('sha256:')}.sqsh"
        written.chmod(0o644)
        written.replace(path)
    return RuntimeImage(path, found, path.stat().st_size)


def _run(program: str, output: Path, tree: Tree, layers: list[BinaryIO]) -> None:
    command = [program, "-quiet", "-no-progress", "-comp", COMPRESSION, "-no-xattrs", "-reproducible"]
    # Else the times of this machine and the user who runs this would be in the file; sqfstar gives the root
    # folder the user's id unless every entry is forced to be root's.
    command += ["-mkfs-time", "0", "-all-time", "0", "-root-mode", "755", "-all-root"]
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [*command, str(output)], stdin=subprocess.PIPE, stdout=errors, stderr=errors, env=environment
        )
        try:
            write_tar(tree, layers, cast(BinaryIO, process.stdin))
            cast(BinaryIO, process.stdin).close()
        except BrokenPipeError:
            pass  # its exit status and its words say why
        except BaseException:
            process.kill()  # it would wait for the rest
            raise
        finally:
            status = process.wait()
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip()
    if status != 0:
        raise AnalysisError(
            f"the runtime image {output.parent.parent} can't be written",
            expected="sqfstar to end well",
            found=f"exit status {status}: {said.splitlines()[-1] if said else 'it said nothing'}",
            next_step="check the free space of that folder",
        )


def _with_runtime_files(tree: Tree, number: int, environment: Mapping[str, str]) -> tuple[Tree, BinaryIO]:
    """Add what Apptainer looks for: mount points, and a script with the image's environment."""
    script = _environment_script(environment)
    joined = dict(tree)
    for path in _MOUNT_POINTS:
        _offer(joined, path, Entry(Kind.FOLDER, 0o1777 if path.endswith("tmp") else 0o755))
    for path in _MOUNTED_FILES:
        _offer(joined, path, Entry(Kind.FILE, 0o644))
    for path in (".singularity.d", ".singularity.d/env"):
        joined[path] = Entry(Kind.FOLDER, 0o755)
    joined[".singularity.d/env/10-docker2singularity.sh"] = Entry(
        Kind.FILE, 0o755, content=Content(number, 0, len(script))
    )
    return joined, BytesIO(script)


def _offer(tree: dict[str, Entry], path: str, entry: Entry) -> None:
    """Add an entry and the folders above it where there is none; below a link or file it can't be."""
    above = path.rpartition("/")[0]
    if above and tree.setdefault(above, Entry(Kind.FOLDER, 0o755)).kind is not Kind.FOLDER:
        return
    tree.setdefault(path, entry)


def _environment_script(environment: Mapping[str, str]) -> bytes:
    # A shell can't export other names, such as those of its own exported functions, and would stop there.
    known = {name: text for name, text in environment.items() if _NAME.fullmatch(name)}
    lines = ["#!/bin/sh", *(f"export {name}={shlex.quote(text)}" for name, text in known.items())]
    return "\n".join([*lines, ""]).encode()
