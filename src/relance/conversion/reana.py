"""Analyses of REANA, by the language of their workflow; the folder of reana.yaml is the workspace."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import yaml

from relance.conversion import cwl, telling, yadage
from relance.conversion.model import Converted, Copied
from relance.conversion.places import is_below
from relance.conversion.yadage import INIT
from relance.drafting.converted import GivenValue, Known, Need, Product
from relance.engines.reana.ignoring import ignored
from relance.errors import InputError
from relance.languages import parameters, serial, snakefile, workspaces
from relance.languages.cwl import parameters as cwl_parameters
from relance.languages.cwl.parameters import Parameters
from relance.languages.model import Json
from relance.languages.reana import Analysis, Language
from relance.languages.references import Sources
from relance.languages.serial import Between
from relance.languages.workspaces import Taken

_SNAKEFILES = ("Snakefile", "workflow/Snakefile")
_CONFIGURATION = "reana"
_KEPT_BY_PROGRAMS = frozenset({".git", ".snakemake", ".relance", "__pycache__"})


def converted(
    analysis: Analysis, source: str, given: Mapping[str, Json], name: str, *, whole: bool = False
) -> Converted:
    """Return the analysis for Snakemake that one of REANA becomes.

    Args:
        analysis: as it was read.
        source: the name of the file.
        given: parameters that replace those of the file.
        name: what the analysis is called.
        whole: whether cwltool runs a workflow of CWL as one.

    Raises:
        InputError: something of it can't be read, or isn't there; file and line are told.
    """
    match analysis.language:
        case Language.SERIAL:
            made = _serial(analysis, source, given, name)
        case Language.YADAGE:
            made = _yadage(analysis, given, name)
        case Language.SNAKEMAKE:
            made = _snakemake(analysis, source, given, name)
        case Language.CWL:
            made = _cwl(analysis, source, given, name, whole=whole)
    return replace(made, notes=(*(f"{note.where}: {note.text}" for note in analysis.notes), *made.notes))


def _serial(analysis: Analysis, source: str, given: Mapping[str, Json], name: str) -> Converted:
    if analysis.file is not None:
        part = Sources(analysis.folder).root(analysis.file)
    else:
        part = analysis.workflow.need("specification", "a workflow")
    values = {**analysis.parameters, **given}
    between = Between(_option(analysis, "FROM"), _option(analysis, "TARGET"))
    workflow, notes = serial.read(part, values, analysis.needs, between)
    compiled = snakefile.compiled(workflow, source, values, taken=analysis.outputs)
    images, bare = telling.images(workflow)
    copies = _inputs(analysis, INIT)
    known = Known(
        name=name,
        written_in=source,
        values=_taken(telling.values(values, analysis.folder), copies),
        products=_products(analysis.outputs, workspaces.PLACE),
        needs=telling.needs(workflow, values),
        images=images,
        bare=bare,
        sources=telling.SOURCES,
        kept=telling.kept(workflow),
        between=telling.between(workflow),
    )
    return Converted(
        source=source,
        texts=compiled.files,
        known=known,
        copies=copies,
        notes=tuple(f"{note.where}: {note.text}" for note in notes),
    )


def _yadage(analysis: Analysis, given: Mapping[str, Json], name: str) -> Converted:
    toplevel = analysis.folder / _folder(analysis, "toplevel")
    initdir = _folder(analysis, "initdir")
    files = analysis.options.get("initfiles") or []
    listed = files if isinstance(files, list) else [files]
    paths = [analysis.folder / _below(analysis, "initfiles", one) for one in listed]
    values = {**parameters.gathered(paths, ()), **analysis.parameters, **given}
    file = str(analysis.file)
    if not (toplevel / file).is_file() and (analysis.folder / file).is_file():
        toplevel = analysis.folder
    made = yadage.converted(yadage.Source(toplevel, file, values, name, analysis.folder / initdir))
    needs = made.known.needs + tuple(Need(telling.kind(one), one) for one in analysis.needs)
    products = _products(analysis.outputs, "workdir")
    inputs = INIT if not initdir else f"{INIT}/{initdir}"
    texts = dict(made.texts)
    configuration = yaml.safe_load(texts["config.yaml"])
    texts["config.yaml"] = yaml.safe_dump(
        {**configuration, "inputs": inputs}, sort_keys=False, allow_unicode=True
    )
    copies = _inputs(analysis, INIT)
    known = replace(
        made.known,
        products=products or made.known.products,
        needs=needs,
        values=_taken(made.known.values, copies),
    )
    return replace(made, texts=texts, known=known, copies=copies)


def _taken(values: tuple[GivenValue, ...], copies: tuple[Copied, ...]) -> tuple[GivenValue, ...]:
    """Return parameters, of which those name a file that name one of the workspace."""
    there = {copied.source.resolve() for copied in copies}
    return tuple(
        one if one.file is None or one.file.resolve() in there else replace(one, file=None) for one in values
    )


def _cwl(analysis: Analysis, source: str, given: Mapping[str, Json], name: str, *, whole: bool) -> Converted:
    if analysis.options.get("TARGET") is not None:
        raise InputError(
            f"{source}: the option TARGET",
            expected="the whole workflow",
            found=repr(analysis.options["TARGET"]),
            next_step="leave it out; 'relance run' makes what is asked for by name",
        )
    values = dict(analysis.parameters)
    listed = analysis.parameter_file or values.pop("input", None)
    said = [Parameters(values, (analysis.folder,), source), Parameters(given, (Path(),), "--parameter")]
    if listed is not None:
        path = analysis.folder / _below(analysis, "parameters", listed)
        said.insert(0, cwl_parameters.of_file(path, analysis.folder))
    convert = cwl.whole if whole else cwl.converted
    made = convert(analysis.folder, str(analysis.file), said, name)
    needs = tuple(Need(telling.kind(one), one) for one in analysis.needs)
    return replace(made, known=replace(made.known, needs=(*made.known.needs, *needs)))


def _snakemake(analysis: Analysis, source: str, given: Mapping[str, Json], name: str) -> Converted:
    """Return the analysis as it is, with a configuration of REANA's parameters."""
    file = str(analysis.file)
    copies = _inputs(analysis, "")
    present = {copied.place for copied in copies}
    if file not in present:
        copies = (*copies, Copied(_existing(analysis, file), file))
    values = dict(analysis.parameters)
    listed = analysis.parameter_file or values.pop("input", None)
    if listed is not None:
        path = analysis.folder / _below(analysis, "parameters", listed)
        values = _merged(_mapping(path), values)
    values = _merged(values, given)
    texts: dict[str, str] = {}
    configuration = None
    if values:
        configuration = next(
            stem
            for stem in (_CONFIGURATION, *(f"{_CONFIGURATION}-{n}" for n in range(2, 1000)))
            if f"config/{stem}.yaml" not in present
        )
        texts[f"config/{configuration}.yaml"] = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    if file not in _SNAKEFILES:
        if "Snakefile" in present:
            raise InputError(
                f"{source}: the workflow's file",
                expected="one Snakefile where Snakemake looks for it",
                found=f"{file}, and a Snakefile beside reana.yaml that isn't it",
                next_step="leave that Snakefile out of 'inputs'",
            )
        texts["Snakefile"] = f"# From {source}, whose workflow is in another place.\ninclude: {file!r}\n"
    known = Known(
        name=name,
        written_in=source,
        snakefile="Snakefile" if file not in _SNAKEFILES else file,
        configuration=f"config/{configuration}.yaml" if configuration else None,
        values=_taken(tuple(_leaves(values, analysis.folder)), copies),
        products=_products(analysis.outputs, ""),
        needs=tuple(Need(telling.kind(one), one) for one in analysis.needs),
    )
    return Converted(source, texts, known, copies, configuration=configuration)


