"""Keys of two releases compared: which signed the checkpoint of each, and which trust note its publisher stands by."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.diff.component_changes import ComponentChange
from catalog.errors import UntrustedSigner
from catalog.fast.published import PublishedRelease
from catalog.log.log_reader import open_log, read_release_record
from catalog.transparency.trust import Trust
from catalog.verify.verify_release import read_checkpoint


def key_changes(old: PublishedRelease, new: PublishedRelease, trust: Trust | None) -> Iterator[ComponentChange]:
    """trust: whose keys count; without it every signature line does, unverified, and it is said so.

    Raises what reading the logs does.
    """
    before, after = (_signers(one, trust) for one in (old, new))
    for name in sorted(before ^ after):
        change = "added" if name in after else "gone"
        yield ComponentChange("signing key", name, change, "" if trust else "NOT VERIFIED")
    versions = [read_release_record(one).trust_version for one in (old, new)]
    if versions[0] != versions[1]:
        told = ["none" if version is None else f"version {version}" for version in versions]
        yield ComponentChange("trust note", "", "changed", f"{told[0]} is now {told[1]}")


def _signers(release: PublishedRelease, trust: Trust | None) -> set[str]:
    """Name, and id in hex, of each key that signed the checkpoint which its log has now."""
    note = read_checkpoint(open_log(release))
    if trust is None:
        return {f"{signature.name} {signature.key_id.hex()}" for signature in note.signatures}
    keys = [*trust.policy.logs, *trust.policy.witnesses.values()]
    try:
        signers = note.verify(list(dict.fromkeys(keys)))
    except UntrustedSigner:
        return set()
    return {f"{signer.key.name} {signer.key.key_id.hex()}" for signer in signers}
