"""Pages that list things list all of them: commands, options, exit codes, variables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from catalog import errors
from catalog.cli.main import app_of

DOCS = Path(__file__).parent.parent / "docs"
COMMAND_LINE = (DOCS / "command-line.md").read_text(encoding="utf-8")


def leaves_of(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every command that does something, by its full name, such as `trust init`."""
    if not (below := getattr(command, "commands", None)):
        yield name, command
        return
    for word, inner in below.items():
        yield from leaves_of(inner, f"{name} {word}".strip())


COMMANDS = dict(leaves_of(typer.main.get_command(app_of())))


def options_of(command: Any) -> list[Any]:
    return [one for one in command.params if one.param_type_name == "option"]


def sections(page: str) -> dict[str, str]:
    """The text below each heading, up to the next heading of a command or of the same level or above."""
    parts = re.split(r"^(#{2,3}) (.+)$", page, flags=re.MULTILINE)[1:]
    found, current, depth = dict[str, str](), "", 0
    for level, title, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        if title in COMMANDS or len(level) <= depth:
            current, depth = title, len(level)
        found[current or title] = found.get(current or title, "") + body
    return found


SECTIONS = sections(COMMAND_LINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_section_with_every_option(name: str) -> None:
    assert name in SECTIONS, f"docs/command-line.md has no section {name!r}"
    words = set(re.findall(r"--[a-z0-9-]+", SECTIONS[name]))
    missing = [text for one in options_of(COMMANDS[name]) for text in one.opts[:1] if text not in words]
    assert missing == [], f"docs/command-line.md, {name}: {', '.join(missing)}"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_section_has_no_option_that_the_command_lacks(name: str) -> None:
    """Tables and lists of options alone: a sentence may speak of another command's option."""
    listed = re.findall(r"^\| (.*?) \|", SECTIONS[name], re.MULTILINE)
    listed += re.findall(r"^(?:Also|Options?): (.*)$", SECTIONS[name], re.MULTILINE)
    words = {word for line in listed for word in re.findall(r"`(?:-\w`, `)?(--[a-z0-9-]+)", line)}
    known = {text for one in options_of(COMMANDS[name]) for text in (*one.opts, *one.secondary_opts)}
    assert words <= known


def test_every_command_is_in_the_table_at_the_top() -> None:
    table = COMMAND_LINE.partition("\n## ")[0]
    anchors = set(re.findall(r"\]\(#([a-z-]+)\)", table))
    assert {name.replace(" ", "-") for name in COMMANDS} <= anchors


def test_every_short_option_is_documented() -> None:
    short = {text for one in COMMANDS.values() for option in options_of(one) for text in option.opts if text[1] != "-"}
    assert {text for text in short if f"`{text}`" not in COMMAND_LINE} == set()


def test_every_environment_variable_is_documented() -> None:
    table = SECTIONS["Environment variables"]
    known = {option.envvar for one in COMMANDS.values() for option in options_of(one) if option.envvar}
    assert known
    assert {name for name in known if f"`{name}`" not in table} == set()


def exit_codes() -> set[int]:
    """Of every error, and those that no error has: success, no, revoked, interrupted, a closed pipe."""
    found, classes = {0, 1, 7, 130, 141}, [errors.LdcatError]
    while classes:
        one = classes.pop()
        found.add(one.exit_code)
        classes += one.__subclasses__()
    return found


def test_every_exit_code_is_documented() -> None:
    listed = re.findall(r"^\| (\d+) \|", SECTIONS["Exit codes"], re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(map(int, listed)) == exit_codes()
