"""The kinds of sandboxes: how each runs a program, and how a container of it is removed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from relance.engines import mounts, roots
from relance.engines.mounts import Mount
from relance.engines.sandbox import hardening
from relance.engines.sandbox.model import Enclosed
from relance.engines.sandbox.programs import SEARCH_PATH
from relance.model import Runtime, RuntimeKind


@dataclass(frozen=True)
class ApptainerSandbox:
    """A container of Apptainer, in a root that is a folder."""

    @property
    def kind(self) -> RuntimeKind:
        """Apptainer."""
        return RuntimeKind.APPTAINER

    def prepare(self, call: Enclosed) -> None:
        """Make root, home and temporary folder."""
        _prepare(call)

    def command(self, call: Enclosed) -> list[str]:
        """Return the command line of `apptainer exec`."""
        line = ["apptainer", "--silent", "exec", "--containall", "--network", "none"]
        line += [*hardening.of_apptainer(), "--no-mount", "bind-paths,cwd"]
        line += ["--home", f"{call.scratch / 'home'}:{roots.HOME}"]
        line += ["--bind", f"{call.scratch / 'tmp'}:{roots.TEMPORARY}"]
        for mount in call.mounts:
            line += ["--bind", f"{mount.source}:{mount.target}:{'rw' if mount.writable else 'ro'}"]
        return [*line, "--pwd", str(call.folder), str(call.scratch / "root"), *_inner(call)]

    def removal(self, name: str) -> list[str] | None:  # noqa: ARG002 - the protocol's signature
        """Return nothing: its containers are ordinary processes, which end with their group."""
        return None


@dataclass(frozen=True)
class EngineSandbox:
    """A container of Podman or Docker."""

    runtime: Runtime
    program: Path
    image: str | None = None
    """The image of the root, for Docker; None: a folder is the root."""

    @property
    def kind(self) -> RuntimeKind:
        """The engine."""
        return self.runtime.kind

    def prepare(self, call: Enclosed) -> None:
        """Make root, home and temporary folder."""
        _prepare(call)

    def command(self, call: Enclosed) -> list[str]:
        """Return the command line of `podman run` or `docker run`."""
        line = [str(self.program), "run", "--rm", "--name", call.name, "--network", "none", "--read-only"]
        line += ["--hostname", "relance", "--user", f"{os.getuid()}:{os.getgid()}"]
        line += hardening.of_engine(self.kind)
        if self.kind is RuntimeKind.PODMAN:
            line += ["--read-only-tmpfs=false", "--http-proxy=false"]
            line += ["--userns=keep-id"] if self.runtime.rootless else []
        own = (
            Mount(call.scratch / "home", Path(roots.HOME), writable=True),
            Mount(call.scratch / "tmp", Path(roots.TEMPORARY), writable=True),
        )
        for mount in (*call.mounts, *own):
            line += ["--volume", f"{mount.source}:{mount.target}:{'rw' if mount.writable else 'ro'}"]
        line += ["--workdir", str(call.folder), "--entrypoint", ""]
        root = [self.image] if self.image else ["--rootfs", str(call.scratch / "root")]
        return [*line, *root, *_inner(call)]

    def removal(self, name: str) -> list[str] | None:
        """Return the command that removes a container."""
        return removal(self.kind, self.program, name)


@dataclass(frozen=True)
class BubblewrapSandbox:
    """A sandbox of bubblewrap, which needs no image and no daemon."""

    @property
    def kind(self) -> RuntimeKind:
        """None of the engines: it can only enclose programs of this machine."""
        return RuntimeKind.PLAIN

    def prepare(self, call: Enclosed) -> None:
        """Make root, home and temporary folder."""
        _prepare(call)

    def command(self, call: Enclosed) -> list[str]:
        """Return the command line of `bwrap`."""
        line = ["bwrap", "--unshare-all", "--die-with-parent", "--clearenv", "--cap-drop", "ALL"]
        line += ["--proc", "/proc", "--dev", "/dev"]
        for source, target in hardening.kernel():
            line += ["--ro-bind", source, target]
        for name, target in roots.links().items():
            line += ["--symlink", target, f"/{name}"]
        users = call.scratch / "root" / "etc"
        own = (
            Mount(call.scratch / "home", Path(roots.HOME), writable=True),
            Mount(call.scratch / "tmp", Path(roots.TEMPORARY), writable=True),
            *(Mount(users / name, Path("/etc", name)) for name in ("passwd", "group")),
        )
        for mount in (*own, *call.mounts):
            line += ["--bind" if mount.writable else "--ro-bind", str(mount.source), str(mount.target)]
        line += ["--remount-ro", "/"]
        return [*line, "--chdir", str(call.folder), "--", *_inner(call)]

    def removal(self, name: str) -> list[str] | None:  # noqa: ARG002 - the protocol's signature
        """Return nothing: it ends with its parent."""
        return None


@dataclass(frozen=True)
class Unconfined:
    """No sandbox at all, for what a person trusts as much as their own analyses."""

    @property
    def kind(self) -> RuntimeKind:
        """Plain processes."""
        return RuntimeKind.PLAIN

    def prepare(self, call: Enclosed) -> None:
        """Make home and temporary folder."""
        _prepare(call, root=False)

    def command(self, call: Enclosed) -> list[str]:
        """Return the command as it is, in the environment of the call."""
        places = {"HOME": str(call.scratch / "home"), "TMPDIR": str(call.scratch / "tmp")}
        return _inner(call, places)

    def removal(self, name: str) -> list[str] | None:  # noqa: ARG002 - the protocol's signature
        """Return nothing."""
        return None


def removal(kind: RuntimeKind, program: Path, name: str) -> list[str]:
    """Return the command that ends and removes a container of Podman or Docker at once."""
    # Podman would wait ten seconds for a process that does not heed SIGTERM.
    at_once = ["--time", "0"] if kind is RuntimeKind.PODMAN else []
    return [str(program), "rm", "--force", *at_once, name]


def _prepare(call: Enclosed, *, root: bool = True) -> None:
    for name in ("home", "tmp"):
        (call.scratch / name).mkdir(parents=True, exist_ok=True)
    if not root:
        return
    if not (call.scratch / "root").exists():
        roots.make_folder(call.scratch / "root", (os.getuid(), os.getgid()))
    mounts.make_points(call.scratch, call.mounts)


def _inner(call: Enclosed, places: Mapping[str, str] | None = None) -> list[str]:
    """Return the command with the call's environment and no other, whatever an engine adds."""
    places = places or {"HOME": roots.HOME, "TMPDIR": roots.TEMPORARY}
    values = {"PATH": SEARCH_PATH, **call.environment}
    given = [f"{name}={value}" for name, value in {**values, **places}.items()]
    return ["/usr/bin/env", "-i", *given, *call.command]
