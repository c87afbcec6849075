"""From containers/NAME/Containerfile to an image that runs: what is current is kept, the rest is built."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from relance import digest
from relance.errors import InputError
from relance.model import Digest
from relance.store import built, images, normalise, runtime_images, squashfs
from relance.store.atomic import write_bytes, write_text
from relance.store.builder import Builder, Context
from relance.store.configuration import Settings
from relance.store.images import LocalImage
from relance.store.normalise import Image
from relance.store.recipe import Recipe, read
from relance.store.store import Store

RECIPE_VERSION = 2
"""Changes whenever the same Containerfile would give another image or runtime image."""


@dataclass(frozen=True)
class Plan:
    """One image and what is there of it: `local` was built here, from the same files if it is `current`."""

    name: str
    recipe: Recipe
    local: LocalImage | None
    current: bool


@dataclass(frozen=True)
class PipSettings:
    """How this machine reaches its package index; nothing of it stays in an image."""

    index: str | None = None
    certificates: Path | None = None


def names(repository: Path) -> tuple[str, ...]:
    """Return the names of a repository's images: the folders below containers/ with a Containerfile."""
    return tuple(sorted(path.parent.name for path in (repository / "containers").glob("*/Containerfile")))


def plan(repository: Path, wanted: Sequence[str]) -> tuple[Plan, ...]:
    """Say what is there of the images of these names, or of all.

    Raises:
        InputError: a name is unknown, or a Containerfile can't be read, or there is none.
    """
    present = names(repository)
    for name in wanted:
        if name not in present:
            raise InputError(
                f"image {name!r} is unknown",
                expected=f"one of {', '.join(present)}" if present else "containers/NAME/Containerfile",
                found=repr(name),
                next_step="see 'relance images list'",
            )
    if not present:
        raise InputError(
            f"there are no images to build in {repository}",
            expected="containers/NAME/Containerfile",
            found="none",
            next_step="say which repository is meant by -C DIR",
        )
    local = images.known(repository).local
    return tuple(_plan(repository, name, local.get(name)) for name in dict.fromkeys(wanted or present))


def _plan(repository: Path, name: str, local: LocalImage | None) -> Plan:
    recipe = read(repository / "containers" / name / "Containerfile")
    current = (
        local is not None
        and local.runtime.path.is_file()
        and local.key == build_key(repository, recipe, local.base)
    )
    return Plan(name, recipe, local, current)


def build_key(repository: Path, recipe: Recipe, base: Digest) -> Digest:
    """Return the digest of all that determines an image: Containerfile, copied files, base, recipe version.

    Raises:
        InputError: a file that the Containerfile copies isn't there.
    """
    files = {}
    for source in recipe.files:
        path = repository / source
        if not path.is_file():
            raise InputError(
                f"{recipe.path} copies {source}",
                expected=f"the file {path}",
                found="none",
                next_step="make it ('make lock' writes the package locks)",
            )
        files[source] = digest.of_file(path)
    return digest.of_json(
        {
            "version": RECIPE_VERSION,
            "containerfile": digest.of_file(recipe.path),
            "files": files,
            "base": base,
            "compression": squashfs.COMPRESSION,
        }
    )


def build(  # noqa: PLR0917 - each is another collaborator
    repository: Path,
    store: Store,
    base: Image,
    todo: Plan,
    builder: Builder,
    pip: PipSettings,
    say: Callable[[str], None],
    environment: Mapping[str, str] | None = None,
) -> LocalImage:
    """Build one image, make its runtime image and load it into the builder's engine.

    Nothing is written to the repository.

    Raises:
        AnalysisError: the build failed.
        InputError: what the builder made holds hostile entries.
    """
    layout = store.layout
    with tempfile.TemporaryDirectory(prefix="relance-build-") as folder, store.writing():
        _offer(store.offered, pip)
        context = Context(repository.resolve(), store.offered, say, environment or {})
        rootfs = Path(folder) / "rootfs.tar"
        builder.build(layout, base, todo.recipe, context, rootfs)
        say("normalising")
        with rootfs.open("rb") as stream:
            settings = _settings(base, todo.recipe)
            image = normalise.assemble(layout, base, stream, settings, architecture=base.architecture)
        say("making the runtime image")
        runtime = runtime_images.make(store, image)
        layout.name(built.index_name(todo.name, image.config.digest), image.manifest)
    reference = built.reference_of(todo.name, image.config.digest)
    builder.load(layout, image, reference)
    return LocalImage(
        build_key(repository, todo.recipe, base.config.digest),
        image.config.digest,
        image.manifest.digest,
        base.config.digest,
        builder.name,
        reference,
        runtime,
    )


def _settings(base: Image, recipe: Recipe) -> Settings:
    return Settings(
        {**base.settings.environment, **recipe.environment},
        recipe.command or base.settings.command,
        recipe.working_folder,
        {**base.settings.labels, **recipe.labels},
    )


def _offer(folder: Path, pip: PipSettings) -> None:
    (folder / "cache").mkdir(parents=True, exist_ok=True)
    lines = ["[global]"]
    if pip.index is not None:
        lines.append(f"index-url = {pip.index}")
    write_text(folder / "pip.conf", "\n".join([*lines, ""]))
    if pip.certificates is not None:
        write_bytes(folder / "certificates.crt", pip.certificates.read_bytes())
