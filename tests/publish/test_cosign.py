"""Cosigning: only checkpoints consistent with the last one, recorded first; signatures of others are never lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from catalog.build.builder import BuildResult
from catalog.errors import LdcatError, MalformedInput, Unreadable, UntrustedSigner, UsageError, VerificationFailed
from catalog.log.log_folder import CHECKPOINT, LastCheckpoint, LogFolder
from catalog.publish.cosign import Cosigned, cosign
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.keys import SignatureType, Signer, VerifierKey
from catalog.transparency.note import MAX_SIGNATURES, Note, Signature
from catalog.transparency.trust import Trust
from catalog.values import replace
from tests.support.kills import killed_at
from tests.support.logs import DAY, NOW, ORIGIN, SIGNERS, signature, signed, signer
from tests.support.published_logs import Publisher
from tests.support.trust_notes import trust_of

ED25519, ML_DSA_44 = SignatureType.COSIGNATURE_ED25519, SignatureType.COSIGNATURE_ML_DSA_44
KEYS = [signer("beat.example", ED25519), signer("beat.example", ML_DSA_44)]
OTHER = signer("other.example", ED25519)


def trusting(*logs: VerifierKey, quorum: str = "none") -> Trust:
    lines = [*(f"log {key}\n" for key in logs), f"witness w {OTHER.key}\n", f"quorum {quorum}\n"]
    return trust_of("".join(lines), max_age=DAY)


TRUST = trusting(*(by.key for by in SIGNERS))


@dataclass
class Cosigner:
    """A machine that cosigns the log of a publisher."""

    publisher: Publisher
    place: Path

    @property
    def state(self) -> LastCheckpoint:
        return LastCheckpoint(self.place / "cosigned.note")

    @property
    def note(self) -> Note:
        note = self.publisher.log.checkpoint()
        assert note is not None
        return note

    def cosign(self, *, by: list[Signer] = KEYS, trust: Trust = TRUST, now: int = NOW, **options: Any) -> Cosigned:
        return cosign(
            self.publisher.log, by, {ORIGIN: self.state, "example.com/b": self.state}, trust, now=now, **options
        )

    def times(self, note: Note | None = None) -> dict[VerifierKey, int | None]:
        """When each key cosigned the published checkpoint; checks the log's own signatures, too."""
        found = note or self.note
        assert {by.key for by in found.verify([by.key for by in SIGNERS])} == {by.key for by in SIGNERS}
        return {by.key: by.timestamp for by in found.verify([by.key for by in KEYS])}

    def evidence(self) -> list[Path]:
        return sorted((self.place / "evidence").glob("*/*"))


@pytest.fixture
def cosigner(publisher: Publisher, fewer: BuildResult, tmp_path: Path) -> Cosigner:
    publisher.publish(fewer)
    return Cosigner(publisher, tmp_path / "cosigner")


def test_both_keys_cosign_what_the_log_signed(cosigner: Cosigner) -> None:
    before = cosigner.note
    cosigned = cosigner.cosign(now=NOW + 5)
    assert cosigned == Cosigned(Checkpoint.parse(before.text), None, tuple(by.key for by in KEYS), NOW + 5)
    assert cosigner.note.text == before.text
    assert cosigner.note.signatures[: len(before.signatures)] == before.signatures
    assert cosigner.times() == {by.key: NOW + 5 for by in KEYS}
    assert cosigner.state.read() == cosigner.note


def test_a_cosigned_checkpoint_is_not_cosigned_again(cosigner: Cosigner) -> None:
    cosigner.cosign()
    before = (cosigner.publisher.log.root / CHECKPOINT).read_bytes()
    again = cosigner.cosign(now=NOW + DAY)
    assert (again.signed, again.time) == ((), NOW)
    assert (cosigner.publisher.log.root / CHECKPOINT).read_bytes() == before


