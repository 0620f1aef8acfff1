"""Releases are verified completely or refused: signatures, age, what was seen before, and consistency with the log."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from catalog.abi.digest import LaunchDigest
from catalog.ask.lookup import lookup
from catalog.build.builder import BuildResult
from catalog.errors import (
    LdcatError,
    OlderThanSeen,
    Stale,
    Unreadable,
    UntrustedSigner,
    UsageError,
    VerificationFailed,
)
from catalog.fast.folder_location import locate
from catalog.fast.match import Match
from catalog.fast.published import NO_REVOCATIONS, PublishedRelease, Remembered
from catalog.log.log_folder import CHECKPOINT, LogFolder
from catalog.log.seen import Seen
from catalog.publish.publish import publish
from catalog.store.catalog import Catalog
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.keys import SignatureType
from catalog.transparency.note import Note
from catalog.transparency.policy import Policy
from catalog.values import replace
from catalog.verify.verify_release import VerifiedRelease, unverified_release, verify_release
from tests.support.catalogs import all_digests
from tests.support.logs import DAY, LOG, NOW, ORIGIN, signature, signed, signer
from tests.support.published_logs import Publisher, revoke
from tests.support.trust_notes import ALONE, WITNESSED, WITNESSES


def verify(published: Publisher, number: int | None = None, **changes: Any) -> VerifiedRelease:
    options: dict[str, Any] = {"trust": ALONE, "now": NOW + DAY, "seen": {}} | changes
    return verify_release(published.log, number, options.pop("trust"), **options)


def find(release: PublishedRelease, digest: bytes) -> tuple[Match, ...]:
    return lookup(Catalog.open_release(release), LaunchDigest(digest), warn=pytest.fail)


def digest_of(built: BuildResult) -> bytes:
    return next(digest for name, digest in all_digests(built) if name == "sev-snp")


@pytest.fixture
def published(small: BuildResult, tmp_path: Path) -> Publisher:
    found = Publisher(tmp_path, [LOG])
    found.publish(small)
    return found


def test_a_verified_release_matches_its_log(published: Publisher, small: BuildResult) -> None:
    release = verify(published).release
    assert (release.origin, release.number, release.last, release.trust_version) == (ORIGIN, 1, 1, ALONE.version)
    assert release.fresh_until == NOW + ALONE.max_age
    assert release.revocations_sha256 == NO_REVOCATIONS
    assert {match.revocation for match in find(release, digest_of(small))} == {None}
    assert not unverified_release(published.log, None).trust_version


def test_revocations_apply_to_old_releases_too(published: Publisher, small: BuildResult) -> None:
    digest = digest_of(small)
    published.publish(small, revoke("deprecated", "an old one", launch_digest=digest.hex()), now=NOW + 1)
    published.publish(small, revoke("revoked", "a leak", launch_digest=digest.hex()), now=NOW + 2)
    for number in (None, 1, 2, 3):
        release = verify(published, number).release
        matches = find(release, digest)
        assert {match.revocation for match in matches} == {("revoked", "a leak")}
        assert all(match.notes()[0].text == "revoked by the publisher of this log: a leak" for match in matches)
        assert ("whose last one is release 3" in release.summary()) is (number in (1, 2))
    published.publish(small, revoke("restored", technology="sev-snp"), now=NOW + 3)
    assert find(verify(published, 1).release, digest)[0].revocation is None
    with pytest.raises(UsageError, match="no release 9"):
        verify(published, 9)


def test_only_signatures_of_trusted_keys_count(published: Publisher) -> None:
    with pytest.raises(UntrustedSigner, match="quorum"):
        verify(published, trust=WITNESSED)
    text = published.note.text
    published.put(published.note.with_signatures(signature(by, text) for by in WITNESSES))
    assert verify(published, trust=WITNESSED).release.number == 1
    published.put(signed(text, signer("example.com/other")))
    with pytest.raises(UntrustedSigner):
        verify(published)
    published.put(Note(text.replace("\n", "x\n", 1), published.note.signatures))
    with pytest.raises(LdcatError):
        verify(published)


def test_a_release_is_stale_after_max_age(published: Publisher) -> None:
    until = NOW + ALONE.max_age
    assert verify(published, now=until)
    with pytest.raises(Stale, match="fresh until 1 second ago"):
        verify(published, now=until + 1)
    heart = WITNESSES[0]
    published.put(published.note.with_signatures([signature(heart, published.note.text, until)]))
    with pytest.raises(Stale):
        verify(published, now=until + 1)  # a key that the policy does not name
    published.put(published.note.with_signatures(signature(by, published.note.text, until) for by in WITNESSES))
    assert verify(published, trust=WITNESSED, now=until + 1).release.fresh_until == until + WITNESSED.max_age
    with pytest.raises(VerificationFailed, match="expired"):
        verify(published, now=ALONE.expires)


def test_older_checkpoints_and_forks_are_refused(published: Publisher, small: BuildResult, tmp_path: Path) -> None:
    before = Publisher(tmp_path / "before", [LOG])
    shutil.copytree(published.log.root, before.log.root)
    old = Checkpoint.parse(published.note.text)
    new = published.publish(small, revoke("deprecated", vcpus=1), now=NOW + 1).checkpoint
    assert verify(published, seen={ORIGIN: Seen(old)}).checkpoint == new
    assert verify(published, seen={ORIGIN: Seen(new), "example.com/other": Seen(Checkpoint("x", 1 << 40, bytes(32)))})
    with pytest.raises(OlderThanSeen, match="were seen before"):
        verify(before, seen={ORIGIN: Seen(new)})
    for forked in (Checkpoint(ORIGIN, old.size, bytes(32)), Checkpoint(ORIGIN, new.size, bytes(32))):
        with pytest.raises(VerificationFailed, match=r"not consistent|not the same"):
            verify(published, seen={ORIGIN: Seen(forked)})


@pytest.mark.parametrize(
    "path", ["tile/0/*/*", "tile/entries/*/*", "releases/1/manifest.json", "releases/1/revocations.json", CHECKPOINT]
)
def test_no_changed_byte_is_accepted(published: Publisher, small: BuildResult, path: str) -> None:
    digest = digest_of(small)
    (found,) = published.log.root.glob(path)
    good = found.read_bytes()
    for at in {0, len(good) // 2, len(good) - 2}:
        found.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        try:
            release = verify(published).release
            matches = find(release, digest)
        except LdcatError:
            continue
        assert path.startswith("tile")  # a hash or an entry that this lookup did not need
        assert {match.launch_digest for match in matches} == {digest}
    found.unlink()
    with pytest.raises(LdcatError):
        find(verify(published).release, digest)


def test_a_newer_trust_note_of_the_publisher_is_reported(small: BuildResult, tmp_path: Path) -> None:
    found = Publisher(tmp_path, [LOG])
    later = replace(ALONE, version=3)
    publish(Catalog.open(small.folder), found.log, [LOG], found.state, trust=later, now=NOW)
    for trust, newer in ((ALONE, 3), (later, 0), (replace(ALONE, version=4), 0)):
        release = verify(found, trust=trust).release
        assert release.newer_trust == newer
    assert unverified_release(found.log, None).newer_trust == 0


def test_locations_of_logs_and_releases(small: BuildResult, tmp_path: Path, published: Publisher) -> None:
    with pytest.raises(Unreadable, match="no log at"):
        verify_release(LogFolder(tmp_path / "nowhere"), None, ALONE, now=NOW, seen={})
    root = published.log.root
    (tmp_path / "latest").symlink_to(root / "releases/1")
    (root / "releases/2").symlink_to("1")  # which is not release 2, whatever it leads to
    (tmp_path / "link").symlink_to(root)
    for folder, log, number in (
        (f"{root}", root, None),
        (f"{root}/", root, None),
        (f"{root}/releases/1", root, 1),
        (f"{root}/releases/1/", root, 1),
        (f"{root}/releases/../releases/1/.", root, 1),
        (f"{tmp_path}/latest", root, 1),
        (f"{tmp_path}/link/releases/1", root, 1),
        (f"{root}/releases/2", root, 2),
        (f"{root}/releases/01x", None, None),
        (f"{root}/releases", None, None),
        (f"{small.folder}", None, None),
        (f"{tmp_path}/nowhere", None, None),
        (f"{tmp_path}/nowhere/releases/7", tmp_path / "nowhere", 7),  # whose checkpoint was removed
    ):
        place = locate(folder)
        assert (place.log, place.number) == (log and str(log), number)
        assert place.path == (f"{log}/releases/{number}" if number else str(log or folder))
    (root / CHECKPOINT).unlink()
    (root / CHECKPOINT).symlink_to("nowhere")
    assert locate(str(root)).log == str(root)


@pytest.fixture
def memory(published: Publisher, tmp_path: Path) -> tuple[Remembered, bytes, Path]:
    """A remembered verification of a log, its text, and the file of the newest checkpoint seen."""
    kept, seen = Remembered(str(tmp_path), locate(str(published.log.root)), b"trust"), tmp_path / "seen.note"
    seen.write_bytes(bytes(published.note))
    text = kept.text(verify(published).release, bytes(published.note), (str(seen), seen.read_bytes()), NOW - 9)
    Path(kept.path).parent.mkdir()
    Path(kept.path).write_bytes(text)
    return kept, text, seen


def test_a_remembered_verification_is_used_until_something_changes(
    published: Publisher, memory: tuple[Remembered, bytes, Path], tmp_path: Path
) -> None:
    kept, text, seen = memory
    log, until = str(published.log.root), NOW + ALONE.max_age
    release = kept.release(until - 1)
    assert release is not None
    assert release.to_dict() == verify(published).release.to_dict()
    assert kept.release(until) is None
    assert kept.release(NOW - 9) is not None
    assert kept.release(NOW - 10) is None  # the clock was set back
    assert Remembered(str(tmp_path), locate(log), b"other").release(NOW) is None
    assert Remembered(str(tmp_path), locate(log + "/releases/1"), b"trust").release(NOW) is None
    assert Remembered(str(tmp_path), locate(log)).origin() == kept.origin() == ORIGIN
    assert Remembered(str(tmp_path), locate(str(tmp_path))).origin() is None
    for path in (seen, published.log.root / CHECKPOINT):
        before = path.read_bytes()
        path.write_bytes(before + b"x")
        assert kept.release(NOW) is None
        path.write_bytes(before)
    for changed in (b"", text[:-1], text + b"\n", text.replace(b"ldcat-verified/4", b"ldcat-verified/3"), b"\xff" * 20):
        Path(kept.path).write_bytes(changed)
        assert kept.release(NOW) is None
    Path(kept.path).write_bytes(text)
    assert kept.release(NOW) is not None
    json.dumps(release.to_dict())


@pytest.mark.parametrize("quorum", ["none", "w"])
def test_a_log_cannot_keep_itself_fresh(small: BuildResult, tmp_path: Path, quorum: str) -> None:
    """The holder of its ML-DSA-44 key can sign again at any time, and so can a heartbeat outside of the quorum."""
    found = Publisher(tmp_path, [LOG])
    by, witness = signer(ORIGIN, SignatureType.COSIGNATURE_ML_DSA_44), WITNESSES[0]
    heartbeat = signer("daily.example", SignatureType.COSIGNATURE_ED25519)
    named = f"log {LOG.key}\nlog {by.key}\nwitness w {witness.key}\n"
    trust = replace(ALONE, policy=Policy.parse(f"{named}quorum {quorum}\n".encode()))
    publish(Catalog.open(small.folder), found.log, [LOG, by], found.state, now=NOW)
    text, until = found.note.text, NOW + trust.max_age
    found.put(found.note.with_signatures([signature(witness, text, NOW), signature(by, text, until)]))
    assert verify(found, trust=trust, now=until).release.fresh_until == until
    with pytest.raises(Stale):
        verify(found, trust=trust, now=until + 1)
    found.put(found.note.with_signatures([signature(heartbeat, text, until)]))
    daily = replace(ALONE, policy=Policy.parse(f"{named}witness d {heartbeat.key}\nquorum {quorum}\n".encode()))
    if quorum == "none":
        assert verify(found, trust=daily, now=until + 1).release.fresh_until == until + trust.max_age
    else:
        with pytest.raises(Stale):
            verify(found, trust=daily, now=until + 1)


def test_a_quorum_of_one_is_only_as_safe_as_its_key(small: BuildResult, tmp_path: Path) -> None:
    """A stolen key keeps an old checkpoint fresh, which a quorum of two of three prevents; doctor warns of it."""
    found = Publisher(tmp_path, [LOG])
    found.publish(small)
    one, two, three = (signer(f"q{n}.example", SignatureType.COSIGNATURE_ED25519) for n in range(3))
    named = f"log {LOG.key}\n" + "".join(f"witness q{n} {by.key}\n" for n, by in enumerate((one, two, three)))
    text, later = found.note.text, NOW + 3 * ALONE.max_age
    found.put(found.note.with_signatures([signature(by, text, NOW) for by in (one, two, three)]))
    found.put(found.note.with_signatures([signature(one, text, later)]))
    alone = replace(ALONE, expires=later + DAY, policy=Policy.parse(f"{named}quorum q0\n".encode()))
    both = replace(alone, policy=Policy.parse(f"{named}group two 2 q0 q1 q2\nquorum two\n".encode()))
    assert verify(found, trust=alone, now=later).release.fresh_until == alone.expires
    with pytest.raises(Stale):
        verify(found, trust=both, now=later)
    assert verify(found, trust=both, now=NOW + DAY).release.fresh_until == NOW + both.max_age


def test_a_remembered_verification_ends_when_the_trust_note_expires(published: Publisher, tmp_path: Path) -> None:
    """Even if the checkpoint is fresh."""
    expires = NOW + 2 * DAY
    release = verify(published, trust=replace(ALONE, expires=expires)).release
    assert release.fresh_until == expires < NOW + ALONE.max_age
    kept, seen = Remembered(str(tmp_path), locate(str(published.log.root)), b"trust"), tmp_path / "seen.note"
    seen.write_bytes(bytes(published.note))
    seen.chmod(0o600)
    Path(kept.path).parent.mkdir(mode=0o700)
    Path(kept.path).write_bytes(kept.text(release, bytes(published.note), (str(seen), seen.read_bytes()), NOW))
    Path(kept.path).chmod(0o600)
    assert kept.release(expires - 1) is not None
    assert kept.release(expires) is None
