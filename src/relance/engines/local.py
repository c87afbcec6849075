"""The engine that runs Snakemake on this machine."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from relance.engines import environments, images, process, runtimes, snakemake, standin
from relance.engines.base import Capabilities, Watch
from relance.engines.progress import EventFile, Progress, Tracker
from relance.errors import InputError
from relance.model import ImageRef, RunRequest, RunResult, RunStatus, Runtime, RuntimeKind
from relance.store import images as store_images
from relance.store.images import LocalImage

_WHERE = re.compile(r'^\w+ in file "(?P<file>.+)", line (?P<line>\d+):\n')
_FRAME = re.compile(r'\n  File ".+", line \d+, in .+')
_SAYS_NOTHING = re.compile(
    r"^(?:Exiting because a job execution failed.*|At least one job did not complete.*)"
)
_LAST_LINES = 15
_RECORDS_KEPT = 20
_MARK = "lock"
_BEGINNING = 60.0  # seconds in which a run that begins has marked its folder


@dataclass(frozen=True)
class LocalEngine:
    """Runs the steps of an analysis on this machine, in the runtime that `prepare` chose."""

    runtime: Runtime
    images: tuple[ImageRef, ...]
    environments: tuple[environments.Environment, ...]
    """Where plain processes find their programs; unused by other runtimes."""
    outer: Mapping[str, str]
    """The environment variables of the caller, of which jobs see none."""

    @property
    def capabilities(self) -> Capabilities:
        """What this engine can and can't do."""
        return Capabilities(remote=False, dry_run=True, runtimes=frozenset(RuntimeKind))

    def run(self, request: RunRequest, watch: Watch) -> RunResult:
        """Run the workflow to its end; see `Engine.run`.

        Raises:
            InputError: there is no Snakefile, or the analysis can't be written to.
        """
        started = time.monotonic()
        snakemake.snakefile(request.analysis)
        folder = _new_folder(request.analysis)
        with _held(folder.path):
            return self._run_in(folder, request, watch, started)

    def _run_in(
        self, folder: snakemake.RunFolder, request: RunRequest, watch: Watch, started: float
    ) -> RunResult:
        label = f"relance.run={folder.path.name}"
        tracker = Tracker()
        events = EventFile(folder.events)

        def beat() -> None:
            for event in events.new():
                tracker.update(event)
            watch.progress(tracker.progress)

        try:
            self._install_stand_in(request, folder, label)
            snakemake.write_settings(request, folder)
            kind = self.runtime.kind
            ending = process.run(
                snakemake.command(request, kind, folder),
                folder=request.analysis,
                environment=snakemake.environment(self.outer, kind, folder),
                console=folder.console,
                beat=beat,
                stop=watch.stop,
            )
            if ending.stopped_by is not None or ending.killed:
                self._tidy(request, folder, label, tracker.progress, killed=ending.killed)
        finally:
            for part in (folder.scratch, folder.programs):
                shutil.rmtree(part, ignore_errors=True)
        return self._result(request, folder, ending, tracker, time.monotonic() - started)

    def _install_stand_in(self, request: RunRequest, folder: snakemake.RunFolder, label: str) -> None:
        kind = self.runtime.kind
        for name in ("home", "tmp"):
            (folder.scratch / name).mkdir(parents=True)
        if kind is RuntimeKind.APPTAINER:
            standin.check_mountable(kind, request.analysis)
            return
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
            label=label,
            environment=snakemake.JOB_ENVIRONMENT,
            images=targets,
        )
        standin.install(stand_in, folder.programs)

    def _tidy(
        self,
        request: RunRequest,
        folder: snakemake.RunFolder,
        label: str,
        progress: Progress,
        *,
        killed: bool,
    ) -> None:
        """Remove what an interrupted run may have left: containers, half-written outputs, locks."""
        kind = self.runtime.kind
        if kind in {RuntimeKind.PODMAN, RuntimeKind.DOCKER}:
            program = str(runtimes.program(kind))
            left = runtimes.ask(
                [program, "ps", "--all", "--quiet", "--filter", f"label={label}"]
            ).stdout.split()
            if left:
                runtimes.ask([program, "rm", "--force", *left])
        # A step that the signal ended counts as failed, and Snakemake stops before it removes its outputs.
        for step in (*progress.running, *progress.failed):
            for output in step.outputs:
                _remove(request.analysis / output)
        if killed:
            unlocking = [*snakemake.command(request, kind, folder), "--unlock"]
            environment = snakemake.environment(self.outer, kind, folder)
            subprocess.run(unlocking, cwd=request.analysis, env=environment, capture_output=True, check=False)

    def _result(
        self,
        request: RunRequest,
        folder: snakemake.RunFolder,
        ending: process.Ending,
        tracker: Tracker,
        seconds: float,
    ) -> RunResult:
        progress = tracker.progress
        status = _status(ending, progress, dry=request.dry_run)
        message = "" if status in {RunStatus.OK, RunStatus.INTERRUPTED} else _message(tracker, folder)
        return RunResult(
            analysis=request.analysis,
            runtime=self.runtime.kind,
            status=status,
            message=message,
            steps_total=progress.total,
            steps_done=progress.done,
            failed=progress.failed if status is RunStatus.FAILED else (),
            seconds=round(seconds, 3),
            results=tracker.results,
            record=folder.path,
            uncontained=() if request.dry_run else snakemake.uncontained(request.analysis, progress.steps),
            planned=progress.steps if request.dry_run else (),
        )


