"""Findings about a trust note: its signatures, roots and expiry, and the version that the last release names."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.log.records import ReleaseRecord
from catalog.operate.doctor_signers import Signatures
from catalog.operate.finding import Finding, error, note, warning
from catalog.publish.keeping_fresh import next_version
from catalog.transparency.durations import span
from catalog.transparency.note import Note
from catalog.transparency.trust import Trust

SOON = 60 * 86400
"""Seconds: how long before its expiry there is a warning."""

_NEXT = f"sign the next version, and give it to everybody who has this one: {next_version('trust.note')}"


def trust_findings(signed: Note, trust: Trust, now: int) -> Iterator[Finding]:
    """Yield findings about a trust note.

    signed: the note.
    trust: its contents.
    now: seconds since 1970.
    """
    signatures = Signatures.of(signed, list(trust.roots.values()))
    yield from signatures.wrong_findings()
    count = len({signer.key.public_key for signer in signatures.right})
    if count < trust.threshold:
        yield error(
            "trust note", f"{count} of its own root keys signed it, and {trust.threshold} have to", "ldcat trust sign"
        )
    left = trust.expires - now
    if left <= 0:
        yield error("trust note", f"expired {span(left)} ago: clients that have it refuse everything", _NEXT)
    elif left < SOON:
        yield warning("trust note", f"expires in {span(left)}", _NEXT)
    if len(trust.roots) == 1:
        yield warning(
            "trust note",
            "has one root key: its holder decides alone, and if it is lost, no next note follows",
            "name more roots",
        )
    elif trust.threshold == len(trust.roots):
        yield warning(
            "trust note",
            f"a threshold of all {trust.threshold} root keys cannot be met once one is lost",
            "name more keys, or lower the threshold, in the next version",
        )


def version_findings(release: ReleaseRecord, trust: Trust) -> Iterator[Finding]:
    """Yield a finding if the release names another version of the trust note: users learn from it if theirs is old."""
    subject, named = f"release {release.release}", release.trust_version
    if named is None:
        yield note(
            subject, "names no trust note: users do not learn from it that theirs is old", "ldcat publish --trust"
        )
    elif named < trust.version:
        what = f"names version {named} of the trust note, and this is version {trust.version}"
        yield warning(subject, what, "ldcat publish --trust, with this one")
    elif named > trust.version:
        what = f"names version {named} of the trust note, and this is version {trust.version}: it is old"
        yield warning(subject, what, "use the newest one, and give it to everybody who has this one")
