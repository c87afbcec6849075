"""A specification drafted for an analysis that was compiled from another language, of what that one tells.

Marked as in `relance init` is what only a person can decide.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from relance.drafting.words import MARK, dotted_slug, form, named, quoted, scalar, slug, unique, value_lines

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")
_SECRET = re.compile(r"token|passw|secret|credential|api_?key", re.IGNORECASE)
_LARGEST = 10**18
_LONGEST = 80


@dataclass(frozen=True)
class GivenValue:
    """A parameter of the workflow."""

    name: str
    key: str
    """Key of the configuration."""
    value: Any
    file: Path | None = None
    """Where the file lies that the value names, if it names one."""


@dataclass(frozen=True)
class Product:
    """What the workflow is run for."""

    name: str
    path: str
    """Relative to the analysis."""
    folder: bool = False


@dataclass(frozen=True)
class Need:
    """Something from outside that a capsule can't hold."""

    kind: str
    """As a specification has it: cvmfs, kerberos, voms, network or other."""
    name: str
    rules: tuple[str, ...] = ()


@dataclass(frozen=True)
class KnownCase:
    """A further set of values that the workflow works with; `cases/NAME.yaml` has them, too."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """By the names of the interface."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Files by the names of the interface, relative to the analysis."""


@dataclass(frozen=True)
class KnownTest:
    """A test of a part of the workflow."""

    name: str
    what: str
    """What it tests, in words."""
    place: str | None
    """Folder of an analysis that is the test, relative to this one; None if there is none."""


@dataclass(frozen=True)
class Known:
    """What a workflow of another language tells of itself."""

    name: str
    written_in: str
    """The file that it was compiled from."""
    snakefile: str = "Snakefile"
    configuration: str | None = "config.yaml"
    title: str | None = None
    author: str | None = None
    values: tuple[GivenValue, ...] = ()
    products: tuple[Product, ...] = ()
    needs: tuple[Need, ...] = ()
    images: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Rules by the images that they run in."""
    bare: tuple[str, ...] = ()
    """Rules without an image."""
    cases: tuple[KnownCase, ...] = ()
    tests: tuple[KnownTest, ...] = ()
    sources: tuple[str, ...] = ()
    """Patterns of the files that come with the analysis."""
    kept: tuple[str, ...] = ()
    """Patterns of small products without which nobody could tell what jobs there are."""
    between: Mapping[str, str] = field(default_factory=dict)
    """Rules by the patterns of what they make for others."""


def input_names(values: Iterable[GivenValue]) -> dict[str, str]:
    """Return the name in the interface of each parameter that names a file, by the parameter's own."""
    taken: set[str] = set()
    return {one.name: unique(slug(one.name), taken) for one in values if one.file and _KEY.fullmatch(one.key)}


def parameter_names(values: Iterable[GivenValue]) -> dict[str, str]:
    """Return the name in the interface of each other parameter that can be changed, by its own."""
    taken: set[str] = set()
    return {one.name: unique(dotted_slug(one.name), taken) for one in values if _can_be_set(one)}


def text(known: Known) -> str:
    """Return the draft as YAML; it follows the schema, so that only decisions are left."""
    return "\n".join(_lines(known)) + "\n"


def _lines(known: Known) -> Iterator[str]:
    yield f"# Drafted by 'relance convert' from {_line(known.written_in)}."
    yield "# Answer each comment that says 'decide', remove it, and remove what nobody will change."
    yield "format: analysis-specification"
    yield "version: 1"
    yield ""
    yield "identity:"
    yield f"  name: {scalar(slug(known.name))}"
    title = _line(known.title or "") or _line(known.name) or slug(known.name)
    yield f"  title: {scalar(title)}  {MARK} the title that a paper would have"
    yield f'  version: "1"  {MARK} your own count'
    yield "  authors:"
    author = _line(known.author or "")
    question = "who belongs here? Add 'orcid: …'" if author else "who made the analysis"
    yield f"    - name: {scalar(author or 'unknown')}  {MARK} {question}"
    yield f"  licence: NOASSERTION  {MARK} under which licence others may use it (SPDX, such as MIT)"
    yield ""
    yield "workflow:"
    yield "  language: snakemake"
    yield f"  file: {scalar(known.snakefile)}"
    if known.configuration:
        yield f"  configuration: {scalar(known.configuration)}"
    if known.sources:
        yield f"  sources: [{', '.join(map(quoted, known.sources))}]"
    yield from _images(known)
    yield ""
    yield "interface:"
    yield from _inputs(known)
    yield from _parameters(known)
    yield from _results(known)
    yield ""
    yield from _validation(known)
    yield ""
    yield from _products(known)
    yield from _outside(known)
    yield ""
    yield "visibility:"
    yield f"  specification: collaboration  {MARK} public or collaboration"
    yield f"  products: collaboration  {MARK} public, collaboration or blinded"
    yield f"  results: collaboration  {MARK} public, collaboration or blinded"


def _images(known: Known) -> Iterator[str]:
    if known.bare:
        yield f"  {MARK} a container for {_rules(known.bare)}, else this machine's programs run"
    for image, rules in sorted(known.images.items()):
        if "@sha256:" not in image:
            yield (
                f"  {MARK} {_rules(rules)}: image {quoted(image)} isn't pinned; name its digest in 'images' "
                "of the configuration"
            )