def prepare(
    analysis: Path,
    wanted: RuntimeKind | None,
    *,
    outer: Mapping[str, str],
    cache: Path,
    load: Callable[[RuntimeKind, LocalImage], object],
    say: Callable[[str], None],
    make: bool = True,
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

    Raises:
        InputError: there is no Snakefile.
        MissingPartError: the wanted runtime can't be used, or an environment can't be made.
    """
    snakemake.snakefile(analysis)
    known = images.of_analysis(analysis)
    supply = _supplier(analysis, load, say) if make else _nothing
    runtime, absences = runtimes.choose(wanted, lambda kind: runtimes.find(kind, known, supply))
    for absence in absences:
        say(f"{absence.kind} can't be used: {absence.reason}; {absence.remedy}")
    if runtime.remark:
        say(f"{runtime.kind}: {runtime.remark}")
    locked = environments.of_analysis(analysis, environments.root_for(analysis, cache))
    if runtime.kind is RuntimeKind.PLAIN:
        if wanted is None:
            say("steps run as plain processes in locked environments, not in containers")
        for environment in locked if make else ():
            environments.make(environment, say)
    return LocalEngine(runtime, known, locked, outer)


def _supplier(
    analysis: Path, load: Callable[[RuntimeKind, LocalImage], object], say: Callable[[str], None]
) -> runtimes.Supply:
    built = store_images.known(analysis).local

    def supply(kind: RuntimeKind, image: ImageRef) -> None:
        say(f"loading the image '{image.name}' into {kind.capitalize()} (once)")
        load(kind, built[image.name])

    return supply


def _nothing(_kind: RuntimeKind, _image: ImageRef) -> None:
    """Load nothing."""


def _new_folder(analysis: Path) -> snakemake.RunFolder:
    parent = analysis / ".snakemake" / "relance"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _forget_old(parent)
        return snakemake.RunFolder(Path(tempfile.mkdtemp(prefix="run-", dir=parent)))
    except OSError as error:
        raise InputError(
            f"{analysis} can't be run in place",
            expected="a folder that you may write to",
            found=error.strerror or str(error),
            next_step="copy it to a folder of yours and run it there",
        ) from error


def _forget_old(parent: Path) -> None:
    """Remove all but the latest records, and what killed runs left; runs that go on hold their folders."""
    finished = [folder for folder in parent.glob("run-*") if not _is_held(folder)]
    for folder in finished:
        for left in ("scratch", "bin"):
            shutil.rmtree(folder / left, ignore_errors=True)
    finished.sort(key=lambda folder: folder.stat().st_mtime)
    for folder in finished[:-_RECORDS_KEPT]:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Mark a folder as that of a run that goes on; the mark is gone when this process is, however it ends."""
    with (folder / _MARK).open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _is_held(folder: Path) -> bool:
    try:
        with (folder / _MARK).open("r") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return time.time() - folder.stat().st_mtime < _BEGINNING
    except OSError:
        return True
    return False


def _status(ending: process.Ending, progress: Progress, *, dry: bool) -> RunStatus:
    if ending.stopped_by is not None:
        return RunStatus.INTERRUPTED
    if ending.status == 0:
        return RunStatus.OK
    return RunStatus.FAILED if progress.steps and not dry else RunStatus.REFUSED


def _message(tracker: Tracker, folder: snakemake.RunFolder) -> str:
    if any("cannot be locked" in text for text in tracker.errors):
        return (
            f"{folder.path.parents[2]} is in use by another run; if none is going on (one was killed, or the "
            "power failed), type 'relance run DIR -- --unlock' and run again"
        )
    said = [text.strip() for text in tracker.errors if not _SAYS_NOTHING.match(text.strip())]
    if said:
        own = str(folder.settings)
        text = "\n".join(
            _WHERE.sub(r"\g<file>:\g<line>: ", _FRAME.sub("", part)) for part in dict.fromkeys(said)
        )
        return re.sub(rf"{re.escape(own)}(?::\d+)?", "--set", text)
    with suppress(OSError):
        return "\n".join(folder.console.read_text("utf-8", "replace").splitlines()[-_LAST_LINES:])
    return ""


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            os.unlink(path)  # noqa: PTH108 - a name that may be gone already
