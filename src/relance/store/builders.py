"""The builders that there are, and which of them to take."""

from __future__ import annotations

from collections.abc import Sequence

from relance.errors import MissingPartError
from relance.store.apptainer import Apptainer
from relance.store.builder import Builder
from relance.store.docker import Docker
from relance.store.podman import Podman


def all_builders() -> tuple[Builder, ...]:
    """Return the builders in the order of preference."""
    return (*loading_engines(), Apptainer())


def loading_engines() -> tuple[Builder, ...]:
    """Return the engines that keep images of their own, which an image must be loaded into."""
    return (Podman(), Docker())


def choose(name: str, builders: Sequence[Builder]) -> Builder:
    """Return the builder of that name, or for `auto` the first that is there.

    Raises:
        MissingPartError: it isn't there, or none is.
    """
    wanted = [builder for builder in builders if name in {"auto", builder.name}]
    for builder in wanted:
        if builder.available():
            return builder
    names = ", ".join(builder.name for builder in wanted)
    raise MissingPartError(
        "images can't be built",
        expected=f"one of {names} that works" if len(wanted) > 1 else f"{names} to work",
        found="none" if len(wanted) > 1 else "it missing, or not answering",
        next_step="install one (on Debian or Ubuntu: apt install podman)",
    )