def test_a_heartbeat_cosigns_again_with_a_later_time(cosigner: Cosigner) -> None:
    cosigner.cosign()
    cosigner.cosign(heartbeat=True, now=NOW + DAY)
    assert cosigner.times() == {by.key: NOW + DAY for by in KEYS}
    assert len(cosigner.note.signatures) == len(SIGNERS) + len(KEYS)
    before = cosigner.note
    with pytest.raises(UsageError, match="the clock is behind"):
        cosigner.cosign(heartbeat=True, now=NOW + DAY - 1)
    assert cosigner.note == before == cosigner.state.read()


@pytest.mark.parametrize("lost", ["state", "cosignatures"])
def test_time_does_not_go_back_if_the_state_or_the_cosignatures_are_lost(cosigner: Cosigner, lost: str) -> None:
    bare = cosigner.note
    cosigner.cosign(now=NOW + DAY)
    if lost == "state":
        cosigner.state.path.unlink()
    else:
        cosigner.publisher.log.write([(CHECKPOINT, bytes(bare))])
    with pytest.raises(UsageError, match="the clock is behind"):
        cosigner.cosign(heartbeat=True, now=NOW)


def test_unpublished_cosignatures_are_made_again(cosigner: Cosigner) -> None:
    bare = cosigner.note
    cosigner.cosign()
    cosigner.publisher.log.write([(CHECKPOINT, bytes(bare))])
    assert len(cosigner.cosign(now=NOW + 1).signed) == 2
    assert cosigner.times() == {by.key: NOW + 1 for by in KEYS}


def test_only_a_key_added_later_cosigns(cosigner: Cosigner) -> None:
    cosigner.cosign(by=KEYS[:1])
    assert cosigner.cosign(now=NOW + 1).signed == (KEYS[1].key,)
    assert cosigner.times() == {KEYS[0].key: NOW, KEYS[1].key: NOW + 1}


def test_cosignatures_made_elsewhere_are_recorded(cosigner: Cosigner) -> None:
    cosigner.cosign()
    cosigner.state.path.unlink()
    assert cosigner.cosign().signed == ()
    assert cosigner.state.read() == cosigner.note


def test_cosignatures_of_others_are_kept(cosigner: Cosigner, small: BuildResult) -> None:
    more = cosigner.note.with_signatures([signature(OTHER, cosigner.note.text)])
    cosigner.publisher.log.write([(CHECKPOINT, bytes(more))])
    cosigner.cosign()
    cosigner.cosign(heartbeat=True, now=NOW + 1)
    assert cosigner.note.signatures[: len(more.signatures)] == more.signatures


def test_cosigning_does_not_require_the_quorum(cosigner: Cosigner) -> None:
    quorum = trusting(*(by.key for by in SIGNERS), quorum="w")
    with pytest.raises(UntrustedSigner):
        quorum.open_checkpoint(cosigner.note)
    cosigner.cosign(by=[OTHER], trust=quorum)
    assert quorum.open_checkpoint(cosigner.note)[0] == cosigner.publisher.checkpoint()


def test_publishing_nothing_new_keeps_cosignatures(cosigner: Cosigner, fewer: BuildResult) -> None:
    cosigner.cosign()
    before = cosigner.note
    assert cosigner.publisher.publish(fewer, now=NOW + 9).new_rows == 0
    assert cosigner.note == before


def test_a_later_consistent_release_is_cosigned(cosigner: Cosigner, small: BuildResult) -> None:
    first = cosigner.cosign().checkpoint
    cosigner.publisher.publish(small, now=NOW + 1)
    cosigned = cosigner.cosign(now=NOW + 2)
    assert (cosigned.before, len(cosigned.signed)) == (first, 2)
    assert cosigned.checkpoint.size > first.size
    assert not cosigner.evidence()


def forked(cosigner: Cosigner, small: BuildResult, tmp_path: Path) -> None:
    """Another history signed by the same keys, longer than the cosigned one."""
    other = Publisher(tmp_path / "forked")
    other.publish(small, now=NOW + 1)
    shutil.rmtree(cosigner.publisher.log.root)
    shutil.copytree(other.log.root, cosigner.publisher.log.root)


