"""What `relance reana submit --dry-run` says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from relance.cli.inspect import size
from relance.cli.reana import telling

if TYPE_CHECKING:
    from relance.cli.reana.sending import Sending


def tell(sending: Sending, *, as_json: bool) -> None:
    """Print what would be sent, how it differs from what lies here, and what needs secrets of the server."""
    from relance.engines.reana import needing

    request = sending.request
    declared = request.declared
    needs = needing.needed(declared)
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
            "empty": declared.empty,
            "outputs": declared.outputs,
            "credentials": needs,
            "images": {choice.written: choice.found for choice in sending.choices},
            "pushed": {
                choice.written: {"reference": choice.becomes, "why": choice.why}
                for choice in sending.choices
                if choice.pushed is not None
            },
            "difference": sending.difference,
        }
        click.echo(json.dumps(plan, indent=2))
        return
    click.echo(f"{request.name}: a workflow in {declared.language}")
    for name, value in request.parameters.items():
        click.echo(f"    {name} = {json.dumps(value)}")
    for choice in sending.choices:
        click.echo(f"    image {choice.written}{f'  {choice.found}' if choice.found else ''}")
        if choice.pushed is not None:
            click.echo(f"        found {choice.why}; would be pushed as {choice.becomes}")
    click.echo(f"    {len(sizes)} files would be sent, {size(sum(sizes.values()))}")
    if declared.ignored:
        click.echo(f"    {len(declared.ignored)} files are left out by .gitignore or .reanaignore")
    for folder in declared.empty:
        click.echo(f"    {telling.lacking(folder)}")
    for credential, who in needs.items():
        click.echo(f"    {credential} from your secrets on the server, for {', '.join(who)}")
    click.echo(f"    outputs: {', '.join(declared.outputs) or 'none declared'}")
    click.echo(sending.difference, nl=False)
