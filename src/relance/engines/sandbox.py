"""Containers in which a program of relance's own environment runs that must not be trusted.

Such a program is Snakemake with a Snakefile from somebody else, for reading a Snakefile runs its Python. It
sees an empty root with this machine's programs and libraries and relance's Python environment, read-only,
and what the call names; no network, no other process, no variable of the environment but those of the call.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from relance.engines import roots
from relance.errors import InputError, MissingPartError
from relance.model import Runtime, RuntimeKind

SEARCH_PATH = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
"""PATH in a sandbox."""

_PATIENCE = 60.0  # seconds that a trial may take
_PACKAGES = ("relance", "snakemake", "snakemake_logger_plugin_relance", "snakemake_report_plugin_relance")
_SETTINGS = (Path("/etc/ld.so.cache"), Path("/etc/alternatives"))

# What the container programs themselves may need; a sandboxed program could read what they were started with.
_CLIENT_VARIABLES = frozenset(
    (
        *("PATH", "HOME", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME"),
        *("DBUS_SESSION_BUS_ADDRESS", "CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF"),
        *("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"),
        *("APPTAINER_CACHEDIR", "APPTAINER_TMPDIR"),
    )
)

# Apptainer and bubblewrap leave these of the kernel writable for root, even without any capability.
_KERNEL_FOLDERS = ("/proc/sys", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/acpi", "/proc/scsi")
_KERNEL_FILES = ("/proc/sysrq-trigger", "/proc/mtrr", "/proc/keys", "/proc/timer_list", "/proc/kcore")


@dataclass(frozen=True)
class Mount:
    """A file or folder of the machine that a container is shown, read-only unless `writable`."""

    source: Path
    target: Path
    writable: bool = False


@dataclass(frozen=True)
class Enclosed:
    """A program to run in a sandbox."""

    command: tuple[str, ...]
    folder: Path
    """Its working folder, as it is called inside."""
    mounts: tuple[Mount, ...]
    environment: Mapping[str, str]
    """All that the program sees."""
    scratch: Path
    """A folder of this call's own; gets what is HOME, the temporary folder and the root inside."""
    name: str
    """Of the container: letters, digits and `-`."""


class Sandbox(Protocol):
    """A way to run an untrusted program."""

    @property
    def kind(self) -> RuntimeKind:
        """The engine whose containers it uses; `plain` if it doesn't confine at all."""
        ...

    def prepare(self, call: Enclosed) -> None:
        """Make the folders that a call needs."""
        ...

    def command(self, call: Enclosed) -> list[str]:
        """Return the command line that runs a program enclosed, in `client_environment`."""
        ...

    def removal(self, name: str) -> list[str] | None:
        """Return the command that removes a container that was left behind; None if none can be."""
        ...


def client_environment(outer: Mapping[str, str]) -> dict[str, str]:
    """Return the few variables that programs of container engines are started with, from the caller's."""
    return {name: value for name, value in outer.items() if name in _CLIENT_VARIABLES}


def own_programs(home: Path) -> tuple[Mount, ...]:
    """Return what a Python program of relance's environment needs of this machine, read-only.

    Raises:
        MissingPartError: a folder of it holds the user's home folder.
    """
    folders = [*roots.top_folders(), *map(Path, (sys.prefix, sys.base_prefix)), *_SETTINGS]
    folders += [path.resolve() for path in map(Path, (sys.prefix, sys.base_prefix))]
    folders += _links(Path(sys.executable))
    for name in _PACKAGES:
        spec = find_spec(name)
        if spec is not None and spec.origin is not None:
            package = Path(spec.origin).parent
            folders.append(package if "relance" in name else package.parent)
    chosen: list[Path] = []
    for folder in folders:
        if folder.exists() and not any(folder.is_relative_to(other) for other in chosen):
            chosen.append(folder)
    for folder in chosen:
        if home.is_relative_to(folder):
            raise MissingPartError(
                "there is no sandbox for what isn't trusted",
                expected="Python and relance in folders that hold nothing of yours",
                found=f"{folder}, which holds your home folder",
                next_step="install relance into a virtual environment (python -m venv), or give --trust",
            )
    return tuple(Mount(folder, folder) for folder in sorted(chosen))


