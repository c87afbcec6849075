"""Writes an analysis in another workflow language: what `relance export --as` does."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from relance.cli.form_sources import Source
from relance.errors import InputError
from relance.languages import recast_atlas, yamlfile
from relance.languages import snakefile as compiler
from relance.languages.writing import guide, images, jobs, serial, snakemake, staged, text
from relance.languages.writing import yadage as expanded
from relance.languages.writing.form import Form
from relance.languages.writing.jobs import Plan, Setting
from relance.languages.writing.settings import Sought
from relance.languages.yadage import workflows as yadage
from relance.store import images as built

LANGUAGES = {"snakemake": "Snakemake", "yadage": "yadage", "reana": "REANA, as a serial workflow"}


def write(source: Source, language: str, names: Mapping[str, str], target: Path) -> tuple[str, ...]:
    """Write an analysis in another language into a new folder: whole, or nothing. Return what to tell.

    Args:
        source: the analysis.
        language: one of `LANGUAGES`.
        names: what images are to be called; see `relance.languages.writing.images`.
        target: the folder.

    Raises:
        InputError: the analysis can't be said in this language; or the folder has something in it.
    """
    sought = source.sought
    named = images.naming(source.images, names)
    plan = jobs.plan(source.name, source.jobs, source.results, named, sought.slotted)
    form = _form(plan, language, source.files)
    if language == "snakemake" and any(step.built_here for step in plan.steps):
        source = replace(source, files=(*source.files, str(built.LOCAL)))
    note = guide.text(LANGUAGES[language], plan, form, sought.names, sought.fixed)
    _put(replace(form, texts={**form.texts, guide.NAME: note}), target, source)
    kept = ", ".join(f"{name} = {setting.value}" for name, setting in _settings(plan, sought))
    told = [f"{len(plan.steps)} jobs; what may be set: {kept or 'nothing, all parameters are fixed'}"]
    reasons = dict.fromkeys(sought.fixed.values())
    return (*told, *(f"fixed: {', '.join(_with(sought, reason))}: {reason}" for reason in reasons))


def expand(specification: Path, language: str | None, toplevel: Path | None, target: Path) -> None:
    """Write a workflow of yadage, or that of a recast.yml, without references, into a new folder.

    Raises:
        InputError: another language is asked for; it can't be read; or the folder has something in it.
    """
    if language != "yadage":
        raise InputError(
            f"{specification}",
            expected="--as yadage, for a workflow of yadage",
            found=f"--as {language}" if language else "no --as",
            next_step=f"compile it ('relance convert {specification} DIR') and export DIR",
        )
    if recast_atlas.is_entry(yamlfile.read(specification, specification).value):
        entry = recast_atlas.read(specification, toplevel)
        workflow = yadage.read(entry.toplevel, entry.workflow).workflow
    else:
        base = toplevel or specification.parent
        workflow = yadage.read(base, os.path.relpath(specification, base)).workflow
    _put(Form({"workflow.yml": text.as_yaml(expanded.document(workflow))}), target, None)


def _with(sought: Sought, reason: str) -> list[str]:
    return [name for name, other in sought.fixed.items() if other == reason]


def _settings(plan: Plan, sought: Sought) -> list[tuple[str, Setting]]:
    return [(sought.names[setting.name], setting) for setting in plan.settings]


def _form(plan: Plan, language: str, files: tuple[str, ...]) -> Form:
    match language:
        case "yadage":
            return staged.form(plan)
        case "reana":
            return serial.form(plan, files)
    return snakemake.form(plan, files)


def _put(form: Form, target: Path, source: Source | None) -> None:
    compiler.check_free(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
        made = Path(scratch) / "form"
        if source is not None:
            for path in source.files:
                _copy(source.folder, path, made / form.files)
        for path, words in form.texts.items():
            place = made / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(words, encoding="utf-8")
        if target.exists():
            target.rmdir()
        made.replace(target)


def _copy(folder: Path, name: str, target: Path) -> None:
    path, place = folder / name, target / name
    if not path.exists():
        raise InputError(
            f"{path}",
            expected="a file that jobs read",
            found="none",
            next_step="bring it, or choose a configuration that doesn't need it",
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    within = path.resolve().is_relative_to(folder.resolve())
    if path.is_dir() and not (within and path.is_symlink()):
        shutil.copytree(path, place, dirs_exist_ok=True)
    else:
        shutil.copy2(path, place, follow_symlinks=not within)
