"""Publishing: rows become leaves once, in a fixed order; no error or crash damages or forks the log."""

from __future__ import annotations

import json
import os
import shutil
from functools import partial
from itertools import count
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from catalog.build.builder import BuildResult
from catalog.errors import LdcatError, MalformedRecord, Unreadable, UsageError, VerificationFailed
from catalog.files.plain_json import canonical_json
from catalog.log.log_folder import CHECKPOINT
from catalog.log.log_history import read_history
from catalog.log.records import (
    ReleaseRecord,
    RevokeRecord,
    encode_leaf,
    parse_record,
    parse_row,
)
from catalog.log.row_leaves import COLUMNS, row_leaves
from catalog.rows.arrow import complete
from catalog.store import manifest
from catalog.transparency import merkle
from catalog.transparency.tiles import TileReader
from tests.support.forged_catalogs import SEV, forged, one_digest
from tests.support.kills import killed_at
from tests.support.logs import NOW, ORIGIN, naive_root
from tests.support.published_logs import Publisher
from tests.support.records import leaves_of


def test_a_release_has_the_rows_and_the_files_of_the_catalog(publisher: Publisher, small: BuildResult) -> None:
    published = publisher.publish(small)
    *rows, last = publisher.leaves()
    assert rows == sorted(leaves_of(small))
    release = parse_record(last)
    assert isinstance(release, ReleaseRecord)
    assert (release.release, release.time, release.previous_size) == (1, NOW, 0)
    folder = publisher.log.root / "releases/1"
    for path in (path for path in small.folder.rglob("*") if path.is_file()):
        assert (folder / path.relative_to(small.folder)).read_bytes() == path.read_bytes()
    assert publisher.checkpoint() == published.checkpoint
    assert published.checkpoint.root == naive_root(publisher.leaves())
    assert published.new_rows == len(rows)


def test_an_unchanged_catalog_is_not_published_again(publisher: Publisher, small: BuildResult) -> None:
    first = publisher.publish(small)
    before = publisher.log.checkpoint()
    again = publisher.publish(small, now=NOW + 1)
    assert (again.checkpoint, again.new_rows, again.release) == (first.checkpoint, 0, 1)
    assert publisher.log.checkpoint() == before


def test_only_new_rows_are_appended(publisher: Publisher, small: BuildResult, fewer: BuildResult) -> None:
    first = publisher.publish(fewer).checkpoint
    second = publisher.publish(small, now=NOW + 60).checkpoint
    leaves = publisher.leaves()
    assert naive_root(leaves[: first.size]) == first.root
    new = leaves[first.size : -1]
    assert new == sorted(set(leaves_of(small)) - set(leaves_of(fewer)))
    release = parse_record(leaves[-1])
    assert isinstance(release, ReleaseRecord)
    assert (release.release, release.previous_size, release.previous_root) == (2, first.size, first.root.hex())
    proof = merkle.consistency_proof(first.size, second.size, TileReader(publisher.log, second.size).node)
    merkle.verify_consistency(first.size, second.size, proof, first.root, second.root)


def test_two_machines_publish_the_same_leaves(small: BuildResult, tmp_path: Path) -> None:
    one, other = Publisher(tmp_path / "one"), Publisher(tmp_path / "other")
    one.publish(small)
    other.publish(small, now=NOW + 99)
    assert one.leaves()[:-1] == other.leaves()[:-1]


def test_two_digests_of_one_configuration_are_refused_until_one_is_revoked(
    publisher: Publisher, small: BuildResult, tmp_path: Path
) -> None:
    wrong = forged(small, tmp_path / "forged", {SEV: one_digest})
    publisher.publish(wrong)
    before = publisher.log.checkpoint()
    with pytest.raises(UsageError, match="two launch digests"):
        publisher.publish(small, now=NOW + 1)
    assert publisher.log.checkpoint() == before
    revoke = RevokeRecord(
        type="revoke", selector={"launch_digest": bytes(32).hex()}, severity="revoked", reason="measured wrong"
    )
    publisher.publish(wrong, revoke, now=NOW + 1)
    assert publisher.publish(small, now=NOW + 2).new_rows == 1
    listed = json.loads((publisher.log.root / "releases/3/revocations.json").read_bytes())
    assert [record["reason"] for record in listed] == ["measured wrong"]


