"""Verifies the usual proof that matches: as remembered_proof.py, with the parsers of plain_forms.py.

A key broker verifies a proof for each boot. What is verified, and in which order, is in verify_proof.py for both.
"""

from __future__ import annotations

from catalog.files.plain_json import NotPlain
from catalog.log.seen import Kept
from catalog.notes import worst_first
from catalog.prove import plain_forms
from catalog.prove.verdict import Outcome
from catalog.prove.verify_proof import row_notes, verify_bundle
from catalog.state.plain_seen import plain_seen
from catalog.values import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from catalog.evidence.evidence import Evidence
    from catalog.prove.verdict import Verdict
    from catalog.transparency.trust import Trust


def plain_verdict(bundle: bytes, trust: Trust, about: Evidence | None, *, now: int) -> Verdict:
    """The verdict on a proof bundle that is a match, whose checkpoint this machine remembers now.

    Raises NotPlain for any other bundle, LdcatError, OSError and ValueError: then `verified_proof` says what is wrong.
    """
    origins = {log.name for log in trust.policy.logs}
    kept = plain_seen(origins)
    seen = {origin: one.seen for origin, one in kept.items()}
    digest = None if about is None else about.digest.hex()
    verdict = verify_bundle(bundle, trust, now=now, seen=seen, digest=digest, forms=plain_forms)
    if verdict.outcome is not Outcome.MATCH or verdict.newest is None or verdict.checkpoint is None or verdict.hint:
        raise NotPlain
    origin = verdict.checkpoint.origin
    new = Kept(verdict.newest, verdict.revocations, commits=verdict.commits, listed=verdict.listed)
    now_kept = plain_seen(origins).get(origin)  # another process may have seen more meanwhile
    if now_kept is None or not now_kept.has(new):
        _keep(origin, kept.get(origin), new)
    notes = [*row_notes(verdict.row), *verdict.notes]
    if about:
        from catalog.ask.evidence_notes import unverified_notes

        notes = [*unverified_notes(about), *notes]
    return replace(verdict, notes=tuple(worst_first(notes)))


def _keep(origin: str, before: Kept | None, new: Kept) -> None:
    """Remember a checkpoint. Raises NotPlain if another one was remembered meanwhile, and as `SeenLog.commit`."""
    from catalog.state.seen_logs import SeenLog, SeenMeanwhile  # what writes files takes long to load

    try:
        SeenLog("seen", origin).commit(before, new)
    except SeenMeanwhile as error:
        raise NotPlain from error
