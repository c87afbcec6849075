"""What REANA's own client passes and its server refuses, or does otherwise than was meant."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping

from relance.checks import reana_paths
from relance.checks.finding import Finding, Place
from relance.checks.jobs import Jobs
from relance.checks.names import suggestion
from relance.checks.reana_file import ReanaFile
from relance.checks.reana_wording import unknown, wrong_value
from relance.checks.snakefile import Snakefile

_LANGUAGES = ("serial", "snakemake", "yadage", "cwl")
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


def check(found: ReanaFile) -> Iterator[Finding]:
    """Give what is wrong with a reana.yaml itself."""
    yield from _keys(found)
    yield from _values(found)
    yield from reana_paths.check(found)
    yield from _options(found)


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
                    next_step=suggestion(path, jobs.made) or "correct the path",
                )


def _keys(found: ReanaFile) -> Iterator[Finding]:
    for keys, known in _KEYS.items():
        for key in found.mapping(*keys):
            if key not in known:
                yield unknown(key, known, found.place(*keys, key))


def _values(found: ReanaFile) -> Iterator[Finding]:
    if found.language not in _LANGUAGES:
        place = found.place("workflow", "type")
        yield wrong_value(place, "the workflow's type", _LANGUAGES, found.language)
    if found.workflow is None and found.part("workflow", "specification") is None:
        yield Finding(
            "RL406",
            found.place("workflow"),
            "the workflow",
            expected="'file' or 'specification'",
            found="neither",
            next_step="add 'file: …'",
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
                next_step=suggestion(option, known) or "remove it",
            )


def _inside(path: str, made: frozenset[str]) -> bool:
    parts = path.split("/")
    return any("/".join(parts[:end]) in made for end in range(1, len(parts) + 1))