def test_a_restored_backup_does_not_fork_the_log(publisher: Publisher, small: BuildResult, fewer: BuildResult) -> None:
    publisher.publish(fewer)
    shutil.copytree(publisher.log.root, publisher.root / "backup")
    publisher.publish(small, now=NOW + 1)
    shutil.rmtree(publisher.log.root)
    (publisher.root / "backup").rename(publisher.log.root)
    with pytest.raises(LdcatError):
        publisher.publish(small, now=NOW + 2)


def test_an_empty_folder_of_a_log_that_was_signed_here_is_refused(
    publisher: Publisher, small: BuildResult, fewer: BuildResult
) -> None:
    publisher.publish(fewer)
    shutil.copytree(publisher.log.root, publisher.root / "backup")
    size = publisher.publish(small, now=NOW + 1).checkpoint.size
    shutil.rmtree(publisher.log.root)
    signed = f"and this machine signed {size} leaves of it"
    with pytest.raises(VerificationFailed) as caught:
        publisher.publish(small, now=NOW + 2)
    assert str(caught.value) == f"{publisher.log.root} has no log, {signed}"
    assert "copy it back" in str(caught.value.hint)
    assert publisher.log.checkpoint() is None
    assert not publisher.log.root.exists()
    (publisher.root / "backup").rename(publisher.log.root)
    older = publisher.checkpoint().size
    with pytest.raises(VerificationFailed, match=f"has {older} leaves of {ORIGIN}, and this machine signed {size} "):
        publisher.publish(small, now=NOW + 2)


def test_a_log_that_somebody_else_forked_is_not_extended(
    publisher: Publisher, small: BuildResult, fewer: BuildResult, tmp_path: Path
) -> None:
    publisher.publish(fewer)
    other = Publisher(tmp_path / "other")
    other.publish(small, now=NOW + 1)
    shutil.rmtree(publisher.log.root)
    shutil.copytree(other.log.root, publisher.log.root)
    with pytest.raises(VerificationFailed, match="not consistent"):
        publisher.publish(small, now=NOW + 2)


