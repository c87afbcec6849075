"""What was moved and verified already, one line each, so that an interrupted transfer goes on."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from relance import digest
from relance.engines.reana.model import Transferred
from relance.errors import RelanceError


class Journal:
    """A file of one line per finished transfer; a line that a killed process tore is skipped."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._known = _read(path)

    def known(self, path: str) -> Transferred | None:
        """Return what was moved under this path last."""
        return self._known.get(path)

    def note(self, done: Transferred) -> None:
        """Keep that a file lies on both sides."""
        line = json.dumps({"path": done.path, "size": done.size, "digest": done.digest})
        with self._lock:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # The line end comes first: after a torn line, a new one begins.
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(f"\n{line}")
            self._known[done.path] = done


def _read(path: Path) -> dict[str, Transferred]:
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return {}
    known = {}
    for line in lines:
        try:
            said = json.loads(line)
            entry = Transferred(
                str(said["path"]), int(said["size"]), digest.parse(said["digest"]), moved=False
            )
        except (ValueError, LookupError, TypeError, RelanceError):
            continue
        known[entry.path] = entry
    return known
