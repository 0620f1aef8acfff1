"""Commands of typer that print our help (help_text.py) instead of rich's."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from typer.core import TyperCommand, TyperGroup

from catalog.cli.help_page import page_of
from catalog.cli.help_text import help_text

if TYPE_CHECKING:
    from typer._click import Context, HelpFormatter


class HelpCommand(TyperCommand):
    """A command with our help instead of rich's."""

    def format_help(self, ctx: Context, formatter: HelpFormatter) -> None:
        formatter.write(help_text(page_of(ctx).plain()))


class HelpGroup(TyperGroup):
    """A group of commands with our help instead of rich's, which is also printed if no command is given."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        if not args:
            sys.stdout.write(help_text(page_of(ctx).plain()))
            ctx.fail("no command is given")
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Context, formatter: HelpFormatter) -> None:
        formatter.write(help_text(page_of(ctx).plain()))
