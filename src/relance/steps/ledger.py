"""What recorded runs left in an analysis's folder: which job made each file there, by its key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from relance import digest
from relance.errors import RelanceError
from relance.model import UNKNOWN, Digest, Unknown
from relance.store.atomic import write_text

_VERSION = 1


@dataclass(frozen=True)
class Made:
    """An output as its job left it."""

    key: Digest
    digest: Digest | Unknown
    """Unknown of a temporary output that nobody read before it was gone."""


def file_of(analysis: Path) -> Path:
    """Return where an analysis's ledger lies."""
    return analysis / ".snakemake" / "relance" / "made.json"


def read(analysis: Path) -> Mapping[str, Made]:
    """Return what is known of the outputs in an analysis's folder, by path; nothing if it can't be read."""
    try:
        value = json.loads(file_of(analysis).read_text(encoding="utf-8"))
        if value["version"] != _VERSION:
            return {}
        return {
            path: Made(digest.parse(found["key"]), _known(found["digest"]))
            for path, found in value["outputs"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RelanceError):
        return {}


def _known(text: str) -> Digest | Unknown:
    return UNKNOWN if text == UNKNOWN else digest.parse(text)


def note(analysis: Path, made: Mapping[str, Made]) -> None:
    """Add to an analysis's ledger what was made or restored."""
    if not made:
        return
    known = {**read(analysis), **made}
    outputs = {path: {"key": one.key, "digest": one.digest} for path, one in sorted(known.items())}
    path = file_of(analysis)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps({"version": _VERSION, "outputs": outputs}) + "\n")


def _seen_file(analysis: Path) -> Path:
    return file_of(analysis).with_name("seen.json")


def seen(analysis: Path) -> Mapping[str, str]:
    """Return for which workflow, by `fingerprint`, restored outputs are known to be right; by path."""
    try:
        return {path: str(found) for path, found in json.loads(_seen_file(analysis).read_bytes()).items()}
    except (OSError, ValueError, AttributeError):
        return {}


def note_seen(analysis: Path, outputs: Iterable[str], fingerprint: Digest) -> None:
    """Note that restored outputs are right for a workflow."""
    known = dict(seen(analysis))
    noted = known | dict.fromkeys(outputs, fingerprint)
    if noted != known:
        path = _seen_file(analysis)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(noted, sort_keys=True) + "\n")
