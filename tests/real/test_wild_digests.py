"""Every public digest of the shared corpus is answered as expected; `make wild` prints the table."""

from __future__ import annotations

from catalog.build.builder import BuildResult
from tests.real.shared import WILD
from tools.wild import look_up, read_corpus, shortfalls


def test_every_digest_is_answered_as_expected(default: BuildResult) -> None:
    entries = read_corpus(WILD / "corpus.jsonl")
    assert len(entries) >= 100
    assert list(shortfalls(look_up(default.folder, entries))) == []
