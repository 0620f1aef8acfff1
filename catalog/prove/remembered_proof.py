"""Verify a proof against what this machine saw of the log before, and remember its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from catalog.errors import UsageError
from catalog.prove.verify_proof import Verdict, verify_bundle
from catalog.prove.verify_tlog_proof import is_tlog_proof, verify_tlog_proof
from catalog.state.seen_logs import Kept, SeenLog, seen_checkpoints, verified_against_seen
from catalog.transparency.durations import span
from catalog.transparency.trust import Trust


def verified_proof(
    bundle: bytes,
    trust: Trust,
    digest: str | None,
    *,
    now: int,
    leaf: bytes | None = None,
    accept_older: int | None = None,
) -> Verdict:
    """Verify a proof bundle, and remember its checkpoint; or a bare tlog-proof, of which nothing is remembered.

    digest: in hex; None for whichever the bundle proves.
    now: seconds since 1970.
    leaf: of a bare tlog-proof that does not contain it.
    accept_older: as for `verify_bundle`.

    Raises as `verify_bundle` and `verified_against_seen`; UsageError for the leaf of a bundle, for accept_older with a
    bare tlog-proof, and if it exceeds max-age.
    """
    bare = is_tlog_proof(bundle)
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
    return verdict


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
