"""The interface of a draft: what may be swapped or changed, and which files may hold the results."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from relance import errors
from relance.drafting.found import Found, Leaf, inside
from relance.drafting.words import (
    MARK,
    dotted_slug,
    form,
    named,
    quoted,
    scalar,
    slug,
    unique,
    unit_of,
    value_lines,
)

_CODE = {
    ".py",
    ".sh",
    ".smk",
    ".c",
    ".cc",
    ".cpp",
    ".cxx",
    ".h",
    ".hh",
    ".r",
    ".jl",
    ".ipynb",
    ".yaml",
    ".yml",
}
_SECRET = re.compile(r"token|passw|secret|credential|api_?key", re.IGNORECASE)
_DEEPEST = 2
_MOST_FAR = 8
_MOST_NUMBERS = 24
_LARGEST = 10**18  # beyond it, and what is no number, isn't a setting that anyone changes
_LARGEST_JSON = 10_000_000


def lines(found: Found) -> Iterator[str]:
    """Give the lines of the interface."""
    yield "interface:"
    yield from _inputs(found)
    yield from _parameters(found)
    yield from _results(found)


def _inputs(found: Found) -> Iterator[str]:
    if not found.given:
        yield "  inputs: {}"
        yield f"  {MARK} which input is the signal? Let the configuration name its file, and declare it:"
        yield "  #   signal: {title: …, forms: [{level: hepmc, formats: [hepmc3], key: signal.file}]}"
    else:
        yield "  inputs:"
    taken: set[str] = set()
    for path, key in sorted(found.given.items(), key=lambda pair: pair[1]):
        level, kinds, certain = form(found.analysis / path)
        yield f"    {unique(slug(key), taken)}:"
        yield f"      title: {scalar(f'File {key}, read by {named(found.graph.external[path])}')}  " \
              f"{MARK} what it is; is it the signal? remove it if nobody will swap it"  # fmt: skip
        question = "" if certain else f"  {MARK} the level and formats, which its content doesn't tell"
        told = f"level: {level}, formats: [{', '.join(kinds)}], key: {scalar(key)}"
        yield f"      forms: [{{{told}}}]{question}"
    for path, rules in found.graph.external.items():
        if path not in found.given and Path(path).suffix.lower() not in _CODE:
            read_by = f"{quoted(path)}, read by {named(rules)}"
            yield f"  # {read_by}, can't be swapped: no key of the configuration names it"


def _parameters(found: Found) -> Iterator[str]:
    shown = [leaf for leaf in found.leaves if _is_parameter(found, leaf)]
    near = [leaf for leaf in shown if leaf.key.count(".") < _DEEPEST]
    yield "  parameters:" if near else "  parameters: {}"
    if near:
        yield f"    {MARK} keep those that a reinterpretation changes; give each its unit and range"
    taken: set[str] = set()
    for leaf in near:
        yield f"    {unique(dotted_slug(leaf.key), taken)}:"
        yield f"      title: {scalar(leaf.key.replace('.', ' ').replace('_', ' '))}"
        unit = found.units.get(leaf.key)
        yield from value_lines(leaf.value, found.written(leaf.key), unit)
        yield f"      key: {scalar(leaf.key)}"
    far = [leaf.key for leaf in shown if leaf not in near]
    if far:
        yield f"    # deeper in the configuration: {errors.named(far, _MOST_FAR)}"


def _is_parameter(found: Found, leaf: Leaf) -> bool:
    if _SECRET.search(leaf.key) or leaf.value is None or leaf.key in found.given.values():
        return False
    if isinstance(leaf.value, str):
        if any(path.startswith(f"{leaf.value.rstrip('/')}/") for path in found.graph.final):
            return False  # where products go
        is_path = (
            "/" in leaf.value or leaf.value.startswith((".", "~")) or (found.analysis / leaf.value).exists()
        )
        return bool(leaf.value.strip()) and (not is_path or unit_of(leaf.value) is not None)
    return isinstance(leaf.value, (int, float)) and abs(leaf.value) < _LARGEST


def _results(found: Found) -> Iterator[str]:
    files = [path for path in found.graph.final if path not in found.graph.folders and _is_file(path)]
    yield "  results:"
    yield f"    {MARK} which numbers are the results? Declare each with type, unit and pointer; see docs"
    taken: set[str] = set()
    for path in files:
        yield f"    {unique(slug(Path(path).name.split('.')[0]), taken)}:"
        title = scalar(Path(path).name)
        yield f"      title: {title}  {MARK} what it is; 'observed: true' if it reveals data"
        yield "      type: file"
        yield f"      file: {scalar(found.template(path))}"
        yield from _numbers(found, path)
    if not files:
        yield f"    result:  {MARK} no final file was found; name the product that holds the result"
        yield "      title: The result"
        yield "      type: file"
        yield "      file: results/result.json"


def _numbers(found: Found, path: str) -> Iterator[str]:
    """Name numbers in a JSON file that lies there, as what a result may point at."""
    file = found.analysis / path
    try:
        if file.suffix != ".json" or file.stat().st_size > _LARGEST_JSON:
            return
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return
    pointers = list(_pointers(content, ""))
    for pointer in pointers[:_MOST_NUMBERS]:
        yield f"      # a number in it: {quoted(pointer)}"
    if len(pointers) > _MOST_NUMBERS:
        yield f"      # and {len(pointers) - _MOST_NUMBERS} more"


def _pointers(value: Any, pointer: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _pointers(inner, f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and pointer:
        yield pointer


def _is_file(path: str) -> bool:
    return inside(path) and "*" not in path
