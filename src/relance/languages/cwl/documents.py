"""Documents of the language: read safely, checked against its schema, looked up where `run` names them."""

from __future__ import annotations

import functools
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from relance.document import Document
from relance.errors import InputError
from relance.languages import yamlfile
from relance.languages.cwl import lines
from relance.languages.references import Part, Sources

if TYPE_CHECKING:
    from schema_salad.fetcher import Fetcher

VERSIONS = ("v1.0", "v1.1", "v1.2")
_CLASSES = ("CommandLineTool", "Workflow", "ExpressionTool", "Operation")
_SIGN = re.compile(
    rf"""^\s*\{{?\s*["']?cwlVersion["']?\s*: | ^["']?class["']?\s*:\s*["']?({"|".join(_CLASSES)})\b""",
    re.MULTILINE | re.VERBOSE,
)


def is_cwl(path: Path) -> bool:
    """Return whether a file is of this language, judged by lines that every such document has."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return _SIGN.search(text) is not None


@dataclass(frozen=True)
class Process:
    """A tool or workflow where it stands."""

    part: Part
    version: str
    name: str
    """Its own identifier, if it has one: identifiers in it may begin with that."""


def root(toplevel: Path, file: str, wanted: str = "") -> Process:
    """Return what a file describes; of several, the one asked for or called `main`.

    Raises:
        InputError: it isn't there, lies outside of the toplevel, or isn't of this language.
        MissingPartError: the library that checks it isn't installed.
    """
    sources = Sources(toplevel, "$import", functools.partial(read, toplevel=toplevel), _identified)
    return _process(replace(sources.root(file), main=False), wanted, None)


def run(part: Part, within: Process) -> Process:
    """Return what `run` names: a process in its place, in the same file, or in another.

    Raises:
        InputError: it isn't there, lies outside of the toplevel, or isn't of this language.
    """
    if isinstance(part.value, dict):
        return _process(part, "", within.version)
    file, _, fragment = part.text().partition("#")
    target = part.sources.follow(part, file or Path(str(part.document.path)).name)
    if not file:
        target = replace(part, keys=(), above=(*part.above, (str(part.document.path), fragment)))
        if (str(part.document.path), fragment) in part.above:
            raise part.refusal("a workflow runs itself", found=f"#{fragment}", expected="an end")
    return _process(target, fragment, None)


def _process(part: Part, wanted: str, version: str | None) -> Process:
    content = part.mapping()
    written = content.get("cwlVersion", version)
    if written not in VERSIONS:
        raise part.refusal(
            "the version of CWL can't be read", found=repr(written), expected=f"one of {', '.join(VERSIONS)}"
        )
    graph = part.get("$graph")
    if graph is None:
        name = content.get("id", "")
        return Process(part, written, name if isinstance(name, str) else "")
    found = {str(one.mapping().get("id", "")).lstrip("#"): one for one in graph.each()}
    name = wanted or "main"
    if name not in found:
        raise part.refusal(
            f"there is no process '{name}'",
            found=", ".join(sorted(found)) or "none",
            expected=f"#{name}" if wanted else "one called main, or the name of one",
            next_step=f"name one: {part.document.path}#PROCESS",
        )
    return Process(found[name], written, name)


def _identified(document: Document, fragment: str) -> tuple[str | int, ...] | None:
    """Return the keys that lead to a type of a packed document, which `#file.yml/name` names."""
    several: list[tuple[tuple[str | int, ...], Any]] = [((), document.value)] if fragment else []
    while several:
        keys, value = several.pop()
        if isinstance(value, dict):
            if value.get("name") == f"#{fragment}":
                return keys
            several += [((*keys, key), item) for key, item in value.items()]
        elif isinstance(value, list):
            several += [((*keys, index), item) for index, item in enumerate(value)]
    return None


def read(path: Path, shown: Path, *, toplevel: Path) -> Document:
    """Read a document with its lines; one that says its version is checked against the schema.

    Raises:
        InputError: it can't be read, or isn't what it says.
    """
    found, parsed = lines.parse(yamlfile.text_of(path, shown), shown)
    if isinstance(found.value, dict) and found.value.get("cwlVersion") in VERSIONS:
        _check(parsed, path, shown, toplevel)
    return found


def _check(parsed: Any, path: Path, shown: Path, toplevel: Path) -> None:
    """Refuse a document that the language's own schema doesn't allow."""
    try:
        from cwl_utils import parser  # noqa: PLC0415 - a part of its own; only those who need it have it
        from cwl_utils.errors import GraphTargetMissingException  # noqa: PLC0415
        from schema_salad.exceptions import SchemaSaladException  # noqa: PLC0415
    except ImportError as error:
        raise lines.missing() from error
    uri = path.as_uri()
    refused: list[str] = []
    options = parser.LoadingOptions(
        fetcher=_fetcher(toplevel, refused), fileuri=uri, baseuri=path.parent.as_uri(), no_link_check=True
    )
    logging.getLogger("salad").setLevel(logging.ERROR)
    # Several processes in one file are looked at one by one: the library takes them together for less.
    shared = {key: parsed[key] for key in ("cwlVersion", "$namespaces", "$schemas") if key in parsed}
    graph = parsed["$graph"] if isinstance(parsed.get("$graph"), list) else [parsed]
    try:
        for one in graph:
            if isinstance(one, dict):
                one.update(shared)
            parser.load_document_by_yaml(one, uri, options)
    except (
        *(SchemaSaladException, GraphTargetMissingException),
        *(ValueError, TypeError, KeyError, AttributeError, RecursionError),
    ) as error:
        if refused:  # of which the library says something else
            raise _elsewhere(shown, parsed, path, refused[0]) from error
        raise _invalid(shown, uri, error) from error


def _invalid(shown: Path, uri: str, error: Exception) -> InputError:
    leaves: list[Any] = getattr(error, "leaves", list)() or [error]
    last = leaves[-1]
    line = (getattr(last, "start", None) or (1,))[0]
    said = getattr(last, "message", "") or str(last) or type(last).__name__
    found = " ".join(said.replace(f"{uri}#", "").replace(uri, str(shown)).split())
    return InputError(
        f"{shown}:{line}: not CWL",
        expected="what the language's schema allows",
        found=found if len(found) < 300 else f"{found[:297]}...",
        next_step="correct this line",
    )


def _elsewhere(shown: Path, parsed: Any, path: Path, url: str) -> InputError:
    split = urlsplit(url)
    local = split.scheme == "file"
    name = os.path.relpath(unquote(split.path), path.parent) if local else url
    return InputError(
        f"{shown}:{_line(parsed, name)}: {name!r} can't be read",
        expected="a file in the toplevel",
        found="none" if local else "an address, from which nothing is fetched",
        next_step="name the folder that holds all with --toplevel"
        if local
        else "fetch it, and name the file",
    )


def _line(parsed: Any, name: str) -> int:
    """Return the line of what imports a file; that of the document if it is an import of an import."""
    several: list[Any] = [parsed]
    while several:
        one: Any = several.pop()
        if hasattr(one, "lc") and hasattr(one, "values"):
            for key in ("$import", "$include"):
                if key in one and os.path.normpath(str(one[key])) == os.path.normpath(name):
                    return int(one.lc.line) + 1
            several += one.values()
        elif isinstance(one, list):
            several += one
    return 1


def _fetcher(toplevel: Path, refused: list[str]) -> Fetcher:
    """Return what reads further files for the library: those in the toplevel, nothing from the network."""
    from schema_salad.exceptions import ValidationException  # noqa: PLC0415
    from schema_salad.fetcher import Fetcher  # noqa: PLC0415

    class Within(Fetcher):
        def fetch_text(self, url: str, content_types: list[str] | None = None) -> str:  # noqa: ARG002
            path = _path(url)
            if path is None:
                refused.append(url)
                raise ValidationException(f"{url} isn't a file in {toplevel}")
            return path.read_text("utf-8")

        def check_exists(self, url: str) -> bool:
            return _path(url) is not None

        def urljoin(self, base_url: str, url: str) -> str:
            from urllib.parse import urljoin  # noqa: PLC0415

            return urljoin(base_url, url)

    def _path(url: str) -> Path | None:
        split = urlsplit(url)
        path = Path(unquote(split.path)).resolve()
        inside = split.scheme == "file" and path.is_relative_to(toplevel.resolve())
        return path if inside and path.is_file() else None

    return Within()


def listed(part: Part | None, key: str) -> Iterator[tuple[str, Part]]:
    """Give the named items of a list, or of a mapping from names to items.

    Raises:
        InputError: an item has no name.
    """
    if part is None:
        return
    if isinstance(part.value, list):
        for one in part.each():
            yield local(one.need(key, "an item").text()), one
    else:
        yield from part.items()


def local(identifier: str) -> str:
    """Return the last part of an identifier, as `#main/step/output` has it."""
    return identifier.rpartition("#")[2].rpartition("/")[2]