def as_long(cosigner: Cosigner, small: BuildResult, tmp_path: Path) -> None:
    """Another root hash for the same size."""
    text = str(replace(cosigner.publisher.checkpoint(), root=bytes(32)))
    cosigner.publisher.log.write([(CHECKPOINT, bytes(signed(text, *SIGNERS)))])


def rolled_back(cosigner: Cosigner, small: BuildResult, tmp_path: Path) -> None:
    """The checkpoint that was published before."""
    before = cosigner.note
    cosigner.publisher.publish(small, now=NOW + 1)
    cosigner.cosign(now=NOW + 1)
    cosigner.publisher.log.write([(CHECKPOINT, bytes(before))])


@pytest.mark.parametrize("attack", [forked, as_long, rolled_back])
@pytest.mark.parametrize("heartbeat", [False, True])
def test_an_inconsistent_checkpoint_is_refused_and_kept_as_evidence(
    cosigner: Cosigner,
    small: BuildResult,
    tmp_path: Path,
    attack: Callable[[Cosigner, BuildResult, Path], None],
    heartbeat: bool,
) -> None:
    cosigner.cosign()
    attack(cosigner, small, tmp_path)
    last, published = cosigner.state.read(), cosigner.note
    with pytest.raises(VerificationFailed, match="is not consistent with") as failure:
        cosigner.cosign(heartbeat=heartbeat, now=NOW + DAY)
    assert failure.value.exit_code == 4
    assert (cosigner.note, cosigner.state.read()) == (published, last)
    kept = {path.name: Note.parse(path.read_bytes()) for path in cosigner.evidence()}
    assert kept == {"cosigned.note": last, "published.note": published}
    assert str(cosigner.evidence()[0].parent) in str(failure.value)


@pytest.mark.parametrize("heartbeat", [False, True])
def test_what_this_machine_signed_last_is_not_forgotten(
    cosigner: Cosigner, small: BuildResult, tmp_path: Path, heartbeat: bool
) -> None:
    """A backup of the release before is restored; the heartbeat never saw the later one."""
    publisher = cosigner.publisher
    cosigner.cosign()
    shutil.copytree(publisher.log.root, tmp_path / "backup")
    publisher.publish(small, now=NOW + 1)
    later = tmp_path / "later"
    publisher.log.root.rename(later)
    (tmp_path / "backup").rename(publisher.log.root)
    before = cosigner.note
    options: dict[str, Any] = {"signed": {ORIGIN: publisher.state}, "heartbeat": heartbeat, "now": NOW + DAY}
    with pytest.raises(VerificationFailed, match=r"leaves, and .* were signed here last$") as failure:
        cosigner.cosign(**options)
    assert failure.value.hint is not None
    assert failure.value.hint.startswith("copy the log back")
    assert cosigner.note == before
    shutil.rmtree(publisher.log.root)
    later.rename(publisher.log.root)
    cosigner.cosign(**options)
    publisher.log.write([(CHECKPOINT, bytes(before))])
    cosigner.state.path.unlink()
    with pytest.raises(VerificationFailed, match=r"were signed here last$") as failure:
        cosigner.cosign(**options)
    assert failure.value.hint == "ldcat publish publishes what was signed"


def test_a_fork_of_what_this_machine_signed_is_not_cosigned(
    cosigner: Cosigner, small: BuildResult, tmp_path: Path
) -> None:
    forked(cosigner, small, tmp_path)
    with pytest.raises(VerificationFailed, match="were signed here last: "):
        cosigner.cosign(signed={ORIGIN: cosigner.publisher.state})
    assert not cosigner.state.path.exists()


