"""The ZIP in which a server of 0.95 wants a workflow: equal files give equal bytes."""

from __future__ import annotations

import io
import zipfile

from relance.engines.reana.declared import Declared
from relance.errors import InputError

MOST_FILES = 1_000
MOST_BYTES = 100 << 20

_EPOCH = (1980, 1, 1, 0, 0, 0)
_MODE = 0o100644 << 16
_ROOM = 1 << 20
"""Bytes for reana.yaml itself, which is written later."""


def holds(files: int, size: int) -> bool:
    """Tell whether servers take so many files, of so many bytes together, as a workflow's own."""
    return files <= MOST_FILES and size <= MOST_BYTES - _ROOM


def of(declared: Declared) -> bytes:
    """Return the bundle of an analysis, uncompressed.

    Raises:
        InputError: it is more than servers take.
    """
    if len(declared.definition) > MOST_FILES:
        raise _too_much(f"{MOST_FILES} files", f"{len(declared.definition)}")
    size = sum(declared.place(path).stat().st_size for path in declared.definition)
    if size > MOST_BYTES:
        raise _too_much(f"{MOST_BYTES >> 20} MiB", f"{size / (1 << 20):.0f} MiB")
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_STORED, allowZip64=False) as made:
        for path in declared.definition:
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.create_system = 3  # Unix
            entry.external_attr = _MODE
            made.writestr(entry, declared.place(path).read_bytes())
    return kept.getvalue()


def _too_much(most: str, found: str) -> InputError:
    return InputError(
        "the workflow's own files",
        expected=f"at most {most}, as servers take them",
        found=found,
        next_step="list only the workflow's files below 'workflow: files:' in reana.yaml; data stay inputs",
    )
