"""Catalogs that are open at the same time do not wait for each other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event

from catalog.build.builder import BuildResult
from catalog.store.catalog import Catalog
from catalog.store.manifest import FileEntry

SECONDS = 30


def test_a_host_that_hangs_delays_no_other_catalog(small: BuildResult, fewer: BuildResult) -> None:
    asked, ended = Event(), Event()

    def hang(_name: str, _entry: FileEntry) -> None:
        asked.set()
        assert ended.wait(SECONDS)

    hanging, other = replace(Catalog.open(small.folder), fetcher=hang), Catalog.open(fewer.folder)
    with ThreadPoolExecutor(2) as threads:
        waiting = threads.submit(lambda: hanging.firmware)
        assert asked.wait(SECONDS)
        try:
            assert threads.submit(lambda: other.firmware).result(SECONDS / 2)
        finally:
            ended.set()
        assert waiting.result()
