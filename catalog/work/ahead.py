"""Work ahead: the next item is made by a thread while one is used."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def made_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items and errors, in the same order; one at most is made that nobody asked for, the first one now."""
    pool = ThreadPoolExecutor(1, "ahead")
    return _made(items, pool, pool.submit(list[Item], _first(items)))


def _made(items: Iterator[Item], pool: ThreadPoolExecutor, following: Future[list[Item]]) -> Iterator[Item]:
    with pool:
        while item := following.result():
            following = pool.submit(list[Item], _first(items))
            yield item[0]


def _first(items: Iterator[Item]) -> Iterator[Item]:
    """The next item, if there is one: nothing is drawn before this is iterated over."""
    for item in items:
        yield item
        return
