"""A tlog-policy with Ed25519 keys only, for tools that do not know ML-DSA-44.

Released Go tools refuse a policy with a key of another type. One of them (torchwood 0.9.0) demands the signatures of
every log that a policy names, so there is one `log` line.
"""

from __future__ import annotations

from collections.abc import Iterator

from catalog.errors import UsageError
from catalog.transparency.keys import SignatureType, VerifierKey
from catalog.transparency.policy import Group, Policy


def ed25519_policy(policy: Policy, *, all_log_signatures: bool) -> str:
    """The text of a policy that accepts exactly the sets of Ed25519 keys that `policy` accepts.

    all_log_signatures: whether every key of a log in the policy has to sign.

    Raises UsageError if no policy with one log and with Ed25519 keys only means the same.
    """
    log = _only_log(policy, all_log_signatures=all_log_signatures)
    writer = _Writer(policy)
    lines = [f"log {log}", *writer.lines()]
    quorum = policy.quorum and writer.names.get(policy.quorum)
    if policy.quorum and not quorum:
        raise UsageError(
            f"the quorum {policy.quorum} cannot be reached with Ed25519 keys only",
            "a group of k with both keys of each witness, instead of `all`; or a verifier that knows ML-DSA-44",
        )
    return "".join(f"{line}\n" for line in [*lines, f"quorum {quorum or 'none'}"])


def _only_log(policy: Policy, *, all_log_signatures: bool) -> VerifierKey:
    keys = [key for key in policy.logs if key.type is SignatureType.ED25519]
    if len({key.name for key in policy.logs}) > 1 or len(keys) > 1:
        raise UsageError(
            f"the policy has {len(policy.logs)} keys of logs, and other tools demand the signatures of all of them",
            "make a trust note for each log, with one Ed25519 key of it",
        )
    if not keys:
        raise UsageError("the log has no Ed25519 key", "ldcat keygen ORIGIN --algorithm hybrid makes one of each")
    if all_log_signatures and len(policy.logs) > 1:
        raise UsageError(
            "the trust note has `log-signatures all`, and other tools cannot verify the ML-DSA-44 signature",
            "verify with ldcat",
        )
    return keys[0]


class _Writer:
    """Writes the witnesses and groups of a policy.

    names: what each witness and group is called in the text; those that Ed25519 keys cannot satisfy are missing.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._taken = {"none", *policy.witnesses, *policy.groups}
        self.names: dict[str, str] = {}

    def lines(self) -> Iterator[str]:
        for name, key in self._policy.witnesses.items():
            if key.type is SignatureType.COSIGNATURE_ED25519 and not self._policy.is_of_log(key):
                self.names[name] = name
                yield f"witness {name} {key} {self._policy.witness_urls.get(name, '')}".rstrip()
        for name, group in self._policy.groups.items():
            yield from self._group(name, group)

    def _group(self, name: str, group: Group) -> Iterator[str]:
        """A group, after a group `any` for each of its voices that has several members."""
        voices = [[self.names[member] for member in voice if member in self.names] for voice in group.voices]
        voices = [voice for voice in voices if voice]
        if len(voices) < group.threshold:
            return
        members = []
        for voice in voices:
            if len(voice) > 1:
                members.append(self._new_name(name))
                yield f"group {members[-1]} any {' '.join(voice)}"
            else:
                members += voice
        self.names[name] = name
        how_many = "all" if group.threshold == len(members) else group.threshold
        yield f"group {name} {how_many} {' '.join(members)}"

    def _new_name(self, group: str) -> str:
        number = 1
        while f"{group}-{number}" in self._taken:
            number += 1
        self._taken.add(f"{group}-{number}")
        return f"{group}-{number}"
