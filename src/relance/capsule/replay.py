"""The plain script that runs a capsule's jobs again where there is nothing but a container runtime.

It is made of functions that are the same for every capsule (`replay-functions.sh`) and a list of calls: one
for each image, file, job and product.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from relance.capsule import letter
from relance.capsule.model import Capsule, CapsuleFile, CapsuleImage, Role
from relance.model import UNKNOWN, Digest, ImageRecord, JobRecord

_FUNCTIONS = Path(__file__).with_name("replay-functions.sh")
_SHOWN = 100


@dataclass(frozen=True)
class Verdict:
    """Whether the script can run a job."""

    image: CapsuleImage | None
    """What it runs in; None if it can't be run."""
    reason: str = ""
    """Why not."""


def replay_script(capsule: Capsule) -> str:
    """Return the script, for a POSIX shell; the capsule must be in order (`ordering.ordered`).

    It lays the files into a folder, gives the images to Apptainer, Podman or Docker, runs each job's command
    in its image with no network and that folder only, and compares the products with those of the capsule.
    Jobs that need Snakemake are named, and what they made is taken from the capsule.
    """
    return "".join(f"{line}\n" for line in _lines(capsule))


def verdicts(capsule: Capsule) -> tuple[Verdict, ...]:
    """Say of each job whether the script can run it, and why not."""
    held = _by_output(capsule, held=True)
    found: list[Verdict] = []
    for job in capsule.jobs:
        verdict = _verdict(capsule, job.record)
        lacking = [
            path
            for needed in job.needs
            if found[needed].image is None
            for path in job.record.inputs
            if path in capsule.jobs[needed].record.outputs and path not in held
        ]
        if verdict.image is not None and lacking:
            verdict = Verdict(None, f"it needs {lacking[0]}, which the capsule doesn't hold")
        found.append(verdict)
    return tuple(found)


def image_of(capsule: Capsule, record: JobRecord) -> CapsuleImage | None:
    """Return the image of a capsule that a job ran in; None if it ran in none that is known."""
    if not isinstance(record.image, ImageRecord):
        return None
    for image in capsule.images:
        if record.image.config == image.config:
            return image
    for image in capsule.images:
        if record.image.config == UNKNOWN and record.image.written in image.written:
            return image
    return None


def job_name(record: JobRecord) -> str:
    """Return the rule with its wildcards, as people tell jobs apart."""
    wildcards = {} if isinstance(record.wildcards, str) else record.wildcards
    return " ".join([record.rule, *(f"{key}={text}" for key, text in sorted(wildcards.items()))])


def _verdict(capsule: Capsule, record: JobRecord) -> Verdict:
    if record.command is None or record.command == UNKNOWN:
        needs = "its command is not known" if record.command == UNKNOWN else "it is a script of Snakemake's"
        return Verdict(None, f"{needs}, which needs Snakemake")
    if any(path.startswith("/") for path in (*record.outputs, *record.logs)):
        return Verdict(None, "it writes outside the analysis")
    if any(".." in path.split("/") for path in record.inputs):
        return Verdict(None, "it reads outside the analysis")
    if any(path.startswith("/") and {":", ","} & set(path) for path in record.inputs):
        return Verdict(None, "it reads a file whose name containers can't be shown")
    for outside in capsule.specification.outside:
        if record.rule in outside.rules:
            return Verdict(None, f"it needs {outside.name} ({outside.kind}), which no capsule holds")
    image = image_of(capsule, record)
    return Verdict(None, "the image that it ran in is not known") if image is None else Verdict(image)


def _lines(capsule: Capsule) -> Iterator[str]:
    identity = capsule.specification.identity
    yield "#!/bin/sh"
    yield f"# {letter.line(identity.title)}: {identity.name} {letter.line(identity.version)}"
    yield "# Runs the jobs of this analysis again and compares what they make with what they made then."
    yield "# Needs the unpacked .tar file of the capsule and apptainer, podman or docker: sh replay.sh --help"
    yield _FUNCTIONS.read_text(encoding="utf-8").rstrip("\n")
    yield ""
    decided = verdicts(capsule)
    yield f"jobs={len(capsule.jobs)}"
    yield 'start "$@"'
    used = {verdict.image.manifest: verdict.image for verdict in decided if verdict.image is not None}
    for image in (used[manifest] for manifest in sorted(used)):
        yield f"image {_digits(image.config)} {_digits(image.manifest)} {image.manifest_size}"
    yield from _laid(capsule)
    members = _by_output(capsule)
    made: list[CapsuleFile] = []
    for number, (job, verdict) in enumerate(zip(capsule.jobs, decided, strict=True), start=1):
        record = job.record
        if verdict.image is not None:
            made += (file for path in record.outputs for file in members.get(path, ()))
            if record.logs:
                yield _call("logs", *record.logs)
            name, config = letter.line(job_name(record))[:_SHOWN], _digits(verdict.image.config)
            yield _call("job", str(number), name, config, record.command or "", *record.outputs)
        elif record.outputs:
            yield _call("leave", letter.line(job_name(record))[:_SHOWN], verdict.reason)
            for path in record.outputs:
                for file in members.get(path, ()):
                    yield _place(file, file.path)
    for file in sorted(made, key=lambda one: one.path):
        yield _call("same", _digits(file.digest), file.path)
    yield "finish"


def _laid(capsule: Capsule) -> Iterator[str]:
    outside = 0
    for name in capsule.folders:
        yield _call("folder", name)
    for file in capsule.files:
        if file.role not in {Role.SOURCE, Role.INPUT}:
            continue
        if not file.path.startswith("/"):
            yield _place(file, file.path)
        elif not {":", ","} & set(file.path):
            outside += 1
            yield _place(file, f".outside/{outside}")
            yield _call("outside", str(outside), file.path)
    for link in capsule.links:
        yield _call("lead", link.target, link.path)


def _place(file: CapsuleFile, path: str) -> str:
    if file.stored is None:
        return _call("bring", _digits(file.digest), str(file.size), path, *file.locations)
    blobs = " ".join(_digits(part.digest) for part in file.stored.blobs)  # needs no quoting
    return f"place {_digits(file.digest)} {'755' if file.executable else '644'} {quote(path)} {blobs}"


def _by_output(capsule: Capsule, *, held: bool = False) -> Mapping[str, list[CapsuleFile]]:
    """Return the products by the output that they are or lie in; `held`: only what the capsule holds."""
    outputs = {path for job in capsule.jobs for path in job.record.outputs}
    found: dict[str, list[CapsuleFile]] = {}
    for file in capsule.files:
        if file.role is not Role.PRODUCT or (held and file.stored is None):
            continue
        path = file.path
        while path and path not in outputs:
            path = path.rpartition("/")[0]
        if path:
            found.setdefault(path, []).append(file)
    return found


def _digits(blob: Digest) -> str:
    return blob.removeprefix("sha256:")


def _call(function: str, *words: str) -> str:
    return " ".join([function, *map(quote, words)])
