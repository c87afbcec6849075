"""The engine that runs a workflow that isn't trusted: Snakemake in a sandbox, each job in its image."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from signal import Signals

from relance.engines import (
    broker,
    environments,
    folders,
    gates,
    leavings,
    limits,
    mounts,
    outcome,
    process,
    runtimes,
    snakemake,
    standin,
)
from relance.engines.base import Capabilities, Watch
from relance.engines.broker import Broker
from relance.engines.gates import Gate
from relance.engines.jobs import Rules
from relance.engines.limits import USUAL, Guard, Limits
from relance.engines.mounts import Mount
from relance.engines.process import Child, Patience
from relance.engines.progress import EventFile, Tracker
from relance.engines.runtimes import Absence
from relance.engines.sandbox import client, finding, programs
from relance.engines.sandbox.kinds import Unconfined
from relance.engines.sandbox.model import Enclosed, Sandbox
from relance.engines.snakemake import RunFolder
from relance.errors import AnalysisError, MissingPartError, RelanceError
from relance.model import ImageRef, RunRequest, RunResult, Runtime, RuntimeKind

_LARGEST_GRAPH = 1 << 28  # bytes
_SOCKET = "broker"
# What Snakemake would tidy up is tidied up after it: so it need not be waited for.
_PATIENCE = Patience(interrupt=1.5, terminate=0.5)
_LEAVING = 5.0  # seconds in which a container that isn't needed comes to its gate and ends

MALFORMED = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What files that look like Snakemake's, but are not, can do to their reader."""


_NOT_TRUSTED = "plain processes see all of the machine"
_TRUST = "install Apptainer, Podman or Docker; or, if you trust the capsule as your own, give --trust"


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    status: int
    text: str
    """The last lines of what it printed."""


