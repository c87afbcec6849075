"""A run watched from the command line until it is over."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import click

from relance.cli.reana import telling
from relance.errors import AnalysisError

if TYPE_CHECKING:
    from relance.engines.reana.client import Client
    from relance.engines.reana.model import State


def watched(
    client: Client,
    workflow: str,
    interval: float,
    *,
    logs: bool,
    quiet: bool,
    steps: Collection[str] = (),
) -> State:
    """Show the news of a run until it is over, and return how it ended.

    steps: those whose news are shown; none: all, and the engine's.
    """
    from relance.engines.reana import following

    state: State | None = None
    last = ""
    try:
        for news in following.follow(client, workflow, interval=interval, logs=logs):
            if news.state is not None:
                state = news.state
                if not quiet:
                    click.echo(f"relance: {telling.line(state)}", err=True)
            if news.state is None and steps and news.step not in steps:
                continue
            if news.status and not quiet:
                click.echo(f"relance: {news.step}: {news.status}", err=True)
            if news.text and not quiet:
                if news.step != last:
                    click.echo(f"--- {news.step or 'engine'}")
                    last = news.step
                click.echo(news.text, nl=news.text[-1:] != "\n")
    except BaseException:
        click.echo(f"relance: the run goes on; follow it: relance reana logs --follow {workflow}", err=True)
        raise
    return state or client.state(workflow)


def failed(client: Client, state: State) -> AnalysisError:
    """Return the error for a run that did not finish, with the names of the jobs that failed."""
    jobs = [job.name for job in client.logs(state.workflow.id).jobs if job.status == "failed"]
    return AnalysisError(
        f"run {state.workflow.name}",
        expected="status finished",
        found=f"status {state.status}" + (f"; failed: {', '.join(sorted(set(jobs)))}" if jobs else ""),
        next_step=f"see 'relance reana logs {state.workflow.name}'",
    )