def _inputs(known: Known) -> Iterator[str]:
    names = input_names(known.values)
    if not names:
        yield "  inputs: {}"
        yield f"  {MARK} which input is the signal? Let a parameter name its file, and declare it:"
        yield "  #   signal: {title: …, forms: [{level: hepmc, formats: [hepmc3], key: parameters.signal}]}"
        return
    yield "  inputs:"
    for one in known.values:
        if one.name not in names or one.file is None:
            continue
        level, kinds, certain = form(one.file)
        yield f"    {names[one.name]}:"
        title = scalar(_line(f"File of the parameter {one.name}"))
        yield f"      title: {title}  {MARK} what it is; is it the signal? remove it if nobody will swap it"
        question = "" if certain else f"  {MARK} the level and formats, which its content doesn't tell"
        told = f"level: {level}, formats: [{', '.join(kinds)}], key: {scalar(one.key)}"
        yield f"      forms: [{{{told}}}]{question}"


def _parameters(known: Known) -> Iterator[str]:
    names = parameter_names(known.values)
    yield "  parameters:" if names else "  parameters: {}"
    if names:
        yield f"    {MARK} keep those that a reinterpretation changes; give each its unit and range"
    for one in known.values:
        if one.name in names:
            yield f"    {names[one.name]}:"
            yield f"      title: {scalar(_line(one.name.replace('_', ' ')) or one.key)}"
            yield from value_lines(one.value, None)
            yield f"      key: {scalar(one.key)}"
        elif one.file is None:
            yield f"    # {quoted(_line(one.name))} can't be set: {_why_not(one)}"


def _results(known: Known) -> Iterator[str]:
    yield "  results:"
    files = [one for one in known.products if not one.folder and _fits(one.path)]
    yield f"    {MARK} which numbers are the results? Declare each with type, unit and pointer; see docs"
    taken: set[str] = set()
    for one in files:
        yield f"    {unique(slug(one.name), taken)}:"
        title = scalar(_line(one.name) or "A result")
        yield f"      title: {title}  {MARK} what it is; 'observed: true' if it reveals data"
        yield "      type: file"
        yield f"      file: {scalar(one.path)}"
    if not files:
        yield f"    result:  {MARK} {_line(known.written_in)} names none; which file holds the result?"
        yield "      title: The result"
        yield "      type: file"
        yield "      file: results/result.json"


def _validation(known: Known) -> Iterator[str]:
    yield f"{MARK} a run whose results are known, by which a rerun is judged within tolerances"
    if not known.cases:
        yield "# validation:"
        yield "#   usual:"
        yield '#     title: "usual"'
        yield "#     expected:"
        yield "#       limit: {value: …, relative: 0.01, because: …}"
    for test in known.tests:
        how = f"run it with 'relance run {_line(test.place)}'" if test.place else "it can't be run"
        yield f"# {quoted(_line(test.name))} tests {_line(test.what)}; {how}"
    yield "validation:" if known.cases else "validation: {}"
    taken: set[str] = set()
    for case in known.cases:
        yield f"  {unique(slug(case.name), taken)}:"
        yield f"    title: {quoted(_line(case.name) or 'a case')}"
        for key, said in (("parameters", case.parameters), ("inputs", case.inputs)):
            if said:
                yield f"    {key}:"
                for name, value in said.items():
                    yield f"      {name}: {quoted(value) if isinstance(value, str) else json.dumps(value)}"
        yield f"    expected: {{}}  {MARK} such as limit: {{value: …, relative: 0.01, because: …}}"


def _products(known: Known) -> Iterator[str]:
    kept = [*known.kept, *(f"{one.path}/**" for one in known.products if one.folder and _fits(one.path))]
    yield "products:"
    yield "  keep:" if kept else "  keep: []"
    for path in dict.fromkeys(kept):
        yield f"    - path: {scalar(path)}"
    if known.between:
        yield f"    {MARK} which products between are worth keeping? A recast elsewhere makes others again"
    for path, rule in sorted(known.between.items()):
        if path not in kept:
            yield f"    # - path: {scalar(_line(path))}  # made by rule {_line(rule)}"


def _outside(known: Known) -> Iterator[str]:
    for one in known.values:
        if isinstance(one.value, str) and "://" in one.value:
            yield (
                f"# outside: [{{kind: network, name: …, reason: …, rules: […]}}]  {MARK} who fetches "
                + quoted(_line(one.name))
            )
    if known.needs:
        yield ""
        yield "outside:"
    for need in known.needs:
        rules = f", rules: [{', '.join(map(scalar, need.rules))}]" if need.rules else ""
        reason = scalar(_line(f"named in {known.written_in}"))
        name = scalar(_line(need.name) or need.kind)
        yield f"  - {{kind: {need.kind}, name: {name}, reason: {reason}{rules}}}  {MARK} what for"


def _can_be_set(one: GivenValue) -> bool:
    return one.file is None and not _why_not(one)


def _why_not(one: GivenValue) -> str:
    value = one.value
    if not _KEY.fullmatch(one.key):
        return "its name can't be a key"
    if _SECRET.search(one.name):
        return "it sounds like a secret"
    if isinstance(value, bool):
        return ""
    if isinstance(value, (int, float)):
        return "" if math.isfinite(value) and abs(value) < _LARGEST else "it is too large"
    if isinstance(value, str):
        return "" if value.strip() else "it is empty"
    return f"it is no single value: {_line(json.dumps(value))[:_LONGEST]}"


def _fits(path: str) -> bool:
    """Return whether a specification can name a product by its path."""
    return bool(path) and not re.search(r"[\x00-\x1f{}\\*]|^/|(^|/)\.\.(/|$)", path)


def _line(said: str) -> str:
    """Return a text on one line that a comment can hold."""
    return " ".join("".join(char if char.isprintable() else " " for char in said).split())


def _rules(names: Iterable[str]) -> str:
    return named(map(_line, names))
