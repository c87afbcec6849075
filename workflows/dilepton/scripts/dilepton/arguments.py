"""The command line of every program: what is wrong with it is one message that names the option."""

import argparse
import difflib
import math
from collections.abc import Sequence
from typing import NoReturn

from dilepton.errors import AnalysisError


class UsageError(AnalysisError):
    """A command line that the program can't follow."""


class Parser(argparse.ArgumentParser):
    """An argparse parser that raises instead of exiting and takes no abbreviated option.

    An abbreviation would change its meaning, or stop working, with the next option that begins like it.
    """

    def __init__(self, description: str | None) -> None:
        super().__init__(description=description, allow_abbrev=False)

    def parse_args(
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """Read the command line.

        Raises:
            UsageError: an option that is unknown, missing or without meaning.
        """
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            near = difflib.get_close_matches(unknown[0], self._option_string_actions, 1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            self.error(f"expected one of its options, found '{unknown[0]}'{hint}")
        return found

    def error(self, message: str) -> NoReturn:
        """Refuse the command line.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"{self.prog}: {message}; see '{self.prog} --help'")


def positive(text: str) -> float:
    """A finite number above 0."""
    value = _number(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"expected a number above 0, found '{text}'")
    return value


def not_negative(text: str) -> float:
    """A finite number, 0 or more."""
    value = _number(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"expected 0 or more, found '{text}'")
    return value


def seed(text: str) -> int:
    """A whole number, 0 or more."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number, 0 or more, found '{text}'")
    return int(text)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"expected a number, found '{text}'")
    return value
