"""Compares the keys of two releases: who signed each checkpoint, and the version of its publisher's trust note.

A cosignature comes after the checkpoint: a cosigner that is missing is not there yet, and is no key that was removed.
"""

from __future__ import annotations

from collections.abc import Iterator

from catalog.diff.component_changes import ComponentChange
from catalog.errors import UntrustedSigner
from catalog.fast.published import PublishedRelease
from catalog.log.log_reader import open_log, read_release_record
from catalog.transparency.trust import Trust
from catalog.verify.releases_of_log import read_checkpoint


def key_changes(old: PublishedRelease, new: PublishedRelease, trust: Trust | None) -> Iterator[ComponentChange]:
    """Changes of signing keys and of the trust note's version.

    trust: its keys count; None takes every signature line, unverified, and the changes say so.

    Raises VerificationFailed, Unreadable or MalformedInput for an invalid log.
    """
    before, after = (_signers(one, trust) for one in (old, new))
    for name in sorted(before.keys() ^ after.keys()):
        change = "added" if name in after else "gone"
        if change == "gone" and not before[name]:
            continue
        yield ComponentChange("signing key", name, change, "" if trust else "NOT VERIFIED")
    versions = [read_release_record(one).trust_version for one in (old, new)]
    if versions[0] != versions[1]:
        names = ["none" if version is None else f"version {version}" for version in versions]
        yield ComponentChange("trust note", "", "changed", f"{names[0]} is now {names[1]}")


def _signers(release: PublishedRelease, trust: Trust | None) -> dict[str, bool]:
    """The keys that signed the current checkpoint of the log, by name and id in hex; whether each is of the log."""
    note = read_checkpoint(open_log(release))
    if trust is None:
        return {f"{one.name} {one.key_id.hex()}": one.name == release.origin for one in note.signatures}
    keys = [*trust.policy.logs, *trust.policy.witnesses.values()]
    try:
        signers = note.verify(list(dict.fromkeys(keys)))
    except UntrustedSigner:
        return {}
    return {f"{one.key.name} {one.key.key_id.hex()}": one.key.name == release.origin for one in signers}
