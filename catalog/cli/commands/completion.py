"""`ldcat completion`: print a script with which a shell completes command lines of ldcat."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from catalog.cli.declare.declared import Argument
from catalog.cli.help_form import Example, Group
from catalog.cli.help_page import pages_below
from catalog.cli.manuals.bash_completion import bash_completion
from catalog.cli.manuals.fish_completion import fish_completion
from catalog.cli.manuals.zsh_completion import zsh_completion
from catalog.terminal import render

HELP_ORDER = 250
HELP_GROUP = Group.EVERYBODY
EXAMPLES = (
    Example("ldcat completion bash > ldcat", "Write the script, for ~/.local/share/bash-completion/completions"),
    Example("ldcat completion zsh > _ldcat", "For zsh: into a folder of $fpath, before compinit runs"),
    Example("ldcat completion fish > ldcat.fish", "For fish: into ~/.config/fish/completions"),
)


class Shell(StrEnum):
    """A shell."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


_SCRIPTS = {Shell.BASH: bash_completion, Shell.ZSH: zsh_completion, Shell.FISH: fish_completion}


def command(context: typer.Context, shell: Annotated[Shell, Argument(help="The shell.")]) -> None:
    """Print a script with which a shell completes command lines.

    It completes commands, options, and names of builds, profiles and vCPU types. The script knows all of them, so
    completion starts no ldcat. Write it again after an update.
    """
    pages = list(pages_below(context.find_root().command, "ldcat"))
    render.exact(_SCRIPTS[shell](pages).removesuffix("\n"))
