"""Print everything: data on stdout; notes, warnings, errors and progress on stderr.

Text for people is made printable, because it may come from outside. Output for programs is exact, except on a
terminal.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from catalog.errors import LdcatError
from catalog.fast.match_text import fact_lines, printable, shown_lines
from catalog.fast.terminal_lines import terminal_width
from catalog.terminal.json_text import json_text
from catalog.terminal.short_lines import shortened

if TYPE_CHECKING:
    from catalog.pages.pictures.matrix import Matrix

Progress = Callable[[int], None]

MAX_LINE = 200
"""Characters of an error or a hint, whoever chose the names in it."""


PIPED = 120
"""Columns of a table that is piped, whoever reads it: a launch digest and some numbers fit."""


class Format(StrEnum):
    """Output formats; `table` is for people."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    HEX = "hex"
    TOML = "toml"
    SARIF = "sarif"


def line(text: str) -> None:
    """Print one line for people."""
    sys.stdout.write(printable(text) + "\n")


def answer(lines: Iterable[str]) -> None:
    """Print the lines of an answer for people, with marks in colour on a terminal."""
    sys.stdout.write(shown_lines(lines))


def exact(text: str) -> None:
    """Print lines for programs, or to be copied: exactly, but made printable on a terminal."""
    sys.stdout.write(_on_terminal(text) + "\n")


def data(chunks: Iterable[bytes]) -> None:
    """Print the bytes of a file exactly; on a terminal they are text, which is made printable."""
    if sys.stdout.isatty():
        exact(b"".join(chunks).decode("utf-8", "backslashreplace").removesuffix("\n"))
        return
    sys.stdout.flush()
    for chunk in chunks:
        sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def _on_terminal(text: str) -> str:
    return "\n".join(map(printable, text.split("\n"))) if sys.stdout.isatty() else text


def note(text: str) -> None:
    """Print a note on stderr; callers leave it out with --quiet."""
    _say(f"ldcat: note: {printable(text)}")


def warning(text: str) -> None:
    """Print a warning on stderr, even with --quiet."""
    _say(f"ldcat: warning: {printable(text)}")


def error(failure: LdcatError) -> None:
    """Print an error and its hint on stderr."""
    problem(str(failure), failure.hint)


def problem(message: str, hint: str | None) -> None:
    """Print an error line and, if there is a hint, a hint line on stderr. Neither is longer than MAX_LINE."""
    with suppress(OSError):
        sys.stdout.flush()
    _say_short("error", message)
    if hint:
        say_hint(hint)


def say_hint(text: str) -> None:
    """Print on stderr what to do next."""
    _say_short("hint", text)


def _say_short(kind: str, text: str) -> None:
    begin = f"ldcat: {kind}: "
    _say(begin + shortened(printable(text), MAX_LINE - len(begin)))


def _say(text: str) -> None:
    """Print a line on stderr. If that is closed or full, nothing can be reported but the exit code."""
    with suppress(OSError):
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def json_document(value: Any) -> None:
    """Print one indented JSON document."""
    exact(json_text(value, indent=2))


def json_with_rows(head: Mapping[str, Any], rows: Iterable[Any]) -> None:
    """Print one JSON document whose last member is `rows`, one row a line; rows are not kept in memory."""
    sys.stdout.write(json_text(head, indent=2).removesuffix("\n}") + ',\n  "rows": [')
    between = "\n    "
    for row in rows:
        sys.stdout.write(between + json_text(row, separators=(",", ":")))
        between = ",\n    "
    exact("]\n}" if between == "\n    " else "\n  ]\n}")


def json_lines(rows: Iterable[Any]) -> None:
    """Print one JSON value a line."""
    for row in rows:
        exact(json_text(row, separators=(",", ":")))


def csv_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print CSV: a header and one row a line, as `csv_cells`."""
    csv_cells([columns])
    csv_cells(rows)


def csv_cells(rows: Iterable[Sequence[Any]]) -> None:
    """Print rows of CSV; None becomes empty. Cells are exact, except on a terminal."""
    shown = printable if sys.stdout.isatty() else str
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerows(["" if value is None else shown(str(value)) for value in row] for row in rows)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> None:
    """Print a table for people. One that is wider than the terminal, or PIPED, has one cell a line; none is cut."""
    shown = [["" if value is None else printable(str(value)) for value in row] for row in rows]
    names = [printable(column) for column in columns]
    widest = sum(max(map(len, cells)) + 3 for cells in zip(names, *shown, strict=True)) + 1
    if widest > (terminal_width() or PIPED):
        _print_cells(names, shown, title)
        return
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=title, title_justify="left", header_style="bold")
    for name in names:
        drawn.add_column(Text(name), overflow="fold")
    for row in shown:
        drawn.add_row(*map(Text, row))
    _console().print(drawn)


def _print_cells(names: Sequence[str], rows: Sequence[Sequence[str]], title: str | None) -> None:
    """Print rows with one name and cell a line, and a blank line between rows; empty cells are left out.

    The bar marks what is part of a table: names of columns may come from outside.
    """
    aligned = max(map(len, names))
    lines = [] if title is None else [title]
    for number, row in enumerate(rows):
        lines += [""] if number else []
        lines += [f"| {name:<{aligned}}  {cell}" for name, cell in zip(names, row, strict=True) if cell]
    sys.stdout.write(shown_lines(lines))


def is_terminal() -> bool:
    """Whether stdout is a terminal with UTF-8."""
    return sys.stdout.isatty() and (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def picture(shown: Matrix) -> None:
    """Print a matrix, in colours unless NO_COLOR forbids them; nothing if stdout is not a terminal."""
    from catalog.terminal.matrix_text import matrix_lines

    if is_terminal():
        console = _console()
        for text in matrix_lines(shown, colours=bool(console.color_system) and not console.no_color):
            console.print(text, no_wrap=True, crop=False, overflow="ignore")


def facts(pairs: Iterable[tuple[str, Any]], *, title: str) -> None:
    """Print a title, then names and values, one a line, aligned."""
    answer(fact_lines(list(pairs), title=title))


@contextmanager
def progress(*, quiet: bool, plain: bool = True) -> Iterator[Callable[[str, int], Progress]]:
    """Progress bars on stderr: yields a function that begins one, given what is done and the number of rows.

    quiet: print nothing.
    plain: if stderr is not a terminal, print one line for the first bar.
    """
    if quiet or not sys.stderr.isatty():
        begun: list[str] = []

        def begin_plain(what: str, rows: int) -> Progress:
            if plain and not quiet and not begun:
                _say(f"ldcat: {rows:,} launch digests")
            begun.append(what)
            return lambda _: None

        yield begin_plain
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    rate = TextColumn("{task.fields[rate]}")
    columns = (TextColumn("{task.description:>8}"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:

        def begin(what: str, rows: int) -> Progress:
            task = bar.add_task(what, total=rows, rate="")

            def advance(count: int) -> None:
                bar.advance(task, count)
                bar.update(task, rate=f"{bar.tasks[task].speed or 0:,.0f}/s")

            return advance

        yield begin


def _console() -> Any:
    from rich.console import Console

    width = terminal_width() if sys.stdout.isatty() else 4096
    return Console(
        width=width, height=25, soft_wrap=False, highlight=False
    )  # without a height TERM=dumb has 80 columns
