"""A stand-in for the command `apptainer`: the same rules run in Podman, Docker or plain processes."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from relance.errors import InputError
from relance.model import Runtime, RuntimeKind

_PROGRAM = Path(__file__).with_name("program.py")


@dataclass(frozen=True)
class StandIn:
    """What a stand-in must know; see `program.py` for the meaning of each."""

    runtime: Runtime
    program: Path | None
    """The engine's own program; None for plain processes."""
    folder: Path
    """The analysis: its folder is the one place that jobs can write to."""
    scratch: Path
    label: str
    environment: Mapping[str, str]
    images: Mapping[str, str]
    """What rules write → the image's digest, or the folder of an environment's programs."""
    memory: Path | None = None
    """File that gets a line for each job, with the memory that it took at most; see `measured.py`."""
    options: tuple[str, ...] = ()
    """More options of `podman run` or `docker run`."""
    network: str = "none"
    """What their containers see of the network."""
    user: tuple[int, int] = field(default_factory=lambda: (os.getuid(), os.getgid()))
    """The user and group that files made by jobs belong to."""


def install(stand_in: StandIn, bin_folder: Path) -> None:
    """Write the commands `apptainer` and `singularity` into a folder that will be first on PATH.

    Raises:
        InputError: a path holds a tab or a line break, or for a container a colon or comma.
    """
    check_mountable(stand_in.runtime.kind, stand_in.folder, stand_in.scratch)
    for folder in (stand_in.scratch / "home", stand_in.scratch / "tmp"):
        folder.mkdir(parents=True, exist_ok=True)
    _install(text(stand_in), bin_folder)


def install_caller(socket: Path, written: Iterable[str], bin_folder: Path) -> None:
    """Write the same commands for a sandbox: they ask the broker behind a socket.

    Args:
        socket: where the broker answers, as it is called in the sandbox.
        written: what rules may write for an image.
        bin_folder: gets the commands.

    Raises:
        InputError: an image's name holds a tab or a line break.
    """
    rows = [("engine", "broker"), ("socket", str(socket)), *(("image", name, name) for name in written)]
    for row in rows:
        if any(set(field) & set("\t\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029") for field in row):
            raise InputError(
                "an image can't be used",
                expected="a name without tab and line break",
                found=repr(row[-1]),
                next_step="capture the analysis with another name for it",
            )
    _install("".join("\t".join(row) + "\n" for row in rows), bin_folder)


def _install(content: str, bin_folder: Path) -> None:
    bin_folder.mkdir(parents=True, exist_ok=True)
    settings = bin_folder / "settings.tsv"
    settings.write_text(content, encoding="utf-8")
    # -I and -S: nothing of the user's environment or site-packages is looked at, which also starts faster.
    call = shlex.join([sys.executable, "-I", "-S", str(_PROGRAM), str(settings)])
    for name in ("apptainer", "singularity"):
        command = bin_folder / name
        command.write_text(f'#!/bin/sh\nexec {call} "$@"\n', encoding="utf-8")
        command.chmod(0o755)


def check_mountable(kind: RuntimeKind, *folders: Path) -> None:
    """Raise an InputError if a runtime can't be told of a folder: its options have separators."""
    forbidden = "\t\n" if kind is RuntimeKind.PLAIN else "\t\n:,"
    for folder in folders:
        if any(character in str(folder) for character in forbidden):
            raise InputError(
                "the analysis can't be mounted into a container",
                expected="a folder without tab, line break, colon or comma in its path",
                found=repr(str(folder)),
                next_step="move or rename the folder",
            )


def text(stand_in: StandIn) -> str:
    """Return the settings as the program reads them."""
    kind = stand_in.runtime.kind
    rows = [
        ("engine", kind.value),
        ("program", str(stand_in.program or "")),
        ("folder", str(stand_in.folder)),
        ("scratch", str(stand_in.scratch)),
        ("label", stand_in.label),
        ("network", stand_in.network),
        *((("memory", str(stand_in.memory)),) if stand_in.memory else ()),
        *(("option", option) for option in (*_options(stand_in), *stand_in.options)),
        *(("env", name, value) for name, value in stand_in.environment.items()),
        *(("image", written, target) for written, target in stand_in.images.items()),
    ]
    return "".join("\t".join(row) + "\n" for row in rows)


def _options(stand_in: StandIn) -> list[str]:
    """Return the engine's options by which files that jobs make belong to the caller."""
    user = "{}:{}".format(*stand_in.user)
    if stand_in.runtime.kind is RuntimeKind.PODMAN:
        mapping = ["--userns=keep-id"] if stand_in.runtime.rootless else []
        return [*mapping, "--user", user, "--http-proxy=false"]
    if stand_in.runtime.kind is RuntimeKind.DOCKER:
        return ["--user", user]
    return []