def _links(program: Path) -> Iterator[Path]:
    """Yield the links on the way to a program, and the program."""
    for _ in range(40):
        yield program
        if not program.is_symlink():
            return
        program = program.parent / program.readlink()


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
        line = ["apptainer", "--silent", "exec", "--containall", "--network", "none", *hardening()]
        line += ["--no-mount", "bind-paths,cwd"]
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
        line += hardened_options(self.kind)
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
        for source, target in _kernel():
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


def hardening() -> list[str]:
    """Return the options of `apptainer exec` that leave root no more rights than anybody else has."""
    options = ["--no-privs", "--no-mount", "sys"]
    for source, target in _kernel():
        options += ["--bind", f"{source}:{target}:ro"]
    return options


def _kernel() -> Iterator[tuple[str, str]]:
    """Yield what is shown, read-only, for the kernel files that root could write to: source, target."""
    yield from ((path, path) for path in _KERNEL_FOLDERS if Path(path).exists())
    yield from (("/dev/null", path) for path in _KERNEL_FILES if Path(path).exists())


def hardened_options(kind: RuntimeKind) -> list[str]:
    """Return the options of `podman run` and `docker run` that leave root no more rights than others have."""
    options = ["--cap-drop", "all", "--security-opt", "no-new-privileges", "--security-opt", "label=disable"]
    options += ["--oom-score-adj", "1000"]  # where memory is short, they go first
    return [*options, "--no-healthcheck"] if kind is RuntimeKind.DOCKER else options


def removal(kind: RuntimeKind, program: Path, name: str) -> list[str]:
    """Return the command that ends and removes a container of Podman or Docker at once."""
    # Podman would wait ten seconds for a process that does not heed SIGTERM.
    at_once = ["--time", "0"] if kind is RuntimeKind.PODMAN else []
    return [str(program), "rm", "--force", *at_once, name]


def find(
    preferred: RuntimeKind | None,
    runtime: Callable[[RuntimeKind], Runtime | None],
    outer: Mapping[str, str],
) -> Sandbox:
    """Return the first sandbox that works on this machine, tried on a Python program.

    Args:
        preferred: the engine that jobs run in, which is tried first.
        runtime: says whether an engine answers.
        outer: the caller's environment variables.

    Raises:
        MissingPartError: none works; the next step says what to install.
    """
    mounts = own_programs(Path(outer.get("HOME", "/nonexistent")))
    reasons = []
    for name, make in _candidates(preferred, runtime, outer):
        with tempfile.TemporaryDirectory(prefix="relance-trial-") as folder:
            candidate = make()
            problem = (
                "it does not answer" if candidate is None else _trial(candidate, Path(folder), mounts, outer)
            )
        if candidate is not None and not problem:
            return candidate
        reasons.append(f"{name}: {problem}")
    raise MissingPartError(
        "there is no sandbox for what isn't trusted",
        expected="Apptainer, Podman, Docker or bubblewrap to run Snakemake in",
        found="; ".join(reasons),
        next_step="install one of them; or, if you trust the capsule as your own programs, give --trust",
    )


def _candidates(
    preferred: RuntimeKind | None,
    runtime: Callable[[RuntimeKind], Runtime | None],
    outer: Mapping[str, str],
) -> Iterator[tuple[str, Callable[[], Sandbox | None]]]:
    engines = [RuntimeKind.APPTAINER, RuntimeKind.PODMAN, RuntimeKind.DOCKER]
    engines.sort(key=lambda kind: kind is not preferred)
    for kind in engines:
        yield kind.value, lambda kind=kind: _engine(kind, runtime(kind), outer)  # type: ignore[misc]
    yield "bubblewrap", lambda: BubblewrapSandbox() if shutil.which("bwrap", path=outer.get("PATH")) else None


