"""`portal completion`."""

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete

from portal.cli import cli

SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command()
@click.argument("shell", type=click.Choice(tuple(SHELLS)))
def completion(shell: str) -> None:
    """Print what makes a shell complete commands and options.

    \b
    bash: portal completion bash >> ~/.bashrc
    zsh:  portal completion zsh >> ~/.zshrc
    fish: portal completion fish > ~/.config/fish/completions/portal.fish
    """
    click.echo(SHELLS[shell](cli, {}, "portal", "_PORTAL_COMPLETE").source())
