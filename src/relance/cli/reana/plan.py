"""What `relance reana submit --dry-run` says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from relance.cli.inspect import size

if TYPE_CHECKING:
    from relance.engines.reana.submitting import Request
    from relance.model import Digest


def tell(request: Request, found: Mapping[str, Digest | None], *, as_json: bool) -> None:
    """Print what would be sent."""
    declared = request.declared
    sizes = {path: declared.place(path).stat().st_size for path in declared.inputs}
    if as_json:
        plan = {
            "name": request.name,
            "language": declared.language,
            "parameters": request.parameters,
            "options": request.options,
            "definition": declared.definition,
            "inputs": [{"path": path, "size": count} for path, count in sizes.items()],
            "ignored": declared.ignored,
            "outputs": declared.outputs,
            "images": found,
        }
        click.echo(json.dumps(plan, indent=2))
        return
    click.echo(f"{request.name}: a workflow in {declared.language}")
    for name, value in request.parameters.items():
        click.echo(f"    {name} = {json.dumps(value)}")
    for written, digest in found.items():
        click.echo(f"    image {written}{f'  {digest}' if digest else ''}")
    click.echo(f"    {len(sizes)} files would be sent, {size(sum(sizes.values()))}")
    if declared.ignored:
        click.echo(f"    {len(declared.ignored)} files are left out by .gitignore or .reanaignore")
    click.echo(f"    outputs: {', '.join(declared.outputs) or 'none declared'}")
