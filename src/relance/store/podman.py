"""Builds with Podman, by its command line."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from relance.model import Digest
from relance.store.builder import GUEST, Context, archived, base_reference, image_id, not_there
from relance.store.layout import Layout
from relance.store.normalise import Image
from relance.store.process import output_of, run, succeeds
from relance.store.recipe import Recipe


class Podman:
    """Podman, by its command line."""

    name = "podman"

    def available(self) -> bool:
        """Tell whether Podman is there and answers."""
        return shutil.which("podman") is not None and succeeds(["podman", "info"])

    def build(self, layout: Layout, base: Image, recipe: Recipe, context: Context, rootfs: Path) -> None:
        """Run the Containerfile with `podman build`."""
        self.load(layout, base, base_reference(base))
        # Without layers nothing is left behind, but then Podman 4 gives --env to no RUN.
        layers = "true" if context.environment else "false"
        command = [
            "podman",
            "build",
            "--no-cache",
            f"--layers={layers}",
            "--pull=never",
            "--isolation",
            "chroot",
        ]
        command += ["--network", "host"]
        command += [
            "--build-arg",
            f"BASE={image_id(base.config.digest)}",
            "--volume",
            f"{context.offered}:{GUEST}",
        ]
        for name, value in context.environment.items():
            command += ["--env", f"{name}={value}"]
        with tempfile.TemporaryDirectory() as folder:
            identity = Path(folder) / "id"
            command += ["--iidfile", str(identity), "--file", str(recipe.path), str(context.repository)]
            run(command, context.say, "podman build")
            built = identity.read_text(encoding="utf-8").strip()
        container = ""
        try:
            container = output_of(["podman", "create", "--network", "none", built, "true"])
            run(["podman", "export", "--output", str(rootfs), container], context.say, "podman export")
        finally:
            if container:
                succeeds(["podman", "rm", "--force", container])
            succeeds(["podman", "rmi", "--force", built])

    def has(self, image: Digest) -> bool:
        """Tell whether Podman has an image."""
        return succeeds(["podman", "image", "exists", image_id(image)])

    def load(self, layout: Layout, image: Image, reference: str) -> None:
        """Load an image with `podman load`, unless Podman has it."""
        if self.has(image.config.digest):
            return
        with archived(layout, image, reference) as path:
            run(["podman", "load", "--quiet", "--input", str(path)], _ignore, "podman load")

    def unload(self, reference: str) -> bool:
        """Remove an image with `podman rmi`."""
        return succeeds(["podman", "rmi", "--", reference])

    def save(self, name: str, path: Path) -> Digest:
        """Write an image of Podman's as an archive and return the digest that Podman knows it by.

        Raises:
            InputError: Podman has no such image.
            AnalysisError: it failed.
        """
        if not succeeds(["podman", "image", "exists", "--", name]):
            raise not_there(self.name, name)
        shown = output_of(["podman", "image", "inspect", "--format", "{{.Id}} {{.ManifestType}}", "--", name])
        known, _, kind = shown.partition(" ")
        # Another form than the image's own would give its configuration other bytes.
        form = "oci-archive" if "oci" in kind else "docker-archive"
        command = ["podman", "save", "--quiet", "--format", form, "--output", str(path), "--", known]
        run(command, _ignore, "podman save")
        return Digest(f"sha256:{known.removeprefix('sha256:')}")


def _ignore(_line: str) -> None:
    """Say nothing."""
