"""Output files that are there whole or not at all."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def output(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, moved there when the block ends well and removed when not.

    The temporary name keeps every suffix of `path`, since writers choose their format by it.

    Raises:
        OSError: the folder of `path` does not exist or cannot be written.
    """
    folder = _beside(path)
    temporary = folder / path.name
    try:
        yield temporary
        temporary.replace(path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def folder(path: Path) -> Iterator[Path]:
    """Like `output`, for a folder of files: the old folder, if any, gives way to the complete new one."""
    work = _beside(path)
    temporary = work / path.name
    temporary.mkdir()
    try:
        yield temporary
        if path.exists():
            path.rename(work / "replaced")
        temporary.replace(path)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _beside(path: Path) -> Path:
    """A new folder in that of `path`; if none can be made, the error names the latter."""
    try:
        return Path(tempfile.mkdtemp(prefix=".unfinished-", dir=path.parent))
    except OSError as error:
        error.filename = str(path.parent)
        raise
