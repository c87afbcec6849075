"""What `relance reana submit` is given: the folder of an analysis, or a capsule."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relance.cli import places
from relance.cli.reana import supply
from relance.drafting import graph
from relance.drafting.graph import Job
from relance.engines.reana import bundle, declared, declaring, parameters
from relance.engines.reana.declared import Declared, Language
from relance.engines.reana.notes import Origin
from relance.errors import InputError
from relance.model import UNKNOWN, Digest
from relance.specification import reading
from relance.specification.model import Interface

if TYPE_CHECKING:
    from relance.capsule.model import Capsule
    from relance.engines.reana.images import Holding
    from relance.store.descriptors import Descriptor
    from relance.store.layout import Layout
    from relance.store.store import Store

_LARGE = 1 << 22  # bytes; a workflow's own files are smaller

Jobs = Callable[[Declared, Mapping[str, Any]], tuple[Job, ...]]
"""Gives the jobs that parameters lead to in what is sent; none but for Snakemake."""


@dataclass(frozen=True)
class Source:
    """An analysis to submit, in a folder that is there as long as it is open."""

    declared: Declared
    interface: Interface | None
    """None if it has no specification."""
    name: str
    """What runs are called if nobody says otherwise."""
    jobs: Jobs
    holding: Holding
    """Finds its images in the store."""
    layout: Layout | None
    """That of the store, if there is one."""
    origin: Origin
    configuration: Mapping[str, Any] = field(default_factory=dict)
    """That of a captured run; what is given replaces its values."""
    products: tuple[str, ...] = ()
    """Those of a captured run."""
    allowed_secrets: tuple[Digest, ...] = ()
    """Files that the specification says hold no secret."""


@contextmanager
def opened(text: str, environment: Mapping[str, str], chosen_store: Path | None) -> Iterator[Source]:
    """Give the analysis of a folder that has a reana.yaml, or of a capsule.

    Raises:
        InputError: there is neither; or it can't be used.
    """
    folder = Path(text)
    if (folder / declared.NAME).is_file():
        yield _of_folder(folder.resolve(), environment, chosen_store)
        return
    if folder.is_dir() and not (folder / "oci-layout").is_file():
        raise InputError(
            f"{text} can't be submitted",
            expected=f"a folder with {declared.NAME}, or a capsule",
            found=f"a folder without {declared.NAME}",
            next_step="write one (docs/reana.md shows how)",
        )
    from relance.cli import capsules

    try:
        store, described, capsule = capsules.opened(text, environment, chosen_store)
    except InputError as error:
        if not folder.exists():
            error.next_step += f"; or give the folder of an analysis, with its {declared.NAME}"
        raise
    with tempfile.TemporaryDirectory(prefix="relance-") as scratch:
        place = Path(scratch) / "analysis"
        check_out(store, described, capsule, place)
        origin = Origin(None, described.digest, store.folder)
        yield of_capsule(place, capsule, origin, store.layout)


def check_out(store: Store, described: Descriptor, capsule: Capsule, place: Path) -> None:
    """Write what a run of a capsule is given into a new folder.

    Raises:
        InputError: something of the capsule is missing, damaged or hostile.
    """
    from relance.capsule.checkout import checkout
    from relance.capsule.model import Role

    roles = (Role.SOURCE, Role.INPUT)
    checkout(store.layout, capsule, place, roles=roles, known_as=described.digest, papers=False)


def _of_folder(folder: Path, environment: Mapping[str, str], chosen_store: Path | None) -> Source:
    from relance.store.store import Store

    found = declared.read(folder)
    specifications = [
        path for path in sorted((folder / "specs").glob("*.yaml")) if reading.is_specification(path)
    ]
    specification = reading.load(specifications[0]) if len(specifications) == 1 else None
    interface = specification.interface if specification is not None else None
    allowed = specification.allowed_secrets if specification is not None else ()

    def jobs(sent: Declared, given: Mapping[str, Any]) -> tuple[Job, ...]:
        if found.language is not Language.SNAKEMAKE or found.file is None:
            return ()
        whole = parameters.configuration(found, given)
        with tempfile.TemporaryDirectory(prefix="relance-") as scratch:
            # Only what is sent is there: an include that reana.yaml forgets is missed here, too.
            place = Path(scratch) / "analysis"
            _stage(sent, place)
            configuration = Path(scratch) / "parameters.json"
            configuration.write_text(json.dumps(whole), encoding="utf-8")
            return graph.read(place, place / found.file, configuration, environment).jobs

    store = Store(places.store(environment, chosen_store))
    layout = store.layout if store.content.exists() else None
    holding = supply.of_folder(folder, layout)
    return Source(
        found,
        interface,
        folder.name,
        jobs,
        holding,
        layout,
        Origin(folder),
        allowed_secrets=tuple(one.digest for one in allowed),
    )


def _stage(found: Declared, place: Path) -> None:
    """Put what a server gets into a folder; of large files, links."""
    for path in sorted({*found.definition, *found.inputs}):
        source, target = found.place(path), place / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.stat().st_size > _LARGE:
            target.symlink_to(source)
        else:
            shutil.copyfile(source, target)


def of_capsule(folder: Path, capsule: Capsule, origin: Origin, layout: Layout) -> Source:
    """Return what is sent of a capsule that was checked out; it gets a reana.yaml if it has none.

    Its jobs are those that were captured: a capsule's Snakefile isn't run to find out.

    Raises:
        InputError: its reana.yaml is wrong, or none can be made.
    """
    recorded = tuple(
        Job(
            rule=job.record.rule,
            inputs=job.record.inputs,
            outputs=job.record.outputs,
            folders=frozenset(),
            patterns=(),
            wildcards=(),
            image=_written(job.record.image),
            command="" if job.record.command in {None, UNKNOWN} else str(job.record.command),
        )
        for job in capsule.jobs
    )
    identity = capsule.specification.identity
    if not (folder / declared.NAME).is_file():
        _declare(folder, capsule)
    found = declared.read(folder)
    known = capsule.run.configuration
    captured = dict(known) if found.language is Language.SNAKEMAKE and known != UNKNOWN else {}
    products = tuple(file.path for file in capsule.files if file.role == "product")
    interface = capsule.specification.interface
    holding = supply.of_capsule(folder, capsule)
    return Source(
        found,
        interface,
        identity.name,
        lambda _sent, _given: recorded,
        holding,
        layout,
        origin,
        captured,
        products,
        tuple(one.digest for one in capsule.specification.allowed_secrets),
    )


def _declare(folder: Path, capsule: Capsule) -> None:
    """Write a reana.yaml for the sources, inputs and kept products of a capsule."""
    sent = [file for file in capsule.files if file.role in {"source", "input"}]
    own = None
    if not bundle.holds(len(sent) + 1, sum(file.size for file in sent)):
        own = [file.path for file in sent if file.role == "source"]
    kept = [file.path for file in capsule.files if file.role == "product" and file.stored is not None]
    text = declaring.declaration(capsule.specification, [file.path for file in sent], kept, own)
    (folder / declared.NAME).write_text(text, "utf-8")


def _written(image: object) -> str | None:
    written = getattr(image, "written", None)
    return written if isinstance(written, str) else None
