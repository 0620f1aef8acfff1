"""Lookups in several threads at a time: what one of them has opened is neither opened again nor freed by another."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier, Thread
from typing import Any

import pytest

from catalog.build.builder import BuildResult
from catalog.fast import packed as packed_module
from catalog.fast.compiled import compiled_find
from catalog.fast.packed import PackedCatalog
from catalog.fast.verity import VerifiedFile
from tests.support.catalogs import all_digests

THREADS = 8


def slowly(function: Callable[..., Any], called: Counter[Any], name: Callable[..., Any]) -> Callable[..., Any]:
    """A function that gives other threads time to call it, too. called: counts the calls by `name` of the arguments."""

    def slow(*arguments: Any, **more: Any) -> Any:
        called[name(*arguments)] += 1
        made = function(*arguments, **more)
        time.sleep(0.005)
        return made

    return slow


@pytest.mark.parametrize("compiled_from", [1, 3, 10_000])
def test_each_part_is_opened_once(parted: BuildResult, compiled_from: int, monkeypatch: pytest.MonkeyPatch) -> None:
    read: Counter[str] = Counter()
    compiled: Counter[int] = Counter()
    memories: Counter[None] = Counter()
    monkeypatch.setattr(packed_module, "_FEW", compiled_from)
    monkeypatch.setattr(packed_module, "VerifiedFile", slowly(VerifiedFile, read, lambda name, *_: name))
    monkeypatch.setattr(compiled_find, "_opened", slowly(compiled_find._opened, compiled, lambda file, *_: id(file)))
    monkeypatch.setattr(compiled_find, "shared_memory", slowly(compiled_find.shared_memory, memories, lambda: None))
    digests = [digest for technology, digest in all_digests(parted) if technology == "sev-snp"]
    together = Barrier(THREADS)
    with closing(PackedCatalog(str(parted.folder), hashlib.sha256)) as packed, ThreadPoolExecutor(THREADS) as pool:
        index = packed.indexes["sev-snp"]

        def find(first: int) -> bool:
            together.wait()
            return all(index.find(digest) == index.find_in_python(digest) != [] for digest in digests[first::THREADS])

        assert all(pool.map(find, range(THREADS)))
        parts = [name for name in read if name.startswith("sev-snp/") and name.endswith(".parquet")]
        assert len(parts) == index.parts > 1
    assert set(read.values()) == {1}
    if compiled_find.lib is not None and compiled_from < len(digests):
        assert set(compiled.values()) == {1}
        assert len(compiled) == 1 + len(parts)
        assert memories.total() == 1


@pytest.mark.skipif(compiled_find.lib is None, reason="there is no compiled code here")
def test_what_is_forgotten_while_a_thread_compiles_is_forgotten(
    parted: BuildResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled, forgetting = list[Any](), list[Thread]()
    use_compiled = compiled_find.use_compiled

    def compiling(*arguments: Any, **more: Any) -> None:
        forgetting.append(Thread(target=packed.forget))
        forgetting[-1].start()
        forgetting[-1].join(0.1)
        use_compiled(*arguments, **more)
        compiled.append(index.find)

    monkeypatch.setattr(packed_module, "_FEW", 1)
    monkeypatch.setattr(compiled_find, "use_compiled", compiling)
    with closing(PackedCatalog(str(parted.folder), hashlib.sha256)) as packed:
        index = packed.indexes["sev-snp"]
        assert index.find(bytes(48)) == []
        forgetting[-1].join()
        assert index.find not in compiled
        assert packed._memory is None
