"""What REANA's own client passes and its server refuses, or does otherwise than was meant."""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from relance.checks.commands import Command
from relance.checks.finding import Finding, Place
from relance.checks.images import Language, Named
from relance.checks.jobs import Jobs
from relance.checks.reana_file import SENT, Listed, ReanaFile, SerialStep
from relance.checks.snakefile import Snakefile

_LANGUAGES = ("serial", "snakemake", "yadage", "cwl")
_BACKENDS = ("kubernetes", "htcondorcern", "slurmcern", "compute4punch")
_TOP = ("version", "inputs", "workflow", "outputs", "tests", "workspace")
_KEYS: Mapping[tuple[str, ...], tuple[str, ...]] = {
    (): _TOP,
    ("inputs",): ("files", "directories", "parameters", "options"),
    ("outputs",): ("files", "directories"),
    ("workflow",): ("type", "file", "specification", "resources", "files", "directories", "parameters"),
    ("workflow", "resources"): ("cvmfs", "kerberos", "voms_proxy", "rucio", "dask"),
    ("tests",): ("files",),
    ("workspace",): ("root_path", "retention_days"),
}
_STEP = (
    *("name", "environment", "commands", "compute_backend", "kerberos", "voms_proxy", "rucio"),
    *("unpacked_img", "kubernetes_uid", "kubernetes_job_timeout", "kubernetes_memory_limit"),
    *("kubernetes_memory_request", "kubernetes_cpu_limit", "kubernetes_cpu_request", "kubernetes_queue"),
    *("htcondor_request_cpus", "htcondor_request_memory", "htcondor_request_disk", "htcondor_requirements"),
    *("unpacked_image", "htcondor_max_runtime", "htcondor_accounting_group", "slurm_partition", "slurm_time"),
    *("c4p_cpu_cores", "c4p_memory_limit", "c4p_additional_requirements", "inputs", "params", "outputs"),
)
_OPTIONS = {
    "CACHE": ("serial",),
    "FROM": ("serial",),
    "TARGET": ("serial", "cwl"),
    "toplevel": ("yadage",),
    "initdir": ("yadage",),
    "initfiles": ("yadage",),
    "accept_metadir": ("yadage",),
    "report": ("snakemake",),
}
_KEPT = frozenset((".snakemake", "_yadage", ".git", ".relance"))
_PARAMETER = re.compile(r"(?<!\$)\$(?:\{(?P<braced>[A-Za-z_][\w.]*)\}|(?P<plain>[A-Za-z_]\w*))")
_SET = re.compile(
    r"(?:^|[\s;&|(])(?:export\s+|local\s+|for\s+|read\s+(?:-\w+\s+)*)?(?P<name>[A-Za-z_]\w*)(?==|\s+in\b)"
)
_READ = re.compile(r"\bread\s+(?:-\w+\s+)*(?P<name>[A-Za-z_]\w*)")


def check(found: ReanaFile) -> Iterator[Finding]:
    """Give what is wrong with a reana.yaml itself."""
    yield from _keys(found)
    yield from _values(found)
    yield from _paths(found)
    yield from _options(found)


def check_serial(steps: Iterable[SerialStep], found: ReanaFile | None) -> Iterator[Finding]:
    """Give what is wrong with the steps of a serial workflow, and with the parameters that `found` gives."""
    asked: set[str] = set()
    known = found.mapping("inputs", "parameters") if found is not None else {}
    for step in steps:
        for key in step.content:
            if key not in _STEP:
                yield _unknown(key, _STEP, step.place_of[key])
        backend = step.content.get("compute_backend")
        if backend is not None and backend not in _BACKENDS:
            subject = f"step '{step.name}', compute_backend"
            yield _value(step.place_of["compute_backend"], subject, _BACKENDS, str(backend))
        yield from _needed(step)
        for command, place in step.commands:
            names = {match["braced"] or match["plain"] for match in _PARAMETER.finditer(command)}
            asked |= names
            own = {match["name"] for match in (*_SET.finditer(command), *_READ.finditer(command))}
            braced = {match["braced"] for match in _PARAMETER.finditer(command) if match["braced"]}
            for name in sorted(braced - own - known.keys()):
                if found is not None and not name.isupper() and not name.startswith("_"):
                    yield Finding(
                        "RL112",
                        place,
                        f"step '{step.name}'",
                        expected=f"one of {', '.join(sorted(known)) or 'no parameters'}",
                        found=f"${{{name}}}",
                        next_step=_nearest(name, known) or "add it to 'inputs: parameters:'",
                    )
    for name in known:
        if found is not None and name not in asked:
            yield Finding(
                "RL106",
                found.place("inputs", "parameters", name),
                f"parameter {name!r}",
                expected="a command that uses it",
                found="none",
                next_step="correct its name, or remove it",
            )


