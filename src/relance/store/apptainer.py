"""Builds with Apptainer alone: a definition file makes a folder of the base, the recipe runs in it."""

from __future__ import annotations

import os
import shlex
import shutil
import tarfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from relance.model import Digest
from relance.store.builder import GUEST, Context, archived, base_reference, script
from relance.store.layout import Layout
from relance.store.normalise import Image, open_layers
from relance.store.process import run, succeeds
from relance.store.recipe import Copy, Recipe
from relance.store.tree import Tree, flatten


class Apptainer:
    """Apptainer; it needs no rights of root."""

    name = "apptainer"

    def available(self) -> bool:
        """Tell whether Apptainer is there."""
        return shutil.which("apptainer") is not None and succeeds(["apptainer", "--version"])

    def build(self, layout: Layout, base: Image, recipe: Recipe, context: Context, rootfs: Path) -> None:
        """Make a sandbox of the base, run the recipe's steps in it, and take what is there then."""
        with archived(layout, base, base_reference(base)) as path:
            folder = path.parent
            definition = folder / "image.def"
            definition.write_text(_definition(path, recipe, context), encoding="utf-8")
            sandbox = folder / "sandbox"
            environment = os.environ | {"APPTAINER_CACHEDIR": str(folder / "cache")}
            command = ["apptainer", "build", "--force", "--sandbox", str(sandbox), str(definition)]
            run(command, context.say, "apptainer build", environment)
            # Not in %post: that asks for every capability, which a machine may not have.
            (sandbox / "run" / "relance-build.sh").write_text(script(recipe), encoding="utf-8")
            command = ["apptainer", "exec", "--writable", "--containall", "--pwd", "/"]
            command += ["--bind", f"{context.offered}:{GUEST}"]
            for name, value in context.environment.items():
                command += ["--env", f"{name}={value}"]
            command += [str(sandbox), "/bin/sh", "-e", "/run/relance-build.sh"]
            run(command, context.say, "apptainer exec")
            with ExitStack() as stack, tarfile.open(rootfs, "w", format=tarfile.PAX_FORMAT) as tar:
                owned = _owners(flatten(open_layers(layout, base, stack)))
                tar.add(sandbox, arcname=".", filter=owned)

    def has(self, image: Digest) -> bool:  # noqa: ARG002 - the protocol's signature
        """Say yes: Apptainer runs a runtime image from its file."""
        return True

    def unload(self, reference: str) -> bool:  # noqa: ARG002 - a builder's signature
        """Do nothing: Apptainer keeps no images of its own."""
        return False

    def load(self, layout: Layout, image: Image, reference: str) -> None:
        """Do nothing: Apptainer runs a runtime image from its file."""


def _definition(base: Path, recipe: Recipe, context: Context) -> str:
    files: Mapping[str, str] = {
        step.target: str(context.repository / step.source) for step in recipe.steps if isinstance(step, Copy)
    }
    listed = "".join(f"{shlex.quote(source)} {shlex.quote(target)}\n" for target, source in files.items())
    return (
        f"Bootstrap: docker-archive\nFrom: {base}\n\n"
        f'%setup\nmkdir -p "${{APPTAINER_ROOTFS}}{GUEST}"\n\n%files\n{listed}'
    )


def _owners(base: Tree) -> Callable[[tarfile.TarInfo], tarfile.TarInfo]:
    """Give files of the base the base's owners and all others root: a user's sandbox has only their own."""

    def owned(info: tarfile.TarInfo) -> tarfile.TarInfo:
        before = base.get(info.name.removeprefix("./"))
        info.uid, info.gid = (before.uid, before.gid) if before else (0, 0)
        info.uname = info.gname = ""
        return info

    return owned
