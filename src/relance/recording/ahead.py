"""Source files looked through while something else is waited for; `code.py` then finds it done."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from threading import Thread

from relance.recording import python_source

_READ = (".py", ".ipynb")


def look_through(paths: Iterable[Path]) -> None:
    """Read Python files at once, and begin to find out what they import and name.

    Only the reading touches the files: who may change them can be let in afterwards. What can't be read is
    left out.
    """
    texts = []
    for path in paths:
        if path.suffix in _READ and path.is_file() and not path.is_symlink():
            try:
                texts.append((path, path.read_text("utf-8", "replace")))
            except OSError:
                continue
    Thread(target=_facts, args=(texts,), daemon=True).start()


def _facts(texts: Iterable[tuple[Path, str]]) -> None:
    for path, text in texts:
        python_source.facts(path, text)  # remembers
