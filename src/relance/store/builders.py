"""The programs that run an image build. Each takes a base and a recipe and gives the built file tree as one tar.

What an image is, its layer and configuration, is not left to them (see `relance.store.normalise`).
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Protocol

from relance.errors import AnalysisError, MissingPartError
from relance.store import archive
from relance.store.layout import Layout
from relance.store.normalise import Image
from relance.store.recipe import Copy, Recipe, Run

_GUEST = "/run/relance"


@dataclass(frozen=True)
class Context:
    """What a build may read.

    repository: where COPY takes its files from.
    offered: a folder shown to the build as /run/relance (pip's configuration, certificates, a download cache);
        nothing of it stays in the image.
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

    def load(self, layout: Layout, image: Image, reference: str) -> None:
        """Give an image to the program, so that it can run it; does nothing where it has it."""
        ...


class Podman:
    """Podman, by its command line."""

    name = "podman"

    def available(self) -> bool:
        """Tell whether Podman is there and answers."""
        return shutil.which("podman") is not None and _quietly(["podman", "info"])

    def build(self, layout: Layout, base: Image, recipe: Recipe, context: Context, rootfs: Path) -> None:
        """Run the Containerfile with `podman build`."""
        self.load(layout, base, _base_reference(base))
        command = ["podman", "build", "--no-cache", "--isolation", "chroot", "--network", "host", "--pull=never"]
        command += ["--build-arg", f"BASE={_hex(base)}", "--volume", f"{context.offered}:{_GUEST}"]
        for name, value in context.environment.items():
            command += ["--env", f"{name}={value}"]
        with tempfile.TemporaryDirectory() as folder:
            identity = Path(folder) / "id"
            command += ["--iidfile", str(identity), "--file", str(recipe.path), str(context.repository)]
            _run(command, context.say, "podman build")
            built = identity.read_text(encoding="utf-8").strip()
        container = ""
        try:
            container = _output(["podman", "create", "--network", "none", built, "true"])
            _run(["podman", "export", "--output", str(rootfs), container], context.say, "podman export")
        finally:
            if container:
                _quietly(["podman", "rm", "--force", container])
            _quietly(["podman", "rmi", "--force", built])

    def load(self, layout: Layout, image: Image, reference: str) -> None:
        """Load an image with `podman load`, unless Podman has it."""
        if _quietly(["podman", "image", "exists", _hex(image)]):
            return
        with _archived(layout, image, reference) as path:
            _run(["podman", "load", "--quiet", "--input", str(path)], _ignore, "podman load")


class Docker:
    """Docker, through its SDK; DOCKER_HOST says where its daemon is."""

    name = "docker"

    def available(self) -> bool:
        """Tell whether a Docker daemon answers."""
        import docker
        from docker.errors import DockerException

        try:
            client = docker.from_env(timeout=10)
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
        import docker
        from docker.errors import DockerException

        self.load(layout, base, _base_reference(base))
        client = docker.from_env(timeout=3600)
        try:
            container = client.containers.create(
                _base_reference(base),
                ["/bin/sh", "-e", "/run/relance-build.sh"],
                environment=dict(context.environment),
                network_mode="host",
                volumes=[f"{context.offered}:{_GUEST}"],
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
                    raise _failed("docker", status, last)
                with rootfs.open("wb") as stream:
                    for chunk in container.export():
                        stream.write(chunk)
            finally:
                container.remove(force=True)
        except DockerException as error:
            raise _failed("docker", 1, [str(error)]) from error
        finally:
            client.close()

    def load(self, layout: Layout, image: Image, reference: str) -> None:
        """Load an image through the daemon, unless it has it."""
        import docker
        from docker.errors import DockerException, ImageNotFound

        client = docker.from_env(timeout=600)
        try:
            with suppress(ImageNotFound):
                client.images.get(image.config.digest)
                return
            with _archived(layout, image, reference) as path, path.open("rb") as stream:
                client.images.load(stream)
        except DockerException as error:
            raise _failed("docker load", 1, [str(error)]) from error
        finally:
            client.close()


class Apptainer:
    """Apptainer alone: builds from a definition file translated from the recipe."""

    name = "apptainer"

    def available(self) -> bool:
        """Tell whether Apptainer is there."""
        return shutil.which("apptainer") is not None and _quietly(["apptainer", "--version"])

    def build(self, layout: Layout, base: Image, recipe: Recipe, context: Context, rootfs: Path) -> None:
        """Run the recipe in the %post of a definition file and take the sandbox it leaves."""
        with _archived(layout, base, _base_reference(base)) as path:
            folder = path.parent
            definition = folder / "image.def"
            definition.write_text(_definition(path, recipe, context), encoding="utf-8")
            sandbox = folder / "sandbox"
            command = ["apptainer", "build", "--force", "--bind", f"{context.offered}:{_GUEST}"]
            command += ["--sandbox", str(sandbox), str(definition)]
            environment = os.environ | {"APPTAINER_CACHEDIR": str(folder / "cache")}
            _run(command, context.say, "apptainer build", environment)
            with tarfile.open(rootfs, "w", format=tarfile.PAX_FORMAT) as tar:
                tar.add(sandbox, arcname=".", filter=_owned_by_root)

    def load(self, layout: Layout, image: Image, reference: str) -> None:
        """Do nothing: Apptainer runs a runtime image from its file."""


def all_builders() -> tuple[Builder, ...]:
    """Return the builders in the order of preference."""
    return (Podman(), Docker(), Apptainer())


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


def _script(recipe: Recipe) -> str:
    lines = ["set -e"]
    for step in recipe.steps:
        if isinstance(step, Run):
            lines.append(f"mkdir -p {shlex.quote(step.working_folder)} && cd {shlex.quote(step.working_folder)}")
            given = " ".join(f"{name}={shlex.quote(value)}" for name, value in step.environment.items())
            lines.append(f"env {given} /bin/sh -c {shlex.quote(step.command)}")
    return "\n".join([*lines, ""])


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
                tar.add(context.repository / step.source, step.target.lstrip("/"), filter=_owned_by_root)
        data = _script(recipe).encode()
        info = tarfile.TarInfo("run/relance-build.sh")
        info.size = len(data)
        tar.addfile(info, BytesIO(data))
    return output.getvalue()


def _definition(base: Path, recipe: Recipe, context: Context) -> str:
    given = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in context.environment.items())
    files = "".join(
        f"{context.repository / step.source} {step.target}\n" for step in recipe.steps if isinstance(step, Copy)
    )
    return (
        f"Bootstrap: docker-archive\nFrom: {base}\n\n"
        f'%setup\nmkdir -p "${{APPTAINER_ROOTFS}}{_GUEST}"\n'
        "\n"
        f"%files\n{files}\n%post\n{given}{_script(recipe)}"
    )


def _owned_by_root(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info


@contextmanager
def _archived(layout: Layout, image: Image, reference: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="relance-") as folder:
        path = Path(folder) / "image.tar"
        with path.open("wb") as stream:
            archive.write(layout, image, reference, stream)
        yield path


def _base_reference(base: Image) -> str:
    return f"localhost/relance/base:{_hex(base)[:12]}"


def _hex(image: Image) -> str:
    return image.config.digest.removeprefix("sha256:")


def _ignore(_line: str) -> None:
    """Say nothing."""


def _quietly(command: Sequence[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _output(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise _failed(command[0], done.returncode, done.stderr.splitlines())
    return done.stdout.strip()


def _run(
    command: Sequence[str], say: Callable[[str], None], what: str, environment: Mapping[str, str] | None = None
) -> None:
    last: list[str] = []
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        env=environment,
    ) as process:
        for line in process.stdout or ():
            last = [*last[-4:], line.rstrip()]
            say(last[-1])
    if process.returncode != 0:
        raise _failed(what, process.returncode, last)


def _failed(what: str, status: int, last: Sequence[str]) -> AnalysisError:
    return AnalysisError(
        f"{what} failed",
        expected="it to end well",
        found=f"exit status {status}: {' / '.join(line for line in last if line) or 'it said nothing'}",
        next_step="mend what it says and run 'relance images build' again",
    )
