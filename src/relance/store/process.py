"""Programs run for a build, their output passed on line by line."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence

from relance.errors import AnalysisError


def succeeds(command: Sequence[str]) -> bool:
    """Run a command, showing nothing; tell whether it ended well."""
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def output_of(command: Sequence[str]) -> str:
    """Run a command and return what it printed.

    Raises:
        AnalysisError: it failed.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise failure(command[0], done.returncode, done.stderr.splitlines())
    return done.stdout.strip()


def run(
    command: Sequence[str],
    say: Callable[[str], None],
    what: str,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run a command, passing each line that it prints to `say`.

    Raises:
        AnalysisError: it failed; its last words are told.
    """
    last: list[str] = []
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        env=environment,
    ) as process:
        try:
            for line in process.stdout or ():
                last = [*last[-4:], line.rstrip()]
                say(last[-1])
        except BaseException:
            process.terminate()  # nobody waits for what it would make
            raise
    if process.returncode != 0:
        raise failure(what, process.returncode, last)


def failure(what: str, status: int, last: Sequence[str]) -> AnalysisError:
    """Return the error for a program that failed; `last` are its last words."""
    return AnalysisError(
        f"{what} failed",
        expected="it to end well",
        found=f"exit status {status}: {' / '.join(line for line in last if line) or 'it said nothing'}",
        next_step="mend what it says and type the same command again",
    )
