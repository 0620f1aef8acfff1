"""The commands that there are, and what the module of each says about it (help_form.py)."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.cli.help_form import Example, Group
from catalog.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import ModuleType


_COMMANDS = "catalog.cli.commands"
"""A name and no import: `completion` in it needs the help of all others."""


def command_names() -> list[str]:
    """Every command by name, sorted: one for each module in commands/, but for those with a leading underscore.

    No module is imported.
    """
    files = sorted(os.listdir(Path(__file__).parent / "commands"))  # noqa: PTH208
    names = (file.removesuffix(".py") for file in files if file.endswith(".py") and not file.startswith("_"))
    return [name.rstrip("_").replace("_", "-") for name in names]


def no_such_command(called: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for an unknown command, with the nearest one. called: what precedes it, such as `ldcat`."""
    from difflib import get_close_matches

    near = get_close_matches(name, list(known), n=1)
    hint = f"{called} {near[0]} is the nearest; {called} --help lists all" if near else f"{called} --help"
    return UsageError(f"no such command {name!r}", hint)


def command_module(command: str) -> ModuleType:
    """The module of a command."""
    return import_module(_module_name(command))


def _module_name(command: str) -> str:
    """A word that Python reserves, such as import, has an underscore after it."""
    name = command.replace("-", "_")
    return f"{_COMMANDS}.{name}_" if iskeyword(name) else f"{_COMMANDS}.{name}"


def command_line(arguments: Sequence[str]) -> str:
    """What was called: `ldcat`, with the command and, once its module is imported, the sub-command."""
    words = ["ldcat", *(word for word in arguments[:1] if word in command_names())]
    app = getattr(sys.modules.get(_module_name(words[-1])), "app", None)
    known = [one.name for one in app.registered_commands] if app else []
    return " ".join([*words, *(word for word in arguments[1:2] if word in known)])


def group_of(command: str) -> Group:
    """Who uses a command; everybody if its module does not say."""
    found: Group = getattr(command_module(command), "HELP_GROUP", Group.EVERYBODY)
    return found


def examples_of(words: tuple[str, ...]) -> tuple[Example, ...]:
    """The examples of a command. words: its name, or the names of a command and a sub-command."""
    found: tuple[Example, ...] = _said(words, "EXAMPLES", ())
    return found


def exit_codes_of(words: tuple[str, ...]) -> Mapping[int, str]:
    """The meaning of each exit code that a command has besides those of every command. words: as `examples_of`."""
    found: Mapping[int, str] = _said(words, "EXIT_CODES", {})
    return found


def _said(words: tuple[str, ...], name: str, otherwise: Any) -> Any:
    """What a module says; with sub-commands by sub-command, and by "" for all of them together."""
    module = command_module(words[0])
    said = getattr(module, name, otherwise)
    return said.get("".join(words[1:]), otherwise) if said and hasattr(module, "app") else said
