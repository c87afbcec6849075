"""`relance reana secrets`: names of secrets told, values given and never shown."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from relance.cli import registries
from relance.cli.reana import connecting, options
from relance.errors import ExitCode, InputError


@click.group(invoke_without_command=True)
@registries.CA_FILE
@options.JSON
@click.pass_context
def secrets(context: click.Context, ca_file: Path | None, as_json: bool) -> ExitCode | None:
    """List your secrets on the server, or change them; values are never shown."""
    if context.invoked_subcommand is None:
        with connecting.connected(dict(os.environ), ca_file) as client:
            known = client.secrets()
        if as_json:
            rows = [{"name": secret.name, "kind": secret.kind} for secret in known]
            click.echo(json.dumps(rows, indent=2))
        for secret in () if as_json else known:
            click.echo(f"{secret.name}  ({secret.kind})")
        return ExitCode.OK
    return None


@secrets.command("add")
@click.option(
    "--env", "variables", metavar="NAME", multiple=True, help="The value of this environment variable."
)
@click.option("--file", "given", metavar="FILE", multiple=True,
              type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="The content of this file.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace what is there.")
@registries.CA_FILE
def add_secrets(
    variables: tuple[str, ...], given: tuple[Path, ...], overwrite: bool, ca_file: Path | None
) -> ExitCode:
    """Give secrets to the server: values come from the environment or files, never the command line."""
    from relance.engines.reana.model import Secret

    found: dict[Secret, bytes] = {}
    for name in variables:
        if name not in os.environ or name == connecting.TOKEN:
            raise InputError(
                f"--env {name}",
                expected="a variable of the environment other than the token",
                found="none" if name != connecting.TOKEN else "the token itself",
                next_step=f"set it: read -rs {name} && export {name}",
            )
        found[Secret(name, "env")] = os.environ[name].encode()
    for path in given:
        found[Secret(path.name, "file")] = path.read_bytes()
    if not found:
        raise InputError(
            "no secrets", expected="--env NAME or --file FILE", found="neither", next_step="name one"
        )
    with connecting.connected(dict(os.environ), ca_file) as client:
        client.add_secrets(found, overwrite=overwrite)
    click.echo(f"{len(found)} secrets kept by {client.server.address}")
    return ExitCode.OK


@secrets.command("remove")
@click.argument("names", metavar="NAME…", nargs=-1, required=True)
@registries.CA_FILE
def remove_secrets(names: tuple[str, ...], ca_file: Path | None) -> ExitCode:
    """Remove secrets from the server."""
    with connecting.connected(dict(os.environ), ca_file) as client:
        client.remove_secrets(names)
    return ExitCode.OK
