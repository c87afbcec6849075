"""What every builder has in common: a program that runs a recipe and gives the built file tree as one tar.

What an image is, its layer and configuration, is not left to builders (see `relance.store.normalise`).
"""

from __future__ import annotations

import shlex
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from relance.errors import InputError
from relance.model import Digest
from relance.store import archive
from relance.store.layout import Layout
from relance.store.normalise import Image
from relance.store.recipe import Recipe, Run

GUEST = "/run/relance"
"""Where a build finds what it is offered."""


@dataclass(frozen=True)
class Context:
    """What a build may read.

    repository: where COPY takes its files from.
    offered: a folder shown to the build as /run/relance (pip's configuration, certificates, a download
        cache); nothing of it stays in the image.
    environment: further variables for the build's commands; not kept in the image.
    say: called with each line that the build prints.
    """

    repository: Path
    offered: Path
    say: Callable[[str], None]
    environment: Mapping[str, str] = field(default_factory=dict)


class Builder(Protocol):
    """A program that can run a recipe."""

    name: str

    def available(self) -> bool:
        """Tell whether the program is there and answers."""
        ...

    def build(self, layout: Layout, base: Image, recipe: Recipe, context: Context, rootfs: Path) -> None:
        """Run a recipe on a base and write the whole file tree after it to `rootfs`, a tar.

        Raises:
            AnalysisError: the build failed; its last words are told.
        """
        ...

    def has(self, image: Digest) -> bool:
        """Tell whether the program can run an image, known by its configuration's digest."""
        ...

    def unload(self, reference: str) -> bool:
        """Take an image from the program, if it has one of this name; return whether it did.

        What it still needs, for example for a container, stays.
        """
        ...

    def load(self, layout: Layout, image: Image, reference: str) -> None:
        """Give an image to the program, so that it can run it; does nothing where it has it.

        Raises:
            InputError: a blob of the image is missing or damaged.
            AnalysisError: the program did not take it.
        """
        ...


def script(recipe: Recipe) -> str:
    """Return the recipe's RUN steps as one shell script, for builders that know no Containerfile."""
    lines = ["set -e"]
    for step in recipe.steps:
        if isinstance(step, Run):
            folder = shlex.quote(step.working_folder)
            lines.append(f"mkdir -p {folder} && cd {folder}")
            given = " ".join(f"{name}={shlex.quote(value)}" for name, value in step.environment.items())
            lines.append(f"env {given} /bin/sh -c {shlex.quote(step.command)}")
    return "\n".join([*lines, ""])


def owned_by_root(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Make a tar entry root's, whoever built."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info


@contextmanager
def archived(layout: Layout, image: Image, reference: str) -> Iterator[Path]:
    """Give an image as a temporary archive that engines load."""
    with tempfile.TemporaryDirectory(prefix="relance-") as folder:
        path = Path(folder) / "image.tar"
        with path.open("wb") as stream:
            archive.write(layout, image, reference, stream)
        yield path


def base_reference(base: Image) -> str:
    """Return the name under which engines get a base."""
    return f"localhost/relance/base:{image_id(base.config.digest)[:12]}"


def image_id(config: Digest) -> str:
    """Return the hexadecimal digits by which Podman knows an image."""
    return config.removeprefix("sha256:")


def not_there(engine: str, name: str) -> InputError:
    """Return the error for an image that an engine hasn't."""
    return InputError(
        f"image {name!r}",
        expected=f"an image that {engine} has",
        found="none of this name or id",
        next_step=f"see '{engine} images'",
    )
