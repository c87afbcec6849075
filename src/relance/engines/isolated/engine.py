"""Runs the workflow of a work folder: Snakemake and its jobs see that folder and no other of the machine."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import Signals

from relance.engines import folders, gates, leavings, outcome, process, snakemake
from relance.engines.base import Capabilities, Watch
from relance.engines.isolated.enclosure import Enclosure
from relance.engines.isolated.start import Said, Start
from relance.engines.mounts import Mount
from relance.engines.process import Patience
from relance.engines.sandbox import client
from relance.engines.snakemake import RunFolder
from relance.model import RunRequest, RunResult, RuntimeKind

# What Snakemake would tidy up is tidied up after it: so it need not be waited for.
_PATIENCE = Patience(interrupt=1.5, terminate=0.5)
_LEAVING = 2.5  # seconds in which a container that isn't needed comes to its gate and ends


@dataclass(frozen=True)
class IsolatedEngine(Enclosure):
    """Runs workflows in an enclosure.

    What a workflow leaves there is made safe to look at before anything of it is read.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What this engine can and can't do."""
        return Capabilities(remote=False, dry_run=True, runtimes=frozenset(RuntimeKind))

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
        self.check(request.analysis)
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
        self.check(analysis, scratch)
        folder = folders.new(self.runs, str(analysis))
        mounts = [Mount(scratch, scratch, writable=True), *(Mount(path, path) for path in shown)]
        call = self.call(command, analysis, folder, mounts)
        latest = time.monotonic() + timeout
        guard = self.guard(analysis)
        with folders.held(folder.path):
            try:
                self.install(folder)
                self.sandbox.prepare(call)
                ending = process.run(
                    self.bounded(self.sandbox.command(call), guard),
                    folder=self.beginning(analysis),
                    environment=client.environment(self.outer),
                    console=folder.console,
                    beat=lambda: None,
                    stop=lambda: Signals.SIGKILL if time.monotonic() > latest or guard.watch() else None,
                )
                said = Said(ending.status, leavings.printable(outcome.last_lines(folder.console)))
            finally:
                self.remove(call)
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
        call = self.prepared(line, request, folder)
        guard = self.guard(request.analysis)
        with (
            self.broking(request, folder, call, guard) as jobs,
            gates.made(folder.gate) as gate,
            process.started(
                self.bounded(self.sandbox.command(call), guard),
                folder=self.beginning(request.analysis),
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
