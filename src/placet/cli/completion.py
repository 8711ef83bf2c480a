"""``placet completion``: shell completion, by Click's own scripts."""

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script for your shell.

    For bash: placet completion bash > ~/.local/share/bash-completion/completions/placet
    """
    script = get_completion_class(shell)
    if script is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    click.echo(script(context.find_root().command, {}, "placet", "_PLACET_COMPLETE").source())
