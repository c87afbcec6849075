"""What is run in a sandbox, and what every kind of sandbox can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from relance.engines.mounts import Mount
from relance.model import RuntimeKind


@dataclass(frozen=True)
class Enclosed:
    """A program to run in a sandbox."""

    command: tuple[str, ...]
    folder: Path
    """Its working folder, as it is called inside."""
    mounts: tuple[Mount, ...]
    environment: Mapping[str, str]
    """All that the program sees."""
    scratch: Path
    """A folder of this call's own; gets what is HOME, the temporary folder and the root inside."""
    name: str
    """Of the container: letters, digits and `-`."""


class Sandbox(Protocol):
    """A way to run an untrusted program."""

    @property
    def kind(self) -> RuntimeKind:
        """The engine whose containers it uses; `plain` if it doesn't confine at all."""
        ...

    def prepare(self, call: Enclosed) -> None:
        """Make the folders that a call needs."""
        ...

    def command(self, call: Enclosed) -> list[str]:
        """Return the command line that runs a program enclosed, in `client_environment`."""
        ...

    def removal(self, name: str) -> list[str] | None:
        """Return the command that removes a container that was left behind; None if none can be."""
        ...
