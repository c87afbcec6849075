"""Which sandbox works on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from relance.engines import roots
from relance.engines.mounts import Mount
from relance.engines.sandbox import client, programs
from relance.engines.sandbox.kinds import ApptainerSandbox, BubblewrapSandbox, EngineSandbox
from relance.engines.sandbox.model import Enclosed, Sandbox
from relance.errors import MissingPartError
from relance.model import Runtime, RuntimeKind

_PATIENCE = 60.0  # seconds that a trial may take
_LEAVING = 2.0  # seconds that an interrupted one may


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
    mounts = programs.mounts(Path(outer.get("HOME", "/nonexistent")))
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
    environment = client.environment(outer)
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
        done = _completed(candidate.command(call), client.environment(outer))
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    said = [line for line in done.stderr.splitlines() if line.strip()]
    return said[-1].strip() if said else f"exit status {done.returncode}"


def _completed(line: list[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a short command to its end, which also comes first when a signal ends this process.

    Else Docker would go on to make the container, and folders for what it shows that are gone by then.
    """
    with subprocess.Popen(
        line,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,  # Ctrl-C in the terminal isn't meant for it
    ) as process:
        try:
            out, said = process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        except BaseException:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_LEAVING)
            process.kill()
            raise
    return subprocess.CompletedProcess(line, process.returncode, out, said)