def _products(outputs: Taken, place: str) -> tuple[Product, ...]:
    before = f"{place}/" if place else ""
    return (
        *(Product(path.rpartition("/")[2].partition(".")[0], f"{before}{path}") for path in outputs.files),
        *(Product(path.rpartition("/")[2], f"{before}{path}", folder=True) for path in outputs.folders),
    )


def _inputs(analysis: Analysis, place: str) -> tuple[Copied, ...]:
    """Return each file that goes to the workspace, once; those of folders that are ignored are left out.

    A folder among the files, or a file among the folders, is taken for what it is, as reana-client does.
    """
    found: dict[str, Path] = {}
    walked: dict[str, Path] = {}
    several = (analysis.inputs, analysis.definition)
    for named in dict.fromkeys(name for one in several for name in (*one.files, *one.folders)):
        if not (analysis.folder / named).is_dir():
            expected = "a folder" if named in analysis.inputs.folders else "a file"
            found[named] = _existing(analysis, named, expected)
            continue
        for path in sorted((analysis.folder / named).rglob("*")):
            name = path.relative_to(analysis.folder).as_posix()
            if path.is_file() and not _KEPT_BY_PROGRAMS & set(name.split("/")):
                walked[name] = _existing(analysis, name)
    left_out = ignored(analysis.folder, list(walked))
    found.update({name: path for name, path in walked.items() if name not in left_out})
    before = f"{place}/" if place else ""
    return tuple(Copied(path, f"{before}{name}") for name, path in sorted(found.items()))


