"""Verify a proof against what this machine saw of the log before, and remember its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping

from catalog.ask.evidence_notes import unverified_notes
from catalog.errors import UsageError
from catalog.evidence.evidence import Evidence
from catalog.log.seen import Kept
from catalog.notes import worst_first
from catalog.prove.verdict import Verdict
from catalog.prove.verify_proof import row_notes, verify_bundle
from catalog.prove.verify_tlog_proof import is_tlog_proof, verify_tlog_proof
from catalog.state.seen_logs import SeenLog, seen_checkpoints, verified_against_seen
from catalog.transparency.durations import span
from catalog.transparency.trust import Trust
from catalog.values import replace


def verified_proof(
    bundle: bytes,
    trust: Trust,
    about: Evidence | None,
    *,
    now: int,
    leaf: bytes | None = None,
    accept_older: int | None = None,
) -> Verdict:
    """Verify a proof bundle, and remember its checkpoint; or a bare tlog-proof, of which nothing is remembered.

    about: the digest that the bundle should prove, itself or in a report, of which the signature is not verified; None
        for whichever it proves. What weakens it, or the row, is in the notes of the verdict.
    now: seconds since 1970.
    leaf: of a bare tlog-proof that does not contain it.
    accept_older: as for `verify_bundle`.

    Raises as `verify_bundle` and `verified_against_seen`; UsageError for the leaf of a bundle, for accept_older with a
    bare tlog-proof, and if it exceeds max-age.
    """
    bare, digest = is_tlog_proof(bundle), None if about is None else about.digest.hex()
    if leaf is not None and not bare:
        raise UsageError("a proof bundle contains its leaf", "a leaf is given with a bare tlog-proof only")
    _check_older(accept_older, trust, bare=bare)

    def verify(kept: Mapping[str, Kept]) -> tuple[Verdict, Kept | None]:
        seen = seen_checkpoints(kept)
        if bare or accept_older is not None:
            seen = {
                name: replace(one, listed=SeenLog("seen", name).listed(one.revocations)) for name, one in seen.items()
            }
        if bare:
            return verify_tlog_proof(bundle, trust, now=now, seen=seen, digest=digest, leaf=leaf), None
        verdict = verify_bundle(bundle, trust, now=now, seen=seen, digest=digest, accept_older=accept_older)
        if verdict.newest is None:
            return verdict, None
        return verdict, Kept(verdict.newest, verdict.revocations, commits=verdict.commits, listed=verdict.listed)

    verdict, _ = verified_against_seen({log.name for log in trust.policy.logs}, verify)
    notes = [*(unverified_notes(about) if about else ()), *row_notes(verdict.row), *verdict.notes]
    return replace(verdict, notes=tuple(worst_first(notes)))


def _check_older(accept_older: int | None, trust: Trust, *, bare: bool) -> None:
    """Raises UsageError if an older proof cannot be accepted as demanded."""
    if accept_older is None:
        return
    if bare:
        raise UsageError(
            "a bare tlog-proof shows no revocations, so an older one is not accepted",
            "ldcat prove prints proof bundles",
        )
    if accept_older > trust.max_age:
        raise UsageError(
            f"{span(accept_older)} is longer than max-age of the trust note, {span(trust.max_age)}",
            "accept at most max-age: a proof that is older is stale anyway",
        )
