"""Verify a proof bundle against what this machine saw of the log before, and remember its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping

from catalog.prove.verify_proof import Verdict, verify_bundle
from catalog.state.seen_logs import Kept, seen_checkpoints, verified_against_seen
from catalog.transparency.trust import Trust


def verified_proof(bundle: bytes, trust: Trust, digest: str | None, *, now: int) -> Verdict:
    """Verify a proof bundle, and remember its checkpoint. digest: in hex; None for whichever the bundle proves.

    now: seconds since 1970. Raises as `verify_bundle` and `verified_against_seen`.
    """

    def verify(kept: Mapping[str, Kept]) -> tuple[Verdict, Kept | None]:
        verdict = verify_bundle(bundle, trust, now=now, seen=seen_checkpoints(kept), digest=digest)
        return verdict, Kept(verdict.newest, verdict.revocations, commits=verdict.commits) if verdict.newest else None

    verdict, _ = verified_against_seen({log.name for log in trust.policy.logs}, verify)
    return verdict
