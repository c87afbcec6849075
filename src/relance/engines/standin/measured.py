"""Runs one job and notes the most memory that one of its processes had at once.

    python measured.py FILE KEY PROGRAM ARGUMENT…

adds the line `KEY<tab>BYTES` to FILE; run by path, with nothing but the standard library. The number is what
the kernel tells of processes that have ended (ru_maxrss): that of the largest one, the engine's own programs
around the job among them, so that a job which needs next to nothing has their tens of megabytes.
"""

from __future__ import annotations

import os
import sys
import time

_STRICT = "set -euo pipefail;"
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of prctl(2)
_TRIALS, _PAUSE = 50, 0.004  # how often, and seconds between
_KIBIBYTE = 1 << 10  # what Linux counts ru_maxrss in


def key(command: list[str] | tuple[str, ...]) -> str:
    """Return what a job is noted by: the digest of its command's text, without what Snakemake puts before it.

    That of a script names a file which has another name each time: what is noted of it, nobody finds.
    """
    return digest(command[-1].strip().removeprefix(_STRICT))


def digest(text: str) -> str:
    """Return the sha256 of text without spaces around it."""
    import hashlib

    return hashlib.sha256(text.strip().encode()).hexdigest()


def run(command: list[str], environment: dict[str, str], file: str, noted: str = "") -> int:
    """Run a command to its end, note its memory, and return its exit status; 128 and more for a signal.

    Signals are for the job, which gets them too, being of the same process group.
    """
    import signal

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: None)  # ignoring them would be passed on to the job
    adopt(command[0])
    process = os.posix_spawnp(command[0], command, environment)
    noted = noted or key(command)
    status, peak = wait(process, command[0])
    note(file, noted, peak)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def adopt(program: str) -> None:
    """Become the parent of what Podman leaves behind: the processes of its containers are not its own."""
    if os.path.basename(program) == "podman":
        import ctypes

        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


def wait(process: int, program: str) -> tuple[int, int | None]:
    """Wait for a process of an engine; return its status, and the peak in bytes of what ran in it.

    The peak is None where only the engine's client was seen, as always with Docker: its daemon runs the job.
    """
    _, status, usage = os.wait4(process, 0)
    name = os.path.basename(program)
    if name == "docker":
        return status, None
    if name == "podman":
        return status, _left_behind()
    return status, usage.ru_maxrss * _KIBIBYTE


def _left_behind() -> int | None:
    """Return the peak of adopted processes that ended: the monitor of Podman's container does about now."""
    peaks: list[int] = []
    for _ in range(_TRIALS):
        try:
            while (other := os.wait4(-1, os.WNOHANG))[0]:
                peaks.append(other[2].ru_maxrss)
        except ChildProcessError:
            break
        if peaks:
            break
        time.sleep(_PAUSE)
    return max(peaks) * _KIBIBYTE if peaks else None


def note(file: str, noted: str, peak: int | None) -> None:
    """Add a line to a file that several jobs write to; if that can't be, the job is none the worse."""
    if peak is None:
        return
    try:
        with open(file, "a", encoding="ascii") as stream:
            stream.write(f"{noted}\t{peak}\n")
    except OSError:
        pass


if __name__ == "__main__":
    sys.exit(run(sys.argv[3:], dict(os.environ), sys.argv[1], sys.argv[2]))