@dataclass(frozen=True)
class IsolatedEngine:
    """Runs the workflow of a work folder: Snakemake and its jobs see that folder and no other of the machine.

    What it leaves there is made safe to look at before anything of it is read.
    """

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
    def capabilities(self) -> Capabilities:
        """What this engine can and can't do."""
        return Capabilities(remote=False, dry_run=True, runtimes=frozenset(RuntimeKind))

    @property
    def trusted(self) -> bool:
        """Whether Snakemake runs on the machine itself."""
        return isinstance(self.sandbox, Unconfined)

    def run(self, request: RunRequest, watch: Watch) -> RunResult:
        """Run the workflow to its end; see `Engine.run`.

        Raises:
            InputError: there is no Snakefile, or a path can't be mounted.
            AnalysisError: the events are not Snakemake's, so nothing can be told of the run.
        """
        with self.starting(request) as start:
            return start.run(watch)

    @contextmanager
    def starting(self, request: RunRequest) -> Iterator[Start]:
        """Start Snakemake, which loads beside what the block does, and waits until `Start.run` is called.

        Until then it reads nothing of the analysis. Without that call it is ended, and leaves nothing.

        Raises:
            InputError: there is no Snakefile, or a path can't be mounted.
        """
        self._check(request.analysis)
        folder = folders.new(self.runs, str(request.analysis))
        ran = False
        with folders.held(folder.path):
            try:
                with self._start_in(folder, request) as start:
                    try:
                        yield start
                    finally:
                        ran = start.gate.opened
            finally:
                kept = (folder.scratch, folder.programs, folder.made) if ran else (folder.path,)
                for part in kept:
                    shutil.rmtree(part, ignore_errors=True)

    def enclosed(
        self,
        command: Sequence[str],
        analysis: Path,
        scratch: Path,
        *,
        timeout: float,
        shown: Sequence[Path] = (),
    ) -> Said:
        """Run a command of relance's own environment to its end, as Snakemake would be run, without jobs.

        Args:
            command: its words.
            analysis: the work folder, in which it runs.
            scratch: another folder that it can write to.
            timeout: seconds.
            shown: files that it can read.

        Raises:
            TimeoutError: it took too long.
        """
        self._check(analysis, scratch)
        folder = folders.new(self.runs, str(analysis))
        mounts = [Mount(scratch, scratch, writable=True), *(Mount(path, path) for path in shown)]
        call = self._call(command, analysis, folder, mounts)
        latest = time.monotonic() + timeout
        guard = self._guard(analysis)
        with folders.held(folder.path):
            try:
                standin.install_caller(folder.programs / _SOCKET, self._written, folder.programs)
                self.sandbox.prepare(call)
                ending = process.run(
                    self._bounded(self.sandbox.command(call), guard),
                    folder=self._start(analysis),
                    environment=client.environment(self.outer),
                    console=folder.console,
                    beat=lambda: None,
                    stop=lambda: Signals.SIGKILL if time.monotonic() > latest or guard.watch() else None,
                )
                said = Said(ending.status, leavings.printable(outcome.last_lines(folder.console)))
            finally:
                self._remove(call)
                leavings.settle(analysis)
                leavings.settle(scratch)
                shutil.rmtree(folder.path, ignore_errors=True)
        if guard.problem is not None:
            raise guard.problem
        if ending.stopped_by is not None:
            raise TimeoutError(f"Snakemake took longer than {timeout:.0f} s")
        return said

    @contextmanager
    def _start_in(self, folder: RunFolder, request: RunRequest) -> Iterator[Start]:
        line = snakemake.command(request, self.runtime.kind, folder, enclosed=True, gated=True)
        call = self._prepare(line, request, folder)
        guard = self._guard(request.analysis)
        with (
            self._broker(request, folder, call, guard) as jobs,
            gates.made(folder.gate) as gate,
            process.started(
                self._bounded(self.sandbox.command(call), guard),
                folder=self._start(request.analysis),
                environment=client.environment(self.outer),
                console=folder.console,
                patience=_PATIENCE,
            ) as child,
        ):
            try:
                yield Start(self, request, folder, call, jobs, gate, child, guard)
            finally:
                if not gate.opened and self.sandbox.removal(call.name):
                    # Rather than kill the client of a container that is being made. What is left nevertheless
                    # the broker removes, since nobody tells it of an orderly end.
                    gate.give_up()
                    child.leave(_LEAVING)

    def finish(self, start: Start, watch: Watch) -> RunResult:
        """Open the gate and wait for the run's end; see `Start.run`."""
        request, folder = start.request, start.folder
        started = time.monotonic()
        tracker = Tracker()
        events = EventFile(folder.events)
        malformed: list[Exception] = []

        def beat() -> None:
            if malformed:
                return
            try:
                for event in events.new():
                    tracker.update(leavings.printable(event))
                watch.progress(tracker.progress)
            except MALFORMED as error:
                malformed.append(error)

        def stop() -> Signals | None:
            asked = Signals.SIGTERM if malformed else watch.stop()
            if start.guard.watch():
                asked = Signals.SIGKILL  # who takes too much would go on taking
            if asked is not None:
                start.jobs.end()
            return asked

        start.gate.open()
        ending = start.child.attend(beat, stop)
        start.jobs.wait()
        cut_short = ending.stopped_by is not None or ending.killed
        if cut_short:
            self._remove(start.call)
        removed = leavings.settle(request.analysis)
        leavings.taken(folder.made / folder.graph.name, folder.graph, _LARGEST_GRAPH)
        if malformed:
            raise not_snakemakes(folder, malformed[0])
        if cut_short:
            # A step that the signal ended counts as failed; Snakemake stops before it removes its outputs.
            for step in (*tracker.progress.running, *tracker.progress.failed):
                for output in step.outputs:
                    leavings.remove(request.analysis / output, request.analysis)
            # A second signal can keep Snakemake from removing its lock.
            leavings.remove(request.analysis / ".snakemake" / "locks", request.analysis)
        _note_removed(folder, removed)
        if start.guard.problem is not None:
            raise start.guard.problem
        result = outcome.result(
            request,
            self.runtime.kind,
            folder,
            ending=ending,
            tracker=tracker,
            seconds=time.monotonic() - started,
        )
        return replace(result, message=leavings.printable(result.message))

    def _prepare(self, line: Sequence[str], request: RunRequest, folder: RunFolder) -> Enclosed:
        """Make all that a run needs in its folder."""
        for part in ("home", "tmp"):
            (folder.scratch / part).mkdir(parents=True)
        shown = (*self.outside, Mount(request.analysis, request.analysis))
        mounts.make_points(folder.scratch, shown)
        folder.made.mkdir()
        folder.events.touch()
        snakemake.write_settings(request, folder)
        standin.install_caller(folder.programs / _SOCKET, self._written, folder.programs)
        own = [Mount(folder.events, folder.events, writable=True)]
        own += [Mount(folder.made, folder.made, writable=True)]
        own += [Mount(folder.settings, folder.settings)] if request.settings else []
        call = self._call(line, request.analysis, folder, own)
        self.sandbox.prepare(call)
        return call

    @contextmanager
    def _broker(
        self, request: RunRequest, folder: RunFolder, call: Enclosed, guard: Guard
    ) -> Iterator[Broker]:
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

    def _call(
        self, command: Sequence[str], analysis: Path, folder: RunFolder, mounts: Sequence[Mount]
    ) -> Enclosed:
        path = f"{folder.programs}:{programs.SEARCH_PATH}"
        own = [Mount(analysis, analysis, writable=True), Mount(folder.programs, folder.programs)]
        return Enclosed(
            command=tuple(command),
            folder=analysis,
            mounts=(*self._programs(), *self.outside, *own, *mounts),
            environment={
                "PATH": path,
                "LANG": "C.UTF-8",
                "USER": "relance",
                "RELANCE_RUNTIME": self.runtime.kind.value,
            },
            scratch=folder.scratch / "snakemake",
            name=f"relance-{folder.path.name}",
        )

    def _programs(self) -> tuple[Mount, ...]:
        return () if self.trusted else programs.mounts(Path(self.outer.get("HOME", "/nonexistent")))

    @property
    def _written(self) -> list[str]:
        return [written for image in self.images for written in image.written]

    def _targets(self) -> dict[str, str]:
        """Return what is run for each name of an image."""
        kind = self.runtime.kind
        programs = {made.name: str(made.programs) for made in self.environments}
        found: dict[str, str] = {}
        for image in self.images:
            if kind is RuntimeKind.APPTAINER:
                target = str(image.runtime_path) if image.runtime_path else None
            elif kind is RuntimeKind.PLAIN:
                target = programs.get(image.name)
            else:
                target = str(image.config) if image.config else None
            if target is not None:
                found.update(dict.fromkeys(image.written, target))
        return found

    def _guard(self, analysis: Path) -> Guard:
        return Guard(limits.UNLIMITED if self.trusted else self.limits, lambda: limits.read(analysis))

    def _bounded(self, line: list[str], guard: Guard) -> list[str]:
        return line if self.trusted else limits.bounded(guard.limits, line)

    def _check(self, analysis: Path, *others: Path) -> None:
        if not self.trusted or self.runtime.kind is not RuntimeKind.PLAIN:
            mounts.check([analysis, self.runs, *others])

    def _start(self, analysis: Path) -> Path:
        """Return the folder that the sandbox's own program is started in."""
        return analysis if self.trusted else Path("/")

    def _remove(self, call: Enclosed) -> None:
        removal = self.sandbox.removal(call.name)
        if removal is not None:
            subprocess.run(removal, env=client.environment(self.outer), capture_output=True, check=False)