@pytest.mark.parametrize("path", ["tile/entries/000.p/*", "tile/0/000.p/*", CHECKPOINT])
def test_a_damaged_log_is_not_extended(publisher: Publisher, small: BuildResult, fewer: BuildResult, path: str) -> None:
    publisher.publish(fewer)
    (found,) = publisher.log.root.glob(path)
    data = bytearray(found.read_bytes())
    data[len(data) // 2] ^= 1
    found.write_bytes(data)
    with pytest.raises(LdcatError):
        publisher.publish(small, now=NOW + 1)


def test_time_does_not_go_back(publisher: Publisher, small: BuildResult, fewer: BuildResult) -> None:
    publisher.publish(fewer)
    with pytest.raises(UsageError, match="the clock is behind"):
        publisher.publish(small, now=NOW - 1)


def test_one_publisher_at_a_time(publisher: Publisher, small: BuildResult) -> None:
    with publisher.log.locked(), pytest.raises(UsageError, match="another process is publishing"):
        publisher.publish(small)


def test_nothing_is_published_if_it_cannot_be_recorded(publisher: Publisher, small: BuildResult) -> None:
    (publisher.root / "publisher").write_text("in the way")
    with pytest.raises(Unreadable, match="cannot be remembered"):
        publisher.publish(small)
    assert publisher.log.checkpoint() is None


def test_after_any_failed_write_the_next_run_continues(
    publisher: Publisher, small: BuildResult, fewer: BuildResult, writes: list[int]
) -> None:
    first = publisher.publish(fewer).checkpoint
    for allowed in range(200):
        writes[0] = allowed
        try:
            publisher.publish(small, now=NOW + 1)
            break
        except Unreadable:
            assert publisher.checkpoint() == first
    writes[0] = 1 << 30
    assert allowed > 10
    last = parse_record(publisher.leaves()[-1])
    assert isinstance(last, ReleaseRecord)
    assert publisher.leaves()[-1] == encode_leaf(last)
    assert publisher.leaves()[first.size : -1] == sorted(set(leaves_of(small)) - set(leaves_of(fewer)))
    assert sum(b'"release"' in leaf for leaf in publisher.leaves()) == 2


@pytest.mark.durable
def test_a_publisher_killed_at_its_system_calls(publisher: Publisher, small: BuildResult, fewer: BuildResult) -> None:
    """kill -9: a published checkpoint is consistent with the one before, and its release is complete."""
    publisher.publish(fewer)
    last, sizes = publisher.checkpoint(), set[int]()
    for number in count(1):
        built = (fewer, small)[number % 2]
        killed = killed_at(number * 23, partial(publisher.publish, built, now=NOW + number))
        now = publisher.checkpoint()
        read_history(publisher.log, now, now=NOW + 1000).check()
        proof = merkle.consistency_proof(last.size, now.size, TileReader(publisher.log, now.size).node)
        merkle.verify_consistency(last.size, now.size, proof, last.root, now.root)
        last = now
        sizes.add(now.size)
        if not killed and built is small:
            break
    assert number > 30
    assert len(sizes) > 1  # some had published before they were killed
    publisher.publish(small, now=NOW + 1000)
    assert {leaf for leaf in publisher.leaves() if b'"digest"' in leaf} == set(leaves_of(small)) | set(leaves_of(fewer))


@pytest.mark.parametrize(
    "leaf",
    [
        b"",
        b"[]",
        b'{"type":"digest"}',
        b'{"type":"Other"}',
        b'{"reason":"x","selector":{},"severity":"revoked","type":"revoke"}',
        b'{"reason":"x","selector":{"color":1},"severity":"revoked","type":"revoke"}',
        b'{"reason":"x","selector":{"vcpus":1},"severity":"perhaps","type":"revoke"}',
        b'{"type":"revoke","reason":"x","selector":{"vcpus":1},"severity":"revoked"}',
        b'{"reason": "x","selector":{"vcpus":1},"severity":"revoked","type":"revoke"}',
        '{"reason":"ä","selector":{"vcpus":1},"severity":"revoked","type":"revoke"}'.encode(),
        b"\xff",
    ],
)
def test_invalid_records_are_refused(leaf: bytes) -> None:
    with pytest.raises(MalformedRecord):
        parse_record(leaf)


def test_rows_are_encoded_like_records(small: BuildResult) -> None:
    for path in small.folder.glob("*/launch_digests*.parquet"):
        for leaf in row_leaves(complete(pq.read_table(path), COLUMNS)):
            assert canonical_json(json.loads(leaf)) == leaf == encode_leaf(parse_row(leaf))
    revoke = RevokeRecord(type="revoke", selector={"vcpus": 1}, severity="deprecated", reason="weiß")
    assert parse_record(encode_leaf(revoke)) == revoke


def test_files_of_the_previous_release_are_hard_linked(
    publisher: Publisher, small: BuildResult, fewer: BuildResult
) -> None:
    publisher.publish(fewer)
    first, second = (publisher.log.root / f"releases/{number}" for number in (1, 2))
    second.mkdir()
    (second / manifest.VCPU_TYPES).parent.mkdir()
    (second / manifest.VCPU_TYPES).write_text("of a run that was interrupted")
    publisher.publish(small, now=NOW + 1)
    for path in (path for path in small.folder.rglob("*") if path.is_file()):
        name = path.relative_to(small.folder)
        assert (second / name).read_bytes() == path.read_bytes()
        same = (first / name).exists() and (first / name).read_bytes() == path.read_bytes()
        assert same == ((first / name).exists() and (first / name).samefile(second / name))
    assert (first / "sev/launch_digests.parquet").samefile(second / "sev/launch_digests.parquet")


def test_files_are_copied_if_links_are_not_supported(
    publisher: Publisher, small: BuildResult, fewer: BuildResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object, **__: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", none)
    publisher.publish(fewer)
    publisher.publish(small, now=NOW + 1)
    name = "sev/launch_digests.parquet"
    assert (publisher.log.root / "releases/2" / name).read_bytes() == (small.folder / name).read_bytes()


def test_a_damaged_file_of_the_previous_release_is_not_linked(
    publisher: Publisher, small: BuildResult, fewer: BuildResult
) -> None:
    publisher.publish(fewer)
    name = "sev/launch_digests.parquet"
    (publisher.log.root / "releases/1" / name).write_bytes(b"damaged")
    publisher.publish(small, now=NOW + 1)
    assert (publisher.log.root / "releases/2" / name).read_bytes() == (small.folder / name).read_bytes()
