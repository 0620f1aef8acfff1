"""Parses a command line without typer, by the same declarations and rules: tests compare both.

Options may stand anywhere before `--`, as `--name value`, `--name=value`, `-nvalue` or, for flags, `-ab`. The last one
counts, but those of a list are collected. What is not given is taken from its variable, if that is not empty.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from catalog.cli.declare.declared import Argument, BadValue, Declared
from catalog.errors import UsageError
from catalog.values import Value

_YES, _NO = ("1", "true", "t", "yes", "y", "on"), ("", "0", "false", "f", "no", "n", "off")


class Parameter(Value):
    """A parameter of a command. help_page.py reads it as typer's: the names of its attributes are those.

    opts: of an option, such as ("--format", "-f"); of an argument, its name.
    choices: all values; empty if that is no list.
    parser: makes a value of a text, if there are no choices; may raise BadValue.
    settings: of its declaration.
    """

    name: str
    param_type_name: Literal["option", "argument"]
    opts: tuple[str, ...]
    default: Any
    required: bool
    multiple: bool
    choices: tuple[Any, ...]
    parser: Callable[[str], Any]
    settings: Mapping[str, Any]

    count = False

    @property
    def is_flag(self) -> bool:
        return self.parser in (_flag, bool)

    @property
    def nargs(self) -> int:
        return -1 if self.multiple and self.param_type_name == "argument" else 1

    @property
    def type_descriptor(self) -> Parameter:
        return self

    @property
    def show_default(self) -> bool:
        return bool(self.settings.get("show_default", True))

    def __getattr__(self, name: str) -> Any:
        if name in ("envvar", "help", "hidden", "metavar", "rich_help_panel"):
            return self.settings.get(name)
        raise AttributeError(name)

    def of_text(self, text: str) -> Any:
        """The value that a text means; raises BadValue."""
        if not self.choices:
            return self.parser(text)
        for choice in self.choices:
            if text == _text(choice):
                return choice
        raise BadValue(f"{text!r} is not one of {', '.join(map(repr, map(_text, self.choices)))}")


@cache
def parameters_of(command: Callable[..., Any]) -> tuple[Parameter, ...]:
    """The parameters of a command, in their order; raises KeyError for a kind that is not known here."""
    if hasattr(command, "__wrapped__"):
        raise KeyError("its parameters are made by a decorator")
    code, defaults = command.__code__, command.__defaults__ or ()
    names = code.co_varnames[: code.co_argcount]
    given = dict(zip(names[len(names) - len(defaults) :], defaults, strict=True))
    hints = get_type_hints(command, include_extras=True)
    return tuple(_parameter(name, hints[name], given) for name in names)


def _parameter(name: str, hint: Any, defaults: Mapping[str, Any]) -> Parameter:
    kind, declared = get_args(hint) or (hint, None)
    if not isinstance(declared, Declared):
        raise KeyError(f"{name} has another library's declaration, or none")
    kinds = [one for one in get_args(kind) if one is not NoneType] if get_origin(kind) in (Union, UnionType) else [kind]
    (kind,) = kinds
    multiple = get_origin(kind) is list
    kind = get_args(kind)[0] if multiple else kind
    is_argument = isinstance(declared, Argument)
    return Parameter(
        name=name,
        opts=(name,) if is_argument else declared.names or (f"--{name.replace('_', '-')}",),
        param_type_name="argument" if is_argument else "option",
        default=defaults.get(name),
        required=name not in defaults,
        multiple=multiple,
        choices=_choices(kind),
        parser=declared.settings.get("parser") or _PARSERS[None if _choices(kind) else kind],
        settings=declared.settings,
    )


def _choices(kind: Any) -> tuple[Any, ...]:
    if get_origin(kind) is Literal:
        return get_args(kind)
    return tuple(kind) if isinstance(kind, type) and issubclass(kind, Enum) else ()


def _text(choice: Any) -> str:
    return str(choice.value) if isinstance(choice, Enum) else str(choice)


def _flag(text: str) -> bool:
    word = text.strip().lower()
    if word not in (*_YES, *_NO):
        raise BadValue(f"{text!r} is neither yes nor no")
    return word in _YES


_PARSERS: dict[Any, Callable[[str], Any]] = {bool: _flag, str: str, Path: Path, None: str}


def parse_line(
    parameters: Sequence[Parameter], arguments: Sequence[str], environment: Mapping[str, str] = os.environ
) -> dict[str, Any]:
    """The values of all parameters by name; raises UsageError, and the errors of their parsers but BadValue."""
    given, places = _split(_by_option(parameters), arguments)
    for one in parameters:
        if one.param_type_name == "argument" and places:
            given[one.name] = list(places) if one.multiple else [places.popleft()]
            if one.multiple:
                places.clear()
    if places:
        raise UsageError(f"got unexpected extra argument(s) ({' '.join(places)})")
    return {one.name: _value(one, given.get(one.name), environment) for one in parameters}


def is_given(flag: Parameter, parameters: Sequence[Parameter], arguments: Sequence[str]) -> bool:
    """Whether a flag stands in a command line, and not as the value of an option. Raises UsageError as `parse_line`."""
    return flag.name in _split(_by_option((*parameters, flag)), arguments)[0]


def _by_option(parameters: Sequence[Parameter]) -> dict[str, Parameter]:
    return {opt: one for one in parameters if one.param_type_name == "option" for opt in one.opts}


def _split(by_option: Mapping[str, Parameter], arguments: Sequence[str]) -> tuple[dict[str, list[str]], deque[str]]:
    """The texts of each option that is given, by the name of its parameter, and the arguments."""
    given: dict[str, list[str]] = {}
    places: deque[str] = deque()
    rest = deque(arguments)
    while rest:
        word = rest.popleft()
        if word == "--":
            places.extend(rest)
            break
        if not word.startswith("-") or word == "-":
            places.append(word)
            continue
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            if equals:
                rest.appendleft(value)
        else:
            name, equals, value = word[:2], "", word[2:]
            if value:
                takes = (one := by_option.get(name)) is not None and not one.is_flag
                rest.appendleft(value if takes else f"-{value}")
        found = by_option.get(name)
        if found is None:
            raise UsageError(f"no such option: {name}{_near(name, by_option)}")
        if not found.is_flag and not rest:
            raise UsageError(f"option '{name}' requires an argument")
        if found.is_flag and equals:
            raise UsageError(f"option '{name}' does not take a value")
        given.setdefault(found.name, []).append("yes" if found.is_flag else rest.popleft())
    return given, places


def _near(name: str, known: Mapping[str, Parameter]) -> str:
    from difflib import get_close_matches

    near = sorted(get_close_matches(name, known)) if name.startswith("--") else []
    if not near:
        return ""
    return f" Did you mean {near[0]}?" if len(near) == 1 else f" (Possible options: {', '.join(near)})"


def _value(one: Parameter, texts: list[str] | None, environment: Mapping[str, str]) -> Any:
    if texts is None and (set_to := environment.get(one.envvar or "")):
        texts = set_to.split() if one.multiple else [set_to]
    if texts is None:
        if one.required:
            what = "argument" if one.param_type_name == "argument" else "option"
            raise UsageError(f"missing {what} {_named(one)}")
        return one.default
    try:
        values = list(map(one.of_text, texts if one.multiple else texts[-1:]))
    except BadValue as error:
        raise UsageError(f"invalid value for {_named(one)}: {error}") from error
    return values if one.multiple else values[-1]


def _named(one: Parameter) -> str:
    """How errors name a parameter."""
    names = one.opts if one.param_type_name == "option" else (one.metavar or one.name.upper(),)
    return " / ".join(map(repr, names)) + (f" (env var: {one.envvar!r})" if one.envvar else "")
