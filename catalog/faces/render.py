"""Everything that is printed: data on stdout, notes, errors and progress on stderr."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import Any

from catalog.errors import LdcatError

Progress = Callable[[int], None]


class Format(StrEnum):
    """Output formats; `table` is for people."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    HEX = "hex"
    TOML = "toml"


def line(text: str) -> None:
    """One line of data."""
    sys.stdout.write(text + "\n")


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


def printable(text: str) -> str:
    """Text from outside without control characters, so that it cannot drive a terminal or forge a line."""
    safe = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in safe)


def json_document(value: Any) -> None:
    """One JSON document, indented."""
    line(json.dumps(value, indent=2))


def json_lines(rows: Iterable[Any]) -> None:
    """One JSON value a line."""
    for row in rows:
        line(json.dumps(row, separators=(",", ":")))


def csv_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A header and one record a line; null is empty, bytes are hex."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([["" if value is None else value for value in row] for row in rows])


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> None:
    """A table for people; never cut where stdout is no terminal."""
    from rich.table import Table
    from rich.text import Text

    shown = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(Text("" if value is None else printable(str(value))) for value in row))
    _console().print(shown)


def facts(pairs: Iterable[tuple[str, Any]], *, title: str) -> None:
    """A title, then names and values, one a line, aligned."""
    shown = list(pairs)
    width = max(len(name) for name, _ in shown)
    line(printable(title))
    for name, value in shown:
        line(f"  {name:<{width}}  {printable(str(value))}")


@contextmanager
def progress(rows: int, what: str, *, quiet: bool) -> Iterator[Progress]:
    """A progress bar on stderr; a plain line where that is no terminal, nothing with `quiet`."""
    if quiet:
        yield lambda _: None
        return
    if not sys.stderr.isatty():
        _say(f"ldcat: {rows:,} {what}")
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=rows)
        yield lambda made: bar.advance(task, made)


def flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one level, names joined by dots; lists joined by blanks."""
    found: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = " ".join(map(str, value)) if isinstance(value, list) else value
    return found


def _console() -> Any:
    from rich.console import Console

    return Console(soft_wrap=False, width=None if sys.stdout.isatty() else 4096, highlight=False)
