"""Options of container engines that leave root no more rights than anybody else has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from relance.model import RuntimeKind

# Apptainer and bubblewrap leave these of the kernel writable for root, even without any capability.
_KERNEL_FOLDERS = ("/proc/sys", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/acpi", "/proc/scsi")
_KERNEL_FILES = ("/proc/sysrq-trigger", "/proc/mtrr", "/proc/keys", "/proc/timer_list", "/proc/kcore")


def of_apptainer() -> list[str]:
    """Return the options of `apptainer exec`."""
    options = ["--no-privs", "--no-mount", "sys"]
    for source, target in kernel():
        options += ["--bind", f"{source}:{target}:ro"]
    return options


def of_engine(kind: RuntimeKind) -> list[str]:
    """Return the options of `podman run` and `docker run`."""
    options = ["--cap-drop", "all", "--security-opt", "no-new-privileges", "--security-opt", "label=disable"]
    options += ["--oom-score-adj", "1000"]  # where memory is short, they go first
    return [*options, "--no-healthcheck"] if kind is RuntimeKind.DOCKER else options


def kernel() -> Iterator[tuple[str, str]]:
    """Yield what is shown, read-only, for the kernel files that root could write to: source, target."""
    yield from ((path, path) for path in _KERNEL_FOLDERS if Path(path).exists())
    yield from (("/dev/null", path) for path in _KERNEL_FILES if Path(path).exists())
