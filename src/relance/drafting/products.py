"""The products of a draft that are worth keeping, and what the workflow needs from outside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from relance.drafting.found import Found, inside
from relance.drafting.words import MARK, OUTSIDE, named, quoted, scalar


def products(found: Found) -> Iterator[str]:
    """Give the lines of the products."""
    final = set(found.graph.final)
    kept = [
        f"{found.template(path)}/**"
        for path in found.graph.final
        if path in found.graph.folders and inside(path)
    ]
    patterns: dict[str, str] = {}
    for job in found.graph.jobs:
        for pattern in job.patterns if not final.issuperset(job.outputs) else ():
            for wildcard in job.wildcards:
                pattern = re.sub(rf"\{{{re.escape(wildcard)}(,[^{{}}]*)?\}}", "*", pattern)  # noqa: PLW2901
            if inside(pattern):
                patterns.setdefault(found.template(pattern), job.rule)
    yield "products:"
    yield "  keep:" if kept else "  keep: []"
    for path in kept:
        yield f"    - path: {scalar(path)}"
    if patterns:
        yield f"    {MARK} which products between are worth keeping?"
    for path, rule in sorted(patterns.items()):
        yield f"    # - path: {scalar(path)}  # made by rule {rule}"


def outside(found: Found) -> Iterator[str]:
    """Give the lines of what comes from outside."""
    lines: list[str] = []
    for kind, shown, pattern in OUTSIDE:
        rules = {
            job.rule
            for job in found.graph.jobs
            if any(pattern.search(said) for said in (job.command, *job.inputs))
        }
        if rules:
            lines.append(
                f"  - {{kind: {kind}, name: {scalar(shown)}, reason: named in {named(sorted(rules))}, "
                f"rules: [{', '.join(map(scalar, sorted(rules)))}]}}  {MARK} what for"
            )
    absolute = [path for path in found.graph.external if Path(path).is_absolute()]
    for path in absolute:
        if not path.startswith("/cvmfs"):
            lines.append(
                f"  - {{kind: other, name: {quoted(path)}, reason: outside the analysis's folder}}  "
                f"{MARK} bring it along, or list it in products.external with where it can be fetched"
            )
    if lines:
        yield ""
        yield "outside:"
        yield from lines
