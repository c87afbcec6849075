"""Which runtime this machine has: tried, not guessed from a name on PATH."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from relance.errors import MissingPartError, RelanceError
from relance.model import ImageRef, Runtime, RuntimeKind

_PATIENCE = 20.0  # seconds; an engine that needs longer to say its version doesn't work

HOW_TO_GET = {
    RuntimeKind.APPTAINER: "install it (apptainer.org/docs/admin)",
    RuntimeKind.PODMAN: "install it (package 'podman')",
    RuntimeKind.DOCKER: "install it (docs.docker.com), or start its service",
}


BUILD = "type 'relance images build'"

_UNPACKS = (
    "it may not mount images here and unpacks one for every step, which takes seconds and space in /tmp; "
    "squashfuse and the right to use /dev/fuse mend that"
)


@dataclass(frozen=True)
class Absence:
    """A runtime that can't be used here."""

    kind: RuntimeKind
    reason: str
    remedy: str


Ask = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]

Supply = Callable[[RuntimeKind, ImageRef], None]
"""Gives Podman or Docker a built image that it lacks; raises a RelanceError if that can't be done."""


def ask(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a short command and return what it said; exit status 127 if it is not there or hangs."""
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=_PATIENCE, check=False, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        return subprocess.CompletedProcess(command, 127, "", "not installed")
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 127, "", str(error))


def find(kind: RuntimeKind, images: Sequence[ImageRef], supply: Supply, ask: Ask = ask) -> Runtime | Absence:
    """Try one runtime: does it answer, can it run, and can it be given every image of the analysis?"""
    if kind is RuntimeKind.PLAIN:
        return Runtime(kind, "")
    found = _FINDERS[kind](ask)
    if isinstance(found, Absence):
        return found
    if kind is RuntimeKind.APPTAINER:
        return _with_images(found, images, ask)
    return _lacking_images(found, images, supply, ask) or found


def choose(
    wanted: RuntimeKind | None,
    find: Callable[[RuntimeKind], Runtime | Absence],
    among: Iterable[RuntimeKind] = tuple(RuntimeKind),
) -> tuple[Runtime, tuple[Absence, ...]]:
    """Return the runtime to use and the ones before it that can't be used.

    `wanted` is taken or fails; otherwise the first that works of `among`, whose last is plain processes.

    Raises:
        MissingPartError: the wanted runtime can't be used; its next step says how to get it.
    """
    if wanted is not None:
        found = find(wanted)
        if isinstance(found, Absence):
            raise MissingPartError(
                f"runtime '{wanted}' can't be used",
                expected=f"a working {wanted.capitalize()} that has the analysis's images",
                found=found.reason,
                next_step=f"{found.remedy}; or leave --runtime out",
            )
        return found, ()
    absences: list[Absence] = []
    for kind in among:
        found = find(kind)
        if isinstance(found, Runtime):
            return found, tuple(absences)
        absences.append(found)
    raise AssertionError("plain processes are always there")


def program(kind: RuntimeKind) -> Path:
    """Return the absolute path of an engine's program."""
    return Path(shutil.which(kind.value) or kind.value)


def _apptainer(ask: Ask) -> Runtime | Absence:
    answer = ask(["apptainer", "--version"])
    if answer.returncode != 0:
        return _absence(RuntimeKind.APPTAINER, answer)
    return Runtime(RuntimeKind.APPTAINER, answer.stdout.strip().rpartition(" ")[2])


def _podman(ask: Ask) -> Runtime | Absence:
    answer = ask(["podman", "info", "--format", "{{.Version.Version}} {{.Host.Security.Rootless}}"])
    if answer.returncode != 0:
        return _absence(RuntimeKind.PODMAN, answer)
    version, _, rootless = answer.stdout.strip().partition(" ")
    return Runtime(RuntimeKind.PODMAN, version, rootless=rootless == "true")


def _docker(ask: Ask) -> Runtime | Absence:
    answer = ask(["docker", "version", "--format", "{{.Server.Version}}"])
    if answer.returncode != 0:
        return _absence(RuntimeKind.DOCKER, answer)
    return Runtime(RuntimeKind.DOCKER, answer.stdout.strip())


_FINDERS: dict[RuntimeKind, Callable[[Ask], Runtime | Absence]] = {
    RuntimeKind.APPTAINER: _apptainer,
    RuntimeKind.PODMAN: _podman,
    RuntimeKind.DOCKER: _docker,
}


def _absence(kind: RuntimeKind, answer: subprocess.CompletedProcess[str]) -> Absence:
    lines = [line for line in answer.stderr.splitlines() if line.strip()]
    return Absence(kind, lines[-1].strip() if lines else "no answer", HOW_TO_GET[kind])


def _unbuilt(kind: RuntimeKind, images: Sequence[ImageRef]) -> Absence | None:
    """Say which images are neither built nor published; those of a registry are the engine's own matter."""
    unbuilt = [image.name for image in images if image.config is None and len(image.written) == 1]
    return Absence(kind, f"no image for {', '.join(unbuilt)}", BUILD) if unbuilt else None


def _lacking_images(runtime: Runtime, images: Sequence[ImageRef], supply: Supply, ask: Ask) -> Absence | None:
    """Give the engine the images that it lacks; say why, if that can't be done."""
    kind = runtime.kind
    absence = _unbuilt(kind, images)
    if absence is not None:
        return absence
    for image in images:
        if image.config is None:
            continue
        answer = ask([kind.value, "image", "inspect", "--format", "{{.Id}}", str(image.config)])
        if answer.returncode != 0:
            try:
                supply(kind, image)
            except RelanceError as error:
                reason = f"it lacks the image '{image.name}': {error.subject}: found {error.found}"
                return Absence(kind, reason, error.next_step)
    return None


def _with_images(runtime: Runtime, images: Sequence[ImageRef], ask: Ask) -> Runtime | Absence:
    """Try whether Apptainer runs the images that were built here."""
    kind = runtime.kind
    absence = _unbuilt(kind, images)
    if absence is not None:
        return absence
    built = [image.runtime_path for image in images if image.runtime_path is not None]
    for path in built:
        if not os.access(path, os.R_OK):
            return Absence(kind, f"{path} is missing, or closed to you", BUILD)
    if not built:
        return runtime
    # An ordinary user may have the program but not the right to mount an image: only a trial tells.
    trial = ask(["apptainer", "exec", "--containall", str(built[0]), "sh", "-c", ":"])
    if trial.returncode != 0:
        said = _absence(kind, trial).reason
        return Absence(
            kind, f"it can't run an image: {said}", "see apptainer.org/docs/admin for user namespaces"
        )
    return replace(runtime, remark=_UNPACKS if "temporary sandbox" in trial.stderr else "")
