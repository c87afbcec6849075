"""A Snakemake that was started ahead: until it may go on, and from then on to the run's end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from signal import Signals

from relance.engines import leavings, outcome, snakemake
from relance.engines.base import Watch
from relance.engines.broker import Broker
from relance.engines.gates import Gate
from relance.engines.isolated.enclosure import Enclosure
from relance.engines.isolated.forged import MALFORMED, not_snakemakes
from relance.engines.limits import Guard
from relance.engines.process import Child
from relance.engines.progress import EventFile, Tracker
from relance.engines.sandbox.model import Enclosed
from relance.engines.snakemake import RunFolder
from relance.model import RunRequest, RunResult

_LARGEST_GRAPH = 1 << 28  # bytes


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    status: int
    text: str
    """The last lines of what it printed."""


@dataclass(frozen=True)
class Start:
    """A Snakemake that was started and waits at its gate."""

    enclosure: Enclosure
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
        return self.enclosure.trusted

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
        request, folder = self.request, self.folder
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
            if self.guard.watch():
                asked = Signals.SIGKILL  # who takes too much would go on taking
            if asked is not None:
                self.jobs.end()
            return asked

        self.gate.open()
        ending = self.child.attend(beat, stop)
        self.jobs.wait()
        cut_short = ending.stopped_by is not None or ending.killed
        if cut_short:
            self.enclosure.remove(self.call)
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
        if self.guard.problem is not None:
            raise self.guard.problem
        result = outcome.result(
            request,
            self.enclosure.runtime.kind,
            folder,
            ending=ending,
            tracker=tracker,
            seconds=time.monotonic() - started,
        )
        return replace(result, message=leavings.printable(result.message))


def _note_removed(folder: RunFolder, removed: Sequence[str]) -> None:
    """Say in the console's record what was removed, since it led out of the work folder."""
    if removed:
        with folder.console.open("a", encoding="utf-8") as stream:
            for path in removed:
                stream.write(f"relance: removed {path!r}: it led out of the work folder\n")
