"""`make check` reports each function and file that is too long."""

from __future__ import annotations

from tools.limits import FILE_LINES, FUNCTION_LINES, too_long


def function(lines: int) -> str:
    return "def long() -> None:\n" + "    pass\n" * (lines - 1)


def test_a_function_at_the_limit_passes() -> None:
    assert list(too_long("room/file.py", function(FUNCTION_LINES))) == []


def test_a_longer_function_is_named_with_its_line() -> None:
    source = f'"""A module."""\n\n{function(FUNCTION_LINES + 1)}'
    assert list(too_long("room/file.py", source)) == ["room/file.py:3: long has 81 lines, more than 80"]


def test_a_longer_method_is_named() -> None:
    method = "".join(f"    {line}\n" for line in function(FUNCTION_LINES + 1).splitlines())
    assert list(too_long("room/file.py", f"class Room:\n{method}")) == [
        "room/file.py:2: long has 81 lines, more than 80"
    ]


def test_a_file_at_the_limit_passes_and_a_longer_one_is_named() -> None:
    assert list(too_long("room/file.py", "pass\n" * FILE_LINES)) == []
    assert list(too_long("room/file.py", "pass\n" * (FILE_LINES + 1))) == ["room/file.py: 301 lines, more than 300"]
