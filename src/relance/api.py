"""relance in Python: the functions that the commands call, for notebooks and programs. Nothing is printed.

import relance

capsule = relance.open("dilepton")
run = capsule.recast(signal={"mass": 2500})
run.results["limit"]
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from relance.capsule import archive, reading, sources
from relance.capsule import results as captured
from relance.capsule.checkout import checkout
from relance.capsule.difference import Difference, difference
from relance.capsule.model import Capsule as Content
from relance.capsule.model import CapsuleFile, CapsuleImage, CapsuleJob
from relance.engines.base import Watch
from relance.engines.limits import USUAL, Limits
from relance.errors import AnalysisError, InputError
from relance.model import Digest, RuntimeKind
from relance.recast import changes as recast_changes
from relance.recast import recasting
from relance.recast.model import Planned, Recast
from relance.recast.request import Effects, Request, Unfinished, folder_name
from relance.rerun.execution import Settings
from relance.results import Results, html
from relance.results.figures import quantity
from relance.specification.model import Interface, Parameter, Value
from relance.store import place
from relance.store.descriptors import Descriptor
from relance.store.store import Store
from relance.verify import integrity, reproduction, verifying
from relance.verify.model import Report


@dataclass(frozen=True)
class Machine:
    """How this machine runs things; what is left out is chosen as the commands choose it."""

    runtime: RuntimeKind | None = None
    """What jobs run in; None: the first that works."""
    cores: int | None = None
    """Most processor cores to use at once; None: all."""
    trust: bool = False
    """Whether a capsule's Snakefile is run without a sandbox, as one's own."""
    limits: Limits = USUAL
    """What a run may take of this machine, unless it is trusted."""
    say: Callable[[str], None] = lambda _text: None
    """Told what is done in place of something better, and what takes long."""
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    """Variables that tell where the user's folders are, and how container engines are reached."""

    @property
    def usable_cores(self) -> int:
        """The number of cores that are used at once."""
        return self.cores or len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Setting:
    """A parameter of the interface and the value that the captured run had."""

    declared: Parameter
    value: Value | None
    """In the declared unit; None if the configuration doesn't say."""

    def __str__(self) -> str:
        """Return the value with its unit."""
        if isinstance(self.value, (int, float)) and not isinstance(self.value, bool):
            return quantity(float(self.value), self.declared.unit)
        return "not set" if self.value is None else str(self.value)


def open(
    place_of: Path | str,
    *,
    store: Path | str | None = None,
    runtime: RuntimeKind | str | None = None,
    cores: int | None = None,
    trust: bool = False,
    limits: Limits = USUAL,
    say: Callable[[str], None] = lambda _text: None,
    environment: Mapping[str, str] | None = None,
) -> Capsule:
    """Return a capsule.

    Args:
        place_of: NAME, NAME:VERSION or a digest in the store; a .tar file or the folder of an OCI layout,
            whose capsule is then brought into the store.
        store: folder of the store; the user's if left out.
        runtime: what jobs run in: apptainer, podman, docker or plain; the first that works if left out.
        cores: most processor cores to use at once; all if left out.
        trust: whether a capsule's Snakefile is run without a sandbox, as one's own.
        limits: what a run may take of this machine, unless it is trusted.
        say: told what is done in place of something better, and what takes long.
        environment: variables that tell where the user's folders are; those of this process if left out.

    Raises:
        InputError: there is no such capsule, or it is damaged.
    """
    variables = dict(os.environ) if environment is None else environment
    machine = Machine(RuntimeKind(runtime) if runtime else None, cores, trust, limits, say, variables)
    kept = Store(place.store(variables, Path(store) if store else None))
    return Capsule(kept, _found(kept, place_of), machine)


