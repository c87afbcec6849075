"""The engine that runs Snakemake on this machine."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from relance.engines import (
    environments,
    folders,
    gates,
    images,
    mounts,
    outcome,
    process,
    runtimes,
    slurm,
    snakemake,
    standin,
    substitutes,
)
from relance.engines.base import Capabilities, Watch
from relance.engines.gates import Answer, Gate
from relance.engines.process import Child
from relance.engines.progress import EventFile, Progress, Tracker
from relance.engines.shown import Shown
from relance.engines.snakemake import RunFolder
from relance.engines.substitutes import Substitute
from relance.errors import InputError
from relance.model import ImageRef, RunRequest, RunResult, Runtime, RuntimeKind
from relance.store import images as store_images
from relance.store.images import LocalImage


@dataclass(frozen=True)
class LocalEngine:
    """Runs the steps of an analysis on this machine, in the runtime that `prepare` chose."""

    runtime: Runtime
    images: tuple[ImageRef, ...]
    environments: tuple[environments.Environment, ...]
    """Where plain processes find their programs; unused by other runtimes."""
    outer: Mapping[str, str]
    """The environment variables of the caller, of which jobs see none."""
    shown: Shown = field(default_factory=Shown)
    """What jobs are shown of what nobody can keep."""
    substitutes: tuple[Substitute, ...] = ()
    """Images in the place of others; they are among `images`, too."""

    @property
    def capabilities(self) -> Capabilities:
        """What this engine can and can't do."""
        return Capabilities(remote=False, dry_run=True, runtimes=frozenset(RuntimeKind))

    def run(self, request: RunRequest, watch: Watch) -> RunResult:
        """Run the workflow to its end; see `Engine.run`.

        Raises:
            InputError: there is no Snakefile, or the analysis can't be written to.
        """
        with self.opened(request) as folder, self.starting(request, folder) as start:
            return start.run(watch)

    def reading(self, request: RunRequest, folder: RunFolder) -> list[str]:
        """Return the arguments with which Snakemake reads the graph of a request."""
        return snakemake.arguments(request, self.runtime.kind, folder, pulled=self._pulled(request))

    def _pulled(self, request: RunRequest) -> Path | None:
        return substitutes.folder(request.analysis) if self.substitutes else None

    @contextmanager
    def opened(self, request: RunRequest) -> Iterator[RunFolder]:
        """Make the folder of a run, with the values given for it, and hold it until the block ends.

        Raises:
            InputError: there is no Snakefile, or the analysis can't be written to.
        """
        snakemake.snakefile(request.analysis)
        folder = folders.new(request.analysis / ".snakemake" / "relance", str(request.analysis))
        with folders.held(folder.path):
            snakemake.write_settings(request, folder)
            yield folder

    @contextmanager
    def starting(self, request: RunRequest, folder: RunFolder) -> Iterator[Start]:
        """Start Snakemake, which loads beside what the block does, and waits until `Start.run` is called.

        Until then it reads nothing of the analysis but for `Start.read`. Without that call it is ended.

        Raises:
            InputError: the analysis can't be mounted into containers.
        """
        kind = self.runtime.kind
        try:
            self._install_stand_in(request, folder)
            if self.substitutes and kind is RuntimeKind.APPTAINER:
                substitutes.lay(request.analysis, self.substitutes)
            # Containers that begin at once would each make it, and fail where another was first.
            mounts.make_points(folder.scratch, [mounts.Mount(request.analysis, request.analysis)])
            with (
                gates.made(folder.gate) as gate,
                process.started(
                    snakemake.command(
                        request, kind, folder, gated=True, shown=self.shown, pulled=self._pulled(request)
                    ),
                    folder=request.analysis,
                    environment=snakemake.environment(self.outer, kind, folder),
                    console=folder.console,
                ) as child,
            ):
                yield Start(self, request, folder, gate, child)
        finally:
            for part in (folder.scratch, folder.programs):
                shutil.rmtree(part, ignore_errors=True)

    def finish(self, start: Start, watch: Watch) -> RunResult:
        """Open the gate and wait for the run's end; see `Start.run`."""
        started = time.monotonic()
        tracker = Tracker()
        events = EventFile(start.folder.events)

        def beat() -> None:
            for event in events.new():
                tracker.update(event)
            watch.progress(tracker.progress)

        start.gate.open()
        ending = start.child.attend(beat, watch.stop)
        if ending.stopped_by is not None or ending.killed:
            self._tidy(start, tracker.progress, killed=ending.killed)
        seconds = time.monotonic() - started
        return outcome.result(
            start.request, self.runtime.kind, start.folder, ending=ending, tracker=tracker, seconds=seconds
        )

    def _install_stand_in(self, request: RunRequest, folder: RunFolder) -> None:
        kind = self.runtime.kind
        for name in ("home", "tmp"):
            (folder.scratch / name).mkdir(parents=True)
        plain = kind is RuntimeKind.PLAIN
        programs = {environment.name: str(environment.programs) for environment in self.environments}
        targets = {
            written: programs[image.name] if plain else str(image.config)
            for image in self.images
            for written in image.written
            if (image.name in programs if plain else image.config is not None)
        }
        stand_in = standin.StandIn(
            runtime=self.runtime,
            program=None if plain else runtimes.program(kind),
            folder=request.analysis,
            scratch=folder.scratch,
            label=_label(folder),
            environment=snakemake.JOB_ENVIRONMENT,
            images=targets,
            memory=folder.memory,
        )
        mounts = self.shown.linked(folder.scratch) if self.shown.mounts else ()
        stand_in = replace(
            stand_in,
            environment={**stand_in.environment, **(self.shown.plain if plain else self.shown.variables)},
            options=tuple(word for one in mounts for word in ("--volume", f"{one.source}:{one.target}:ro")),
            network="host" if self.shown.network else "none",
        )
        standin.install(stand_in, folder.programs)

    def _tidy(self, start: Start, progress: Progress, *, killed: bool) -> None:
        """Remove what an interrupted run may have left: containers, half-written outputs, locks."""
        request, folder, kind = start.request, start.folder, self.runtime.kind
        if request.slurm is not None:
            slurm.end(folder)
        if kind in {RuntimeKind.PODMAN, RuntimeKind.DOCKER}:
            program = str(runtimes.program(kind))
            left = runtimes.ask(
                [program, "ps", "--all", "--quiet", "--filter", f"label={_label(folder)}"]
            ).stdout.split()
            if left:
                runtimes.ask([program, "rm", "--force", *left])
        # A step that the signal ended counts as failed, and Snakemake stops before it removes its outputs.
        for step in (*progress.running, *progress.failed):
            for output in step.outputs:
                folders.remove(request.analysis / output)
        if killed:
            unlocking = [*snakemake.command(request, kind, folder), "--unlock"]
            environment = snakemake.environment(self.outer, kind, folder)
            subprocess.run(unlocking, cwd=request.analysis, env=environment, capture_output=True, check=False)


