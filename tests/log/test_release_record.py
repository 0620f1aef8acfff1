"""Release records: values that never decrease, and the version of the trust note that the publisher names."""

from __future__ import annotations

import json

import msgspec
import pytest
from msgspec import UNSET

from catalog.build.builder import BuildResult
from catalog.errors import MalformedRecord, UsageError, VerificationFailed
from catalog.files.plain_json import canonical_json
from catalog.log.log_history import read_history
from catalog.log.records import ReleaseRecord, encode_leaf, parse_record
from catalog.publish.publish import Published, publish
from catalog.rows.digest_record import DigestRecord
from catalog.store.catalog import Catalog
from catalog.transparency.keys import VerifierKey
from catalog.transparency.trust import Trust
from tests.support.logs import NOW, ORIGIN, SIGNERS, MemoryLog, signer
from tests.support.published_logs import Publisher
from tests.support.records import RELEASE
from tests.support.trust_notes import trust_of


def trust(version: int, keys: list[VerifierKey] | None = None, expires: int = NOW + 9) -> Trust:
    logs = "".join(f"log {key}\n" for key in ([by.key for by in SIGNERS] if keys is None else keys))
    return trust_of(f"{logs}quorum none\n", version=version, expires=expires, max_age=9)


def published(by: Publisher, built: BuildResult, note: Trust | None, now: int = NOW) -> Published:
    return publish(Catalog.open(built.folder), by.log, SIGNERS, by.state, trust=note, now=now)


def test_the_trust_note_version_is_kept_until_a_newer_one_is_named(publisher: Publisher, small: BuildResult) -> None:
    notes = (None, trust(2), None, trust(2), trust(5))
    assert [published(publisher, small, note).trust_version for note in notes] == [None, 2, 2, 2, 5]
    records = [parse_record(leaf) for leaf in publisher.leaves()]
    found = [record for record in records if isinstance(record, ReleaseRecord)]
    assert [(record.release, record.trust_version) for record in found] == [(1, None), (2, 2), (3, 5)]
    with pytest.raises(UsageError, match="version 4 of the trust note is older than version 5"):
        published(publisher, small, trust(4))


@pytest.mark.parametrize("keys", [[SIGNERS[0].key], [signer("example.com/other").key], [signer(ORIGIN, seed=1).key]])
def test_the_trust_note_must_name_every_key_of_the_log(
    publisher: Publisher, small: BuildResult, keys: list[VerifierKey]
) -> None:
    with pytest.raises(UsageError, match="does not name the key"):
        published(publisher, small, trust(1, keys))
    assert publisher.log.checkpoint() is None


def test_an_expired_trust_note_is_refused(publisher: Publisher, small: BuildResult) -> None:
    with pytest.raises(VerificationFailed, match="expired"):
        published(publisher, small, trust(1, expires=NOW))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"release": 1}, "its number is 1, and should be 2"),
        ({"release": 3}, "its number is 3"),
        ({"release": 0}, "its number is 0"),
        ({"previous_size": 0}, "its previous_size is 0"),
        ({"previous_size": 7}, "its previous_size is 7"),
        ({"previous_root": "00" * 32}, "its previous_root is not the root"),
        ({"time": 0}, "its time is 0"),
        ({"time": NOW + 3601}, "ahead of the clock"),
        ({"trust_version": 7 + 65}, "its trust version is 72"),
        ({"revocations_sha256": "00" * 32}, "its revocations_sha256 is not the hash of the revocations"),
        ({"revocations_count": 1}, "it commits to 1 revocations, and the log has 0"),
        ({"revocations_chain": "11" * 32}, "it commits to 0 revocations, and the log has different ones"),
        ({"revocations_count": UNSET, "revocations_chain": UNSET}, "it does not commit"),
    ],
)
def test_a_release_record_is_recomputed_from_the_leaves(changes: dict[str, object], message: str) -> None:
    first = encode_leaf(RELEASE)
    log = MemoryLog()
    log.append([first])
    right = msgspec.structs.replace(RELEASE, release=2, previous_size=1, previous_root=log.checkpoint().root.hex())
    log.append([encode_leaf(msgspec.structs.replace(right, **changes))])
    (before, false) = read_history(log, log.checkpoint(), now=NOW).walk.releases
    assert before.false == ()
    (why,) = false.false
    assert message in why


def test_a_decreasing_trust_version_is_reported() -> None:
    log = MemoryLog()
    log.append([encode_leaf(RELEASE)])
    lower = {"release": 2, "previous_size": 1, "previous_root": log.checkpoint().root.hex(), "trust_version": 6}
    log.append([encode_leaf(msgspec.structs.replace(RELEASE, **lower))])
    first, second = read_history(log, log.checkpoint(), now=NOW).walk.releases
    assert (first.steps_back, second.false) == ((), ())
    assert second.steps_back == ("its trust version is 6, and that of the previous release 7",)


def test_release_records_of_a_log_of_0_1_0_match_its_leaves() -> None:
    """Without a commitment, until a release makes one; every later release has it."""
    old = msgspec.structs.replace(RELEASE, revocations_count=UNSET, revocations_chain=UNSET)
    assert b"revocations_c" not in encode_leaf(old)
    log = MemoryLog()
    for number, record in enumerate((old, old, RELEASE, old), 1):
        checkpoint = log.checkpoint()
        changes = {"release": number, "previous_size": checkpoint.size, "previous_root": checkpoint.root.hex()}
        log.append([encode_leaf(msgspec.structs.replace(record, **changes))])
    releases = read_history(log, log.checkpoint(), now=NOW).walk.releases
    assert [bool(each.false) for each in releases] == [False, False, False, True]


@pytest.mark.parametrize("changes", [{"revocations_count": UNSET}, {"revocations_chain": UNSET}])
def test_count_and_chain_are_given_together(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="given together"):
        msgspec.structs.replace(RELEASE, **changes)
    for name in ("revocations_count", "revocations_chain"):
        fields = json.loads(encode_leaf(RELEASE))
        del fields[name]
        with pytest.raises(MalformedRecord, match="given together"):
            parse_record(canonical_json(fields))


@pytest.mark.parametrize("version", [0, -1, 1 << 53, "1", 1.0, True])
def test_invalid_trust_versions_are_refused(version: object) -> None:
    fields = json.loads(encode_leaf(RELEASE))
    with pytest.raises(MalformedRecord):
        parse_record(canonical_json(fields | {"trust_version": version}))
    del fields["trust_version"]
    with pytest.raises(MalformedRecord):
        parse_record(canonical_json(fields))


def test_a_record_has_exactly_one_encoding_for_every_text() -> None:
    """The record is a row; reasons of revocations are more restricted."""
    row = DigestRecord(
        type="digest",
        launch_digest="ab" * 48,
        technology="sev-snp",
        firmware_sha256="cd" * 32,
        kernel_hashes_sha256=None,
        vmm="".join(map(chr, range(0x500))),
        vcpus=1,
        vcpu_signature="0x00a00f11",
        sev_features="0x1",
    )
    leaf = encode_leaf(row)
    assert parse_record(leaf) == row
    assert leaf.isascii()
    for character in map(chr, range(0x500)):
        plain = leaf.replace(json.dumps(character).encode()[1:-1], character.encode(), 1)
        if plain != leaf:
            with pytest.raises(MalformedRecord):
                parse_record(plain)
