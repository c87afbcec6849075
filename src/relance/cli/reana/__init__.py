"""`relance reana`: submit an analysis to a REANA server, follow it, and fetch what it made."""

from __future__ import annotations

import click

from relance.cli.reana import change, fetch, options, rehearse, removing, secrets, status, submit


@click.group(epilog=options.SERVER_HELP)
def reana() -> None:
    """Run an analysis on a REANA server, and fetch what it made."""


for _command in (
    submit.submit,
    rehearse.rehearse,
    status.tell_status,
    status.list_runs,
    status.logs,
    status.files,
    fetch.fetch,
    change.restart,
    change.stop,
    removing.delete,
    removing.prune,
    change.tell_difference,
    secrets.secrets,
):
    reana.add_command(_command)
