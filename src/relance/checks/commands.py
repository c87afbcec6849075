"""Commands, in whatever language a workflow is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from relance.checks import shell
from relance.checks.files import Files
from relance.checks.finding import Finding, Place, Target


@dataclass(frozen=True)
class Command:
    """A command for a shell, as it is written."""

    text: str
    place: Place
    """Where it begins."""
    subject: str
    """Whose it is, such as `rule fit`."""
    safe: bool = False
    """Whether its engine sets `pipefail`."""


def check(command: Command, files: Files, target: Target | None) -> Iterator[Finding]:
    """Give what of a command goes wrong in silence, or on a target."""
    if target is Target.REANA:
        yield from _refused(command, files)
    written = shell.password(command.text)
    if written is not None:
        yield Finding(
            "RL601",
            files.near(command.place, command.text, written),
            command.subject,
            expected="no passwords in commands",
            found="one that is written out (it isn't shown)",
            next_step="take it out, and have it changed; give it as a secret of REANA, or a ticket",
        )
    if home := shell.reads_home(command.text):
        yield Finding(
            "RL313",
            files.near(command.place, command.text, home[0]),
            command.subject,
            expected="a path that is the same whoever runs the image",
            found=f"'{home[1]}'; the home folder of a job is another in each runtime, and empty in most",
            next_step="name it by its path in the image, such as /home/atlas/release_setup.sh",
        )
    at = shell.hidden_failure(command.text)
    if at is not None and (target is Target.REANA or not command.safe):
        yield Finding(
            "RL305",
            files.near(command.place, command.text, at),
            command.subject,
            expected="'set -o pipefail' before the pipe",
            found="a pipe whose status is that of its last command",
            next_step="begin with 'set -euo pipefail;', in bash, or write to a file and read that",
        )


def _refused(command: Command, files: Files) -> Iterator[Finding]:
    text = command.text
    if root := shell.needs_root(text):
        yield Finding(
            "RL306",
            files.near(command.place, text, root[0]),
            command.subject,
            expected="a command for user 1000",
            found=f"'{root[1]}'",
            next_step="do it when the image is built",
        )
    if sudo := shell.asks_sudo(text):
        yield Finding(
            "RL307",
            files.near(command.place, text, sudo[0]),
            command.subject,
            expected="a command without sudo",
            found="'sudo'",
            next_step="do it when the image is built",
        )
    if left := shell.leaves_workspace(text):
        yield Finding(
            "RL308",
            files.near(command.place, text, left[0]),
            command.subject,
            expected="a command that stays in the workspace",
            found=f"'{left[1]}'",
            next_step="name files there by their paths instead",
        )
