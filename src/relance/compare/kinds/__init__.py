"""Kinds of files, each told by content; names help only where text could be several things."""

from __future__ import annotations

from pathlib import Path

from relance.compare.kinds.base import HEAD, Kind
from relance.compare.kinds.documents import PDF
from relance.compare.kinds.hdf5 import HDF5
from relance.compare.kinds.numbers import NPY, NPZ
from relance.compare.kinds.pictures import PNG
from relance.compare.kinds.root import ROOT
from relance.compare.kinds.texts import HEPMC, SVG, TEXT, YODA
from relance.compare.kinds.trees import JSON, YAML

__all__ = ["KINDS", "Kind", "told"]

KINDS = (ROOT, HDF5, NPY, NPZ, PNG, PDF, SVG, HEPMC, YODA, JSON, YAML, TEXT)
"""All kinds; a file is of the first that tells it."""


def told(path: Path) -> Kind | None:
    """Return of what kind a file is; None if nothing is known of it."""
    with path.open("rb") as stream:
        head = stream.read(HEAD)
    return next((kind for kind in KINDS if kind.tells(head, path)), None)
