"""What an untrusted workflow runs in: how a program is called there, bounded, and ended."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from relance.engines import broker, environments, limits, mounts, runtimes, snakemake, standin
from relance.engines.broker import Broker
from relance.engines.jobs import Rules
from relance.engines.limits import USUAL, Guard, Limits
from relance.engines.mounts import Mount
from relance.engines.sandbox import client, programs
from relance.engines.sandbox.kinds import Unconfined
from relance.engines.sandbox.model import Enclosed, Sandbox
from relance.engines.snakemake import RunFolder
from relance.model import ImageRef, RunRequest, Runtime, RuntimeKind

_SOCKET = "broker"


@dataclass(frozen=True)
class Enclosure:
    """A sandbox for Snakemake, and a runtime for its jobs."""

    runtime: Runtime
    """What jobs run in."""
    sandbox: Sandbox
    """What Snakemake runs in."""
    images: tuple[ImageRef, ...]
    """The images that rules may name; no other is run or fetched."""
    runs: Path
    """Folder of the runs' own folders, which nothing that runs can write to."""
    outer: Mapping[str, str]
    """The caller's environment variables, of which the workflow sees none."""
    outside: tuple[Mount, ...] = ()
    """Raw inputs elsewhere."""
    environments: tuple[environments.Environment, ...] = ()
    """Where plain processes find their programs; unused by other runtimes."""
    limits: Limits = USUAL
    """What a run may take of this machine, unless it is trusted."""

    @property
    def trusted(self) -> bool:
        """Whether Snakemake runs on the machine itself."""
        return isinstance(self.sandbox, Unconfined)

    def check(self, analysis: Path, *others: Path) -> None:
        """Refuse folders that can't be mounted.

        Raises:
            InputError: there is one.
        """
        if not self.trusted or self.runtime.kind is not RuntimeKind.PLAIN:
            mounts.check([analysis, self.runs, *others])

    def call(
        self, command: Sequence[str], analysis: Path, folder: RunFolder, more: Sequence[Mount]
    ) -> Enclosed:
        """Return how a command is called in a work folder, with `more` mounts than those that all have."""
        path = f"{folder.programs}:{programs.SEARCH_PATH}"
        own = [Mount(analysis, analysis, writable=True), Mount(folder.programs, folder.programs)]
        return Enclosed(
            command=tuple(command),
            folder=analysis,
            mounts=(*self._programs(), *self.outside, *own, *more),
            environment={
                "PATH": path,
                "LANG": "C.UTF-8",
                "USER": "relance",
                "RELANCE_RUNTIME": self.runtime.kind.value,
            },
            scratch=folder.scratch / "snakemake",
            name=f"relance-{folder.path.name}",
        )

    def install(self, folder: RunFolder) -> None:
        """Put the program that asks for jobs into a run's folder."""
        written = [written for image in self.images for written in image.written]
        standin.install_caller(folder.programs / _SOCKET, written, folder.programs)

    def prepared(self, line: Sequence[str], request: RunRequest, folder: RunFolder) -> Enclosed:
        """Make all that a run needs in its folder, and return how it is called."""
        for part in ("home", "tmp"):
            (folder.scratch / part).mkdir(parents=True)
        shown = (*self.outside, Mount(request.analysis, request.analysis))
        mounts.make_points(folder.scratch, shown)
        folder.made.mkdir()
        folder.events.touch()
        snakemake.write_settings(request, folder)
        self.install(folder)
        own = [Mount(folder.events, folder.events, writable=True)]
        own += [Mount(folder.made, folder.made, writable=True)]
        own += [Mount(folder.settings, folder.settings)] if request.settings else []
        call = self.call(line, request.analysis, folder, own)
        self.sandbox.prepare(call)
        return call

    @contextmanager
    def broking(
        self, request: RunRequest, folder: RunFolder, call: Enclosed, guard: Guard
    ) -> Iterator[Broker]:
        """Run jobs that the workflow asks for, during the block."""
        kind = self.runtime.kind
        rules = Rules(
            runtime=self.runtime,
            program="" if kind is RuntimeKind.PLAIN else str(runtimes.program(kind)),
            folder=str(request.analysis),
            run=str(folder.path),
            label=f"relance.run={folder.path.name}",
            environment=snakemake.JOB_ENVIRONMENT,
            images=self._targets(),
            mounts=tuple(f"{mount.source}:{mount.target}" for mount in self.outside),
            libraries=tuple(str(mount.target) for mount in self._programs()),
            hardened=not self.trusted,
        )
        with broker.broking(
            rules,
            folder.programs / _SOCKET,
            environment=client.environment(self.outer),
            left=self.sandbox.removal(call.name),
            log=folder.path / "broker.log",
            bounds=None if self.trusted else guard.limits,
        ) as jobs:
            yield jobs

    def guard(self, analysis: Path) -> Guard:
        """Return what watches how much a run takes."""
        return Guard(limits.UNLIMITED if self.trusted else self.limits, lambda: limits.read(analysis))

    def bounded(self, line: list[str], guard: Guard) -> list[str]:
        """Return a command line that can't take more than it may."""
        return line if self.trusted else limits.bounded(guard.limits, line)

    def beginning(self, analysis: Path) -> Path:
        """Return the folder that the sandbox's own program is started in."""
        return analysis if self.trusted else Path("/")

    def remove(self, call: Enclosed) -> None:
        """Remove the container of a call, if it has one."""
        removal = self.sandbox.removal(call.name)
        if removal is not None:
            subprocess.run(removal, env=client.environment(self.outer), capture_output=True, check=False)

    def _programs(self) -> tuple[Mount, ...]:
        return () if self.trusted else programs.mounts(Path(self.outer.get("HOME", "/nonexistent")))

    def _targets(self) -> dict[str, str]:
        """Return what is run for each name of an image."""
        kind = self.runtime.kind
        locked = {made.name: str(made.programs) for made in self.environments}
        found: dict[str, str] = {}
        for image in self.images:
            if kind is RuntimeKind.APPTAINER:
                target = str(image.runtime_path) if image.runtime_path else None
            elif kind is RuntimeKind.PLAIN:
                target = locked.get(image.name)
            else:
                target = str(image.config) if image.config else None
            if target is not None:
                found.update(dict.fromkeys(image.written, target))
        return found
