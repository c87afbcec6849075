"""What determines a job's result, as one digest: the key by which the step store knows it."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from relance import digest
from relance.checks.secret_values import REDACTED
from relance.errors import InputError
from relance.model import UNKNOWN, CodeRecord, Digest, ImageRecord, JobRecord, Unknown

RECIPE = 1
"""Changes whenever the same job would get another key, or another job the same."""

Ingredients = Mapping[str, object]
"""What a key is the digest of, by the names of docs/reuse.md: what canonical JSON can say."""

_LARGEST_EXACT_INTEGER = 2**53
_RUN = "{run}"
_ANALYSIS = "{analysis}"
_CALLED = frozenset({"script", "notebook"})


@dataclass(frozen=True)
class KeyContext:
    """What determines the results of all jobs of a run alike."""

    folder: str
    """The analysis's folder as commands may write it: absolute. Its place doesn't count."""
    run: str | None = None
    """The run's own folder as commands may write it. Its place doesn't count."""
    settings: Digest | None = None
    """Of the values given for this run, which lie in the run's own folder; None if there are none."""
    images: Mapping[str, str] = field(default_factory=dict)
    """What rules write for an image → what it surely is, told before the run; others are told by records."""
    variables: Mapping[str, str] | Unknown = UNKNOWN
    """The environment variables that jobs in images see; unknown where those of the machine reach them."""
    configuration: Mapping[str, object] | Unknown = UNKNOWN
    snakemake: str | Unknown = UNKNOWN
    """Snakemake's version."""
    around: str = ""
    """What the Snakefile puts around every command."""
    outside: Mapping[str, str] = field(default_factory=dict)
    """Rules that need what nobody holds, and what that is; `*` for all rules."""


@dataclass(frozen=True)
class Unkeyed:
    """A job that is never reused, and why."""

    why: str


def of_job(
    job: JobRecord,
    files: Mapping[str, Digest],
    context: KeyContext,
    made: Mapping[str, Digest] | None = None,
) -> Digest | None:
    """Return the key of a job; None if something of it is unknown, so that it is never reused.

    Args:
        job: as it is or was run.
        files: digests of its inputs and source files, by path.
        context: what it shares with the other jobs of its run.
        made: keys of the jobs that made inputs whose content nobody knows any more, by path.
    """
    found = ingredients(job, files, context, made)
    return None if isinstance(found, Unkeyed) else of_ingredients(found)


def of_ingredients(found: Ingredients) -> Digest:
    """Return the key that goes with ingredients."""
    return digest.of_json(found)


def ingredients(
    job: JobRecord,
    files: Mapping[str, Digest],
    context: KeyContext,
    made: Mapping[str, Digest] | None = None,
) -> Ingredients | Unkeyed:
    """Return all that a job's key is made of, or why it has none; arguments as in `of_job`."""
    why = _never(job, context)
    if why:
        return Unkeyed(why)
    code = _code(job.code, files, context)
    image = _image(job.image, context)
    inputs = _inputs(job, files, made or {}, context)
    for part in (code, image, inputs):
        if isinstance(part, Unkeyed):
            return part
    found: dict[str, object] = {
        "recipe": RECIPE,
        "command": job.command and context_free(job.command, context),
        "code": code,
        "parameters": [
            [item.name, _parameter(item.value, job, context)]
            for item in job.parameters
            if not isinstance(item, str)
        ],
        "inputs": inputs,
        "outputs": list(job.outputs),
        "folders": sorted(job.directories),
        "logs": list(job.logs),
        "image": image,
        "variables": context.variables,
        "threads": job.threads,
        "around": context_free(context.around, context),
    }
    if job.code.kind in _CALLED:
        # What Snakemake hands to a script besides; how it does that depends on its version.
        found["called"] = {
            "rule": job.rule,
            "wildcards": job.wildcards,
            "configuration": _told(context.configuration, context),
            "snakemake": context.snakemake,
        }
    if _RUN in str(found):
        if context.settings is None:
            return Unkeyed("it names a file of the run's own folder")
        found["settings"] = context.settings
    if REDACTED in str(found):
        return Unkeyed("it is given what looks like a secret")
    try:
        digest.canonical_json(found)
    except InputError:
        return Unkeyed("something of it is no text")
    return found


