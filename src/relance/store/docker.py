"""Builds with Docker, through its SDK, at the daemon that the command `docker` speaks to."""

from __future__ import annotations

import os
import shutil
import tarfile
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import cast

import docker
from docker import DockerClient
from docker.errors import DockerException, ImageNotFound

from relance.errors import AnalysisError
from relance.model import Digest
from relance.store.builder import GUEST, Context, archived, base_reference, not_there, owned_by_root, script
from relance.store.layout import Layout
from relance.store.normalise import Image
from relance.store.process import failure, output_of
from relance.store.recipe import Copy, Recipe


class Docker:
    """Docker, through its SDK."""

    name = "docker"

    def available(self) -> bool:
        """Tell whether a Docker daemon answers."""
        try:
            client = _client(timeout=10)
        except DockerException:
            return False
        try:
            return bool(client.ping())
        except (DockerException, OSError):
            return False
        finally:
            client.close()

    def build(self, layout: Layout, base: Image, recipe: Recipe, context: Context, rootfs: Path) -> None:
        """Run the recipe's steps in one container of the base."""
        self.load(layout, base, base_reference(base))
        client = _client(timeout=3600)
        try:
            container = client.containers.create(
                base_reference(base),
                ["/bin/sh", "-e", "/run/relance-build.sh"],
                environment=dict(context.environment),
                network_mode="host",
                volumes=[f"{context.offered}:{GUEST}"],
            )
            try:
                container.put_archive("/", _staged(recipe, context))
                container.start()
                last: list[str] = []
                for line in container.logs(stream=True, follow=True):
                    last = [*last[-4:], line.decode(errors="replace").rstrip()]
                    context.say(last[-1])
                status = int(container.wait()["StatusCode"])
                if status != 0:
                    raise failure("docker", status, last)
                with rootfs.open("wb") as stream:
                    for chunk in container.export():
                        stream.write(cast(bytes, chunk))
            finally:
                container.remove(force=True)
        except DockerException as error:
            raise failure("docker", 1, [str(error)]) from error
        finally:
            client.close()

    def has(self, image: Digest) -> bool:
        """Tell whether the daemon has an image."""
        try:
            client = _client(timeout=60)
        except DockerException as error:
            raise failure("docker", 1, [str(error)]) from error
        try:
            client.images.get(image)
        except ImageNotFound:
            return False
        except DockerException as error:
            raise failure("docker", 1, [str(error)]) from error
        finally:
            client.close()
        return True

    def load(self, layout: Layout, image: Image, reference: str) -> None:
        """Load an image through the daemon, unless it has it."""
        if self.has(image.config.digest):
            return
        client = _client(timeout=600)
        try:
            with archived(layout, image, reference) as path, path.open("rb") as stream:
                client.images.load(stream)
        except DockerException as error:
            raise failure("docker load", 1, [str(error)]) from error
        finally:
            client.close()

    def unload(self, reference: str) -> bool:
        """Remove an image through the daemon."""
        try:
            client = _client(timeout=60)
        except DockerException:
            return False
        try:
            client.images.remove(reference)
        except DockerException:
            return False
        finally:
            client.close()
        return True

    def save(self, name: str, path: Path) -> Digest:
        """Write an image of the daemon as an archive and return the digest that Docker knows it by.

        Raises:
            InputError: the daemon has no such image.
            AnalysisError: it doesn't answer, or failed.
        """
        try:
            client = _client(timeout=600)
        except DockerException as error:
            raise failure("docker", 1, [str(error)]) from error
        try:
            image = client.images.get(name)
            with path.open("wb") as stream:
                for chunk in image.save(named=False):
                    stream.write(chunk)
            return Digest(str(image.id))
        except ImageNotFound as error:
            raise not_there(self.name, name) from error
        except (DockerException, OSError) as error:
            raise failure("docker save", 1, [str(error)]) from error
        finally:
            client.close()


def _client(timeout: int) -> DockerClient:
    """Connect to the daemon of DOCKER_HOST, else of the current context, of which the SDK knows nothing.

    Docker Desktop and rootless Docker are found by their context only. timeout in seconds.
    """
    if "DOCKER_HOST" not in os.environ and shutil.which("docker") is not None:
        with suppress(AnalysisError):
            host = output_of(["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"])
            if host.startswith("unix://"):
                return DockerClient(base_url=host, timeout=timeout)
    return docker.from_env(timeout=timeout)


def _staged(recipe: Recipe, context: Context) -> bytes:
    """Return a tar of the files that COPY names, and of the build's script."""
    output = BytesIO()
    with tarfile.open(fileobj=output, mode="w") as tar:
        for step in recipe.steps:
            if isinstance(step, Copy):
                for folder in reversed(Path(step.target).parents[:-1]):
                    info = tarfile.TarInfo(str(folder).lstrip("/"))
                    info.type, info.mode = tarfile.DIRTYPE, 0o755
                    tar.addfile(info)
                tar.add(context.repository / step.source, step.target.lstrip("/"), filter=owned_by_root)
        data = script(recipe).encode()
        info = tarfile.TarInfo("run/relance-build.sh")
        info.size = len(data)
        tar.addfile(info, BytesIO(data))
    return output.getvalue()