def test_evidence_never_replaces_other_evidence(cosigner: Cosigner, small: BuildResult, tmp_path: Path) -> None:
    cosigner.cosign()
    kept: dict[Path, bytes] = {}
    for root in (bytes(32), bytes(32), b"\1" * 32):
        text = str(replace(cosigner.publisher.checkpoint(), root=root))
        note = signed(text, SIGNERS[0])  # signatures of the other key are randomised
        cosigner.publisher.log.write([(CHECKPOINT, bytes(note.with_signatures([signature(SIGNERS[1], text)])))])
        with pytest.raises(VerificationFailed):
            cosigner.cosign(now=NOW + DAY)
        with pytest.raises(VerificationFailed):
            cosigner.cosign(now=NOW + DAY)
        now = {path: path.read_bytes() for path in cosigner.evidence()}
        assert now.items() >= kept.items()
        kept = now
    assert len({data for path, data in kept.items() if path.name == "published.note"}) >= 2


def test_incomplete_evidence_is_completed(cosigner: Cosigner, small: BuildResult, tmp_path: Path) -> None:
    cosigner.cosign()
    as_long(cosigner, small, tmp_path)
    for _ in range(2):
        with pytest.raises(VerificationFailed, match="is not consistent with"):
            cosigner.cosign()
    kept = {path: path.read_bytes() for path in cosigner.evidence()}
    assert len(kept) == 2
    for lost in kept:
        lost.unlink()
        with pytest.raises(VerificationFailed, match="is not consistent with"):
            cosigner.cosign()
        assert {path: path.read_bytes() for path in cosigner.evidence()} == kept


def test_a_fork_is_reported_even_if_evidence_cannot_be_written(
    cosigner: Cosigner, small: BuildResult, tmp_path: Path
) -> None:
    cosigner.cosign()
    as_long(cosigner, small, tmp_path)
    (cosigner.place / "evidence").write_text("in the way")
    with pytest.raises(VerificationFailed, match="is not consistent with") as failure:
        cosigner.cosign()
    assert "could not be kept" in str(failure.value)


def test_damaged_tiles_are_not_a_fork(cosigner: Cosigner, small: BuildResult) -> None:
    cosigner.cosign()
    cosigner.publisher.publish(small, now=NOW + 1)
    before = cosigner.note
    for path in (cosigner.publisher.log.root / "tile/0").rglob("*"):
        if path.is_file():
            path.write_bytes(bytes(len(path.read_bytes())))
    with pytest.raises(VerificationFailed):
        cosigner.cosign(now=NOW + 2)
    for path in (cosigner.publisher.log.root / "tile/0").rglob("*"):
        if path.is_file():
            path.unlink()
    with pytest.raises(Unreadable):
        cosigner.cosign(now=NOW + 2)
    assert cosigner.note == before


@pytest.mark.parametrize(
    ("options", "error", "part"),
    [
        ({"by": [signer("a")]}, UsageError, "cosignature keys"),
        ({"by": [*KEYS, OTHER]}, UsageError, "not cosignature keys of one name"),
        ({"by": []}, UsageError, "not cosignature keys of one name"),
        ({"by": SIGNERS[1:]}, UsageError, "has the name of the log"),
        ({"trust": trusting(signer("example.com/b").key)}, UntrustedSigner, "not signed by any trusted key of"),
        ({"trust": trusting(signer(ORIGIN, seed=1).key)}, UntrustedSigner, "not signed by any trusted key of"),
        ({"now": NOW + 300 * DAY}, VerificationFailed, "expired"),
        ({"only": Checkpoint(ORIGIN, 1, bytes(32))}, UsageError, "has changed"),
    ],
)
def test_invalid_requests_are_refused(
    cosigner: Cosigner, options: dict[str, Any], error: type[LdcatError], part: str
) -> None:
    before = cosigner.note
    with pytest.raises(error, match=part):
        cosigner.cosign(**options)
    assert cosigner.note == before
    assert cosigner.state.read() is None


