"""Items that are made ahead are the same ones, in the same order, and no more than one too many."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from catalog.work.ahead import made_ahead


def test_items_come_in_order() -> None:
    assert list(made_ahead(iter(range(100)))) == list(range(100))
    assert list(made_ahead(iter([None, 0, ""]))) == [None, 0, ""]
    assert list(made_ahead(iter(()))) == []


def test_an_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("broken")

    ahead = made_ahead(items())
    assert [next(ahead), next(ahead)] == [1, 2]
    with pytest.raises(ValueError, match="broken"):
        next(ahead)


def test_one_item_at_most_is_made_that_nobody_has_asked_for() -> None:
    made, names = list[int](), set[str]()

    def items() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            names.add(threading.current_thread().name)
            yield number

    ahead = made_ahead(items())
    assert next(ahead) == 0
    assert next(ahead) == 1
    ahead.close()  # type: ignore[attr-defined]
    assert made in ([0, 1], [0, 1, 2])
    assert threading.current_thread().name not in names
    assert not [thread for thread in threading.enumerate() if thread.name in names]
