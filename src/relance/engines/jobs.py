"""What the broker may run for a sandboxed Snakemake, and how: nothing outside of a job's container."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from relance.engines import snakemake, standin
from relance.engines.sandbox import hardening
from relance.engines.standin import measured, program
from relance.engines.standin.program import RefusedCallError
from relance.model import Runtime, RuntimeKind

_SHELL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_LIBRARY = re.compile(r"/mnt/snakemake(_searchpaths/item_[0-9]{1,3})?")


@dataclass(frozen=True)
class Rules:
    """What the broker may run. Paths are text: the broker gets them as JSON."""

    runtime: Runtime
    program: str
    """The engine's own program; empty for plain processes."""
    folder: str
    """The work folder: the one place that jobs can write to."""
    run: str
    """Folder of the run, with the jobs' home and temporary folder."""
    label: str
    environment: Mapping[str, str]
    """What every job sees."""
    images: Mapping[str, str]
    """What rules write → the file, digest or folder of programs that is run for it."""
    mounts: tuple[str, ...] = ()
    """Shown to every job at the same path, read-only, as `SOURCE:TARGET`."""
    libraries: tuple[str, ...] = ()
    """Folders below which Snakemake's own modules lie, for jobs that are scripts."""
    hardened: bool = True
    """Whether jobs get no more of root's rights than anybody has."""

    def to_json(self) -> dict[str, Any]:
        """Return the rules as JSON has them."""
        return asdict(self)

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Rules:
        """Return the rules that `to_json` wrote."""
        lists = {name: tuple(value[name]) for name in ("mounts", "libraries")}
        given = value["runtime"]
        runtime = Runtime(RuntimeKind(given["kind"]), given["version"], given["rootless"], given["remark"])
        return Rules(**{**value, **lists, "runtime": runtime})


@dataclass(frozen=True)
class Order:
    """A job that was asked for, checked."""

    folder: str
    image: str
    """What is run, of the rules' images."""
    binds: tuple[str, ...]
    """Modules of Snakemake, as `SOURCE:TARGET`."""
    command: tuple[str, ...]

    @staticmethod
    def read(message: bytes, rules: Rules) -> Order:
        """Read a call as `standin.program` sends it.

        Raises:
            RefusedCallError: it asks for anything but `SHELL -c TEXT` in a known image.
        """
        try:
            folder, written, *rest = message.decode().split("\0")
            at = rest.index("")
        except ValueError as error:
            raise RefusedCallError("a call that can't be read") from error
        command = rest[at + 1 :]
        if written not in rules.images:
            known = ", ".join(sorted(rules.images)) or "none"
            raise RefusedCallError(f"the image {written!r} is none of the capsule's (they are: {known})")
        if len(command) != 3 or command[1] != "-c" or not _SHELL.fullmatch(command[0]):
            raise RefusedCallError(f"expected SHELL -c TEXT, found {shlex.join(command)[:200]!r}")
        inside = os.path.normpath(folder) == folder and Path(folder).is_relative_to(rules.folder)
        if not inside or not folder.isprintable():
            raise RefusedCallError(f"the folder {folder!r} is not in the work folder")
        binds = tuple(bind for bind in rest[:at] if _is_library(bind, rules))
        return Order(folder, rules.images[written], binds, tuple(command))


def _is_library(bind: str, rules: Rules) -> bool:
    """Tell whether a bind is one by which Snakemake shows its modules to a script; others are left out."""
    source, _, target = bind.partition(":")
    if not _LIBRARY.fullmatch(target) or os.path.normpath(source) != source:
        return False
    return source == rules.folder or any(Path(source).is_relative_to(folder) for folder in rules.libraries)


def command(rules: Rules, order: Order, name: str) -> list[str]:
    """Return the command line that runs an order, in a container of this name where it can have one."""
    kind = rules.runtime.kind
    mounts = [f"{mount}:ro" for mount in (*rules.mounts, *order.binds)]
    if kind is RuntimeKind.PLAIN:
        return list(order.command)
    if kind is RuntimeKind.APPTAINER:
        options = shlex.split(
            snakemake.apptainer_arguments(Path(rules.folder), snakemake.RunFolder(Path(rules.run)))
        )
        options += hardening.of_apptainer() if rules.hardened else []
        for mount in mounts:
            options += ["--bind", mount]
        options += ["--pwd", order.folder]
        return [rules.program, "--silent", "exec", *options, order.image, *order.command]
    call = _call(order)
    settings = _settings(rules)
    folder = f"{rules.folder}:{rules.folder}"
    return program.container_command(settings, call, name, [folder, *mounts])


def plain(rules: Rules, order: Order) -> dict[str, Any]:
    """Return where and in what environment a plain process is started; nothing for a container."""
    if rules.runtime.kind is not RuntimeKind.PLAIN:
        return {}
    call = _call(order)
    program.map_script(call)
    return {"cwd": order.folder, "env": program.plain_environment(_settings(rules), order.image)}


def noting(rules: Rules, order: Order, line: list[str]) -> list[str]:
    """Return the command line that runs an order's `line` and notes what memory it takes at most."""
    if rules.runtime.kind is RuntimeKind.DOCKER:  # its daemon runs the job: nothing could be told
        return line
    file = snakemake.RunFolder(Path(rules.run)).memory
    key = measured.key(order.command)
    return [sys.executable, "-I", "-S", measured.__file__, str(file), key, *line]


def _call(order: Order) -> program.Call:
    call = program.Call([order.image, *order.command])
    call.folder, call.binds = order.folder, list(order.binds)
    return call


def _settings(rules: Rules) -> program.Settings:
    hardened = hardening.of_engine(rules.runtime.kind) if rules.hardened else []
    stand_in = standin.StandIn(
        runtime=rules.runtime,
        program=Path(rules.program) if rules.program else None,
        folder=Path(rules.folder),
        scratch=snakemake.RunFolder(Path(rules.run)).scratch,
        label=rules.label,
        environment=rules.environment,
        images={},
        options=tuple(hardened),
    )
    settings = program.Settings(standin.text(stand_in))
    settings.images = {image: image for image in rules.images.values()}
    return settings
