"""Files by name, in a folder on disk or inside a tar archive; both may be hostile."""

from __future__ import annotations

import os
import posixpath
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from relance.errors import InputError
from relance.store.blobs import BlobWriter
from relance.store.importing.unpacking import unpack

_MOST_MEMBERS = 100_000
_MOST_LINKS = 8
_GZIP = b"\x1f\x8b"


class Folder(Protocol):
    """Where an image's files lie."""

    subject: str

    def has(self, name: str) -> bool:
        """Tell whether there is a file of this name."""
        ...

    def open(self, name: str) -> BinaryIO:
        """Open a regular file for reading, seekable.

        Raises:
            InputError: there is none.
        """
        ...


class Disk:
    """A folder on disk; links at the end of a path are not followed."""

    def __init__(self, path: Path) -> None:
        self.subject = str(path)
        self._path = path

    def has(self, name: str) -> bool:
        """Tell whether there is a regular file of this name."""
        try:
            return stat.S_ISREG((self._path / name).lstat().st_mode)
        except OSError:
            return False

    def open(self, name: str) -> BinaryIO:
        """Open a regular file.

        Raises:
            InputError: there is none.
        """
        try:
            handle = os.open(self._path / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise _missing(self.subject, name, error.strerror or "nothing") from error
        stream = os.fdopen(handle, "rb")
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            stream.close()
            raise _missing(self.subject, name, "no regular file")
        return stream


class Tar:
    """A tar archive, whose members are read where they lie; nothing of it is written anywhere."""

    def __init__(self, subject: str, stream: BinaryIO) -> None:
        self.subject = subject
        try:
            self._archive = tarfile.open(fileobj=stream, mode="r:")  # noqa: SIM115 - lives as long as the stream
            self._members: dict[str, tarfile.TarInfo] = {}
            for number, member in enumerate(self._archive):
                if number >= _MOST_MEMBERS or member.size < 0:
                    raise tarfile.ReadError(f"more than {_MOST_MEMBERS} entries, or one of negative size")
                self._members[posixpath.normpath(member.name)] = member
        except (tarfile.TarError, EOFError, ValueError, RecursionError) as error:
            raise InputError(
                f"{subject} can't be read",
                expected="a tar archive",
                found=str(error) or "something else",
                next_step="save or fetch it again",
            ) from error

    def has(self, name: str) -> bool:
        """Tell whether there is a member of this name."""
        return posixpath.normpath(name) in self._members

    def open(self, name: str) -> BinaryIO:
        """Open a regular member; a link is followed to another member.

        Raises:
            InputError: there is none.
        """
        wanted = posixpath.normpath(name)
        for _ in range(_MOST_LINKS):
            member = self._members.get(wanted)
            if member is None:
                raise _missing(self.subject, name, "no such member")
            if member.issym():
                wanted = posixpath.normpath(posixpath.join(posixpath.dirname(wanted), member.linkname))
            elif member.islnk():
                wanted = posixpath.normpath(member.linkname)
            elif member.isreg() and not member.issparse():
                return cast(BinaryIO, self._archive.extractfile(member))
            else:
                break
        raise _missing(self.subject, name, "no regular file")


@contextmanager
def opened(path: Path, scratch: Path) -> Iterator[Tar]:
    """Open a tar archive, unpacked first into a nameless file in `scratch` if it is in gzip.

    Raises:
        InputError: it can't be read, or unpacks to far more than an image would.
    """
    try:
        stream = path.open("rb")
    except OSError as error:
        raise InputError(
            f"{path} can't be read",
            expected="a tar archive",
            found=error.strerror or str(error),
            next_step="check the name and the permissions",
        ) from error
    with stream:
        packed = stream.read(2) == _GZIP
        stream.seek(0)
        if not packed:
            yield Tar(str(path), stream)
            return
        with tempfile.TemporaryFile(dir=scratch) as plain:
            unpack(stream, path.stat().st_size, BlobWriter(plain), str(path))
            plain.seek(0)
            yield Tar(str(path), plain)


def _missing(subject: str, name: str, found: str) -> InputError:
    return InputError(
        f"{subject} can't be taken in",
        expected=f"the file {name!r} in it",
        found=found,
        next_step="save or fetch it again",
    )
