"""The progress bar of a search that may end before everything is searched, because its time is over."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[str, int], None]
"""Called with what is searched, in words, and the number of candidates tried since the last call."""


@contextmanager
def search_progress(seconds: float, *, quiet: bool) -> Iterator[Callable[[int], Advance]]:
    """A progress bar on stderr: yields a function that begins it, given the number of all candidates.

    seconds: how long the search may take.
    quiet: print nothing, as if stderr is not a terminal.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda _total: lambda _words, _count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.table import Column

    stage = TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis"))
    columns = (BarColumn(20), TextColumn("{task.fields[state]}", table_column=Column(no_wrap=True)), stage)
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:

        def begin(total: int) -> Advance:
            task, begun, tried = bar.add_task("", total=total, state=""), time.monotonic(), 0

            def advance(words: str, count: int) -> None:
                nonlocal tried
                tried += count
                elapsed = time.monotonic() - begun
                shown = expected_total(tried, total, elapsed, seconds)
                state = f"{tried:,} of {shown:,}, {min(elapsed, seconds):.0f} of {seconds:g} s"
                bar.update(task, description=words, completed=tried, total=shown, state=state)

            return advance

        yield begin


def expected_total(tried: int, total: int, elapsed: float, seconds: float) -> int:
    """How many candidates will be tried: all, or as many as at the speed so far fit into the time.

    The share of it that is done never decreases, and never exceeds 1.
    """
    if tried * seconds >= total * elapsed:
        return total
    return max(tried, round(tried * seconds / elapsed))