class Capsule:
    """A capsule in the store. Made by `open`."""

    def __init__(self, store: Store, descriptor: Descriptor, machine: Machine) -> None:
        self._store = store
        self._descriptor = descriptor
        self._machine = machine
        self._content = reading.read(store.layout, descriptor)

    @property
    def name(self) -> str:
        """The analysis's name."""
        return self._content.specification.identity.name

    @property
    def version(self) -> str:
        """The analysis's version."""
        return self._content.specification.identity.version

    @property
    def title(self) -> str:
        """The analysis's title."""
        return self._content.specification.identity.title

    @property
    def digest(self) -> Digest:
        """What the capsule is known by."""
        return self._descriptor.digest

    @property
    def content(self) -> Content:
        """All that the capsule says, as `relance.capsule.model` has it."""
        return self._content

    @property
    def interface(self) -> Interface:
        """What may be changed, and what comes out."""
        return self._content.specification.interface

    @property
    def parameters(self) -> Mapping[str, Setting]:
        """The parameters with the values that the captured run had, by name."""
        configuration = captured.configuration(self._content)
        return {
            name: Setting(declared, recast_changes.captured_value(configuration, declared))
            for name, declared in self.interface.parameters.items()
        }

    @cached_property
    def results(self) -> Results:
        """The captured results, by name.

        Raises:
            InputError: the capsule doesn't hold a result.
        """
        return captured.read(self._store.layout, self._content)

    @property
    def jobs(self) -> tuple[CapsuleJob, ...]:
        """The jobs of the captured run, each after those that it needs."""
        return self._content.jobs

    @property
    def files(self) -> Mapping[str, CapsuleFile]:
        """The files that the capsule knows, by path."""
        return {file.path: file for file in self._content.files}

    @property
    def images(self) -> tuple[CapsuleImage, ...]:
        """The container images that the jobs run in."""
        return self._content.images

    def checkout(self, folder: Path | str) -> Path:
        """Write the capsule's files into a new or empty folder; return it.

        Raises:
            InputError: the folder holds something, or the capsule is damaged.
        """
        return checkout(self._store.layout, self._content, Path(folder).absolute()).folder

    def diff(self, other: Capsule) -> Difference:
        """Return what changed from this capsule to another; nothing is false."""
        return difference(self._content, other.content)

    def verify(self, *, rerun: bool = False, case: str | None = None) -> Report:
        """Read all that the capsule holds, compare it with its digests and, if asked, run it again.

        Args:
            rerun: whether everything is run again, from the capsule alone, and compared.
            case: a validation case to run in place of the captured run.

        Raises:
            InputError: the case isn't known. A damaged capsule is a report, not an error.
            MissingPartError: this machine lacks a sandbox or a runtime.
        """
        if not rerun:
            return verifying.check(integrity.Kept(self._store.layout), self._descriptor)
        machine = self._machine
        settings = Settings(
            outer=machine.environment,
            runtime=machine.runtime,
            trusted=machine.trust,
            cores=machine.usable_cores,
            limits=machine.limits,
            cache=place.cache(machine.environment),
            say=machine.say,
        )
        with TemporaryDirectory(prefix="relance-verify-") as folder:
            asked = reproduction.Request(Path(folder), settings, case, machine.usable_cores)
            effects = reproduction.Effects(_unwatched, machine.say)
            return verifying.verify(self._store, self._descriptor, asked, effects)

    def recast(
        self,
        *,
        folder: Path | str | None = None,
        inputs: Mapping[str, Path | str] | None = None,
        case: str | None = None,
        parameters: Mapping[str, object] | None = None,
        audit: int = 0,
        reuse: bool = True,
        fetch: bool = False,
        **nested: Any,
    ) -> Recast:
        """Run the analysis again with other parameters or input files; see `relance recast`.

        Args:
            folder: where the recast goes; NAME-recast-… in the working folder if left out.
            inputs: files by the interface's names.
            case: a validation case whose values are taken first.
            parameters: values by the interface's names: numbers, or text with a unit.
            audit: how many of the restored jobs are run once more and compared.
            reuse: whether anything is restored.
            fetch: whether inputs that the capsule keeps by reference may be brought, by the network, where
                jobs need them that run.
            nested: parameters whose names have dots: `signal={"mass": 2500}` is `signal.mass`.

        Raises:
            InputError: something given isn't allowed; nothing ran.
            AnalysisError: a job failed.
            MissingPartError: this machine lacks a sandbox or a runtime.
        """
        request = self._request(parameters, nested, inputs, case, audit=audit, reuse=reuse, fetch=fetch)
        checked = recasting.check(request)
        chosen = Path(folder) if folder else Path.cwd() / folder_name(request, checked)
        effects = Effects(self._machine.say, _unwatched)
        outcome = recasting.recast(request, checked, chosen.absolute(), effects)
        if isinstance(outcome, Unfinished):
            raise AnalysisError(
                f"the recast of {self.name}",
                expected="every job to make its outputs",
                found=", ".join(step.name for step in outcome.result.failed) or outcome.result.message,
                next_step=f"see {outcome.result.record / 'console.log'}",
            )
        return outcome

    def plan(
        self,
        *,
        inputs: Mapping[str, Path | str] | None = None,
        case: str | None = None,
        parameters: Mapping[str, object] | None = None,
        **nested: Any,
    ) -> Planned:
        """Say which jobs a recast would run and why, without running any; arguments as of `recast`.

        Raises:
            InputError: something given isn't allowed.
        """
        request = self._request(parameters, nested, inputs, case)
        return recasting.plan(request, recasting.check(request), self._machine.say)

    def _request(
        self,
        parameters: Mapping[str, object] | None,
        nested: Mapping[str, Any],
        inputs: Mapping[str, Path | str] | None,
        case: str | None,
        *,
        audit: int = 0,
        reuse: bool = True,
        fetch: bool = False,
    ) -> Request:
        machine = self._machine
        given = recast_changes.Changes(
            {**recast_changes.flat(parameters or {}), **recast_changes.flat(nested)},
            {name: Path(path) for name, path in (inputs or {}).items()},
            case,
        )
        return Request(
            store=self._store,
            parent=self.digest,
            capsule=self._content,
            changes=given,
            outer=machine.environment,
            cache=place.cache(machine.environment),
            runtime=machine.runtime,
            trusted=machine.trust,
            cores=machine.usable_cores,
            reuse=reuse,
            audit=audit,
            fetch=fetch,
            limits=machine.limits,
        )

    def __repr__(self) -> str:
        return f"<capsule {self.name} {self.version} {self.digest[:19]}>"

    def _repr_html_(self) -> str:
        """Show the capsule in a notebook."""
        rows = [(name, str(setting), setting.declared.title) for name, setting in self.parameters.items()]
        results = [
            (name, f"{field.type}{f' [{field.unit}]' if field.unit else ''}", field.title)
            for name, field in self.interface.results.items()
        ]
        return (
            html.paragraph(f"{self.name} {self.version}: {self.title}")
            + html.paragraph(f"{len(self.jobs)} jobs, {len(self.files)} files, {self.digest}")
            + html.table(("parameter", "captured", ""), rows)
            + html.table(("result", "", ""), results)
        )


def _unwatched() -> AbstractContextManager[Watch]:
    return nullcontext(Watch(lambda _progress: None, lambda: None))


def _found(store: Store, given: Path | str) -> Descriptor:
    """Return the capsule that is meant; one in a file or another layout is brought into the store."""
    path = Path(given)
    if not path.exists():
        return reading.find(store.layout, str(given))
    if path.is_dir() and not (path / "oci-layout").exists():
        if isinstance(given, str) and os.sep not in given:
            return reading.find(store.layout, given)
        raise InputError(
            f"{path} is no capsule",
            expected="a capsule's name or digest, its tar file, or an OCI layout",
            found="another folder",
            next_step="capture the analysis first: relance capture DIR",
        )
    with sources.opened(path) as source, store.writing():
        described = archive.choose(source, None, str(path))
        archive.bring(store.layout, source, described, name=None)
    return described
