"""Prepared answers have the bytes of the definition, or are not given."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from catalog.abi.digest import LaunchDigest
from catalog.ask.answer import Answer, found_answer
from catalog.ask.lookup import Lookups
from catalog.ask.verification import VerificationInputs
from catalog.build.builder import BuildResult
from catalog.evidence.evidence import Evidence
from catalog.log.revocation_list import Revocation
from catalog.store.catalog import Catalog
from catalog.web.release import prepared
from catalog.web.release.open_release import line_of_batch
from catalog.web.release.prepared import Marks, Pieces, PreparedAnswers
from catalog.web.replies import json_bytes
from tests.support.catalogs import all_digests, digest_of
from tests.support.endorsed_catalogs import DOCUMENT_SHA256, with_endorsed
from tests.support.endorsed_digests import endorsed


def whole(digest: LaunchDigest, answer: Answer) -> dict[str, Any]:
    del digest
    return answer.to_dict()


@contextmanager
def opened(folder: Path, *revocations: Revocation) -> Iterator[Lookups]:
    catalog = Catalog.open(folder)
    if revocations:
        vars(catalog)["revocations"] = revocations
    with closing(Lookups(catalog, pytest.fail)) as lookups:
        yield lookups


def defined(lookups: Lookups, shape: prepared.Shape, value: bytes) -> bytes:
    digest = LaunchDigest(value)
    inputs = VerificationInputs(now=0)
    answer = found_answer(lookups.catalog, Evidence("launch digest", digest), inputs, lookups.lookup)
    return json_bytes(shape(digest, answer))


def compared(lookups: Lookups, digests: list[bytes]) -> list[bytes]:
    """Those of the digests that have prepared answers, all of which are those of the definition."""
    answers = {shape: PreparedAnswers(lookups, shape) for shape in (whole, line_of_batch)}
    given = []
    for digest in digests:
        found = {shape: one.found(digest) for shape, one in answers.items()}
        if any(found.values()):
            assert found == {shape: defined(lookups, shape, digest) for shape in answers}
            given.append(digest)
    return given


@pytest.mark.parametrize("name", ["small", "parted", "default"])
def test_they_are_those_of_the_definition(name: str, request: pytest.FixtureRequest) -> None:
    built: BuildResult = request.getfixturevalue(name)
    digests = random.Random(1).choices(list({digest for _, digest in all_digests(built)}), k=400)
    with opened(built.folder) as lookups:
        once = [digest for digest in digests if len(lookups.places(digest) or ()) == 1]
        assert len(once) > 100
        assert compared(lookups, digests) == once


def test_digests_that_no_row_has(small: BuildResult) -> None:
    chance = random.Random(2)
    with opened(small.folder) as lookups:
        answers = PreparedAnswers(lookups, line_of_batch)
        for digest in (chance.randbytes(size) for size in (32, 48) for _ in range(20)):
            assert answers.found(digest) is None
            assert answers.absent(digest) == defined(lookups, line_of_batch, digest)
        assert answers.absent(all_digests(small)[0][1]) is None


@pytest.mark.parametrize(
    "selector",
    [
        {"vcpus": 3},
        {"vcpus": None},
        {"technology": "sev-snp"},
        {"technology": "sev-snp", "vcpus": 2},
        {"vcpus": 2, "vcpu_signature": "0x00a00f11"},
        {"sev_features": "0x1"},
        {"launch_digest": "own"},
    ],
)
def test_revoked_rows_say_so(small: BuildResult, selector: dict[str, Any]) -> None:
    digests = [digest for _, digest in all_digests(small)]
    selector = {name: digests[0].hex() if value == "own" else value for name, value in selector.items()}
    restored = {**selector, "technology": "sev-es"}
    revoked_then_restored = (
        Revocation(selector=selector, severity="revoked", reason="for a test"),
        Revocation(selector=restored, severity="restored", reason="for a test"),
    )
    with opened(small.folder, *revoked_then_restored) as lookups:
        revoked = [
            digest for digest in digests if any(match.revocation for match in lookups.lookup(LaunchDigest(digest)))
        ]
        assert revoked or selector.get("vcpus", 0) is None or "vcpu_signature" in selector
        compared(lookups, digests)


def test_a_revoked_row_that_is_asked_first_slows_no_other_one(small: BuildResult) -> None:
    revocation = Revocation(selector={"vcpus": 3}, severity="revoked", reason="for a test")
    with opened(small.folder, revocation) as lookups:
        answers = PreparedAnswers(lookups, whole)
        groups, revoked = {}, []
        for _, digest in all_digests(small):
            for _, index, ordinal in lookups.places(digest) or []:
                groups[digest] = index.group_of(ordinal)
                if groups[digest].at(ordinal)[2] == 3:
                    revoked.append(digest)
        assert revoked
        for digest in revoked:
            assert answers.found(digest) is None
        of_their_groups = {groups[digest] for digest in revoked}
        others = [digest for digest, group in groups.items() if digest not in revoked and group in of_their_groups]
        assert others
        for digest in others:
            assert answers.found(digest) == defined(lookups, whole, digest)


def test_endorsed_digests_are_left_to_the_definition(small: BuildResult, tmp_path: Path) -> None:
    held = digest_of(small)
    built = with_endorsed(small, tmp_path / "catalog", [endorsed(held, document_sha256=DOCUMENT_SHA256)])
    digests = [digest for _, digest in all_digests(small)]
    with opened(built.folder) as lookups:
        answers = PreparedAnswers(lookups, whole)
        assert answers.found(bytes.fromhex(held)) is None
        assert len(compared(lookups, digests)) > 10


def test_pieces_that_differ_from_the_definition_are_not_used(small: BuildResult) -> None:
    """Such as those of an answer in which a value decides about more than itself."""

    def shape(digest: LaunchDigest, answer: Answer) -> Any:
        return [digest.hex(), hashlib.sha256(digest.value).hexdigest(), bool(answer.matches)]

    with opened(small.folder) as lookups:
        answers = PreparedAnswers(lookups, shape)
        for _, digest in all_digests(small):
            assert lookups.lookup(LaunchDigest(digest))
            assert answers.found(digest) is None


def test_memory_is_bounded(small: BuildResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "MAX_PREPARED", 9_000)
    digests = [digest for _, digest in all_digests(small)]
    with opened(small.folder) as lookups:
        answers = PreparedAnswers(lookups, whole)
        for digest in digests:
            assert answers.found(digest) in (None, defined(lookups, whole, digest))
        kept = [len(made.pieces) for made in answers._made.values() if made]
        assert 4_000 < sum(kept) <= 9_000 + max(kept)
        assert {answers.found(digest) is None for digest in digests} == {True, False}


def test_a_group_of_many_cpus_is_left_to_the_definition(small: BuildResult, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(small.folder) as lookups:
        answers = PreparedAnswers(lookups, whole)
        monkeypatch.setattr(prepared, "_cpus_in", lambda _: 1 << 20)
        assert [answers.found(digest) for _, digest in all_digests(small)] == [None] * len(all_digests(small))
        assert not answers._cpus
        assert not answers._made


def test_percent_signs_and_repeated_values_stay() -> None:
    marks = Marks(48)
    digest, count, *_ = marks.values
    pieces = Pieces(b'{"a":"100 %%b %%","d":"%b","e":"%b","n":%b}' % (digest, digest, count), marks)
    assert pieces.of((b"x%", b"7", b"", b"", b"")) == b'{"a":"100 %b %","d":"x%","e":"x%","n":7}'
    assert Pieces(b"nothing", marks).of((b"x", b"", b"", b"", b"")) == b"nothing"
