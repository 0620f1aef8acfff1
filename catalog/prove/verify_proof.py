"""Verify a proof bundle from files alone: a trust note, the time, and the last checkpoint that was seen.

The order is: format, signatures, policy, age, inclusion, and only then the contents of the leaves, parsed from the very
bytes that were hashed. Each outcome has its own exit code, and unknown never looks like bad; endorsed and inferred
share theirs, because no configuration is known.
"""

from __future__ import annotations

from catalog.errors import (
    FalseRecord,
    LdcatError,
    MalformedInput,
    OlderThanSeen,
    Stale,
    UntrustedSigner,
    VerificationFailed,
)
from catalog.fast.match import known_technologies, no_kernel_note
from catalog.log.release_rules import Before, false_time, false_trust_version, what_to_do
from catalog.log.revocation_chain import RevocationChain, chain_revocations, check_goes_on
from catalog.log.seen import Seen
from catalog.notes import Note as ReaderNote
from catalog.prove.older_proof import accepted, newest_known
from catalog.prove.verdict import Outcome, Verdict
from catalog.rows.fields import is_from_igvm, value_in
from catalog.transparency import merkle
from catalog.values import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Protocol

    from catalog.log.records import ReleaseRecord
    from catalog.log.revocation_list import Revocation
    from catalog.prove.proof_bundle import ProofBundle
    from catalog.rows.digest_record import DigestRecord
    from catalog.rows.endorsed_record import EndorsedRecord
    from catalog.transparency.checkpoint import Checkpoint
    from catalog.transparency.proof import InclusionProof
    from catalog.transparency.trust import Trust

    class Forms(Protocol):
        """Parses a bundle and its records: bundle_forms.py, or plain_forms.py for what is usual."""

        def parse_bundle(self, data: bytes) -> ProofBundle: ...

        def parse_release(self, leaf: bytes) -> ReleaseRecord | None: ...

        def parse_proven(self, leaf: bytes) -> DigestRecord | EndorsedRecord: ...


_OLDER = "get a newer proof, or accept one that was cosigned a short time ago: --accept-older 12h"


def verify_bundle(
    data: bytes,
    trust: Trust,
    *,
    now: int,
    seen: Mapping[str, Seen],
    digest: str | None,
    accept_older: int | None = None,
    forms: Forms | None = None,
) -> Verdict:
    """Verify a bundle. Raises VerificationFailed for an expired trust note, and nothing for any bundle.

    now: seconds since 1970.
    seen: what this machine verified of each log before, by origin.
    digest: in hex, the launch digest that the bundle should prove; None for whichever it proves.
    accept_older: accept a checkpoint that is older than the newest one seen if it was still cosigned at most so many
        seconds ago; then the newest list of revocations that was seen counts. None to refuse it.
    forms: what parses the bundle; None for bundle_forms.py. It may raise further errors.
    """
    trust.check_expiry(now)
    forms = forms or _all_forms()
    try:
        bundle = forms.parse_bundle(data)
        checkpoint, signers = trust.open_checkpoint(bundle.checkpoint)
    except UntrustedSigner as error:
        return Verdict(Outcome.UNTRUSTED, str(error), hint=error.hint)
    except LdcatError as error:
        return Verdict(Outcome.BAD, str(error), hint=error.hint)
    verdict = Verdict(Outcome.MATCH, "", checkpoint, tuple(signers), policy=trust.policy)
    before = seen.get(checkpoint.origin, Seen(checkpoint))
    size, root = before.checkpoint.size, before.checkpoint.root
    is_older = checkpoint.size < size
    if is_older and accept_older is None:
        why = f"a checkpoint of {size} leaves was seen before"
        return replace(verdict, outcome=Outcome.OLDER, why=why, hint=_OLDER)
    if checkpoint.size == size and checkpoint.root != root:
        return replace(
            verdict, outcome=Outcome.BAD, why="a different checkpoint of the same size was seen before: a fork"
        )
    try:
        if trust.policy.quorum is not None:  # otherwise the time in the release record counts, which is read later
            trust.check_fresh(signers, None, now)
        row, release = _leaves(bundle, checkpoint, forms)
        notes = _check_status(bundle, release, checkpoint, trust, now)
        if notes and before.commits and not is_older:
            raise FalseRecord(f"release {release.release} commits to no revocations, and one seen before did")
        until = trust.check_fresh(signers, release.time, now)
        listed = bundle.revocations
        if is_older and accept_older is not None:
            listed = newest_known(bundle.revocations, before)
            notes += accepted(checkpoint, listed, before, age=now - (until - trust.max_age), at_most=accept_older)
        else:
            check_goes_on(bundle.revocations, before.revocations or RevocationChain())
    except Stale as error:
        return replace(verdict, outcome=Outcome.STALE, why=str(error), hint=error.hint)
    except OlderThanSeen as error:
        return replace(verdict, outcome=Outcome.OLDER, why=str(error), hint=error.hint)
    except LdcatError as error:
        outcome = Outcome.FALSE if isinstance(error, FalseRecord) else Outcome.BAD
        return replace(verdict, outcome=outcome, why=str(error), hint=error.hint)
    found = replace(
        verdict,
        row=row,
        release=release,
        newest=None if is_older else bundle.checkpoint,
        revocations=chain_revocations(bundle.revocations),
        listed=listed,
        fresh_until=min(until, trust.expires),
        notes=(*notes, *unknown_technology(row)),
    )
    return _answer(found, digest)


