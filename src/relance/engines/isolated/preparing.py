"""Chooses what a workflow that isn't trusted runs in, and makes its images ready for that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from relance.engines import environments, runtimes
from relance.engines.isolated.engine import IsolatedEngine
from relance.engines.limits import USUAL, Limits
from relance.engines.mounts import Mount
from relance.engines.runtimes import Absence
from relance.engines.sandbox import finding
from relance.engines.sandbox.kinds import Unconfined
from relance.engines.sandbox.model import Sandbox
from relance.errors import MissingPartError, RelanceError
from relance.model import ImageRef, Runtime, RuntimeKind

_NOT_TRUSTED = "plain processes see all of the machine"
_TRUST = "install Apptainer, Podman or Docker; or, if you trust the capsule as your own, give --trust"


def prepare(
    images: Callable[[RuntimeKind], tuple[ImageRef, ...]],
    runs: Path,
    *,
    wanted: RuntimeKind | None,
    trusted: bool,
    outer: Mapping[str, str],
    outside: tuple[Mount, ...] = (),
    locked: tuple[environments.Environment, ...] = (),
    bounds: Limits = USUAL,
    say: Callable[[str], None],
) -> IsolatedEngine:
    """Choose a runtime for jobs and a sandbox for Snakemake.

    Args:
        images: makes the images ready for a runtime and returns them; raises a RelanceError if it can't.
        runs: folder for the runs' own folders.
        wanted: what jobs run in, or None for the first that works.
        trusted: whether Snakemake runs on the machine itself.
        outer: the caller's environment variables.
        outside: raw inputs elsewhere.
        locked: environments for plain processes, which only what is trusted can run in.
        bounds: what a run may take of this machine, unless it is trusted.
        say: told what is done in place of something better, and what takes long.

    Raises:
        MissingPartError: there is no such runtime, or no sandbox.
    """
    with ThreadPoolExecutor(1) as pool:
        # Most often jobs run in what is tried first, so that Snakemake's sandbox can be tried beside it.
        found = None if trusted else pool.submit(finding.find, wanted, _answering, outer)
        runtime, chosen = _choose(images, wanted, trusted=trusted, say=say)
    if runtime.kind is RuntimeKind.PLAIN:
        for environment in locked:
            environments.make(environment, say)
    box: Sandbox = found.result() if found else Unconfined()
    if not trusted and box.kind not in {runtime.kind, RuntimeKind.PLAIN}:
        box = finding.find(runtime.kind, _answering, outer)
    return IsolatedEngine(runtime, box, chosen, runs, outer, outside, locked, bounds)


def _choose(
    images: Callable[[RuntimeKind], tuple[ImageRef, ...]],
    wanted: RuntimeKind | None,
    *,
    trusted: bool,
    say: Callable[[str], None],
) -> tuple[Runtime, tuple[ImageRef, ...]]:
    """Return what jobs run in, and the images made ready for it; see `prepare`.

    Raises:
        MissingPartError: the wanted runtime can't be used, or none can.
    """
    ready: dict[RuntimeKind, tuple[ImageRef, ...]] = {}

    def find(kind: RuntimeKind) -> Runtime | Absence:
        if kind is RuntimeKind.PLAIN:
            ready[kind] = images(kind) if trusted else ()
            return Runtime(kind, "") if trusted else Absence(kind, _NOT_TRUSTED, _TRUST)
        found = runtimes.find(kind, (), _supply_nothing)
        if isinstance(found, Absence):
            return found
        try:
            ready[kind] = images(kind)
        except RelanceError as error:
            return Absence(kind, f"{error.subject}: found {error.found}", error.next_step)
        return runtimes.find(kind, ready[kind], _supply_nothing)

    absences: list[Absence] = []
    for kind in [wanted] if wanted else RuntimeKind:
        found = find(kind)
        if isinstance(found, Runtime):
            for absence in absences:
                say(f"{absence.kind} can't be used: {absence.reason}; {absence.remedy}")
            if found.remark:
                say(f"{found.kind}: {found.remark}")
            return found, ready[kind]
        absences.append(found)
    raise MissingPartError(
        "the jobs can't run in their images",
        expected=f"a working {wanted.capitalize()}" if wanted else "Apptainer, Podman or Docker",
        found="; ".join(f"{absence.kind}: {absence.reason}" for absence in absences),
        next_step=absences[0].remedy,
    )


def _answering(kind: RuntimeKind) -> Runtime | None:
    """Return an engine of this machine if it answers."""
    found = runtimes.find(kind, (), _supply_nothing)
    return found if isinstance(found, Runtime) else None


def _supply_nothing(_kind: RuntimeKind, _image: ImageRef) -> None:
    """Do nothing: the images were made ready before."""