def test_a_checkpoint_needs_a_signature_under_its_own_origin(cosigner: Cosigner) -> None:
    other = signer("example.com/b")
    cosigner.publisher.log.write([(CHECKPOINT, bytes(signed(cosigner.note.text, other)))])
    with pytest.raises(UntrustedSigner, match="no trusted log of the name"):
        cosigner.cosign(trust=trusting(*(by.key for by in SIGNERS), other.key))


def test_a_missing_log_folder_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="no log at"):
        cosign(LogFolder(tmp_path / "none"), KEYS, {}, TRUST, now=NOW)
    assert not (tmp_path / "none").exists()


def test_an_invalid_cosignature_under_the_own_name_is_refused(cosigner: Cosigner) -> None:
    false = signature(KEYS[0], str(replace(cosigner.publisher.checkpoint(), size=1)))
    more = cosigner.note.with_signatures([false])
    cosigner.publisher.log.write([(CHECKPOINT, bytes(more))])
    with pytest.raises(VerificationFailed, match="does not match the text"):
        cosigner.cosign()


def test_the_maximum_number_of_signatures_is_not_exceeded(cosigner: Cosigner) -> None:
    left = MAX_SIGNATURES - len(cosigner.note.signatures)
    full = cosigner.note.with_signatures(Signature(f"x{n}", b"abcd", b"x") for n in range(left))
    cosigner.publisher.log.write([(CHECKPOINT, bytes(full))])
    with pytest.raises(MalformedInput, match="more than 128 signatures"):
        cosigner.cosign()
    assert (cosigner.note, cosigner.state.read()) == (full, None)


def test_nothing_is_published_if_it_cannot_be_recorded(cosigner: Cosigner) -> None:
    cosigner.place.write_text("in the way")
    before = cosigner.note
    with pytest.raises(Unreadable, match="cannot be remembered"):
        cosigner.cosign()
    assert cosigner.note == before


def test_a_cosignature_is_recorded_before_it_is_published(cosigner: Cosigner, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: LogFolder, files: Any) -> None:
        if folder == cosigner.publisher.log:
            raise Unreadable("the disk has gone")
        write(folder, files)

    write, before = LogFolder.write, cosigner.note
    monkeypatch.setattr(LogFolder, "write", refuse)
    with pytest.raises(Unreadable, match="the disk has gone"):
        cosigner.cosign()
    assert cosigner.note == before
    remembered = cosigner.state.read()
    assert remembered is not None
    assert len(cosigner.times(remembered)) == 2


def test_the_log_is_locked_while_cosigning(cosigner: Cosigner) -> None:
    with cosigner.publisher.log.locked(), pytest.raises(UsageError, match="another process"):
        cosigner.cosign()


@pytest.mark.durable
def test_a_cosigner_killed_at_each_system_call(cosigner: Cosigner) -> None:
    """kill -9: the checkpoint is always complete, no signature is lost, and no time decreases."""
    text = cosigner.note.text
    cosigner.publisher.log.write([(CHECKPOINT, bytes(cosigner.note.with_signatures([signature(OTHER, text)])))])
    others = cosigner.note.signatures
    cosigner.cosign(now=NOW)
    last, moments = cosigner.times(), set[int | None]()
    for call in count():
        killed = killed_at(call, partial(cosigner.cosign, heartbeat=True, now=NOW + 1 + call))
        now, note = cosigner.times(), cosigner.note
        assert (note.text, note.signatures[: len(others)]) == (text, others)
        assert all((now[key] or 0) >= (before or 0) for key, before in last.items())
        state = cosigner.state.read()
        assert state is not None
        assert all((cosigner.times(state)[key] or 0) >= (published or 0) for key, published in now.items())
        moments |= set(now.values())
        last = now
        if not killed:
            break
    assert call > 20
    assert len(moments) > 2  # some were killed after they had published, and some before they had begun
    cosigner.cosign(heartbeat=True, now=NOW + 1000)
    assert set(cosigner.times().values()) == {NOW + 1000}
