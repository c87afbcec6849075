"""Options and arguments that several commands of `relance reana` have."""

from __future__ import annotations

import click

from relance.cli.reana import connecting

JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on standard output.")
QUIET = click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
RUN = click.argument("run", metavar="[RUN]", required=False)
NAMED = click.argument("run", metavar="RUN")
THREADS = click.option(
    "--threads", type=click.IntRange(1, 32), default=4, show_default=True, help="Files moved at once."
)
INTERVAL = click.option(
    "--interval",
    metavar="SECONDS",
    type=click.FloatRange(0.1, 3600),
    default=5.0,
    show_default=True,
    help="How often the server is asked.",
)
SERVER_HELP = f"The server is {connecting.SERVER}, the token {connecting.TOKEN}."
RUN_HELP = (
    "RUN is NAME, NAME.NUMBER or an identifier; left out, the run that was submitted last from this account. "
    f"{SERVER_HELP}"
)
