"""`--help` and `--version` at once: without the modules of commands, and without typer.

What this does not know, such as the help of a command that is not in pages.txt, takes the full path (cli/main.py).
"""

from __future__ import annotations

from catalog.errors import LdcatError

_HELP = ("-h", "--help")
_MAX_WORDS = 2
"""The longest name of a command: `trust show`."""


def said_at_once(arguments: list[str]) -> str | None:
    """What to print on stdout for a command line that asks for the version or for help; None: take the full path."""
    if arguments == ["--version"]:
        from catalog.cli.program.version_text import version_line

        try:
            return version_line() + "\n"
        except LdcatError:  # which the full path reports
            return None
    *words, last = arguments
    return _help_of(words) if last in _HELP and len(words) <= _MAX_WORDS else None


def _help_of(words: list[str]) -> str | None:
    from catalog.cli.help_text import help_text
    from catalog.cli.plain_page import page_in

    try:
        with open(f"{__file__.rpartition('/light/')[0]}/pages.txt", encoding="utf-8") as file:  # noqa: PTH123
            page = page_in(file.read(), " ".join(["ldcat", *words]))
    except OSError:  # a slim install has other commands, and no such file
        return None
    return None if page is None else help_text(page)
