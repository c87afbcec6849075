"""The command line: the one place that prints, exits or reads the environment."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence

import click

from relance import __version__
from relance.cli import signals
from relance.cli.lazy import LazyGroup
from relance.errors import ExitCode, RelanceError

_COMMANDS = {
    "init": ("relance.cli.init", "init", "Draft the specification of an analysis."),
    "check": ("relance.cli.check", "check", "Say what would go wrong, before anything runs."),
    "run": ("relance.cli.run", "run", "Run an analysis on this machine."),
    "record": ("relance.cli.record", "record", "Record a run that has no record yet."),
    "runs": ("relance.cli.runs", "runs", "List recorded runs, or show one."),
    "capture": ("relance.cli.capture", "capture", "Make a capsule of an analysis and its last run."),
    "capsules": ("relance.cli.inspect", "capsules", "List the capsules of the store."),
    "inspect": ("relance.cli.inspect", "inspect", "Show what a capsule holds."),
    "verify": ("relance.cli.verify", "verify", "Check a capsule; run it again and compare."),
    "recast": ("relance.cli.recast", "recast", "Run a capsule again with another signal."),
    "checkout": ("relance.cli.checkout", "checkout", "Write a capsule's files into a folder."),
    "diff": ("relance.cli.diff", "diff", "Show what changed from one capsule to another."),
    "compare": ("relance.cli.compare", "compare", "Compare files or folders by what is in them."),
    "export": ("relance.cli.exporting", "export", "Write a capsule as one tar file."),
    "import": ("relance.cli.exporting", "import_", "Take a capsule from a tar file or an OCI layout."),
    "push": ("relance.cli.transfer", "push", "Push a capsule to a registry."),
    "pull": ("relance.cli.transfer", "pull", "Pull a capsule from a registry."),
    "approve": ("relance.cli.approve", "approve", "Note that somebody approves a capsule."),
    "reana": ("relance.cli.reana", "reana", "Run an analysis on a REANA server; fetch what it made."),
    "convert": ("relance.cli.convert", "convert", "Compile a yadage workflow to Snakemake."),
    "images": ("relance.cli.images", "images", "Build, take in, load, pin and list container images."),
    "store": ("relance.cli.store", "store", "Check, clean and measure the store."),
    "completion": ("relance.cli.completion", "completion", "Print the completion script of a shell."),
}


_MANY_OBJECTS = 100_000
"""After so many new objects Python looks for rubbish: a command makes many, and most stay to its end."""


@click.group(cls=LazyGroup, commands_at=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="relance", message="%(prog)s %(version)s")
def relance() -> None:
    """Preserve a particle-physics analysis, and run it again with another signal."""


def main() -> None:
    """Run the command line and exit with an `ExitCode`."""
    signals.raise_until_exit()
    status = run_command_line(sys.argv[1:])
    signals.ignore()
    gc.freeze()  # Python would look through all objects before it ends, which can take as long as the command
    sys.exit(status)


def run_command_line(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit status; errors are told on stderr, one message each."""
    gc.set_threshold(_MANY_OBJECTS)
    try:
        return relance.main(list(arguments), prog_name="relance", standalone_mode=False) or ExitCode.OK
    except click.ClickException as error:
        error.show()
        return ExitCode.BAD_INPUT
    except RelanceError as error:
        return _told(str(error), error.exit_code)
    except signals.Terminated:
        return _told("terminated; type the same command to go on", ExitCode.TERMINATED)
    except (KeyboardInterrupt, click.Abort):
        return _told("interrupted; type the same command to go on", ExitCode.INTERRUPTED)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _told(f"{place}{error.strerror or error}", ExitCode.MISSING_PART)


def _told(message: str, code: ExitCode) -> ExitCode:
    click.echo(f"error: {message}", err=True)
    return code
