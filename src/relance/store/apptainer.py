"""Builds with Apptainer alone, from a definition file translated from the recipe."""

from __future__ import annotations

import os
import shlex
import shutil
import tarfile
from pathlib import Path

from relance.store.builder import GUEST, Context, archived, base_reference, owned_by_root, script
from relance.store.layout import Layout
from relance.store.normalise import Image
from relance.store.process import run, succeeds
from relance.store.recipe import Copy, Recipe


class Apptainer:
    """Apptainer alone: builds from a definition file translated from the recipe."""

    name = "apptainer"

    def available(self) -> bool:
        """Tell whether Apptainer is there."""
        return shutil.which("apptainer") is not None and succeeds(["apptainer", "--version"])

    def build(self, layout: Layout, base: Image, recipe: Recipe, context: Context, rootfs: Path) -> None:
        """Run the recipe in the %post of a definition file and take the sandbox it leaves."""
        with archived(layout, base, base_reference(base)) as path:
            folder = path.parent
            definition = folder / "image.def"
            definition.write_text(_definition(path, recipe, context), encoding="utf-8")
            sandbox = folder / "sandbox"
            command = ["apptainer", "build", "--force", "--bind", f"{context.offered}:{GUEST}"]
            command += ["--sandbox", str(sandbox), str(definition)]
            environment = os.environ | {"APPTAINER_CACHEDIR": str(folder / "cache")}
            run(command, context.say, "apptainer build", environment)
            with tarfile.open(rootfs, "w", format=tarfile.PAX_FORMAT) as tar:
                tar.add(sandbox, arcname=".", filter=owned_by_root)

    def load(self, layout: Layout, image: Image, reference: str) -> None:
        """Do nothing: Apptainer runs a runtime image from its file."""


def _definition(base: Path, recipe: Recipe, context: Context) -> str:
    given = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in context.environment.items())
    files = "".join(
        f"{context.repository / step.source} {step.target}\n"
        for step in recipe.steps
        if isinstance(step, Copy)
    )
    return (
        f"Bootstrap: docker-archive\nFrom: {base}\n\n"
        f'%setup\nmkdir -p "${{APPTAINER_ROOTFS}}{GUEST}"\n'
        "\n"
        f"%files\n{files}\n%post\n{given}{script(recipe)}"
    )