def _existing(analysis: Analysis, path: str, expected: str = "a file") -> Path:
    place = analysis.folder / path
    if not place.is_file():
        raise _missing(analysis, path, expected)
    if not place.resolve().is_relative_to(analysis.folder.resolve()):
        raise _missing(analysis, path, "a file of the analysis", "a link that leads out of it")
    return place


def _missing(analysis: Analysis, path: str, expected: str, found: str = "none") -> InputError:
    return InputError(
        f"{analysis.workflow.document.path}: the input '{path}'",
        expected=f"{expected} beside it",
        found=found,
        next_step="correct the path, or put it there",
    )


def _option(analysis: Analysis, name: str) -> str | None:
    value = analysis.options.get(name)
    return None if value is None else str(value)


def _folder(analysis: Analysis, name: str) -> str:
    value = analysis.options.get(name)
    if value in {None, "", "."}:
        return ""
    return _below(analysis, name, value).rstrip("/")


def _below(analysis: Analysis, name: str, value: Json) -> str:
    if not isinstance(value, str) or not is_below(value) or ":" in value:
        raise InputError(
            f"{analysis.workflow.document.path}: {name}",
            expected="a path in the folder of reana.yaml",
            found=repr(value),
            next_step="clone what is elsewhere, and name the folder",
        )
    return re.sub(r"^(\./)+", "", value)


def _mapping(path: Path) -> dict[str, Json]:
    return parameters.gathered([path], ())


def _merged(below: Mapping[str, Json], above: Mapping[str, Json]) -> dict[str, Json]:
    """Return mappings laid over each other, at every depth."""
    found = dict(below)
    for key, value in above.items():
        old = found.get(key)
        both = isinstance(value, dict) and isinstance(old, dict)
        found[key] = _merged(old, value) if both and isinstance(old, dict) else value
    return found


def _leaves(values: Mapping[str, Json], folder: Path, above: str = "") -> list[GivenValue]:
    found: list[GivenValue] = []
    for key, value in values.items():
        if isinstance(value, dict):
            found += _leaves(value, folder, f"{above}{key}.")
        else:
            found += [
                replace(one, key=f"{above}{one.name}", name=f"{above}{one.name}")
                for one in telling.values({key: value}, folder)
            ]
    return found
