"""A run watched until it is over: states of the run and its jobs, and what is new in the logs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from relance.engines.reana.client import Client
from relance.engines.reana.model import Logs, State


@dataclass(frozen=True)
class News:
    """What is new since the last look."""

    state: State | None = None
    """If it changed."""
    step: str = ""
    """The job that says something; empty: the engine."""
    status: str = ""
    """The job's, if it changed."""
    text: str = ""
    """Whole lines, as the job said them."""


def follow(client: Client, workflow: str, *, interval: float = 5.0, logs: bool = True) -> Iterator[News]:
    """Give news of a run until it is over, all logs included.

    interval: seconds between two looks. Dropped connections are tried again as for every request.

    Raises:
        RefusedError: there is no such run, or it isn't the user's.
        UnreachableError: the server is gone for good; following again goes on.
    """
    seen = _Seen()
    before: State | None = None
    while True:
        # The state first: what was said before it was over is then in the logs.
        state = client.state(workflow)
        if before is None or (state.status, state.progress) != (before.status, before.progress):
            yield News(state=state)
            before = state
        if logs:
            yield from seen.news(client.logs(workflow), over=state.status.over)
        if state.status.over:
            return
        client.session.pause(interval)


class _Seen:
    """What was told of each job already."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._states: dict[str, str] = {}

    def news(self, logs: Logs, *, over: bool) -> Iterator[News]:
        for job in logs.jobs:
            if job.status and self._states.get(job.id) != job.status:
                self._states[job.id] = job.status
                yield News(step=job.name, status=job.status)
            if text := self._new(job.id, job.text, over=over):
                yield News(step=job.name, text=text)
        if text := self._new("", logs.engine, over=over):
            yield News(text=text)

    def _new(self, key: str, text: str, *, over: bool) -> str:
        """Return the whole lines that are new; logs that begin otherwise than before are told again."""
        told = self._texts.get(key, "")
        ready = text if over else text[: text.rfind("\n") + 1]
        if not ready.startswith(told):
            told = ""
        self._texts[key] = ready
        return ready[len(told) :]
