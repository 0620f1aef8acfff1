"""What is wrong, or soon will be, with a trust note: its signatures, its roots, when it expires, and who names it."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.log.records import ReleaseRecord
from catalog.operate.doctor_signers import Signatures
from catalog.operate.finding import Finding, error, note, span, warning
from catalog.transparency.note import Note
from catalog.transparency.trust import Trust

SOON = 60 * 86400
"""Seconds before it expires from which on it is said."""

_NEXT = "sign the next version, and give it to all who have this one"


def trust_findings(signed: Note, trust: Trust, now: int) -> Iterator[Finding]:
    """signed: the note, of which `trust` is the text. now: seconds since 1970."""
    signatures = Signatures.of(signed, list(trust.roots.values()))
    yield from signatures.wrong_findings()
    count = len({signer.key.public_key for signer in signatures.right})
    if count < trust.threshold:
        yield error(
            "trust note", f"{count} of its own root keys signed it, and {trust.threshold} have to", "ldcat trust sign"
        )
    left = trust.expires - now
    if left <= 0:
        yield error("trust note", f"expired {span(left)} ago: whoever has it refuses everything", _NEXT)
    elif left < SOON:
        yield warning("trust note", f"expires in {span(left)}", _NEXT)
    if len(trust.roots) == 1:
        yield warning("trust note", "has one root key: who has it rules, and nobody can once it is lost", "name more")
    elif trust.threshold == len(trust.roots):
        yield warning(
            "trust note",
            f"a threshold of all {trust.threshold} root keys cannot be met once one is lost",
            "name more keys, or lower the threshold, in the next version",
        )


def version_findings(release: ReleaseRecord, trust: Trust) -> Iterator[Finding]:
    """Whether the release stands by this very trust note: from its version users learn that theirs is old."""
    subject, named = f"release {release.release}", release.trust_version
    if named is None:
        yield note(subject, "names no trust note: nobody learns from it that theirs is old", "ldcat publish --trust")
    elif named < trust.version:
        what = f"names version {named} of the trust note, and this is version {trust.version}"
        yield warning(subject, what, "ldcat publish --trust, with this one")
    elif named > trust.version:
        what = f"names version {named} of the trust note, and this is version {trust.version}: it is old"
        yield warning(subject, what, "look with the newest one; give it to all who have this")
