"""Release records: what never goes back, and the trust note that a publisher stands by."""

from __future__ import annotations

import json

import msgspec
import pytest

from catalog.errors import MalformedRecord, UsageError, VerificationFailed
from catalog.query.store import Catalog
from catalog.release.build import Built
from catalog.release.log_history import read_history
from catalog.release.publish import Published, publish
from catalog.release.records import ReleaseRecord, RevokeRecord, canonical_json, leaf_of, parse_record
from catalog.transparency.keys import VerifierKey
from catalog.transparency.trust import Trust
from tests.release.test_publish import ORIGIN, SIGNERS, Publisher, publisher
from tests.transparency.logs import NOW, MemoryLog, signer

__all__ = ["publisher"]

RELEASE = ReleaseRecord(
    type="release",
    release=1,
    time=NOW,
    artifacts={},
    revocations_sha256="",
    previous_size=0,
    previous_root="",
    trust_version=None,
)


def trust(version: int, keys: list[VerifierKey] | None = None, expires: int = NOW + 9) -> Trust:
    logs = "".join(f"log {key}\n" for key in ([by.key for by in SIGNERS] if keys is None else keys))
    head = f"version {version}\nexpires {expires}\nmax-age 9\nthreshold 1\nroot a {signer('root.example').key}\n\n"
    return Trust.parse(f"{head}{logs}quorum none\n")


def published(by: Publisher, built: Built, note: Trust | None, now: int = NOW) -> Published:
    return publish(Catalog.open(built.folder), by.log, SIGNERS, by.state, trust=note, now=now)


def test_a_release_stands_by_a_trust_note_until_the_next_one(publisher: Publisher, small: Built) -> None:
    notes = (None, trust(2), None, trust(2), trust(5))
    assert [published(publisher, small, note).trust_version for note in notes] == [None, 2, 2, 2, 5]
    records = [parse_record(leaf) for leaf in publisher.leaves()]
    found = [record for record in records if isinstance(record, ReleaseRecord)]
    assert [(record.release, record.trust_version) for record in found] == [(1, None), (2, 2), (3, 5)]
    with pytest.raises(UsageError, match="version 4 of the trust note is behind version 5"):
        published(publisher, small, trust(4))


@pytest.mark.parametrize("keys", [[SIGNERS[0].key], [signer("example.com/other").key], [signer(ORIGIN, seed=1).key]])
def test_a_trust_note_names_every_key_of_the_log(publisher: Publisher, small: Built, keys: list[VerifierKey]) -> None:
    with pytest.raises(UsageError, match="does not name the key"):
        published(publisher, small, trust(1, keys))
    assert publisher.log.checkpoint() is None


def test_an_expired_trust_note_is_not_stood_by(publisher: Publisher, small: Built) -> None:
    with pytest.raises(VerificationFailed, match="expired"):
        published(publisher, small, trust(1, expires=NOW))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"release": 1}, "release 1 follows release 1"),
        ({"release": 3}, "release 3 follows release 1"),
        ({"release": 2, "time": NOW - 1}, "made before"),
        ({"release": 2, "trust_version": 6}, "trust version"),
        ({"release": 2, "trust_version": None}, "trust version"),
    ],
)
def test_a_log_whose_releases_go_back(changes: dict[str, object], said: str) -> None:
    first = msgspec.structs.replace(RELEASE, trust_version=7)
    log = MemoryLog()
    log.append([leaf_of(first), leaf_of(msgspec.structs.replace(first, **changes))])
    with pytest.raises(MalformedRecord, match=said):
        read_history(log, log.checkpoint())


@pytest.mark.parametrize("version", [0, -1, 1 << 53, "1", 1.0, True])
def test_what_is_no_trust_version(version: object) -> None:
    fields = json.loads(leaf_of(RELEASE))
    with pytest.raises(MalformedRecord):
        parse_record(canonical_json(fields | {"trust_version": version}))
    del fields["trust_version"]
    with pytest.raises(MalformedRecord):
        parse_record(canonical_json(fields))


def test_a_record_has_one_form_whatever_its_reason_says() -> None:
    revoke = RevokeRecord(
        type="revoke", selector={"vcpus": 3}, severity="revoked", reason="".join(map(chr, range(0x500)))
    )
    leaf = leaf_of(revoke)
    assert parse_record(leaf) == revoke
    assert leaf.isascii()
    for character in map(chr, range(0x500)):
        plain = leaf.replace(json.dumps(character).encode()[1:-1], character.encode(), 1)
        if plain != leaf:
            with pytest.raises(MalformedRecord):
                parse_record(plain)
