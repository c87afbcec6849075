"""An image in a SIF file (Singularity Image Format): its system partition, a squashfs, taken out.

A SIF file has no OCI configuration, so the image's identity is one that is made here from its file tree: the
same SIF file gives the same image, but not the digest of whatever it was built from.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import struct
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from relance.errors import AnalysisError, InputError, MissingPartError
from relance.store.configuration import Settings
from relance.store.descriptors import CONFIG_TYPE, LAYER_TYPE, Descriptor
from relance.store.importing import scripts
from relance.store.importing.image import SYSTEM
from relance.store.layout import Layout
from relance.store.normalise import Image, write_manifest
from relance.store.tree import flatten, write_tar

# github.com/apptainer/sif: all numbers little-endian, without gaps.
_HEADER = struct.Struct("<32s10s3s3s16sqqqqqqqq")
_DESCRIPTOR = struct.Struct("<i?IIIqqqqqqq128s384s")
_MAGIC = b"SIF_MAGIC\0"
_PARTITION = 0x4004
_PRIMARY_SYSTEM = 2
_SQUASHFS, _ENCRYPTED = 1, 5
_MOST_DESCRIPTORS = 1000
_ARCHITECTURES = {b"01": "386", b"02": "amd64", b"03": "arm", b"04": "arm64", b"06": "ppc64le"}

_SCRIPTS = (  # in the order in which Apptainer reads them; the second is what a definition file says
    Path(".singularity.d/env/10-docker2singularity.sh"),
    Path(".singularity.d/env/90-environment.sh"),
)
_EPOCH = "1970-01-01T00:00:00Z"
_LINE = re.compile(r"^-\S+ +\S+ +(\d+) ")
_MOST_TIMES = 100
_ALWAYS = 1 << 30


@dataclass(frozen=True)
class Partition:
    """Where in a SIF file its system lies, in bytes, and for which processor."""

    offset: int
    size: int
    architecture: str


def is_sif(path: Path) -> bool:
    """Tell whether a file begins as SIF files do."""
    with path.open("rb") as stream:
        return stream.read(42)[32:] == _MAGIC


def find(path: Path) -> Partition:
    """Return the partition of a SIF file that holds its file tree.

    Raises:
        InputError: it isn't such a file, or its system is encrypted or no squashfs.
    """
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        try:
            header = _HEADER.unpack(stream.read(_HEADER.size))
            total, offset = header[8], header[9]
            if header[1] != _MAGIC or not 0 <= total <= _MOST_DESCRIPTORS:
                raise _refusal(path, "the header of a SIF file", "something else")
            stream.seek(offset)
            table = [_DESCRIPTOR.unpack(stream.read(_DESCRIPTOR.size)) for _ in range(total)]
        except (struct.error, OSError, ValueError, OverflowError) as error:
            raise _refusal(path, "the header of a SIF file", "a file that is cut off") from error
    for entry in table:
        kind, used, begin, length, extra = entry[0], entry[1], entry[5], entry[6], entry[13]
        file_system, purpose, processor = struct.unpack("<ii3s", extra[:11])
        if kind != _PARTITION or not used or purpose != _PRIMARY_SYSTEM:
            continue
        if file_system != _SQUASHFS:
            found = "an encrypted one" if file_system == _ENCRYPTED else "another file system"
            raise _refusal(path, "a squashfs partition", found)
        if begin < _HEADER.size or length <= 0 or begin + length > size:
            raise _refusal(path, "a partition inside the file", "one that reaches beyond its end")
        return Partition(begin, length, _ARCHITECTURES.get(processor[:2], ""))
    raise _refusal(path, "a system partition", "none")


def take_in(layout: Layout, path: Path, architecture: str) -> Image:
    """Store the file tree of a SIF file as an image of one layer, and return it.

    Owners are root; extended attributes and devices are left out. The environment is what the file's own
    scripts set in a way that can be read; those scripts stay in the image.

    Raises:
        InputError: the file is broken, hostile, or not for this processor.
        MissingPartError: unsquashfs (squashfs-tools) is not there.
        AnalysisError: unsquashfs failed.
    """
    partition = find(path)
    if partition.architecture != architecture:
        raise _refusal(path, f"one for {SYSTEM}/{architecture}", partition.architecture or "another")
    program = shutil.which("unsquashfs")
    if program is None:
        raise MissingPartError(
            f"{path} can't be unpacked",
            expected="the program unsquashfs",
            found="none on the PATH",
            next_step="install squashfs-tools",
        )
    _check_size(program, path, partition)
    with tempfile.TemporaryDirectory(prefix=".part-", dir=layout.folder) as name:
        tree = Path(name) / "tree"
        command = [program, "-no-xattrs", "-no-progress", "-quiet", "-ignore-errors"]
        command += ["-dest", str(tree), "-offset", str(partition.offset), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, errors="replace")
        # 2: something such as a device or an owner could not be made, which is left out anyway.
        if done.returncode not in {0, 2} or not tree.is_dir():
            raise AnalysisError(
                f"{path} can't be unpacked",
                expected="unsquashfs to end well",
                found=f"exit status {done.returncode}: {_last(done.stderr)}",
                next_step="get the file again from its publisher, and check the free space of the store",
            )
        environment = scripts.exported(_text(tree / path) for path in _SCRIPTS)
        with tempfile.TemporaryFile(dir=layout.folder) as packed:
            _pack(tree, packed)
            with layout.writer() as blob:
                write_tar(flatten([packed]), [packed], cast(BinaryIO, blob))
            layer = Descriptor(LAYER_TYPE, blob.digest, blob.size)
    config = {
        "architecture": architecture,
        "os": SYSTEM,
        "created": _EPOCH,
        "config": Settings(environment).to_json(),
        "rootfs": {"type": "layers", "diff_ids": [layer.digest]},
        "history": [{"created": _EPOCH}],
    }
    return Image.read(layout, write_manifest(layout, layout.add_json(config, CONFIG_TYPE), [layer]))


def _check_size(program: str, path: Path, partition: Partition) -> None:
    """Refuse a tree that would fill the disk, before anything of it is written."""
    most = max(_ALWAYS, partition.size * _MOST_TIMES)
    command = [program, "-llnumeric", "-offset", str(partition.offset), str(path)]
    found = 0
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace"
    ) as process:
        for line in process.stdout or ():
            match = _LINE.match(line)
            found += int(match[1]) if match else 0
            if found > most:
                process.kill()
                raise _refusal(path, f"at most {most} bytes, unpacked", "more, as if to fill the disk")
    if process.returncode != 0:
        raise _refusal(path, "a squashfs that can be listed", f"exit status {process.returncode}")


def _pack(tree: Path, output: BinaryIO) -> None:
    """Write a folder as a tar; what its owner may not read is made readable, its mode kept."""
    with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for folder, folders, files in os.walk(tree):
            for name in sorted([*folders, *files]):
                path = Path(folder) / name
                _add(archive, path, path.relative_to(tree).as_posix())
            for name in folders:
                _open_up(Path(folder) / name)
    output.seek(0)


def _add(archive: tarfile.TarFile, path: Path, name: str) -> None:
    info = archive.gettarinfo(path, name)
    if info is None or not (info.isreg() or info.isdir() or info.issym() or info.islnk()):
        return
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    if not info.isreg():
        archive.addfile(info)
        return
    _open_up(path)
    with path.open("rb") as stream:
        archive.addfile(info, stream)


def _open_up(path: Path) -> None:
    mode = path.lstat().st_mode
    wanted = stat.S_IRUSR | (stat.S_IXUSR | stat.S_IWUSR if stat.S_ISDIR(mode) else 0)
    if not stat.S_ISLNK(mode) and mode & wanted != wanted:
        path.chmod(stat.S_IMODE(mode) | wanted)


def _text(script: Path) -> str:
    try:
        if not stat.S_ISREG(script.lstat().st_mode) or script.stat().st_size > 1 << 20:
            return ""
        return script.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _last(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:200] if lines else "it said nothing"


def _refusal(path: Path, expected: str, found: str) -> InputError:
    return InputError(
        f"{path} can't be taken in", expected=expected, found=found, next_step="give another SIF file"
    )
