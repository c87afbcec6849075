"""The results of a captured run, read from what the capsule holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from relance.capsule.blobs import Blobs
from relance.capsule.model import Capsule, CapsuleFile, Role
from relance.errors import InputError
from relance.model import UNKNOWN
from relance.results import ResultFile, Results
from relance.results.reading import READERS, absent, read_from, too_large
from relance.specification.model import Visibility


def read(blobs: Blobs, capsule: Capsule, visible: Collection[Visibility] = READERS) -> Results:
    """Read all results of a capsule; one of a visibility that isn't in `visible` is left without its value.

    Raises:
        InputError: the capsule doesn't hold a result's file, or that isn't what the specification says.
    """
    return read_from(_Captured(blobs, capsule), capsule.specification, configuration(capsule), visible)


def configuration(capsule: Capsule) -> Mapping[str, object]:
    """Return the configuration that the captured run had; empty if it is unknown."""
    found = capsule.run.configuration
    return found if found != UNKNOWN and isinstance(found, Mapping) else {}


class _Captured:
    """Files of a capsule by their paths."""

    def __init__(self, blobs: Blobs, capsule: Capsule) -> None:
        self._blobs = blobs
        self._files = {file.path: file for file in capsule.files}
        self._trees = capsule.trees

    def read(self, path: str, most: int) -> bytes:
        file = self._file(path)
        if file.size > most:
            raise too_large(path, most)
        if file.stored is None:
            raise InputError(
                f"result {path}",
                expected="its content in the capsule",
                found="only its digest",
                next_step="fetch the file from where it is kept",
            )
        return b"".join(self._blobs.read(part.digest, largest=part.size) for part in file.stored.blobs)

    def describe(self, path: str) -> ResultFile:
        if path in self._files:
            file = self._files[path]
            return ResultFile(path, file.digest, file.size)
        if path in self._trees:
            inside = [file for file in self._files.values() if file.path.startswith(f"{path}/")]
            size = sum(file.size for file in inside if file.role is Role.PRODUCT)
            return ResultFile(path, self._trees[path], size)
        raise absent(path)

    def _file(self, path: str) -> CapsuleFile:
        if path not in self._files:
            raise absent(path)
        return self._files[path]
