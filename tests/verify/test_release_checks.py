"""Verification of a release: each check has a log that only this check fails, and the result has all verified facts."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from catalog.build.builder import BuildResult
from catalog.errors import FalseRecord, MalformedInput, OlderThanSeen, UsageError, VerificationFailed
from catalog.log.log_folder import CHECKPOINT, LogFolder
from catalog.log.log_reader import LogReader
from catalog.log.log_walk import LogWalk
from catalog.log.records import ReleaseRecord, encode_leaf, parse_record
from catalog.log.revocation_chain import RevocationChain
from catalog.log.seen import Seen
from catalog.notes import Note
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.tiles import TileReader
from catalog.values import replace
from catalog.verify.releases_of_log import read_checkpoint, release_at, release_of_record
from catalog.verify.verify_release import unverified_release, verify_past_release, verify_release
from tests.support.forged_releases import altered, next_record, sign_release
from tests.support.later_version import NOT_CONSIDERED, publish_record
from tests.support.logs import DAY, LOG, NOW, ORIGIN, new_files, signed
from tests.support.published_logs import Publisher, published_log, revoke
from tests.support.trust_notes import ALONE

REVOKE = revoke("revoked", "is bad", vcpus=3)


@pytest.fixture(scope="module")
def log(small: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> Publisher:
    """Two releases, the second of which revokes a row."""
    found = Publisher(tmp_path_factory.mktemp("log"), [LOG])
    found.publish(small)
    found.publish(small, REVOKE, now=NOW + 1)
    return found


def lying(small: BuildResult, folder: Path, **changes: Any) -> LogFolder:
    """A log whose second release is signed with other contents."""
    log = published_log(small, folder)
    sign_release(log, LOG, altered(next_record(log, NOW + 1), **changes), ())
    return log


def test_a_release_has_all_that_was_verified(log: Publisher) -> None:
    checkpoint = Checkpoint.parse(log.note.text)
    verified = verify_release(log.log, 1, ALONE, now=NOW + DAY, seen={})
    release = verified.release
    folder = log.log.root
    assert (release.log, release.source, release.origin) == (str(folder), None, ORIGIN)
    assert (release.size, release.root) == (checkpoint.size, checkpoint.root.hex())
    assert (release.number, release.last) == (1, 2)
    assert release.manifest_sha256 == hashlib.sha256((folder / "releases/1/manifest.json").read_bytes()).hexdigest()
    listed = (folder / "releases/2/revocations.json").read_bytes()
    assert release.revocations_sha256 == hashlib.sha256(listed).hexdigest()
    assert (release.trust_version, release.newer_trust) == (ALONE.version, 0)
    assert release.fresh_until == NOW + 1 + ALONE.max_age
    assert (verified.note, verified.checkpoint) == (log.note, checkpoint)
    assert verified.last.record.release == 2
    assert verified.last.revocations_json == listed
    assert verified.found == (RevocationChain.of([REVOKE]), True, True)


def test_a_release_is_fresh_no_longer_than_the_trust_note_is_valid(log: Publisher) -> None:
    soon = replace(ALONE, expires=NOW + 2 * DAY)
    assert verify_release(log.log, None, soon, now=NOW + DAY, seen={}).release.fresh_until == NOW + 2 * DAY


def test_a_newer_trust_note_is_reported(small: BuildResult, tmp_path: Path) -> None:
    log = lying(small, tmp_path, trust_version=2)
    for version, newer in ((1, 2), (2, 0), (3, 0)):
        by = replace(ALONE, version=version)
        assert verify_release(log, None, by, now=NOW + DAY, seen={}).release.newer_trust == newer
    assert unverified_release(log, None).newer_trust == 0
    without = lying(small, tmp_path / "without", trust_version=None)
    assert verify_release(without, None, ALONE, now=NOW + DAY, seen={}).release.newer_trust == 0


def test_a_checkpoint_older_than_seen_is_refused(log: Publisher) -> None:
    checkpoint = Checkpoint.parse(log.note.text)

    def verify(origin: str = ORIGIN, **changes: Any) -> object:
        before = Seen(replace(checkpoint, **changes))
        return verify_release(log.log, None, ALONE, now=NOW + DAY, seen={origin: before})

    assert verify()
    with pytest.raises(OlderThanSeen, match=f"has {checkpoint.size} leaves, and {checkpoint.size + 1} of this log"):
        verify(size=checkpoint.size + 1)
    for size in (checkpoint.size, checkpoint.size - 1):
        with pytest.raises(VerificationFailed):
            verify(size=size, root=bytes(32))
    assert verify("example.com/other", size=checkpoint.size + 1)


def test_a_revocation_that_was_seen_must_stay_in_the_list(log: Publisher) -> None:
    first = verify_release(log.log, 1, ALONE, now=NOW + DAY, seen={})
    before = Seen(first.checkpoint, RevocationChain.of([REVOKE]))
    assert verify_release(log.log, None, ALONE, now=NOW + DAY, seen={ORIGIN: before})
    other = replace(before, revocations=RevocationChain.of([revoke("revoked", "another", vcpus=2)]))
    with pytest.raises(FalseRecord, match="1 revocations of this log were seen before"):
        verify_release(log.log, None, ALONE, now=NOW + DAY, seen={ORIGIN: other})


@pytest.mark.parametrize("verify", [verify_release, verify_past_release])
def test_a_false_last_release_refuses_every_release(small: BuildResult, tmp_path: Path, verify: Any) -> None:
    more: dict[str, Any] = {"seen": {}} if verify is verify_release else {}
    log = lying(small, tmp_path, previous_root="00" * 32)
    for number in (None, 1, 2):
        with pytest.raises(FalseRecord, match="its previous_root is not the root of the previous checkpoint"):
            verify(log, number, ALONE, now=NOW + DAY, **more)
    far = lying(small, tmp_path / "far", trust_version=ALONE.version + 65)
    with pytest.raises(FalseRecord, match="its trust version is 66"):
        verify(far, None, ALONE, now=NOW + DAY, **more)
    ahead = lying(small, tmp_path / "ahead", time=NOW + 2 * DAY)
    with pytest.raises(FalseRecord, match="24 hours ahead of the clock") as caught:
        verify(ahead, None, ALONE, now=NOW + DAY, **more)
    assert (caught.value.hint or "").startswith(
        "check the clock of this machine, see: date -u; if it is right, ask its"
    )


def test_a_past_release_is_verified_although_it_is_stale(log: Publisher) -> None:
    late = NOW + 100 * DAY
    release = verify_past_release(log.log, 1, ALONE, now=late)
    assert (release.number, release.last, release.trust_version, release.fresh_until) == (1, 2, ALONE.version, 0)
    with pytest.raises(VerificationFailed, match="the trust note has expired"):
        verify_past_release(log.log, 1, ALONE, now=ALONE.expires)
    with pytest.raises(UsageError, match=r"the log example\.com/log has no release 3"):
        verify_past_release(log.log, 3, ALONE, now=late)


def test_an_unverified_release_is_marked_as_such(log: Publisher) -> None:
    release = unverified_release(log.log, 1)
    assert (release.number, release.last) == (1, 2)
    assert (release.trust_version, release.newer_trust, release.fresh_until) == (0, 0, 0)
    checkpoint = Checkpoint.parse(read_checkpoint(log.log).text)
    reader = LogReader(log.log, checkpoint)
    last = reader.release(checkpoint.size)
    for found in (
        release_at(log.log, None, reader, checkpoint),
        release_of_record(log.log, checkpoint, last, last),
    ):
        assert (found.number, found.trust_version, found.newer_trust, found.fresh_until) == (2, 0, 0, 0)


def test_a_release_has_the_hash_of_its_manifest(small: BuildResult, tmp_path: Path) -> None:
    log = lying(small, tmp_path, artifacts={"other.json": "00" * 32})
    with pytest.raises(MalformedInput, match=r"release 2 of example\.com/log names no manifest\.json"):
        verify_release(log, None, ALONE, now=NOW + DAY, seen={})
    assert unverified_release(log, 1).number == 1


def test_leaves_are_read_only_once(log: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    starts = []
    whole = LogWalk.whole

    def recorded(walk: LogWalk) -> LogWalk:
        starts.append(walk.start.before.size)
        return whole(walk)

    monkeypatch.setattr(LogWalk, "whole", recorded)
    first = verify_release(log.log, None, ALONE, now=NOW + DAY, seen={})
    verify_release(log.log, None, ALONE, now=NOW + DAY, seen={ORIGIN: first.seen})
    assert starts == [0, first.checkpoint.size]


class Elsewhere(LogFolder):
    """A log that is read like a remote one, file by file."""

    @property
    def is_here(self) -> bool:
        return False


def test_a_remote_log_is_read_file_by_file(log: Publisher) -> None:
    there = Elsewhere(log.log.root)
    verified = verify_release(there, None, ALONE, now=NOW + DAY, seen={})
    assert verified.release.source is there
    assert verified.found == (RevocationChain.of([REVOKE]), False, True)


def test_the_verified_state_is_the_new_seen_state(log: Publisher) -> None:
    verified = verify_release(log.log, 1, ALONE, now=NOW + DAY, seen={})
    assert verified.seen == Seen(verified.checkpoint, RevocationChain.of([REVOKE]), True, True)


def test_a_release_of_0_1_0_has_no_commitment(small: BuildResult, tmp_path: Path) -> None:
    made = published_log(small, tmp_path)
    checkpoint = Checkpoint.parse(read_checkpoint(made).text)
    reader = TileReader(made, checkpoint.size)
    leaves = [leaf for number in range(-(-checkpoint.size // 256)) for leaf in reader.entries(number)]
    record = parse_record(leaves.pop())
    assert isinstance(record, ReleaseRecord)
    old = LogFolder(tmp_path / "old")
    shutil.copytree(made.root / "releases", old.root / "releases")
    leaves.append(encode_leaf(altered(record, revocations_count=UNSET, revocations_chain=UNSET)))
    nothing = TileReader(old, 0)
    old.write(new_files(0, leaves, nothing))
    size = len(leaves)
    root = merkle.root_hash(size, TileReader(old, size).node)
    old.write([(CHECKPOINT, bytes(signed(str(Checkpoint(ORIGIN, size, root)), LOG)))])
    verified = verify_release(old, None, ALONE, now=NOW + DAY, seen={})
    assert verified.found == (RevocationChain(), True, False)
    assert verified.last.note


def test_unknown_records_are_noted_each_time(small: BuildResult, tmp_path: Path) -> None:
    """Such a log is not remembered as read: the next verification reads every leaf and notes the record again."""
    made = published_log(small, tmp_path)
    assert verify_release(made, None, ALONE, now=NOW + DAY, seen={}).release.notes == ()
    publish_record(made, LOG, NOW + 1)
    verified = verify_release(made, None, ALONE, now=NOW + DAY, seen={})
    assert verified.release.notes == (Note("record-type-unknown", NOT_CONSIDERED),)
    assert verified.found == (RevocationChain(), False, True)
    again = verify_release(made, None, ALONE, now=NOW + DAY, seen={ORIGIN: verified.seen})
    assert again.release.notes == (Note("record-type-unknown", NOT_CONSIDERED),)
    assert verify_past_release(made, 1, ALONE, now=NOW + DAY).notes == verified.release.notes
