"""Which steps of what is sent need credentials of their user, as each language tells REANA."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from relance import document
from relance.checks import snakefile
from relance.engines.reana import paths
from relance.engines.reana.declared import Declared, Language, serial
from relance.errors import RelanceError
from relance.languages.model import Container
from relance.languages.support import patterns
from relance.languages.yadage import workflows as yadage

Said = Iterator[tuple[str, Mapping[str, Any]]]
"""Who needs something, and the resources that it declares."""


class Credential(StrEnum):
    """What a server makes of secrets, for a step that asks for it."""

    KERBEROS = "Kerberos"
    VOMS = "a VOMS proxy"
    RUCIO = "Rucio"


_KEYS = {"kerberos": Credential.KERBEROS, "voms_proxy": Credential.VOMS, "rucio": Credential.RUCIO}
_BY_KERBEROS = frozenset({"htcondorcern", "slurmcern"})
"""Backends that are logged in to with Kerberos, whatever a step declares."""
_MOST_LEVELS = 40


def needed(declared: Declared) -> dict[Credential, tuple[str, ...]]:
    """Return the credentials that are asked for, each with who asks.

    What a server alone can read, such as a workflow that lies elsewhere, or a value that a Snakefile works
    out, isn't known and left out.
    """
    found: dict[Credential, list[str]] = {}
    for who, resources in _said(declared):
        for one in _credentials(resources):
            found.setdefault(one, []).append(who)
    return {one: tuple(dict.fromkeys(found[one])) for one in Credential if one in found}


def _credentials(resources: Mapping[str, Any]) -> Iterator[Credential]:
    for key, credential in _KEYS.items():
        if str(resources.get(key)).lower() in {"true", "1"}:
            yield credential
    if resources.get("compute_backend") in _BY_KERBEROS:
        yield Credential.KERBEROS


def _said(declared: Declared) -> Said:
    of_all = declared.content["workflow"].get("resources")
    if isinstance(of_all, dict):
        yield "the workflow", of_all
    match declared.language:
        case Language.SERIAL:
            yield from _serial(serial(declared))
        case Language.SNAKEMAKE if declared.file is not None:
            for rule in snakefile.read(declared.folder, declared.file).rules:
                values = rule.values("resources")
                yield f"rule '{rule.name}'", {one.name or "": one.text for one in values}
        case Language.YADAGE if declared.file is not None:
            yield from _yadage(declared, declared.file)
        case Language.CWL:
            for path in declared.definition:
                if path.endswith(".cwl"):
                    yield from _cwl(path, declared.place(path))


def _serial(specification: Any) -> Said:
    steps = specification.get("steps") if isinstance(specification, dict) else None
    for number, step in enumerate(steps if isinstance(steps, list) else (), 1):
        if isinstance(step, dict):
            yield f"step '{step.get('name') or number}'", step


def _yadage(declared: Declared, file: str) -> Said:
    """Give what steps declare as mappings; REANA passes over what stands there as text, such as GRIDProxy."""
    toplevel = str(declared.options.get("toplevel") or "").removeprefix("./").rstrip("/")
    folder = declared.folder / toplevel if paths.is_safe(toplevel) else declared.folder
    try:
        workflow = yadage.read(folder if (folder / file).is_file() else declared.folder, file).workflow
    except RelanceError:
        return
    for pattern, steps in patterns.jobs(workflow).items():
        name = "/".join(patterns.stages(pattern))
        for step in steps:
            if isinstance(step.environment, Container):
                pairs = [pair for one in step.environment.resources for pair in one.split(", ")]
                yield f"stage '{name}'", dict(pair.split(": ", 1) for pair in pairs if ": " in pair)


def _cwl(path: str, place: Path) -> Said:
    try:
        content = document.read(place).value
    except RelanceError:
        return
    for hints in _hints(content):
        yield path, hints


def _hints(content: Any, level: int = 0) -> Iterator[Mapping[str, Any]]:
    """Give the hints for REANA in a document of CWL, wherever they stand, as a mapping or a list."""
    below = content
    if isinstance(content, dict):
        hints, below = content.get("hints"), list(content.values())
        if isinstance(hints, dict):
            hints = [{"class": name, **said} for name, said in hints.items() if isinstance(said, dict)]
        for one in hints if isinstance(hints, list) else ():
            if isinstance(one, dict) and one.get("class") == "reana":
                yield one
    for one in below if isinstance(below, list) and level < _MOST_LEVELS else ():
        yield from _hints(one, level + 1)
