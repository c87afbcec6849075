"""A group of commands that loads a command's module only when that command is used."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from typing import Any

import click


class LazyGroup(click.Group):
    """Knows its commands by name, module, attribute and one line of help."""

    def __init__(self, *args: Any, commands_at: Mapping[str, tuple[str, str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._commands_at = commands_at

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order that they are declared."""
        return list(self._commands_at)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Load and return a command; None if there is none of this name."""
        if cmd_name not in self._commands_at:
            return None
        module, attribute, _ = self._commands_at[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant; an unknown one is told with the nearest known."""
        name = args[0]
        if name not in self._commands_at and not name.startswith("-"):
            nearest = difflib.get_close_matches(name, self._commands_at, n=1, cutoff=0.5)
            hint = f"did you mean '{nearest[0]}'?" if nearest else "see 'relance --help'"
            known = ", ".join(self._commands_at)
            raise click.UsageError(f"unknown command: found '{name}', expected one of {known}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands without loading any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in self._commands_at.items()])
