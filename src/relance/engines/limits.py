"""What a run that isn't trusted may take of this machine, and when it has taken it.

The kernel sets bounds for each process (`bounded`). A run as a whole is watched from outside, several times a
second, by what the machine has left: that needs no right and no control group, and holds for every container
engine. So what others take meanwhile counts, too.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from relance.errors import AnalysisError

_SHARE = 0.9  # of what is free when a run begins
_BLOCK, _KIBIBYTE = 512, 1 << 10  # what `ulimit -f` of a POSIX shell and /proc/meminfo count in
_MEGABYTE, _GIGABYTE = 10**6, 10**9


BOUNDLESS = 1 << 62
"""More than any machine has."""


@dataclass(frozen=True)
class Limits:
    """The most that a run may take; `BOUNDLESS`: as much as there is."""

    seconds: float = 86400.0
    memory: int | None = None
    """Bytes, of all its processes together, and of each; None: nine tenths of what is free at first."""
    disk: int | None = None
    """Bytes, of all files in its folder together, and of each; None: as for `memory`."""
    processes: int = 4000
    """Processes and threads at once."""


USUAL = Limits()
UNLIMITED = Limits(BOUNDLESS, BOUNDLESS, BOUNDLESS, BOUNDLESS)


@dataclass(frozen=True)
class Reading:
    """What a machine has left."""

    seconds: float
    """Of a clock that never goes back."""
    memory: int
    """Bytes that processes could still get."""
    disk: int
    """Bytes that files in a folder could still get."""
    processes: int
    """Processes and threads that there are."""


def read(folder: Path) -> Reading:
    """Look at this machine."""
    space = os.statvfs(folder)
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    memory = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    there = Path("/proc/loadavg").read_text(encoding="ascii").split()[3].partition("/")[2]
    return Reading(time.monotonic(), memory * _KIBIBYTE, space.f_bavail * space.f_frsize, int(there))


class Guard:
    """Watches a run from its beginning on."""

    def __init__(self, limits: Limits, look: Callable[[], Reading]) -> None:
        self._look = look
        self._start = start = look()
        self._memory = int(start.memory * _SHARE) if limits.memory is None else limits.memory
        self._disk = int(start.disk * _SHARE) if limits.disk is None else limits.disk
        self.limits = Limits(limits.seconds, self._memory, self._disk, limits.processes)
        """With the numbers that shares of this machine stand for."""
        self.problem: AnalysisError | None = None
        """Set when the run has taken too much of something."""

    def watch(self) -> bool:
        """Look at the machine; tell whether the run is to end."""
        if self.problem is None:
            self.problem = self._found()
        return self.problem is not None

    def _found(self) -> AnalysisError | None:
        now, start, limits = self._look(), self._start, self.limits
        taken: tuple[tuple[str, float, float, Callable[[float], str]], ...] = (
            ("time", now.seconds - start.seconds, limits.seconds, _seconds),
            ("memory", start.memory - now.memory, self._memory, _bytes),
            ("disk", start.disk - now.disk, self._disk, _bytes),
            ("processes", now.processes - start.processes, limits.processes, lambda number: f"{number:.0f}"),
        )
        for name, amount, most, shown in taken:
            if amount > most:
                return AnalysisError(
                    "the run was ended, since it is not trusted and took too much of this machine",
                    expected=f"at most {shown(most)} of {name}",
                    found=shown(amount),
                    next_step=f"if that is what it needs, type the command with --limit {name}=MORE",
                )
        return None


def bounded(limits: Limits, command: Sequence[str]) -> list[str]:
    """Return the command line that runs a command with bounds for each of its processes.

    No file is larger than all may be, no core is dumped, and where memory is short they are the first to go.
    """
    lines = ["echo 1000 > /proc/self/oom_score_adj 2> /dev/null", "ulimit -c 0"]
    for option, most, unit in (("-f", limits.disk, _BLOCK), ("-d", limits.memory, _KIBIBYTE)):
        if most is not None and most < BOUNDLESS:
            lines.append(f"ulimit {option} {max(1, most // unit)}")
    return ["/bin/sh", "-c", "; ".join([*lines, 'exec "$0" "$@"']), *command]


def _seconds(number: float) -> str:
    return f"{number / 3600:.1f} h" if number >= 3600 else f"{number:.0f} s"


def _bytes(number: float) -> str:
    return f"{number / _GIGABYTE:.1f} GB" if number >= _GIGABYTE else f"{number / _MEGABYTE:.0f} MB"
