"""A specification drafted from what was found, with a comment `# decide: …` where a person must think."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relance import document
from relance.drafting import comments
from relance.drafting.graph import Graph
from relance.drafting.history import Facts
from relance.drafting.words import (
    MARK,
    OUTSIDE,
    dotted_slug,
    form,
    quoted,
    scalar,
    slug,
    unique,
    unit_of,
    value_lines,
)
from relance.errors import InputError

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
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")
_DEEPEST = 2
_MOST_FAR = 8
_MOST_NUMBERS = 24
_LARGEST = 10**18  # beyond it, and what is no number, isn't a setting that anyone changes
_LARGEST_JSON = 10_000_000


def name(analysis: Path, graph: Graph) -> str:
    """Return the name that an analysis goes by: of its folder below `workflows`, else of its own."""
    parts = Path(graph.configuration_file or "").parts
    own = parts[1] if len(parts) > 2 and parts[0] == "workflows" else analysis.name
    return slug(own)


def text(analysis: Path, graph: Graph, facts: Facts) -> str:
    """Return the draft as YAML; it follows the schema, so that only decisions are left."""
    return "\n".join(_Draft(analysis, graph, facts).lines()) + "\n"


def decisions(draft: str) -> tuple[tuple[int, str], ...]:
    """Return what a person must still decide in a specification's text: line (from 1) and question."""
    marked = ((number, line.partition(MARK)) for number, line in enumerate(draft.splitlines(), 1))
    return tuple((number, question.strip()) for number, (_, mark, question) in marked if mark)


@dataclass(frozen=True)
class _Leaf:
    key: str
    value: Any