@dataclass(frozen=True)
class Start:
    """A Snakemake that was started and waits at its gate."""

    engine: IsolatedEngine
    request: RunRequest
    folder: RunFolder
    call: Enclosed
    jobs: Broker
    gate: Gate
    child: Child
    guard: Guard

    @property
    def reads(self) -> bool:
        """Whether it can be asked for the graph: not if it isn't trusted, for what is left then runs on."""
        return self.engine.trusted

    def read(self, command: Sequence[str]) -> Said:
        """Let a copy of it read the graph, which saves another one's start; nothing runs.

        command: as `snakemake.observed` gives it.
        """
        answer = self.gate.ask(snakemake.words(command), lambda: self.child.process.poll() is None)
        leavings.settle(self.request.analysis)
        return Said(answer.status, leavings.printable(answer.said))

    def run(self, watch: Watch) -> RunResult:
        """Let it run the workflow to its end; once.

        Raises:
            AnalysisError: the events are not Snakemake's, so nothing can be told of the run.
        """
        return self.engine.finish(self, watch)


def answering(kind: RuntimeKind) -> Runtime | None:
    """Return an engine of this machine if it answers."""
    found = runtimes.find(kind, (), _supply_nothing)
    return found if isinstance(found, Runtime) else None


def prepare(
    images: Callable[[RuntimeKind], tuple[ImageRef, ...]],
    runs: Path,
    *,
    wanted: RuntimeKind | None,
    trusted: bool,
    outer: Mapping[str, str],
    outside: tuple[Mount, ...] = (),
    locked: tuple[environments.Environment, ...] = (),
    bounds: Limits = USUAL,
    say: Callable[[str], None],
) -> IsolatedEngine:
    """Choose a runtime for jobs and a sandbox for Snakemake.

    Args:
        images: makes the images ready for a runtime and returns them; raises a RelanceError if it can't.
        runs: folder for the runs' own folders.
        wanted: what jobs run in, or None for the first that works.
        trusted: whether Snakemake runs on the machine itself.
        outer: the caller's environment variables.
        outside: raw inputs elsewhere.
        locked: environments for plain processes, which only what is trusted can run in.
        bounds: what a run may take of this machine, unless it is trusted.
        say: told what is done in place of something better, and what takes long.

    Raises:
        MissingPartError: there is no such runtime, or no sandbox.
    """
    with ThreadPoolExecutor(1) as pool:
        # Most often jobs run in what is tried first, so that Snakemake's sandbox can be tried beside it.
        found = None if trusted else pool.submit(finding.find, wanted, answering, outer)
        runtime, chosen = choose(images, wanted, trusted=trusted, say=say)
    if runtime.kind is RuntimeKind.PLAIN:
        for environment in locked:
            environments.make(environment, say)
    box: Sandbox = found.result() if found else Unconfined()
    if not trusted and box.kind not in {runtime.kind, RuntimeKind.PLAIN}:
        box = finding.find(runtime.kind, answering, outer)
    return IsolatedEngine(runtime, box, chosen, runs, outer, outside, locked, bounds)


