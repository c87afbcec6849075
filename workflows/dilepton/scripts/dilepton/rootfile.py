"""ROOT files that depend on nothing but their content: no time, no random identifier, no path."""

import datetime
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uproot

from dilepton import atomic
from dilepton.errors import AnalysisError

_IDENTIFIER = uuid.UUID(int=0)
# ROOT counts years from 1995: its earliest date.
_DATE = datetime.datetime(1995, 1, 1)


class RootFileError(AnalysisError):
    """A file that is no ROOT file, or not a whole one."""


def opened(path: Path, program: str) -> uproot.ReadOnlyDirectory:
    """Open a file that `program` made.

    Raises:
        RootFileError: not a ROOT file, or shorter than its header says.
        OSError: the file can't be read.
    """
    found = path.stat().st_size
    with reading(path, program):
        directory = uproot.open(path)
    # A reader that needs nothing of the missing end would not notice.
    whole = directory.file.fEND
    if found < whole:
        raise RootFileError(
            f"'{path}': expected {whole} bytes, as its header says, found {found}: it is cut off; make it "
            f"again with {program}"
        )
    return directory


@contextmanager
def reading(path: Path, program: str) -> Iterator[None]:
    """Whatever reading an object of a file trips over means that the file is damaged.

    Raises:
        RootFileError: it is damaged, or no ROOT file.
        OSError: the system can't read it.
    """
    try:
        yield
    except AnalysisError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RootFileError(
            f"'{path}': expected a whole ROOT file of {program}, found something else or a damaged one "
            f"({reason}); make it again with {program}"
        ) from error


@contextmanager
def create(
    path: Path, compression: uproot.compression.Compression | None = None
) -> Iterator[uproot.WritableDirectory]:
    """A new ROOT file, there whole or not at all; a `str` assigned to a key becomes a TObjString.

    Equal objects written in the same order give equal bytes.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    with (
        atomic.output(path) as temporary,
        temporary.open("w+b") as stream,
        _stopped_clock(),
        uproot.recreate(
            stream, compression=compression or uproot.ZSTD(1), uuid_function=lambda: _IDENTIFIER
        ) as file,
    ):
        yield file


@contextmanager
def _stopped_clock() -> Iterator[None]:
    """Every date that uproot writes is the same; it has an option for identifiers but none for dates."""
    running = uproot._util.datetime_to_code
    code = running(_DATE)
    uproot._util.datetime_to_code = lambda _moment: code
    try:
        yield
    finally:
        uproot._util.datetime_to_code = running
