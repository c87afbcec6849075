"""Data of a Snakefile's jobs: inputs that aren't there, and products that are used without being declared."""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from relance.checks.expressions import UNKNOWN
from relance.checks.finding import Finding, Place
from relance.checks.jobs import Job, Jobs
from relance.checks.snakefile import Rule, Snakefile

_EVERYWHERE = ("/cvmfs/", "/dev/")
_HOLE = re.compile(rf"\{{[^{{}}]*\}}|{UNKNOWN}")
_PIECE = re.compile(r"[^\s'\"`$(){}<>|;&,=:\\]+")


def check(snakefile: Snakefile, root: Path) -> Iterator[Finding]:
    """Give inputs that are neither there nor made, as far as the text tells, and paths of this machine."""
    moved = any(use.what == "workflow.workdir" for use in snakefile.called)
    made = [
        pattern
        for rule in snakefile.rules
        for value in rule.values("output")
        for pattern in (_pattern(value.text), _pattern(f"{value.text}/{UNKNOWN}"))
    ]
    for rule in snakefile.rules:
        yield from _elsewhere(rule, root)
        for value in rule.values("input"):
            literal = value.known and "{" not in value.text and "://" not in value.text
            if moved or not snakefile.whole or not literal or "storage" in value.flags:
                continue
            path = posixpath.normpath(value.text)
            if not (root / path).exists() and not any(one.fullmatch(path) for one in made):
                yield _missing(replace(rule.place, line=value.line), f"rule {rule.name}", value.text)


def missing(message: str, places: dict[str, Place], snakefile: Place) -> tuple[Finding, ...]:
    """Return the inputs that Snakemake misses, from its message; `places` are those of rules."""
    found = re.search(r"Missing input files for rule (?P<rule>\w+):(?P<rest>.*)", message, re.DOTALL)
    if found is None:
        return ()
    files = found["rest"].partition("affected files:")[2].split()
    place = places.get(found["rule"], snakefile)
    return tuple(_missing(place, f"rule {found['rule']}", file) for file in files)


def check_jobs(jobs: Jobs, snakefile: Snakefile) -> Iterator[Finding]:
    """Give the commands that name another job's product which isn't among their inputs."""
    places = {rule.name: rule.at("shell") for rule in snakefile.rules}
    makers = {path: job for job in jobs.jobs for path in job.outputs}
    told: set[tuple[str, str]] = set()
    for job in jobs.jobs:
        if job.command is None:
            continue
        for path, maker in _undeclared(job, makers):
            if (job.rule, maker.rule) not in told:
                told.add((job.rule, maker.rule))
                yield Finding(
                    "RL502",
                    places.get(job.rule, Place(snakefile.files[0])),
                    f"rule {job.rule}",
                    expected=f"{path!r} among its inputs",
                    found=f"it in the command alone; rule {maker.rule} makes it, before or after",
                    next_step="declare it as an input",
                )


def _undeclared(job: Job, makers: dict[str, Job]) -> Iterator[tuple[str, Job]]:
    own = {posixpath.normpath(path) for path in (*job.inputs, *job.outputs, *job.logs)}
    for word in dict.fromkeys(_PIECE.findall(job.command or "")):
        path = posixpath.normpath(word)
        if "/" not in path and "." not in path:
            continue
        matched = [path] if path in makers else []
        if not matched and any(sign in path for sign in "*?["):
            matched = [made for made in makers if fnmatch.fnmatchcase(made, path)]
            if any(one in own for one in matched):
                continue  # a pattern for what is declared, at least in part
        for made in matched[:1]:
            around = any(made.startswith(f"{folder}/") for folder in own)
            if made not in own and not around and makers[made].outputs != job.outputs:
                yield made, makers[made]


def _elsewhere(rule: Rule, root: Path) -> Iterator[Finding]:
    for section in ("input", "output"):
        for value in rule.values(section):
            path = value.text
            if path.startswith("/") and not path.startswith((*_EVERYWHERE, f"{root}/")):
                yield Finding(
                    "RL503",
                    replace(rule.place, line=value.line),
                    f"rule {rule.name}, {section}",
                    expected="a path relative to the analysis, or one from the configuration",
                    found=repr(path.replace(UNKNOWN, "…")),
                    next_step="put it into the configuration, so that others can name theirs",
                )


def _missing(place: Place, subject: str, path: str) -> Finding:
    return Finding(
        "RL501",
        place,
        f"{subject}, input {path!r}",
        expected="a file that is there, or that a rule makes",
        found="neither",
        next_step="correct the path, or bring the file",
    )


def _pattern(text: str) -> re.Pattern[str]:
    pieces = [re.escape(piece) for piece in _HOLE.split(text)]
    return re.compile(".+".join(pieces))
