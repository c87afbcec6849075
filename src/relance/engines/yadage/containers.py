"""What yadage's containers run in: it calls `docker` or `singularity`, and is given whichever works here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from relance.engines import runtimes
from relance.engines.runtimes import Absence, Ask, ask
from relance.errors import MissingPartError
from relance.model import Runtime, RuntimeKind

_ORDER = (RuntimeKind.DOCKER, RuntimeKind.PODMAN, RuntimeKind.APPTAINER)


@dataclass(frozen=True)
class Containers:
    """A runtime, and what yadage must be told of it."""

    runtime: Runtime
    variables: Mapping[str, str]
    commands: Mapping[str, str]
    """Names under which yadage calls it → the program."""


def chosen(wanted: RuntimeKind | None, folder: Path, ask: Ask = ask) -> Containers:
    """Return what containers run in: what is wanted, else the first that works of Docker, Podman, Apptainer.

    Args:
        wanted: None for any. `plain` for a workflow without containers.
        folder: of the run. Apptainer sees what lies beside it only if its home folder does.
        ask: calls programs.

    Raises:
        MissingPartError: none works.
    """
    reasons = []
    tried = (wanted,) if wanted is not None else _ORDER
    for kind in tried:
        found = runtimes.find(kind, (), lambda *_: None, ask)
        if isinstance(found, Absence):
            reasons.append(f"{kind}: {found.reason}")
            continue
        return Containers(found, _variables(kind, folder), _commands(kind))
    raise MissingPartError(
        "yadage's containers can't run",
        expected=f"a working {' or '.join(kind.capitalize() for kind in tried)}",
        found="; ".join(reasons),
        next_step="install one; docs/running.md says how",
    )


def _variables(kind: RuntimeKind, folder: Path) -> Mapping[str, str]:
    # An image that is here isn't asked for again: a registry may have another under its name by now.
    variables = {"PACKTIVITY_DOCKER_NOPULL": "true"}
    if kind is RuntimeKind.APPTAINER:
        variables |= {"PACKTIVITY_CONTAINER_RUNTIME": "singularity", "HOME": str(folder)}
    return variables


def _commands(kind: RuntimeKind) -> Mapping[str, str]:
    if kind is RuntimeKind.APPTAINER:
        return {"singularity": str(runtimes.program(kind))}
    return {"docker": str(runtimes.program(kind))} if kind is RuntimeKind.PODMAN else {}