def _engine(kind: RuntimeKind, found: Runtime | None, outer: Mapping[str, str]) -> Sandbox | None:
    program = shutil.which(kind.value)
    if found is None or program is None:
        return None
    if kind is RuntimeKind.APPTAINER:
        return ApptainerSandbox()
    if kind is RuntimeKind.PODMAN:
        return EngineSandbox(found, Path(program))
    return EngineSandbox(found, Path(program), _loaded(Path(program), outer))


def _loaded(docker: Path, outer: Mapping[str, str]) -> str:
    """Give Docker the image of the root if it lacks it; return its digest."""
    content, image = roots.archive((os.getuid(), os.getgid()))
    environment = client_environment(outer)
    inspect = [str(docker), "image", "inspect", image]
    if subprocess.run(inspect, capture_output=True, env=environment, check=False).returncode != 0:
        load = [str(docker), "load", "--quiet"]
        subprocess.run(load, input=content, capture_output=True, env=environment, check=False)
    return image


def _trial(candidate: Sandbox, folder: Path, mounts: Sequence[Mount], outer: Mapping[str, str]) -> str:
    """Run a Python program that does nothing; return why that can't be done, or nothing."""
    command = (sys.executable, "-I", "-S", "-c", "")
    name = f"relance-trial-{os.urandom(4).hex()}"
    call = Enclosed(command, Path("/"), tuple(mounts), {}, folder, name)
    candidate.prepare(call)
    try:
        done = subprocess.run(
            candidate.command(call),
            env=client_environment(outer),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    said = [line for line in done.stderr.splitlines() if line.strip()]
    return said[-1].strip() if said else f"exit status {done.returncode}"


def check_mountable(paths: Sequence[Path]) -> None:
    """Raise an InputError if a path can't be told to every engine: their options have separators."""
    for path in paths:
        if any(character in str(path) for character in ':,\t\n"\\'):
            raise InputError(
                "what the capsule needs can't be mounted into a container",
                expected="paths without colon, comma, quote, backslash, tab or line break",
                found=repr(str(path)),
                next_step="choose another work folder, or give --trust",
            )


def _prepare(call: Enclosed, *, root: bool = True) -> None:
    for name in ("home", "tmp"):
        (call.scratch / name).mkdir(parents=True, exist_ok=True)
    if not root:
        return
    if not (call.scratch / "root").exists():
        roots.make_folder(call.scratch / "root", (os.getuid(), os.getgid()))
    make_mount_points(call.scratch, call.mounts)


def make_mount_points(scratch: Path, mounts: Sequence[Mount]) -> None:
    """Make what a container's mounts are laid over, where that lies in `scratch`: `home`, `tmp` or `root`.

    What rootless Podman makes itself, as another user of the container, nobody here could remove.
    """
    for mount in mounts:
        if any(mount.target != one.target and mount.target.is_relative_to(one.target) for one in mounts):
            continue
        place = _place(scratch, mount.target)
        if not place.is_relative_to(scratch / "root") or (scratch / "root").exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            if mount.source.is_dir():
                place.mkdir(exist_ok=True)
            else:
                place.touch()


def _place(scratch: Path, target: Path) -> Path:
    """Return where a path of the container lies on this machine, under nothing that is mounted."""
    for name, inside in (("home", roots.HOME), ("tmp", roots.TEMPORARY)):
        if target.is_relative_to(inside):
            return scratch / name / target.relative_to(inside)
    return scratch / "root" / target.relative_to("/")


def _inner(call: Enclosed, places: Mapping[str, str] | None = None) -> list[str]:
    """Return the command with the call's environment and no other, whatever an engine adds."""
    places = places or {"HOME": roots.HOME, "TMPDIR": roots.TEMPORARY}
    values = {"PATH": SEARCH_PATH, **call.environment}
    given = [f"{name}={value}" for name, value in {**values, **places}.items()]
    return ["/usr/bin/env", "-i", *given, *call.command]