@dataclass(frozen=True)
class Start:
    """A Snakemake that was started and waits at its gate."""

    engine: LocalEngine
    request: RunRequest
    folder: RunFolder
    gate: Gate
    child: Child

    def read(self, command: Sequence[str]) -> Answer:
        """Let a copy of it read the graph, which saves another one's start; nothing runs.

        command: as `snakemake.observed` gives it.
        """
        return self.gate.ask(snakemake.words(command), lambda: self.child.process.poll() is None)

    def run(self, watch: Watch) -> RunResult:
        """Let it run the workflow to its end; once."""
        return self.engine.finish(self, watch)


def _label(folder: RunFolder) -> str:
    """Return the label of a run's containers."""
    return f"relance.run={folder.path.name}"


def prepare(
    analysis: Path,
    wanted: RuntimeKind | None,
    *,
    outer: Mapping[str, str],
    cache: Path,
    load: Callable[[RuntimeKind, LocalImage], object],
    say: Callable[[str], None],
    make: bool = True,
    shown: Shown | None = None,
    among: Sequence[RuntimeKind] = tuple(RuntimeKind),
    instead: Sequence[Substitute] = (),
) -> LocalEngine:
    """Choose a runtime for an analysis and make ready what it needs.

    Args:
        analysis: folder that holds the Snakefile.
        wanted: the runtime to use, or None for the best that works.
        outer: environment variables of the caller.
        cache: folder for environments if the analysis's own can't be written to.
        load: gives Podman or Docker an image that was built here; raises a RelanceError if it can't.
        say: told what is done in place of something better, and what takes long.
        make: whether images are really loaded and environments made (a dry run needs none).
        shown: what jobs are shown of what nobody can keep; None: nothing.
        among: the runtimes to choose from, best first; the last is plain.
        instead: images in the place of those that rules name.

    Raises:
        InputError: there is no Snakefile, or the wanted runtime isn't one of `among`.
        MissingPartError: the wanted runtime can't be used, or an environment can't be made.
    """
    snakemake.snakefile(analysis)
    if wanted is not None and wanted not in among:
        raise InputError(
            f"--runtime {wanted}",
            expected=" or ".join(among),
            found=wanted,
            next_step="its images are those of one machine: take another, or leave '--on' out",
        )
    known = (*images.of_analysis(analysis), *(one.reference for one in instead))
    supply = _supplier(analysis, instead, load, say) if make else _nothing
    runtime, absences = runtimes.choose(wanted, lambda kind: runtimes.find(kind, known, supply), among)
    for absence in absences:
        say(f"{absence.kind} can't be used: {absence.reason}; {absence.remedy}")
    if runtime.remark:
        say(f"{runtime.kind}: {runtime.remark}")
    locked = environments.of_analysis(analysis, environments.root_for(analysis, cache))
    if runtime.kind is RuntimeKind.PLAIN:
        for environment in locked if make else ():
            environments.make(environment, say)
    used = substitutes.for_runtime(runtime.kind, instead)
    return LocalEngine(runtime, known, locked, outer, shown or Shown(), used)


def _supplier(
    analysis: Path,
    instead: Sequence[Substitute],
    load: Callable[[RuntimeKind, LocalImage], object],
    say: Callable[[str], None],
) -> runtimes.Supply:
    built = {**store_images.known(analysis).local, **{one.written: one.local for one in instead}}

    def supply(kind: RuntimeKind, image: ImageRef) -> None:
        say(f"loading the image '{image.name}' into {kind.capitalize()} (once)")
        load(kind, built[image.name])

    return supply


def _nothing(_kind: RuntimeKind, _image: ImageRef) -> None:
    """Load nothing."""
