"""Shows the progress of a run: live on a terminal, as lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

import click

from relance.engines.progress import Progress
from relance.model import StepProgress, StepState

Show = Callable[[Progress], None]


def duration(seconds: float) -> str:
    """Return a time as people say it: `0.4 s`, `42 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


@contextmanager
def showing(stream: TextIO, cores: int, *, quiet: bool) -> Iterator[Show]:
    """Give a function that shows each state of a run on `stream`."""
    if quiet:
        yield lambda _progress: None
    elif stream.isatty():
        with _live(stream, cores) as show:
            yield show
    else:
        yield Lines(stream, cores, time.time)


class Lines:
    """One line when a step starts and one when it ends."""

    def __init__(self, stream: TextIO, cores: int, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._cores = cores
        self._clock = clock
        self._done = 0
        self._shown: dict[tuple[int, float], StepState] = {}

    def __call__(self, progress: Progress) -> None:
        """Show what is new since the last call."""
        for step in progress.steps:
            key = (step.job, step.started)
            before = self._shown.get(key)
            if before is step.state:
                continue
            self._shown[key] = step.state
            if before is None:
                click.echo(f"{' ' * len(self._count(progress))} {step.name}", file=self._stream)
            if step.state is not StepState.RUNNING:
                click.echo(self._ending(step, progress), file=self._stream)

    def _ending(self, step: StepProgress, progress: Progress) -> str:
        taken = duration(step.seconds or 0.0)
        if step.state is StepState.FAILED:
            return f"{self._count(progress)} {step.name}: FAILED after {taken}"
        self._done += 1
        left = progress.seconds_left(self._clock(), self._cores)
        estimate = f"; about {duration(left)} left" if left else ""
        return f"{self._count(progress)} {step.name}: done in {taken}{estimate}"

    def _count(self, progress: Progress) -> str:
        return f"[{self._done:{len(str(progress.total))}d}/{progress.total}]"


@contextmanager
def _live(stream: TextIO, cores: int) -> Iterator[Show]:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    console = Console(file=stream)
    began = time.time()
    finished: set[tuple[int, float]] = set()

    with Live(console=console, refresh_per_second=4, transient=True) as live:

        def show(progress: Progress) -> None:
            now = time.time()
            for step in progress.steps:
                key = (step.job, step.started)
                if step.state is not StepState.RUNNING and key not in finished:
                    finished.add(key)
                    done = step.state is StepState.DONE
                    mark = Text("✓ ", "green") if done else Text("✗ ", "bold red")
                    live.console.print(mark + Text(f"{step.name}  {duration(step.seconds or 0.0)}"))
            left = progress.seconds_left(now, cores)
            row = Table.grid(padding=(0, 1))
            row.add_row(
                ProgressBar(total=progress.total or 1, completed=progress.done, width=30),
                f"{progress.done} of {progress.total} steps" if progress.total else "reading the workflow",
                duration(now - began),
                f"about {duration(left)} left" if left else "",
            )
            jobs = [
                Text(f"  {step.name}  {duration(now - step.started)}", "dim") for step in progress.running
            ]
            live.update(Group(*jobs, row))

        yield show
