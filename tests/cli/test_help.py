"""The help of every command, at several widths."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from catalog.cli.command_modules import command_module, command_names
from catalog.cli.help_form import Group
from catalog.cli.help_page import EXIT_CODES, HelpPage, pages_below
from catalog.cli.help_text import help_lines
from catalog.cli.program.app import make_app
from tests.support.cli import Run

PAGES = {page.name: page for page in pages_below(typer.main.get_command(make_app()), "ldcat")}


def text_of(page: HelpPage, width: int = 80) -> str:
    return "\n".join(help_lines(page.plain(), width, colours=False))


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("page", PAGES.values(), ids=list(PAGES))
def test_no_line_is_wider_than_the_terminal_unless_a_name_is(page: HelpPage, width: int) -> None:
    wide = [line for line in help_lines(page.plain(), width, colours=False) if len(line) > width]
    names = [f"  {one.title()}" for group in page.options.values() for one in group]
    words = {line: shlex.split(line.removesuffix("\\")) for line in wide if line not in names}
    assert [line for line, found in words.items() if len(found) > 1] == []


@pytest.mark.parametrize("page", PAGES.values(), ids=list(PAGES))
def test_every_width_has_the_same_words(page: HelpPage) -> None:
    words = [text_of(page, width).replace(" \\\n", "").split() for width in (40, 80, 200)]
    assert words[0] == words[1] == words[2]


@pytest.mark.parametrize("page", PAGES.values(), ids=list(PAGES))
def test_no_type_of_python_is_shown(page: HelpPage) -> None:
    assert not re.search(r"<\w+>|\bSTR\b|\bANY\b", text_of(page))


@pytest.mark.parametrize("page", PAGES.values(), ids=list(PAGES))
def test_every_option_and_argument_is_explained(page: HelpPage) -> None:
    shown = [*page.arguments, *(one for group in page.options.values() for one in group)]
    assert all(one.text.endswith((".", ". ")) for one in shown), [one.title() for one in shown if not one.text]


def test_every_command_has_a_group_and_is_in_it(run: Run) -> None:
    assert all(isinstance(command_module(name).HELP_GROUP, Group) for name in command_names())
    code, out, err = run("--help")
    assert (code, err) == (0, "")
    for group in Group:
        listed = out.partition(f"\n{group}:\n")[2].partition("\n\n")[0]
        expected = {name for name in command_names() if command_module(name).HELP_GROUP is group}
        assert set(re.findall(r"^  (\S+)", listed, re.MULTILINE)) == expected


def test_each_command_has_one_line() -> None:
    lines = text_of(PAGES["ldcat"]).splitlines()
    assert [name for name in command_names() if not any(line.startswith(f"  {name} ") for line in lines)] == []
    assert len([line for line in lines if re.match(r"  [a-z][a-z-]* +[A-Z]", line)]) == len(command_names())
    assert len(lines) <= 80


def test_the_table_of_the_documentation_has_the_same_groups() -> None:
    """Sub-commands may be in another group than their command."""
    table = (
        (Path(__file__).parents[2] / "docs/command-line.md").read_text().partition("| for |")[2].partition("\n\n")[0]
    )
    group, found = "", dict[str, str]()
    for first, names in re.findall(r"^\| ([a-z ]*?) ?\| (.*?) \|", table, re.MULTILINE):
        group = first or group
        found |= dict.fromkeys(re.findall(r"\[`(\S+?)[ `]", names), group)
    of_help = {name: str(command_module(name).HELP_GROUP).lower() for name in command_names()}
    assert {name: found[name] for name in of_help if name != "trust"} == {
        name: group for name, group in of_help.items() if name != "trust"
    }


def test_exit_codes_of_a_command_are_those_of_the_program() -> None:
    assert all(set(page.exit_codes) <= EXIT_CODES.keys() for page in PAGES.values())


def test_the_exit_codes_of_the_program_are_all_listed(run: Run) -> None:
    table = (Path(__file__).parents[2] / "docs/command-line.md").read_text().partition("\n## Exit codes\n")[2]
    assert [*map(int, re.findall(r"^\| (\d+) \|", table, re.MULTILINE))] == [*EXIT_CODES, 141]
    assert "\n  130 " in run("--help")[1]


def test_without_a_command_help_comes_before_the_error(run: Run) -> None:
    for words in ([], ["trust"]):
        code, out, err = run(*words)
        name = " ".join(["ldcat", *words])
        assert (code, out) == (2, run(*words, "--help")[1])
        assert err == f"ldcat: error: no command is given\nldcat: hint: {name} --help\n"


def test_colours_mark_headings_and_names_and_change_no_text() -> None:
    page = PAGES["ldcat keygen"]
    inked = "\n".join(help_lines(page.plain(), 80, colours=True))
    assert "\033[1mOptions:\033[0m" in inked
    assert re.sub(r"\033\[\d*m", "", inked) == text_of(page)


def test_help_follows_the_width_of_the_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for width in (50, 120):
        monkeypatch.setenv("COLUMNS", str(width))
        assert run("lookup", "--help")[1] == text_of(PAGES["ldcat lookup"], width) + "\n"
