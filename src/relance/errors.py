"""What can go wrong, said so that the reader knows what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the exit status of `relance` means; scripts may rely on these numbers."""

    OK = 0
    """Everything asked for was done."""
    FAILED = 1
    """The analysis itself failed: a step ended with an error or made no output."""
    BAD_INPUT = 2
    """Something given is wrong, isn't there or is refused: an option, a file, a name, a login."""
    MISSING_PART = 3
    """Something needed is missing or doesn't answer: a program, an image, disk space, a server."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C (128 + SIGINT)."""
    TERMINATED = 143
    """Stopped by SIGTERM (128 + SIGTERM)."""


class RelanceError(Exception):
    """The base of every error a user can cause or mend.

    Renders as ``SUBJECT: found FOUND, expected EXPECTED; NEXT STEP``. `also` holds further errors of the
    same kind found at the same time (such as the other wrong keys of a file), rendered one a line.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init__(
        self,
        subject: str,
        *,
        expected: str,
        found: str,
        next_step: str,
        also: tuple[RelanceError, ...] = (),
    ) -> None:
        super().__init__(subject)
        self.subject = subject
        self.expected = expected
        self.found = found
        self.next_step = next_step
        self.also = also

    def __str__(self) -> str:
        own = f"{self.subject}: found {self.found}, expected {self.expected}; {self.next_step}"
        return "\n".join([own, *map(str, self.also)])


class AnalysisError(RelanceError):
    """The analysis failed while it ran."""

    exit_code = ExitCode.FAILED


class InputError(RelanceError):
    """What the user gave is wrong; nothing was run."""

    exit_code = ExitCode.BAD_INPUT


class MissingPartError(RelanceError):
    """This machine lacks a program, an image or a resource that is needed."""

    exit_code = ExitCode.MISSING_PART


def named(names: Sequence[str], most: int = 5) -> str:
    """Return names as a message has them: the first `most`, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def quoted(names: Sequence[str]) -> str:
    """Return names as `named` does, in quotes."""
    return named([f"'{name}'" for name in names])
