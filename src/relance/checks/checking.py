"""All checks of an analysis."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from relance.checks import (
    commands,
    images,
    reana_file,
    reana_rules,
    secrets,
    serial_rules,
    silencing,
    snakefile_check,
    workflow_check,
)
from relance.checks.commands import Command
from relance.checks.files import Files
from relance.checks.finding import Finding, Place, Target, ordered
from relance.checks.images import Named, Users
from relance.checks.reana_file import ReanaFile, SerialStep
from relance.checks.refusals import refused
from relance.checks.report import Report
from relance.checks.snakefile_check import Ask
from relance.checks.subject import Subject
from relance.checks.workflow_check import Given
from relance.errors import InputError
from relance.languages import recast_atlas, yamlfile
from relance.languages.model import Json
from relance.specification import reading
from relance.specification.model import Specification

_LARGEST = 5 << 20  # bytes; of larger files no secrets are looked for
_MOST_FILES = 2000


@dataclass
class _Gathered:
    findings: list[Finding] = field(default_factory=list)
    looked_at: list[str] = field(default_factory=list)


def check(subject: Subject, target: Target | None, ask: Ask | None, user_of: Users | None = None) -> Report:
    """Check an analysis; nothing in it is run but by `ask`.

    Args:
        subject: what to check.
        target: where it is to run, besides this machine.
        ask: how to get the jobs of a Snakefile; None: only what its text tells.
        user_of: the USER of images that are at hand.
    """
    return _Checker(subject, target, ask, user_of).report()


class _Checker:
    def __init__(
        self, subject: Subject, target: Target | None, ask: Ask | None, user_of: Users | None
    ) -> None:
        self._subject = subject
        self._root = subject.root
        self._target = target
        self._ask = ask
        self._user_of = user_of
        self._files = Files(subject.root)
        self._all = _Gathered()
        self._reana: ReanaFile | None = None
        self._specification = self._read_specification()

    def report(self) -> Report:
        """Check everything, and tell what was silenced from the rest."""
        subject, found = self._subject, self._all
        if subject.reana is not None:
            self._check_reana(subject.reana)
        main = self._snakefile()
        if main is not None:
            self._check_snakefile(main)
        if subject.entry is not None:
            self._check_entry(subject.entry)
        if subject.yadage is not None:
            self._check_yadage(subject.toplevel or self._root, subject.yadage, ())
        if subject.serial is not None:
            self._check_serial(subject.serial)
        if subject.cwl is not None:
            self._check_cwl(subject.cwl)
        found.findings += self._secrets()
        found.findings += silencing.unknown(self._files, found.looked_at)
        known = self._specification.check.ignore if self._specification is not None else {}
        heard = silencing.heard(ordered(found.findings), self._files, known)
        return Report(
            self._root, self._target, heard.findings, heard.silenced, tuple(dict.fromkeys(found.looked_at))
        )

    def _snakefile(self) -> str | None:
        """Return the Snakefile: the one that reana.yaml names goes before that of the folder."""
        if self._reana is not None and self._reana.language == "snakemake" and self._reana.workflow:
            named = os.path.normpath(self._reana.workflow)
            if (self._root / named).is_file():
                return named
        return self._subject.snakefile

    def _check_reana(self, file: str) -> None:
        self._all.looked_at.append(file)
        try:
            found = reana_file.read(self._root, file)
        except InputError as error:
            self._all.findings += refused(error, file)
            return
        if not found.content:
            self._all.findings.append(
                Finding(
                    "RL001",
                    Place(file, 1),
                    file,
                    expected="a mapping with 'workflow:'",
                    found="something else",
                    next_step="see docs/reana.md",
                )
            )
            return
        self._reana = found
        self._all.findings += reana_rules.check(found)
        self._take_steps(found.steps, found)
        if found.language == "serial" and found.workflow and (self._root / found.workflow).is_file():
            self._check_serial(os.path.normpath(found.workflow))
        elif found.language == "yadage" and found.workflow:
            self._check_reana_yadage(found, os.path.normpath(found.workflow))
        elif found.language == "cwl" and found.workflow and (self._root / found.workflow).is_file():
            self._check_cwl(str(found.part("workflow", "file")))

    def _check_cwl(self, file: str) -> None:
        from relance.checks import cwl_check  # noqa: PLC0415 - its library takes long to load

        name, _, wanted = file.partition("#")
        checked = cwl_check.check(
            self._root, "#".join(filter(None, (os.path.normpath(name), wanted))), self._files
        )
        self._all.findings += checked.findings
        self._all.looked_at += checked.looked_at
        self._take(checked.images, checked.commands, self._target)

    def _check_serial(self, file: str) -> None:
        self._all.looked_at.append(file)
        try:
            document = yamlfile.read(self._root / file, Path(file))
        except InputError as error:
            self._all.findings += refused(error, file)
            return
        self._take_steps(reana_file.steps(document, file), self._reana)

    def _take_steps(self, steps: tuple[SerialStep, ...], found: ReanaFile | None) -> None:
        if steps:
            self._all.findings += serial_rules.check(steps, found)
            self._take(serial_rules.images(steps), serial_rules.commands(steps), self._target)

    def _take(self, named: Iterable[Named], texts: Iterable[Command], target: Target | None) -> None:
        """Check images and commands, in whichever language they are written."""
        self._all.findings += images.check(named, self._root, target, self._user_of)
        for command in texts:
            self._all.findings += commands.check(command, self._files, target)

    def _check_reana_yadage(self, found: ReanaFile, workflow: str) -> None:
        named = found.part("inputs", "options", "toplevel")
        toplevel = self._root
        if isinstance(named, str) and named:
            if ":" in named:
                self._not_looked_at(found.place("inputs", "options", "toplevel"), f"the workflow at {named}")
                return
            toplevel = (self._root / named).resolve()
        if not toplevel.is_relative_to(self._root):
            return
        if not (toplevel / workflow).is_file() and (self._root / workflow).is_file():
            workflow = os.path.relpath(self._root / workflow, toplevel)
        if not (toplevel / workflow).is_file() or workflow.startswith(".."):
            return
        parameters = found.mapping("inputs", "parameters")
        known = not found.part("inputs", "options", "initfiles")
        places = {name: found.place("inputs", "parameters", name) for name in parameters}
        given = Given(parameters if known else None, places)
        self._check_yadage(toplevel, workflow, (given,))

    def _check_entry(self, file: str) -> None:
        self._all.looked_at.append(file)
        try:
            entry = recast_atlas.read(self._root / file)
            document = yamlfile.read(self._root / file, Path(file))
        except InputError as error:
            self._all.findings += refused(error, file)
            return
        given = []
        for name, example in entry.examples.items():
            where = ("example_inputs", name, "initdata")
            if example.inputs and not (self._root / example.inputs).is_dir():
                place = Place(file, reana_file.line(document, "example_inputs", name, "dataopts", "initdir"))
                self._all.findings.append(
                    Finding(
                        "RL501",
                        place,
                        f"example '{name}', initdir {example.inputs!r}",
                        expected="a folder beside this file",
                        found="none",
                        next_step="correct the path, or bring the folder",
                    )
                )
            places = {one: Place(file, reana_file.line(document, *where, one)) for one in example.parameters}
            # Files that are read may bring more.
            more = isinstance(options := _part(document.value, name, "dataopts"), dict) and "read" in options
            given.append(Given(None if more else example.parameters, places))
        self._check_yadage(entry.toplevel.resolve(), entry.workflow, tuple(given))
        for index, test in enumerate(entry.tests):
            place = Place(file, reana_file.line(document, "tests", index))
            self._all.findings += workflow_check.check_step(self._root, entry.toplevel.resolve(), test, place)

    def _check_yadage(self, toplevel: Path, file: str, given: tuple[Given, ...]) -> None:
        checked = workflow_check.check(self._root, toplevel.resolve(), file, given, self._files)
        self._all.findings += checked.findings
        if self._target is Target.REANA:
            self._all.findings += checked.unheard
        self._take(checked.images, checked.commands, self._target)
        self._all.looked_at += checked.looked_at

    def _check_snakefile(self, file: str) -> None:
        # What reana.yaml runs may be something else, with this Snakefile for other places.
        reana = self._reana if self._reana is not None and self._reana.language == "snakemake" else None
        target = self._target if reana is not None or self._reana is None else None
        checked = snakefile_check.check(file, self._files, reana, target, self._ask)
        self._all.findings += checked.findings
        self._all.looked_at += checked.looked_at
        self._take(checked.images, checked.commands, target)

    def _not_looked_at(self, place: Place, what: str) -> None:
        self._all.findings.append(
            Finding(
                "RL003",
                place,
                f"{what} isn't looked at",
                expected="a workflow that relance reads, on this machine",
                found=what,
                next_step="check it where it lies",
            )
        )

    def _secrets(self) -> Iterator[Finding]:
        """Give the secrets in what was looked at, and in what reana.yaml sends."""
        allowed = self._specification.allowed_secrets if self._specification is not None else ()
        sent = sorted(self._reana.sent) if self._reana is not None else []
        for file in tuple(dict.fromkeys([*self._all.looked_at, *sent]))[:_MOST_FILES]:
            path = self._root / file
            try:
                if not path.is_file() or path.stat().st_size > _LARGEST:
                    continue
                found = secrets.find_in_file(path, file)
            except (InputError, OSError):
                continue
            for secret in secrets.not_allowed(found, (one.digest for one in allowed)):
                yield Finding(
                    "RL601",
                    Place(file, secret.line),
                    secret.kind,
                    expected="no secrets in files",
                    found="what looks like one (it isn't shown)",
                    next_step="take it out, and have it revoked; give it as a secret of REANA, or a variable",
                )

    def _read_specification(self) -> Specification | None:
        """Return the specification of the analysis, if it has one."""
        named = sorted((self._root / "specs").glob("*.yaml"))
        own = [path for path in named if reading.is_specification(path)]
        if len(own) != 1:
            return None
        file = own[0].relative_to(self._root).as_posix()
        self._all.looked_at.append(file)
        try:
            return reading.load(own[0])
        except InputError as error:
            self._all.findings += refused(error, file)
            return None


def _part(content: Json, name: str, key: str) -> Json:
    """Return a part of an example of a recast.yml, which its reader has accepted."""
    return (content["example_inputs"][name] or {}).get(key)
