"""Data of a Snakefile's jobs: inputs that aren't there, and products that are used without being declared."""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from relance.checks import rule_order
from relance.checks.expressions import UNKNOWN
from relance.checks.finding import Finding, Place
from relance.checks.jobs import Job, Jobs
from relance.checks.snakefile import Rule, Snakefile

_EVERYWHERE = ("/cvmfs/", "/dev/")
_ENTERED = re.compile(r"\bcd\s+([\w.-][\w./-]*)")
_PIECE = re.compile(r"[^\s'\"`$(){}<>|;&,=:\\]+")


def check(snakefile: Snakefile, root: Path) -> Iterator[Finding]:
    """Give inputs that are neither there nor made, as far as the text tells, and paths of this machine."""
    moved = any(use.what == "workflow.workdir" for use in snakefile.called)
    order = rule_order.of(snakefile)
    for number, rule in enumerate(snakefile.rules):
        yield from _elsewhere(rule, root)
        for value in rule.values("input"):
            literal = value.known and "{" not in value.text and "://" not in value.text
            literal = literal and not value.text.startswith(_EVERYWHERE)
            if moved or not snakefile.whole or not literal or "storage" in value.flags:
                continue
            path = posixpath.normpath(value.text)
            if not (root / path).exists() and not order.makers(value) - {number}:
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
    makers = {posixpath.normpath(path): job for job in jobs.jobs for path in job.outputs}
    told: set[tuple[str, str]] = set()
    for job in jobs.jobs:
        for path, maker in _undeclared(job, makers):
            if (job.rule, maker.rule) not in told:
                told.add((job.rule, maker.rule))
                when = "before it, for another reason" if _waits(job, maker, makers) else "before or after"
                yield Finding(
                    "RL502",
                    places.get(job.rule, Place(snakefile.files[0])),
                    f"rule {job.rule}",
                    expected=f"{path!r} among its inputs",
                    found=f"it in the command alone; rule {maker.rule} makes it, {when}",
                    next_step="declare it as an input",
                )


def _undeclared(job: Job, makers: Mapping[str, Job]) -> Iterator[tuple[str, Job]]:
    own = {posixpath.normpath(path) for path in (*job.inputs, *job.outputs, *job.logs)}
    entered = dict.fromkeys(_ENTERED.findall(job.command or ""))
    for word in dict.fromkeys(_PIECE.findall(job.command or "")):
        plain = posixpath.normpath(word)
        places = [posixpath.normpath(posixpath.join(folder, word)) for folder in entered]
        if "/" in plain or "." in plain:
            places.append(plain)
        made = [one for path in places for one in _matched(path, makers)]
        if any(path in own for path in places):
            continue
        for one in made:
            around = any(one.startswith(f"{folder}/") for folder in own)
            if one not in own and not around and makers[one].outputs != job.outputs:
                yield one, makers[one]
                break


def _matched(path: str, makers: Mapping[str, Job]) -> Iterator[str]:
    """Give the products that a path of a command names: itself, its folders, or what fits a pattern."""
    if any(sign in path for sign in "*?["):
        depth = path.count("/")
        near = (made for made in makers if made.count("/") == depth)
        yield from (made for made in near if all(map(fnmatch.fnmatchcase, made.split("/"), path.split("/"))))
        path = posixpath.dirname(re.split(r"[*?[]", path)[0])
    while path.strip("/"):
        if path in makers:
            yield path
        path = posixpath.dirname(path)


def _waits(job: Job, maker: Job, makers: Mapping[str, Job]) -> bool:
    """Return whether a job reads what was made of another's products."""
    waiting, seen = [job], {job}
    while waiting:
        sources = (makers.get(posixpath.normpath(path)) for path in waiting.pop().inputs)
        new = {source for source in sources if source is not None} - seen
        seen |= new
        waiting += new
    return maker in seen


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