def _never(job: JobRecord, context: KeyContext) -> str:
    """Return why a job can't have a key, whatever it reads; empty if it can."""
    outside = context.outside.get(job.rule) or context.outside.get("*")
    away = [path for path in (*job.outputs, *job.logs) if path.startswith("/") or ".." in path.split("/")]
    called = (context.configuration, context.snakemake, job.wildcards) if job.code.kind in _CALLED else ()
    reasons = {
        f"it needs {outside}": outside,
        f"it writes {away[0] if away else ''}, outside the analysis": away,
        f"its code is of the kind '{job.code.kind}', which runs with this machine's programs": (
            job.code.kind not in {"shell", *_CALLED}
        ),
        "its command is unknown": job.command == UNKNOWN or (job.command is None and not called),
        "a parameter can't be told exactly": (
            isinstance(job.parameters, str) or not all(parameter.exact for parameter in job.parameters)
        ),
        "its environment variables, threads or folders are unknown": (
            UNKNOWN in (context.variables, job.threads, job.directories)
        ),
        "what its script is given is unknown": UNKNOWN in called,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def context_free(text: str, context: KeyContext) -> str:
    """Return text with the folders of run and analysis, which change nothing, by fixed names."""
    for folder, name in ((context.run, _RUN), (context.folder, _ANALYSIS)):
        if folder and folder != "/":
            text = re.sub(rf"(?<![\w./-]){re.escape(folder)}(?![\w.-])", name, text)
    return text


def plain_image(environment: Digest) -> str:
    """Return what stands for an image in a plain run on this machine: its locked packages and what they need.

    The programs of the system besides are not known; docs/reuse.md says so.
    """
    python = platform.python_version()
    return (
        f"environment {environment}, Python {python}, {' '.join(platform.libc_ver())}, {platform.machine()}"
    )


def _code(code: CodeRecord, files: Mapping[str, Digest], context: KeyContext) -> dict[str, object] | Unkeyed:
    if code.files == UNKNOWN:
        return Unkeyed("its source files are unknown")
    sources = {context_free(path, context): files.get(path) for path in code.files}
    unread = [path for path, found in sources.items() if found is None]
    if unread:
        return Unkeyed(f"its source file {unread[0]} can't be read")
    found: dict[str, object] = {"kind": code.kind, "sources": sources}
    if code.kind in _CALLED:
        if code.digest == UNKNOWN:
            return Unkeyed("its script is unknown")
        found["digest"] = code.digest
    return found


def _image(image: ImageRecord | Unknown | None, context: KeyContext) -> str | Unkeyed:
    if image is None or isinstance(image, str):
        known = "names no container" if image is None else "may name any container"
        return Unkeyed(f"it {known}, so what programs it runs is unknown")
    surely = context.images.get(image.written)
    if surely is not None:
        return surely
    if image.resolved in {"written", "run"}:
        if image.config != UNKNOWN:
            return contained_image(image.config)
        if image.runtime != UNKNOWN:
            return f"runtime {image.runtime}"
        if image.manifest != UNKNOWN:
            return f"manifest {image.manifest}, {platform.machine()}"
    return Unkeyed(f"what image '{image.written}' is, is not known for sure")


def contained_image(config: Digest) -> str:
    """Return what stands for an image that jobs run in, whichever engine runs it."""
    return f"config {config}"


def _inputs(
    job: JobRecord, files: Mapping[str, Digest], made: Mapping[str, Digest], context: KeyContext
) -> list[list[str]] | Unkeyed:
    found = []
    for path in job.inputs:
        if path in files:
            content = str(files[path])
        elif path in made:
            content = f"made by {made[path]}"
        else:
            return Unkeyed(f"the content of input {path} is unknown")
        found.append([context_free(path, context), content])
    return found


def _parameter(value: object, job: JobRecord, context: KeyContext) -> object:
    """Return a parameter's value; of what a shell gets only the text counts, which the command holds.

    A capsule's documents write 2.0 as 2: what it knows of such a job shall be found all the same.
    """
    told = _told(value, context)
    return _without_kinds(told) if job.code.kind == "shell" else told


def _without_kinds(told: object) -> object:
    """Return what `_told` returned with whole numbers of one kind, as canonical JSON has them."""
    match told:
        case {"float": number}:
            whole = float(number).is_integer() and abs(float(number)) <= _LARGEST_EXACT_INTEGER
            return int(float(number)) if whole else told
        case {"mapping": items}:
            return {"mapping": {name: _without_kinds(item) for name, item in items.items()}}
        case list():
            return [_without_kinds(item) for item in told]
        case _:
            return told


def _told(value: object, context: KeyContext) -> object:
    """Return a value so that all that a program could tell apart stays apart: 2 from 2.0, too."""
    match value:
        case float():
            return {"float": repr(value)}
        case str():
            return context_free(value, context)
        case Mapping():
            return {"mapping": {key: _told(item, context) for key, item in value.items()}}
        case list() | tuple():
            return [_told(item, context) for item in value]
        case _:
            return value
