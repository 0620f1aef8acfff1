"""Everything that is printed: data on stdout, notes, errors and progress on stderr.

What people read is printable, whatever came from outside; what programs read is exact, but on a terminal.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from catalog.errors import LdcatError
from catalog.fast.match_text import fact_lines, printable

if TYPE_CHECKING:
    from catalog.pages.pictures.matrix import Matrix

Progress = Callable[[int], None]


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
    """One line for people."""
    sys.stdout.write(printable(text) + "\n")


def exact(text: str) -> None:
    """Lines that programs read, or that have to be copied as they are: printable only on a terminal."""
    sys.stdout.write(_on_terminal(text) + "\n")


def _on_terminal(text: str) -> str:
    return "\n".join(map(printable, text.split("\n"))) if sys.stdout.isatty() else text


def note(text: str) -> None:
    """Something the reader should know."""
    _say(f"ldcat: note: {printable(text)}")


def warning(text: str) -> None:
    """Something the reader must know: shown even with --quiet."""
    _say(f"ldcat: warning: {printable(text)}")


def error(failure: LdcatError) -> None:
    """A deliberate error and its hint."""
    problem(str(failure), failure.hint)


def problem(message: str, hint: str | None) -> None:
    """An error line and, where there is one, a hint line."""
    with suppress(OSError):
        sys.stdout.flush()
    _say(f"ldcat: error: {printable(message)}")
    if hint:
        _say(f"ldcat: hint: {printable(hint)}")


def _say(text: str) -> None:
    """A line on stderr; where that is closed or full nobody can be told, and the exit code still counts."""
    with suppress(OSError):
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def json_document(value: Any) -> None:
    """One JSON document, indented."""
    exact(_json(value, indent=2))


def json_with_rows(head: Mapping[str, Any], rows: Iterable[Any]) -> None:
    """One JSON document whose last member is `rows`, one a line, however many there are."""
    sys.stdout.write(_json(head, indent=2).removesuffix("\n}") + ',\n  "rows": [')
    between = "\n    "
    for row in rows:
        sys.stdout.write(between + _json(row, separators=(",", ":")))
        between = ",\n    "
    exact("]\n}" if between == "\n    " else "\n  ]\n}")


def json_lines(rows: Iterable[Any]) -> None:
    """One JSON value a line."""
    for row in rows:
        exact(_json(row, separators=(",", ":")))


def _json(value: Any, **how: Any) -> str:
    """In printable ASCII, but for the ends of lines."""
    return json.dumps(value, **how).replace("\x7f", "\\u007f")


def csv_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A header and one record a line; null is empty, bytes are hex. Cells are exact, but on a terminal."""
    shown = printable if sys.stdout.isatty() else str
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(map(shown, columns))
    writer.writerows(["" if value is None else shown(str(value)) for value in row] for row in rows)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> None:
    """A table for people; never cut where stdout is no terminal."""
    from rich.table import Table
    from rich.text import Text

    shown = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        shown.add_column(Text(printable(column)), overflow="fold")
    for row in rows:
        shown.add_row(*(Text("" if value is None else printable(str(value))) for value in row))
    _console().print(shown)


def is_terminal() -> bool:
    """Whether people look at stdout, and see more than ASCII."""
    return sys.stdout.isatty() and (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def picture(shown: Matrix) -> None:
    """A matrix, in colours where NO_COLOR does not forbid them; nothing where stdout is no terminal."""
    from catalog.terminal.matrix_text import matrix_lines

    if is_terminal():
        console = _console()
        for text in matrix_lines(shown, colours=bool(console.color_system) and not console.no_color):
            console.print(text, no_wrap=True, crop=False, overflow="ignore")


def facts(pairs: Iterable[tuple[str, Any]], *, title: str) -> None:
    """A title, then names and values, one a line, aligned."""
    for text in fact_lines(list(pairs), title=title):
        line(text)


@contextmanager
def progress(*, quiet: bool, plain: bool = True) -> Iterator[Callable[[str, int], Progress]]:
    """Bars on stderr, each begun with what is done and for how many rows; a plain line for the first where that
    is no terminal and with `plain`, nothing with `quiet`.
    """
    if quiet or not sys.stderr.isatty():
        said: list[str] = []

        def begin_plain(what: str, rows: int) -> Progress:
            if plain and not quiet and not said:
                _say(f"ldcat: {rows:,} launch digests")
            said.append(what)
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

            def made(count: int) -> None:
                bar.advance(task, count)
                bar.update(task, rate=f"{bar.tasks[task].speed or 0:,.0f}/s")

            return made

        yield begin


def moment(seconds: int) -> str:
    """A time for people, from seconds since 1970; those alone where no calendar has it."""
    from datetime import UTC, datetime

    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, OSError, ValueError):
        return f"{seconds} seconds after 1970"


def _console() -> Any:
    from rich.console import Console

    return Console(soft_wrap=False, width=None if sys.stdout.isatty() else 4096, highlight=False)
