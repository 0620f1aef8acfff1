"""How a published checkpoint stays fresh: until when it is, and the command that has it cosigned again before."""

from __future__ import annotations

from pathlib import Path

from catalog.errors import Stale, UntrustedSigner
from catalog.transparency.note import Note
from catalog.transparency.trust import Trust


def fresh_until(trust: Trust, note: Note, made: int, now: int) -> int | None:
    """Until when clients accept a checkpoint, in seconds since 1970; None if they do not accept it now.

    made: time in the last release record. now: seconds since 1970. Raises MalformedInput, VerificationFailed for a
    wrong signature.
    """
    try:
        _, signers = trust.open_checkpoint(note)
        fresh = trust.check_fresh(signers, made, now)
        return min(fresh, trust.expires) if now < trust.expires else None
    except (UntrustedSigner, Stale):
        return None


def renewal(
    trust: Trust, *, log: Path | None = None, note: Path | None = None, key: Path | None = None
) -> list[str] | None:
    """The command that has a checkpoint cosigned again; None if the policy names nobody who could.

    log, note, key: folder of the log, trust note, and private keys of the heartbeat; None for what ldcat.toml names.
    """
    command = trust.policy.renewed_by
    if command is None:
        return None
    given = {"--log": log, "--trust": note, "--key": key if "cosign" in command else None}
    return [*command.split(), *(word for name, path in given.items() if path for word in (name, str(path)))]


def freshness_text(when: str | None, command: str | None) -> str:
    """What a publisher has to do, as one sentence.

    when: until when clients accept the checkpoint, as text; None if they do not accept it now. command: `renewal`.
    """
    after = "now" if when is None else f"after {when}"
    if command is None:
        return f"guests refuse it {after}: the trust note names no heartbeat key, so only a new release renews it"
    if when is None:
        return f"guests refuse it until this has run, now and every day: {command}"
    return f"guests refuse it {after} unless this runs every day: {command}"


def next_version(note: str) -> str:
    """What the publisher of a trust note runs to replace it. note: its file."""
    rotate, sign = f"ldcat trust rotate {note} --days 365 > next.txt", "ldcat trust sign next.txt --key ROOT.key"
    return f"{rotate}; {sign} > next.note; mv next.note {note}"


UNKNOWN_FRESHNESS = (
    "guests refuse a log that is older than max-age of their trust note, 7 days by default: "
    "ldcat witness ask, or ldcat cosign --heartbeat, every day, keeps it fresh"
)
"""For a publisher whose trust note is not known."""
