"""A Snakefile, with what reana.yaml says of it and the jobs that it leads to: every check of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relance.checks import inputs, reana_rules, snakefile, snakefile_names, snakefile_rules
from relance.checks.commands import Command
from relance.checks.files import Files
from relance.checks.finding import Finding, Place, Target
from relance.checks.images import Language, Named
from relance.checks.jobs import Jobs
from relance.checks.reana_file import ReanaFile
from relance.checks.snakefile import Snakefile
from relance.errors import RelanceError

_LONGEST = 800  # characters of what Snakemake says
_WHERE = re.compile(r'\bfile "(?P<file>/[^"]+)", line (?P<line>\d+)')

Ask = Callable[[str, Mapping[str, Any]], Jobs]
"""Gives the jobs of a Snakefile, run with parameters in place of its own.

Raises:
    RelanceError: Snakemake refuses the analysis.
"""


@dataclass(frozen=True)
class Checked:
    """What came of a Snakefile."""

    findings: tuple[Finding, ...]
    images: tuple[Named, ...]
    commands: tuple[Command, ...]
    looked_at: tuple[str, ...]
    """Files, relative to the folder that is checked."""


def check(
    file: str, files: Files, reana: ReanaFile | None, target: Target | None, ask: Ask | None
) -> Checked:
    """Check a Snakefile of the analysis whose files are given; `reana` is the reana.yaml that runs it."""
    root = files.root
    found = snakefile.read(root, file)
    findings = [*found.wrong, *found.unseen, *snakefile_names.check(found, files)]
    if target is Target.REANA:
        findings += snakefile_rules.check(found, files, reana.sent if reana is not None else None)
    jobs = None
    if ask is not None and not any(one.code == "RL001" for one in found.wrong):
        try:
            jobs = ask(file, reana.mapping("inputs", "parameters") if reana is not None else {})
        except RelanceError as error:
            places = {rule.name: rule.at("input") for rule in found.rules}
            missing = inputs.missing(error.found, places, Place(file))
            findings += missing or (_refused(error, root, file),)
    named = tuple(snakefile_rules.images(found))
    if jobs is not None:
        named = tuple(_with_images(named, jobs, found))
        findings += inputs.check_jobs(jobs, found)
    # What Snakemake misses it has told itself.
    findings += (one for one in inputs.check(found, root) if jobs is None or one.code != "RL501")
    if reana is not None:
        findings += reana_rules.check_sent(reana, found, jobs)
    return Checked(tuple(findings), named, tuple(snakefile_rules.commands(found)), tuple(found.files))


def _refused(error: RelanceError, root: Path, file: str) -> Finding:
    """Return that Snakemake refuses the analysis, at the place that it tells if that is in the analysis."""
    said = _WHERE.search(error.found)
    place = Place(file)
    if said is not None and Path(said["file"]).is_relative_to(root):
        place = Place(Path(said["file"]).relative_to(root).as_posix(), int(said["line"]))
    return Finding(
        "RL002",
        place,
        "the analysis",
        expected=error.expected,
        found=" ".join(error.found.split())[-_LONGEST:],
        next_step=error.next_step,
    )


def _with_images(named: tuple[Named, ...], jobs: Jobs, found: Snakefile) -> Iterator[Named]:
    """Give images as the graph has them, with the places of the rules; those of other rules as written."""
    if not jobs.images:
        yield from named
        return
    places = {rule.name: rule.at("container") for rule in found.rules}
    own = {rule.name for rule in found.rules if "container" in rule.sections}
    written = {one.subject: one for one in named}
    seen: set[tuple[str, str]] = set()
    shared = False
    common = found.container.text if found.container is not None else None
    for job in jobs.jobs:
        key = (job.rule, job.image or "")
        if job.image and job.image == common and job.rule not in own:
            shared = True
            continue
        if not job.image or key in seen:
            continue
        seen.add(key)
        subject = f"rule {job.rule}"
        before = written.get(subject)
        place = places.get(job.rule, Place(found.files[0]))
        yield Named(job.image, place, subject, Language.SNAKEMAKE, before.user if before else None)
    ran = {f"rule {job.rule}" for job in jobs.jobs}
    unused = {*ran, *(() if shared else ("all rules",))}
    yield from (one for one in named if one.subject not in unused)