def choose(
    images: Callable[[RuntimeKind], tuple[ImageRef, ...]],
    wanted: RuntimeKind | None,
    *,
    trusted: bool,
    say: Callable[[str], None],
) -> tuple[Runtime, tuple[ImageRef, ...]]:
    """Return what jobs run in, and the images made ready for it; see `prepare`.

    Raises:
        MissingPartError: the wanted runtime can't be used, or none can.
    """
    ready: dict[RuntimeKind, tuple[ImageRef, ...]] = {}

    def find(kind: RuntimeKind) -> Runtime | Absence:
        if kind is RuntimeKind.PLAIN:
            ready[kind] = images(kind) if trusted else ()
            return Runtime(kind, "") if trusted else Absence(kind, _NOT_TRUSTED, _TRUST)
        found = runtimes.find(kind, (), _supply_nothing)
        if isinstance(found, Absence):
            return found
        try:
            ready[kind] = images(kind)
        except RelanceError as error:
            return Absence(kind, f"{error.subject}: found {error.found}", error.next_step)
        return runtimes.find(kind, ready[kind], _supply_nothing)

    absences: list[Absence] = []
    for kind in [wanted] if wanted else RuntimeKind:
        found = find(kind)
        if isinstance(found, Runtime):
            for absence in absences:
                say(f"{absence.kind} can't be used: {absence.reason}; {absence.remedy}")
            if found.remark:
                say(f"{found.kind}: {found.remark}")
            return found, ready[kind]
        absences.append(found)
    raise MissingPartError(
        "the jobs can't run in their images",
        expected=f"a working {wanted.capitalize()}" if wanted else "Apptainer, Podman or Docker",
        found="; ".join(f"{absence.kind}: {absence.reason}" for absence in absences),
        next_step=absences[0].remedy,
    )


def _supply_nothing(_kind: RuntimeKind, _image: ImageRef) -> None:
    """Do nothing: the images were made ready before."""


def not_snakemakes(folder: RunFolder, error: Exception) -> AnalysisError:
    """Return the error that says that a run's events or graph are forged."""
    return AnalysisError(
        "nothing can be told of the run",
        expected="events as Snakemake writes them",
        found=f"others ({type(error).__name__}), as only a workflow does that hides something",
        next_step=f"read {folder.events} and {folder.console}; don't trust the workflow",
    )


def _note_removed(folder: RunFolder, removed: Sequence[str]) -> None:
    """Say in the console's record what was removed, since it led out of the work folder."""
    if removed:
        with folder.console.open("a", encoding="utf-8") as stream:
            for path in removed:
                stream.write(f"relance: removed {path!r}: it led out of the work folder\n")
