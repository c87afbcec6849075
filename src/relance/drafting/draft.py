"""A specification drafted from what was found, with a comment `# decide: …` where a person must think."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from relance.drafting import interface, products
from relance.drafting.found import Found
from relance.drafting.graph import Graph
from relance.drafting.history import Facts
from relance.drafting.words import MARK, named, quoted, scalar, slug

_FILES = (".sif", ".simg", ".sqsh", ".img")


def name(analysis: Path, graph: Graph) -> str:
    """Return the name that an analysis goes by: of its folder below `workflows`, else of its own."""
    parts = Path(graph.configuration_file or "").parts
    own = parts[1] if len(parts) > 2 and parts[0] == "workflows" else analysis.name
    return slug(own)


def text(analysis: Path, graph: Graph, facts: Facts) -> str:
    """Return the draft as YAML; it follows the schema, so that only decisions are left."""
    return "\n".join(_lines(Found(analysis, graph, facts))) + "\n"


def decisions(draft: str) -> tuple[tuple[int, str], ...]:
    """Return what a person must still decide in a specification's text: line (from 1) and question."""
    marked = ((number, line.partition(MARK)) for number, line in enumerate(draft.splitlines(), 1))
    return tuple((number, question.strip()) for number, (_, mark, question) in marked if mark)


def _lines(found: Found) -> Iterator[str]:
    yield "# Drafted by 'relance init' from the Snakefile, its configuration, its files and its history."
    yield "# Answer each comment that says 'decide', remove it, and remove what nobody will change."
    yield "format: analysis-specification"
    yield "version: 1"
    yield ""
    yield from _identity(found)
    yield ""
    yield "workflow:"
    yield "  language: snakemake"
    yield f"  file: {scalar(found.graph.snakefile)}"
    configuration = found.graph.configuration_file
    if configuration and not Path(configuration).is_absolute():
        yield f"  configuration: {scalar(configuration)}"
    yield from _images(found)
    yield ""
    yield from interface.lines(found)
    yield ""
    yield from _validation()
    yield ""
    yield from products.products(found)
    yield from products.outside(found)
    yield ""
    yield "visibility:"
    yield f"  specification: collaboration  {MARK} public or collaboration"
    yield f"  products: collaboration  {MARK} public, collaboration or blinded"
    yield f"  results: collaboration  {MARK} public, collaboration or blinded"


def _identity(found: Found) -> Iterator[str]:
    facts = found.facts
    yield "identity:"
    yield f"  name: {scalar(name(found.analysis, found.graph))}"
    title = scalar(facts.title or name(found.analysis, found.graph))
    yield f"  title: {title}  {MARK} the title that a paper would have"
    yield (
        f"  version: {quoted(facts.version)}" if facts.version else f'  version: "1"  {MARK} your own count'
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


def _images(found: Found) -> Iterator[str]:
    ran = [job for job in found.graph.jobs if job.outputs]
    bare = sorted({job.rule for job in ran if not job.image})
    if bare:
        yield f"  {MARK} a container for {named(bare)}, else this machine's programs run"
    rules: dict[str, set[str]] = {}
    for job in ran:
        if job.image and "@sha256:" not in job.image:
            rules.setdefault(job.image, set()).add(job.rule)
    for image in sorted(rules):
        if Path(image).is_absolute() or image.endswith(_FILES):
            continue  # an image file: a capture takes in what it is
        shown = f"image {quoted(image)} isn't pinned; write '…@sha256:…'"
        yield f"  {MARK} {named(sorted(rules[image]))}: {shown}"


def _validation() -> Iterator[str]:
    yield f"{MARK} a run whose results are known, by which a rerun is judged within tolerances"
    yield "# validation:"
    yield "#   usual:"
    yield "#     title: The usual configuration"
    yield "#     expected:"
    yield "#       limit: {value: …, relative: 0.01, because: …}"
    yield "validation: {}"
