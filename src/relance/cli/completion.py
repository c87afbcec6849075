"""`relance completion`: what a shell needs to complete relance's commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of SHELL.

    \b
    bash:  relance completion bash > ~/.local/share/bash-completion/completions/relance
    zsh:   relance completion zsh > ~/.zfunc/_relance      (with fpath+=~/.zfunc in ~/.zshrc)
    fish:  relance completion fish > ~/.config/fish/completions/relance.fish
    """
    script = get_completion_class(shell)
    if script is None:  # click knows all three
        raise click.UsageError(f"no completion for {shell}")
    click.echo(script(context.find_root().command, {}, "relance", "_RELANCE_COMPLETE").source())