class _Draft:
    def __init__(self, analysis: Path, graph: Graph, facts: Facts) -> None:
        self._analysis = analysis
        self._graph = graph
        self._facts = facts
        self._name = name(analysis, graph)
        self._leaves = tuple(leaf for leaf in _leaves(graph.configuration, ()) if _KEY.fullmatch(leaf.key))
        self._configuration = _file(analysis, graph.configuration_file)
        file = graph.configuration_file
        self._units = comments.units_of(analysis / file) if file else {}
        self._given = {
            path: leaf.key
            for path in graph.external
            for leaf in self._leaves
            if isinstance(leaf.value, str) and leaf.value == path
        }

    def lines(self) -> Iterator[str]:
        yield "# Drafted by 'relance init' from the Snakefile, its configuration, its files and its history."
        yield "# Answer each comment that says 'decide', remove it, and remove what nobody will change."
        yield "format: analysis-specification"
        yield "version: 1"
        yield ""
        yield from self._identity()
        yield ""
        yield "workflow:"
        yield "  language: snakemake"
        yield f"  file: {scalar(self._graph.snakefile)}"
        configuration = self._graph.configuration_file
        if configuration and not Path(configuration).is_absolute():
            yield f"  configuration: {scalar(configuration)}"
        yield from self._images()
        yield ""
        yield "interface:"
        yield from self._inputs()
        yield from self._parameters()
        yield from self._results()
        yield ""
        yield from self._validation()
        yield ""
        yield from self._products()
        yield from self._outside()
        yield ""
        yield "visibility:"
        yield f"  specification: collaboration  {MARK} public or collaboration"
        yield f"  products: collaboration  {MARK} public, collaboration or blinded"
        yield f"  results: collaboration  {MARK} public, collaboration or blinded"

    def _identity(self) -> Iterator[str]:
        facts = self._facts
        yield "identity:"
        yield f"  name: {scalar(self._name)}"
        title = scalar(facts.title or self._name)
        yield f"  title: {title}  {MARK} the title that a paper would have"
        yield (
            f"  version: {quoted(facts.version)}"
            if facts.version
            else f'  version: "1"  {MARK} your own count'
        )
        if facts.description:
            yield f"  description: {scalar(facts.description)}"
        yield "  authors:"
        if facts.authors:
            yield f"    {MARK} who belongs here? These are from {facts.authors_from}; add 'orcid: …'"
        for author in facts.authors:
            yield f"    - name: {scalar(author.name)}"
            for key, value in (("affiliation", author.affiliation), ("orcid", author.orcid)):
                if value:
                    yield f"      {key}: {scalar(value)}"
        if not facts.authors:
            yield f"    - name: unknown  {MARK} who made the analysis"
        if facts.keywords:
            yield f"  keywords: [{', '.join(map(scalar, facts.keywords))}]"
        if facts.licence:
            yield f"  licence: {scalar(facts.licence)}"
        else:
            yield f"  licence: NOASSERTION  {MARK} under which licence others may use it (SPDX, such as MIT)"
        yield "  # collaboration: …"
        yield "  # topic: …"
        yield '  # identifiers: {inspire: "…", hepdata: ins…, arxiv: …, doi: …}'

    def _images(self) -> Iterator[str]:
        ran = [job for job in self._graph.jobs if job.outputs]
        bare = sorted({job.rule for job in ran if not job.image})
        if bare:
            yield f"  {MARK} a container for {_rules(bare)}, else this machine's programs run"
        rules: dict[str, set[str]] = {}
        for job in ran:
            if job.image and "@sha256:" not in job.image:
                rules.setdefault(job.image, set()).add(job.rule)
        for image in sorted(rules):
            shown = f"image {quoted(image)}"
            if Path(image).is_absolute():  # a path differs from machine to machine
                shown = "an image file of this machine"
            yield f"  {MARK} {_rules(sorted(rules[image]))}: {shown} isn't pinned; write '…@sha256:…'"

    def _inputs(self) -> Iterator[str]:
        if not self._given:
            yield "  inputs: {}"
            yield f"  {MARK} which input is the signal? Let the configuration name its file, and declare it:"
            yield "  #   signal: {title: …, forms: [{level: hepmc, formats: [hepmc3], key: signal.file}]}"
        else:
            yield "  inputs:"
        taken: set[str] = set()
        for path, key in sorted(self._given.items(), key=lambda pair: pair[1]):
            level, kinds, certain = form(self._analysis / path)
            yield f"    {unique(slug(key), taken)}:"
            yield f"      title: {scalar(f'File {key}, read by {_rules(self._graph.external[path])}')}  " \
                  f"{MARK} what it is; is it the signal? remove it if nobody will swap it"  # fmt: skip
            question = "" if certain else f"  {MARK} the level and formats, which its content doesn't tell"
            yield f"      forms: [{{level: {level}, formats: [{', '.join(kinds)}], key: {key}}}]{question}"
        for path, rules in self._graph.external.items():
            if path not in self._given and Path(path).suffix.lower() not in _CODE:
                read_by = f"{quoted(path)}, read by {_rules(rules)}"
                yield f"  # {read_by}, can't be swapped: no key of the configuration names it"

    def _parameters(self) -> Iterator[str]:
        shown = [leaf for leaf in self._leaves if self._is_parameter(leaf)]
        near = [leaf for leaf in shown if leaf.key.count(".") < _DEEPEST]
        yield "  parameters:" if near else "  parameters: {}"
        if near:
            yield f"    {MARK} keep those that a reinterpretation changes; give each its unit and range"
        taken: set[str] = set()
        for leaf in near:
            yield f"    {unique(dotted_slug(leaf.key), taken)}:"
            yield f"      title: {scalar(leaf.key.replace('.', ' ').replace('_', ' '))}"
            unit = self._units.get(leaf.key)
            yield from value_lines(leaf.value, self._written(leaf.key), unit)
            yield f"      key: {leaf.key}"
        far = [leaf.key for leaf in shown if leaf not in near]
        if far:
            more = f" and {len(far) - _MOST_FAR} more" if len(far) > _MOST_FAR else ""
            yield f"    # deeper in the configuration: {', '.join(far[:_MOST_FAR])}{more}"

    def _is_parameter(self, leaf: _Leaf) -> bool:
        if _SECRET.search(leaf.key) or leaf.value is None or leaf.key in self._given.values():
            return False
        if isinstance(leaf.value, str):
            if any(path.startswith(f"{leaf.value.rstrip('/')}/") for path in self._graph.final):
                return False  # where products go
            is_path = (
                "/" in leaf.value
                or leaf.value.startswith((".", "~"))
                or (self._analysis / leaf.value).exists()
            )
            return bool(leaf.value.strip()) and (not is_path or unit_of(leaf.value) is not None)
        return isinstance(leaf.value, (int, float)) and abs(leaf.value) < _LARGEST

    def _written(self, key: str) -> Any:
        """Return a value as the configuration file writes it, before the analysis made anything of it."""
        value = self._configuration
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value

    def _results(self) -> Iterator[str]:
        files = [path for path in self._graph.final if path not in self._graph.folders and _is_file(path)]
        yield "  results:"
        yield f"    {MARK} which numbers are the results? Declare each with type, unit and pointer; see docs"
        taken: set[str] = set()
        for path in files:
            yield f"    {unique(slug(Path(path).name.split('.')[0]), taken)}:"
            title = scalar(Path(path).name)
            yield f"      title: {title}  {MARK} what it is; 'observed: true' if it reveals data"
            yield "      type: file"
            yield f"      file: {scalar(self._template(path))}"
            yield from self._numbers(path)
        if not files:
            yield f"    result:  {MARK} no final file was found; name the product that holds the result"
            yield "      title: The result"
            yield "      type: file"
            yield "      file: results/result.json"

    def _numbers(self, path: str) -> Iterator[str]:
        """Name numbers in a JSON file that lies there, as what a result may point at."""
        file = self._analysis / path
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

    def _validation(self) -> Iterator[str]:
        yield f"{MARK} a run whose results are known, by which a rerun is judged within tolerances"
        yield "# validation:"
        yield "#   usual:"
        yield "#     title: The usual configuration"
        yield "#     expected:"
        yield "#       limit: {value: …, relative: 0.01, because: …}"
        yield "validation: {}"

    def _products(self) -> Iterator[str]:
        final = set(self._graph.final)
        kept = [
            f"{self._template(path)}/**"
            for path in self._graph.final
            if path in self._graph.folders and _inside(path)
        ]
        patterns: dict[str, str] = {}
        for job in self._graph.jobs:
            for pattern in job.patterns if not final.issuperset(job.outputs) else ():
                for wildcard in job.wildcards:
                    pattern = re.sub(rf"\{{{re.escape(wildcard)}(,[^{{}}]*)?\}}", "*", pattern)  # noqa: PLW2901
                if _inside(pattern):
                    patterns.setdefault(self._template(pattern), job.rule)
        yield "products:"
        yield "  keep:" if kept else "  keep: []"
        for path in kept:
            yield f"    - path: {scalar(path)}"
        if patterns:
            yield f"    {MARK} which products between are worth keeping?"
        for path, rule in sorted(patterns.items()):
            yield f"    # - path: {scalar(path)}  # made by rule {rule}"

    def _outside(self) -> Iterator[str]:
        found: list[str] = []
        for kind, shown, pattern in OUTSIDE:
            rules = {
                job.rule
                for job in self._graph.jobs
                if any(pattern.search(said) for said in (job.command, *job.inputs))
            }
            if rules:
                found.append(
                    f"  - {{kind: {kind}, name: {scalar(shown)}, reason: named in {_rules(sorted(rules))}, "
                    f"rules: [{', '.join(map(scalar, sorted(rules)))}]}}  {MARK} what for"
                )
        absolute = [path for path in self._graph.external if Path(path).is_absolute()]
        for path in absolute:
            if not path.startswith("/cvmfs"):
                found.append(
                    f"  - {{kind: other, name: {quoted(path)}, reason: outside the analysis's folder}}  "
                    f"{MARK} bring it along, or list it in products.external with where it can be fetched"
                )
        if found:
            yield ""
            yield "outside:"
            yield from found

    def _template(self, path: str) -> str:
        """Write `{key}` for the longest beginning of a path that the configuration names."""
        fitting = [
            leaf
            for leaf in self._leaves
            if isinstance(leaf.value, str)
            and leaf.value.strip("/")
            and path.startswith(f"{leaf.value.rstrip('/')}/")
        ]
        if not fitting:
            return path
        leaf = max(fitting, key=lambda leaf: len(leaf.value))
        return f"{{{leaf.key}}}{path[len(leaf.value.rstrip('/')) :]}"


def _file(analysis: Path, configuration: str | None) -> Any:
    try:
        return document.read(analysis / configuration).value if configuration else None
    except InputError:
        return None


def _leaves(value: Any, keys: tuple[str, ...]) -> Iterator[_Leaf]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if "." not in str(key):  # it couldn't be told from a key below another
                yield from _leaves(inner, (*keys, str(key)))
    elif not isinstance(value, list):
        yield _Leaf(".".join(keys), value)


def _pointers(value: Any, pointer: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _pointers(inner, f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and pointer:
        yield pointer


def _inside(path: str) -> bool:
    if re.search(r"[\x00-\x1f{}\\]", path):
        return False
    return "://" not in path and not Path(path).is_absolute() and ".." not in Path(path).parts


def _is_file(path: str) -> bool:
    return _inside(path) and "*" not in path


def _rules(names: list[str] | tuple[str, ...]) -> str:
    return f"rule{'s' if len(names) > 1 else ''} {', '.join(names)}"