def _all_forms() -> Forms:
    from catalog.prove import bundle_forms  # msgspec takes longer to load than a proof to verify

    return bundle_forms


def _leaves(
    bundle: ProofBundle, checkpoint: Checkpoint, forms: Forms
) -> tuple[DigestRecord | EndorsedRecord, ReleaseRecord]:
    """The records in the two leaves, after their inclusion is verified. Raises VerificationFailed, MalformedInput."""
    row, status = _included(bundle.row, checkpoint), _included(bundle.status, checkpoint)
    if bundle.status.index != checkpoint.size - 1:
        raise VerificationFailed("the status of the bundle is not the last leaf of the checkpoint")
    release = forms.parse_release(status)
    if release is None:
        raise MalformedInput("the last leaf of the checkpoint is not a release record")
    if bundle.revocations_sha256 != release.revocations_sha256:
        raise VerificationFailed("the revocations of the bundle are not those of the release")
    return forms.parse_proven(row), release


def _check_status(
    bundle: ProofBundle, release: ReleaseRecord, checkpoint: Checkpoint, trust: Trust, now: int
) -> tuple[ReaderNote, ...]:
    """Check the release record and the list of revocations; return notes. Raises FalseRecord.

    The leaves before it are not in a bundle: docs/adr/0016 lists what is left to trust in the publisher.
    """
    before = Before(trust_version=trust.version)
    false = [why for why in (false_time(release, now), false_trust_version(release, before)) if why]
    if not 0 < release.release <= checkpoint.size or not 0 <= release.previous_size < checkpoint.size:
        false.append("its number or its previous_size exceeds the number of leaves")
    if false:
        raise FalseRecord(f"release {release.release} is false: {'; '.join(false)}", what_to_do(false))
    committed = RevocationChain.committed(release)
    if committed is None:
        text = f"release {release.release} does not commit to its revocations, like releases of ldcat 0.1.0"
        return (ReaderNote("revocations-not-committed", text),)
    if chain_revocations(bundle.revocations) != committed:
        raise FalseRecord(f"the revocations of release {release.release} differ from those that it commits to")
    return ()


def unknown_technology(row: DigestRecord | EndorsedRecord) -> Iterator[ReaderNote]:
    """A note if the row's technology is of a later version: the log has the row, but its meaning is unknown."""
    if row.technology not in known_technologies():
        text = f"this version of ldcat does not know technology {row.technology!r}: the row's fields are not checked"
        yield ReaderNote("technology-unknown", text)


def _included(proof: InclusionProof, checkpoint: Checkpoint) -> bytes:
    leaf = proof.extra or b""
    hashed = merkle.leaf_hash(leaf)
    merkle.verify_inclusion(hashed, proof.index, checkpoint.size, proof.hashes, checkpoint.root)
    return leaf


def _answer(verdict: Verdict, digest: str | None) -> Verdict:
    row = verdict.row
    assert row is not None, "it was verified"  # noqa: S101
    if digest is not None and digest != row.launch_digest:
        return replace(verdict, outcome=Outcome.UNKNOWN, why="the proof is for another launch digest")
    status = status_of(row, verdict.listed)
    if status and status.severity == "revoked":
        return replace(verdict, outcome=Outcome.REVOKED, why=status.reason, status=status)
    what, outcome = judged(row)
    why = f"the log has {what}" + (f", which is deprecated: {status.reason}" if status else "")
    return replace(verdict, outcome=outcome, why=why, status=status)


def status_of(row: DigestRecord | EndorsedRecord, listed: Sequence[Revocation]) -> Revocation | None:
    """What revokes or deprecates a record; None if nothing does."""
    if not listed:
        return None
    from catalog.log.revocations import Revocations  # most logs revoke nothing, and msgspec takes long to load

    return Revocations(listed).status(row)


def row_notes(row: DigestRecord | EndorsedRecord | None) -> Iterator[ReaderNote]:
    """A note if a row that was verified measures no kernel."""
    if row is None or row.type != "digest" or row.technology not in known_technologies():
        return
    if value_in(row, "base_digest") is None and value_in(row, "kernel_hashes_sha256") is None:
        values = {name: value_in(row, name) for name in ("technology", "vmm", "sev_features")}
        yield no_kernel_note(row.technology, from_igvm=is_from_igvm(values))


def judged(row: DigestRecord | EndorsedRecord) -> tuple[str, Outcome]:
    """What a record that is not revoked says of its digest."""
    if row.type == "endorsed":
        from catalog.rows.endorsed_record import REPORTED

        if row.endorser_scheme == REPORTED:
            return "a report of this digest, which nobody endorses", Outcome.UNKNOWN
        return "this endorsed digest without a known configuration", Outcome.ENDORSED
    if value_in(row, "base_digest") is not None:
        return "this row, which follows from another launch digest: its firmware is not known", Outcome.INFERRED
    return "this row", Outcome.MATCH
