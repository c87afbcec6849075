"""Writes a converted analysis whole, or nothing."""

from __future__ import annotations

import fnmatch
import shutil
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from relance.conversion.model import Converted, Copied, Unpacked
from relance.drafting import converted
from relance.drafting.words import slug
from relance.errors import InputError
from relance.languages import snakefile
from relance.specification import reading

_MOST_BYTES = 20_000_000_000
_MOST_FILES = 100_000
_ORDINARY = (0, 0o100000)
"""Kinds of files in an archive: not told, and a plain file."""


def write(analysis: Converted, folder: Path) -> Path:
    """Write an analysis into a new or empty folder; return its specification.

    Raises:
        InputError: the folder isn't empty, a file can't be copied, or an archive isn't what it should be.
    """
    snakefile.check_free(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        made = Path(scratch) / "analysis"
        made.mkdir()
        made.chmod(0o755)
        specification = _fill(analysis, made)
        for place, test in analysis.tests.items():
            (made / place).mkdir(parents=True)
            _fill(test, made / place)
        if folder.exists():
            folder.rmdir()
        made.replace(folder)
    return folder / specification


def _fill(analysis: Converted, made: Path) -> str:
    """Write an analysis into an empty folder; return the path of its specification there."""
    for one in analysis.copies:
        _copy(one, made)
    for archive in analysis.archives:
        unpack(archive, made)
    own = [path for path in sorted(made.glob("specs/*.yaml")) if reading.is_specification(path)]
    specification = f"specs/{own[0].name if own else f'{slug(analysis.known.name)}.yaml'}"
    texts = {**analysis.texts, **analysis.cases}
    if not own:
        texts[specification] = converted.text(analysis.known)
    for name, text in texts.items():
        path = made / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    if not own:
        reading.load(made / specification)
    return specification


def _copy(one: Copied, made: Path) -> None:
    target = made / one.place
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if one.source.is_dir():
            shutil.copytree(one.source, target, dirs_exist_ok=True)
        else:
            shutil.copy2(one.source, target)
    except OSError as error:
        raise InputError(
            f"{one.source} can't be copied",
            expected="files that can be read",
            found=error.strerror or str(error),
            next_step="check the permissions",
        ) from error


def unpack(one: Unpacked, made: Path) -> None:
    """Unpack an archive into the folder of an analysis.

    Raises:
        InputError: it isn't what it should be.
    """
    try:
        with zipfile.ZipFile(one.source) as archive:
            entries = archive.infolist()
            base = _base(one, entries)
            wanted = [entry for entry in entries if entry.filename.startswith(base) and not entry.is_dir()]
            if len(wanted) > _MOST_FILES or sum(entry.file_size for entry in wanted) > _MOST_BYTES:
                raise _refusal(one, "more files or bytes than a person would give")
            for entry in wanted:
                name = PurePosixPath(entry.filename[len(base) :])
                kind = entry.external_attr >> 16 & 0o170000
                if name.is_absolute() or ".." in name.parts or kind not in _ORDINARY:
                    raise _refusal(one, f"the entry {entry.filename!r}")
                target = made / one.place / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy)
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError) as error:
        raise _refusal(one, str(error)) from error


def _base(one: Unpacked, entries: list[zipfile.ZipInfo]) -> str:
    if one.wanted is None:
        return ""
    folders = {
        f"{parent}/"
        for entry in entries
        for parent in PurePosixPath(entry.filename + ("." if entry.is_dir() else "")).parents
        if str(parent) != "."
    }
    found = fnmatch.filter(sorted(folders), one.wanted)
    if len(found) != 1:
        raise _refusal(one, f"{len(found)} folders that match {one.wanted!r}")
    return found[0]


def _refusal(one: Unpacked, found: str) -> InputError:
    return InputError(
        f"the archive {one.source.name} can't be unpacked",
        expected="a ZIP archive of plain files with paths inside",
        found=found,
        next_step="unpack it yourself, and name the folder with --initdir",
    )