def images(steps: Iterable[SerialStep]) -> Iterator[Named]:
    """Give the images of a serial workflow's steps."""
    for step in steps:
        uid = str(step.content.get("kubernetes_uid"))
        user = int(uid) if uid.isdigit() else None
        if not step.content.get("unpacked_img"):
            yield Named(step.image, step.image_place, f"step '{step.name}'", Language.PLAIN, user)


def check_sent(found: ReanaFile, snakefile: Snakefile, jobs: Jobs | None) -> Iterator[Finding]:
    """Give the files that a Snakefile reads and that aren't sent, and outputs that nobody makes."""
    told: set[str] = set()
    for use in snakefile.asked:
        path = posixpath.normpath(use.what)
        if path in found.sent or not (found.root / path).is_file():
            continue
        told.add(path)
        yield _unsent(path, use.place)
    if jobs is None:
        return
    place = found.place("inputs")
    needed = {path: f"rule {job.rule}" for job in jobs.jobs for path in job.inputs if path not in jobs.made}
    for path in (*jobs.read, *needed):
        plain = posixpath.normpath(path)
        known = plain in found.sent or plain in told or plain.startswith("/") or _inside(plain, jobs.made)
        if not known and (found.root / plain).exists():
            told.add(plain)
            yield _unsent(plain, place, needed.get(path, "the Snakefile"))
    yield from _unmade(found, jobs)


def _unsent(path: str, place: Place, who: str = "the Snakefile") -> Finding:
    return Finding(
        "RL408",
        place,
        f"{who} reads {path!r}",
        expected="it below 'inputs:' of reana.yaml",
        found="nothing that sends it",
        next_step=f"add '- {path}' to 'inputs: files:'",
    )


def _unmade(found: ReanaFile, jobs: Jobs) -> Iterator[Finding]:
    for keys in (("outputs", "files"), ("outputs", "directories")):
        for listed in found.listed(*keys):
            path = listed.plain
            near = any(one == path or one.startswith(f"{path}/") for one in jobs.made)
            logs = any(path in job.logs for job in jobs.jobs)
            if not (near or logs or _inside(path, jobs.made) or path in found.sent or "*" in path):
                yield Finding(
                    "RL409",
                    listed.place,
                    f"output {listed.path!r}",
                    expected="the output of a rule",
                    found="none that makes it",
                    next_step=_nearest(path, jobs.made) or "correct the path",
                )


def _keys(found: ReanaFile) -> Iterator[Finding]:
    for keys, known in _KEYS.items():
        for key in found.mapping(*keys):
            if key not in known:
                yield _unknown(key, known, found.place(*keys, key))


def _unknown(key: str, known: Iterable[str], place: Place) -> Finding:
    return Finding(
        "RL405",
        place,
        f"the key {key!r}",
        expected=f"one of {', '.join(known)}",
        found="an unknown one, which has no effect",
        next_step=_nearest(key, known) or "remove it",
    )


def _values(found: ReanaFile) -> Iterator[Finding]:
    if found.language not in _LANGUAGES:
        place = found.place("workflow", "type")
        yield _value(place, "the workflow's type", _LANGUAGES, found.language)
    if found.workflow is None and found.part("workflow", "specification") is None:
        yield Finding(
            "RL406",
            found.place("workflow"),
            "the workflow",
            expected="'file' or 'specification'",
            found="neither",
            next_step="add 'file: …'",
        )


def _needed(step: SerialStep) -> Iterator[Finding]:
    for key in ("environment", "commands"):
        if not step.content.get(key):
            yield Finding(
                "RL406",
                step.place,
                f"step '{step.name}'",
                expected=f"'{key}'",
                found="none",
                next_step=f"add '{key}: …'",
            )


def _value(place: Place, subject: str, known: Iterable[str], given: str) -> Finding:
    return Finding(
        "RL406",
        place,
        subject,
        expected=f"one of {', '.join(known)}",
        found=repr(given),
        next_step=_nearest(given, known) or "write one of them",
    )


