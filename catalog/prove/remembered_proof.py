"""Verify a proof against what this machine saw of the log before, and remember its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping

from catalog.errors import UsageError
from catalog.prove.verify_proof import Verdict, verify_bundle
from catalog.prove.verify_tlog_proof import is_tlog_proof, verify_tlog_proof
from catalog.state.seen_logs import Kept, seen_checkpoints, verified_against_seen
from catalog.transparency.trust import Trust


def verified_proof(bundle: bytes, trust: Trust, digest: str | None, *, now: int, leaf: bytes | None = None) -> Verdict:
    """Verify a proof bundle, and remember its checkpoint; or a bare tlog-proof, of which nothing is remembered.

    digest: in hex; None for whichever the bundle proves.
    now: seconds since 1970.
    leaf: of a bare tlog-proof that does not contain it.

    Raises as `verify_bundle` and `verified_against_seen`; UsageError for the leaf of a bundle.
    """
    bare = is_tlog_proof(bundle)
    if leaf is not None and not bare:
        raise UsageError("a proof bundle contains its leaf", "a leaf is given with a bare tlog-proof only")

    def verify(kept: Mapping[str, Kept]) -> tuple[Verdict, Kept | None]:
        if bare:
            seen = seen_checkpoints(kept)
            return verify_tlog_proof(bundle, trust, now=now, seen=seen, digest=digest, leaf=leaf), None
        verdict = verify_bundle(bundle, trust, now=now, seen=seen_checkpoints(kept), digest=digest)
        return verdict, Kept(verdict.newest, verdict.revocations, commits=verdict.commits) if verdict.newest else None

    verdict, _ = verified_against_seen({log.name for log in trust.policy.logs}, verify)
    return verdict
