"""Files of a folder that .gitignore and .reanaignore leave out, as reana-client does, told by git itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from relance.errors import MissingPartError

_NAMES = (".gitignore", ".reanaignore")
_NONE = 1
"""Exit status of 'git check-ignore' if nothing is ignored."""


def ignored(folder: Path, files: Sequence[str]) -> frozenset[str]:
    """Return those of a folder's files, by path relative to it, that are not to be sent.

    Whether git knows a file doesn't count, nor does a repository around the folder.

    Raises:
        MissingPartError: there are such patterns, and no git.
    """
    if not files or not any((folder / name).is_file() for name in _NAMES):
        return frozenset()
    program = shutil.which("git")
    if program is None:
        raise MissingPartError(
            f"{folder} has a .gitignore or .reanaignore",
            expected="git, which reads them",
            found="none",
            next_step="install git, or remove them",
        )
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    with tempfile.TemporaryDirectory(prefix="relance-") as scratch:
        settings = {**clean, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run([program, "init", "--quiet", "--bare", scratch], check=True, env=settings)
        own = ("-c", "core.bare=false", "-c", f"core.excludesFile={folder / '.reanaignore'}")
        places = (f"--git-dir={scratch}", f"--work-tree={folder}")
        done = subprocess.run(
            [program, *own, *places, "check-ignore", "--no-index", "-z", "--stdin"],
            input="\0".join(files).encode(),
            cwd=folder,
            env=settings,
            capture_output=True,
            check=False,
        )
    if done.returncode not in {0, _NONE}:
        raise MissingPartError(
            f"the .gitignore of {folder}",
            expected="git to read it",
            found=done.stderr.decode("utf-8", "replace").strip()[:300] or f"status {done.returncode}",
            next_step="mend it",
        )
    return frozenset(filter(None, done.stdout.decode("utf-8", "surrogateescape").split("\0")))