def _paths(found: ReanaFile) -> Iterator[Finding]:
    sent: dict[str, Listed] = {}
    lists = (*SENT, ("outputs", "files"), ("outputs", "directories"), ("tests", "files"))
    named = [listed for keys in lists for listed in found.listed(*keys)]
    if isinstance(workflow := found.workflow, str):
        named.append(Listed(("workflow", "file"), workflow, found.place("workflow", "file")))
    given = found.part("inputs", "parameters", "input")
    if isinstance(given, str) and found.language in {"snakemake", "cwl"}:
        named.append(Listed(("workflow", "input"), given, found.place("inputs", "parameters", "input")))
    for listed in named:
        if listed.path.startswith(("/", "~")) or ".." in listed.path.split("/") or not listed.path:
            yield Finding(
                "RL401",
                listed.place,
                f"the path {listed.path!r}",
                expected="a path inside the analysis",
                found="one that leads elsewhere",
                next_step="copy it into the analysis and name it relative to this file",
            )
            continue
        if listed.keys[0] == "outputs":
            yield from _output(found, listed)
            continue
        yield from _present(found.root, listed)
        if listed.keys[0] == "inputs" and listed.plain.split("/")[0] in _KEPT:
            yield _kept(listed)
        if listed.keys in {("inputs", "files"), ("inputs", "directories")}:
            yield from _twice(listed, sent)
            sent.setdefault(listed.plain, listed)


def _present(root: Path, listed: Listed) -> Iterator[Finding]:
    path = root / listed.plain
    if "*" in listed.path and not path.exists():
        return
    wanted = path.is_dir() if listed.folder else path.is_file()
    if not wanted:
        other = "a file" if path.is_file() else "a folder" if path.is_dir() else ""
        right = "files" if path.is_file() else "directories"
        yield Finding(
            "RL402",
            listed.place,
            f"the path {listed.path!r}",
            expected="a folder of the analysis" if listed.folder else "a file of the analysis",
            found=other or "nothing of this name",
            next_step=f"name it below '{right}'" if other else "correct it, or remove it",
        )


def _twice(listed: Listed, before: Mapping[str, Listed]) -> Iterator[Finding]:
    parts = listed.plain.split("/")
    around = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
    inside = [path for path in before if listed.folder and path.startswith(f"{listed.plain}/")]
    for path in (
        *[one for one in around if one in before and (one == listed.plain or before[one].folder)],
        *inside,
    ):
        yield Finding(
            "RL403",
            listed.place,
            f"the path {listed.path!r}",
            expected="each file once",
            found=f"it and {before[path].path!r} (line {before[path].place.line})",
            next_step="remove one of both",
        )
        return


def _output(found: ReanaFile, listed: Listed) -> Iterator[Finding]:
    if listed.plain.split("/")[0] in _KEPT:
        yield _kept(listed)
    for keys in SENT[:2]:
        for sent in found.listed(*keys):
            if sent.plain == listed.plain:
                yield Finding(
                    "RL404",
                    listed.place,
                    f"output {listed.path!r}",
                    expected="something that the run makes",
                    found=f"an input (line {sent.place.line})",
                    next_step="take it off the inputs, or the outputs",
                )


def _kept(listed: Listed) -> Finding:
    return Finding(
        "RL410",
        listed.place,
        f"the path {listed.path!r}",
        expected="a path of the analysis",
        found="one where a program keeps what is its own",
        next_step="name another",
    )


def _options(found: ReanaFile) -> Iterator[Finding]:
    for option in found.mapping("inputs", "options"):
        engines = _OPTIONS.get(option)
        if engines is None or (found.language in _LANGUAGES and found.language not in engines):
            known = [name for name, own in _OPTIONS.items() if found.language in own]
            yield Finding(
                "RL407",
                found.place("inputs", "options", option),
                f"the option {option!r}",
                expected=f"one of {', '.join(known) or 'none'} for {found.language}",
                found=f"one of {', '.join(engines)}" if engines else "an unknown one",
                next_step=_nearest(option, known) or "remove it",
            )


def commands(steps: Iterable[SerialStep]) -> Iterator[Command]:
    """Give the commands of a serial workflow."""
    for step in steps:
        for command, place in step.commands:
            yield Command(command, place, f"step '{step.name}'")


def _inside(path: str, made: frozenset[str]) -> bool:
    parts = path.split("/")
    return any("/".join(parts[:end]) in made for end in range(1, len(parts) + 1))


def _nearest(name: str, known: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"write '{nearest[0]}'" if nearest else ""
