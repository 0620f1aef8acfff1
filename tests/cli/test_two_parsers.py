"""Typer's parser and ours read the same declarations: same values, same errors, same help."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.exceptions import TyperException

from catalog.cli.command_modules import command_module, command_names
from catalog.cli.declare.declared import command_for_typer
from catalog.cli.declare.parsed_line import parameters_of, parse_line
from catalog.cli.help_page import page_of
from catalog.cli.program.app import run_in_typer
from catalog.cli.program.slim import SLIM_COMMANDS, described, run_slim
from catalog.errors import LdcatError, UsageError

Read = Callable[[Sequence[str]], "dict[str, Any] | str"]


def _in_typer(name: str) -> Read:
    command = command_for_typer(command_module(name).command)
    seen: list[dict[str, Any]] = []

    def recorded(**values: Any) -> None:
        seen.append(values)

    app = typer.Typer(add_completion=False)
    app.callback()(lambda: None)
    app.command(name)(command)
    parser = typer.main.get_command(app)
    parser.commands[name].callback = recorded  # type: ignore[attr-defined]

    def read(arguments: Sequence[str]) -> dict[str, Any] | str:
        seen.clear()
        try:
            parser(args=[name, *arguments], standalone_mode=False)
        except TyperException as error:
            message = " ".join(error.format_message().split())
            return (message[:1].lower() + message[1:]).rstrip(".")
        except LdcatError as error:
            return str(error)
        return {
            one: tuple(value) or None if isinstance(value, tuple | list) else value for one, value in seen[0].items()
        }

    return read


def _in_ours(name: str) -> Read:
    parameters = parameters_of(command_module(name).command)

    def read(arguments: Sequence[str]) -> dict[str, Any] | str:
        try:
            found = parse_line(parameters, arguments, os.environ)
        except UsageError as error:
            return str(error)
        return {one: tuple(value) if isinstance(value, list) else value for one, value in found.items()}

    return read


def _is_ours(name: str) -> bool:
    try:
        return bool(parameters_of(getattr(command_module(name), "command", _is_ours)))
    except KeyError:
        return False


OURS = tuple(filter(_is_ours, command_names()))
BOTH = {name: (_in_typer(name), _in_ours(name)) for name in OURS}
WORDS = {
    name: [
        "",
        "-",
        "--",
        "x",
        "=",
        "-x",
        "--no-such",
        "a=b",
        "7",
        "0x1f",
        "json",
        "jsonl",
        "xml",
        "DIR",
        "http://h/x",
        "e=1",
    ]
    + [
        form
        for one in parameters_of(command_module(name).command)
        if one.param_type_name == "option"
        for opt in one.opts
        for form in (opt, f"{opt}=v", f"{opt}=", f"{opt}json" if len(opt) == 2 else f"{opt[:-1]}")
    ]
    for name in OURS
}
VARIABLES = sorted(
    {str(one.envvar) for name in OURS for one in parameters_of(command_module(name).command) if one.envvar}
)


def test_most_commands_need_no_typer() -> None:
    """The others are groups, or have parameters that are made when the program runs."""
    assert set(command_names()) - set(OURS) == {"completion", "explain", "export", "revoke", "trust", "vmsa", "witness"}


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


@given(
    st.sampled_from(OURS).flatmap(
        lambda name: st.tuples(st.just(name), st.lists(st.sampled_from(WORDS[name]), max_size=7))
    )
)
def test_any_line(case: tuple[str, list[str]]) -> None:
    name, arguments = case
    theirs, ours = (read(arguments) for read in BOTH[name])
    assert isinstance(ours, dict) == isinstance(theirs, dict), (theirs, ours)
    if isinstance(ours, dict):
        assert ours == theirs


@pytest.mark.parametrize(
    "line",
    [
        "",
        "--frmat",
        "--formt x",
        "x y",
        "x y z",
        "x --format",
        "x -f",
        "x -f xml",
        "x -fxml",
        "x -qx",
        "x --quiet=1",
        "x --catalog=",
        "x --api-major zz",
        "x --certs=",
        "--",
        "x --at",
    ],
)
def test_errors_have_the_same_words(line: str) -> None:
    theirs, ours = (read(line.split()) for read in BOTH["lookup"])
    assert isinstance(ours, str)
    assert ours == str(theirs).replace("Value error, ", "")


@pytest.mark.parametrize("program", [run_in_typer, run_slim])
@pytest.mark.parametrize(
    ("line", "asks"),
    [
        ("-h", True),
        ("x -qh", True),
        ("x --format xml --help", True),
        ("x --report-data -h", False),
        ("x --require-verified --report-data --help", False),
        ("x --no-such -h", False),
        ("x --help=1", False),
        ("x -fh", False),
        ("-hf", False),
        ("-- -h", False),
    ],
)
def test_help_is_not_the_value_of_an_option(
    line: str, asks: bool, program: Callable[[Sequence[str]], object], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 0 says that a report is as demanded: a nonce from elsewhere must not ask for help instead."""
    try:
        program(["lookup", *line.split()])
    except LdcatError:
        assert not asks
    assert capsys.readouterr().out.startswith("Usage: ") == asks


@pytest.mark.parametrize(
    "setting",
    [
        ("LDCAT_FORMAT", "json"),
        ("LDCAT_FORMAT", "xml"),
        ("LDCAT_FORMAT", ""),
        *(("LDCAT_QUIET", on) for on in ["1", "0", "true", "no", "ON", "x", " 1 ", "no\n", " "]),
        ("LDCAT_CATALOG", "DIR"),
        ("LDCAT_TRUST", "FILE"),
        ("LDCAT_CERTS", "a b"),
    ],
)
def test_settings(setting: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(*setting)
    for arguments in (["x"], ["x", "-f", "table"], ["x", "-q", "--trust", "t"]):
        for theirs, ours in BOTH.values():
            found, expected = ours(arguments), theirs(arguments)
            assert isinstance(found, dict) == isinstance(expected, dict)
            if isinstance(found, dict):
                assert found == expected


@pytest.mark.parametrize("name", SLIM_COMMANDS)
def test_help_is_the_same(name: str) -> None:
    app = typer.Typer(name="ldcat", add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})
    app.callback()(lambda: None)
    app.command(name)(command_for_typer(command_module(name).command))
    group = typer.main.get_command(app)
    above = typer.Context(group, info_name="ldcat", help_option_names=["-h", "--help"])
    assert page_of(described(name)) == page_of(typer.Context(group.commands[name], info_name=name, parent=above))  # type: ignore[attr-defined]
