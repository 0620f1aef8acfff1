"""What is wrong, or unwise, with the policy of a trust note: who is no witness, and what its quorum rests on."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.operate.finding import Finding, error, note, warning
from catalog.transparency.policy import Policy

_K_OF_N = "demand k of n witnesses of different operators: two or more, and fewer than there are"

_MEANT = "nothing has to be done if that is meant"


def policy_findings(policy: Policy) -> Iterator[Finding]:
    """Errors are policies that cannot do what they say; `ldcat trust init` refuses these."""
    for name, key in policy.witnesses.items():
        if policy.is_of_log(key):
            log = next(log for log in policy.logs if key.name == log.name or key.public_key == log.public_key)
            what = "public key" if key.public_key == log.public_key else "name"
            yield error(
                f"witness {name}",
                f"has the {what} of the log {log.name}, which does not vouch for itself: it is never a vote",
                "ldcat keygen --for witness, with another name",
            )
    yield from _shared_names(policy)
    if policy.quorum is not None:
        yield from _quorum_findings(policy, policy.quorum)


def _shared_names(policy: Policy) -> Iterator[Finding]:
    """Groups of which several members rest on keys of one name."""
    lines: dict[str, set[str]] = {}
    for name, key in policy.witnesses.items():
        lines.setdefault(key.name, set()).add(name)
    several = [pair for pair in lines.items() if len(pair[1]) > 1]
    for name, group in policy.groups.items():
        below = [_below(policy, member) for member in group.members]
        for key_name, named in several:
            sharing = [one for one in below if not one.isdisjoint(named)]
            if group.threshold == 1 or len(sharing) < 2:
                continue
            there = named & set().union(*sharing)
            listed = " and ".join(witness for witness in policy.witnesses if witness in there)
            said = f"{listed} are keys of one witness, {key_name}"
            if len(group.voices) < group.threshold:
                yield warning(f"group {name}", f"{said}: they count once", "name witnesses of different operators")
            elif len(group.voices) < len(group.members):
                yield note(f"group {name}", f"{said}: they count once", _MEANT)
            else:
                yield note(f"group {name}", f"{said}: each has to sign, and they stay one witness", _MEANT)


def _below(policy: Policy, name: str) -> set[str]:
    """The name, and those of all that it is made of."""
    found = {name}
    for other, group in reversed(list(policy.groups.items())):  # what a group is made of stands above it
        if other in found:
            found.update(group.members)
    return found


def _quorum_findings(policy: Policy, quorum: str) -> Iterator[Finding]:
    """What one witness can do to the quorum, by having a part in it or none."""
    subject, keys = f"quorum {quorum}", list(policy.witnesses.values())
    if not policy.accepts(keys):
        yield error(
            subject, "is not reached even if all cosign: keys of one name are one witness, and a log is none", _K_OF_N
        )
        return
    names = dict.fromkeys(policy.witnesses[name].name for name in policy.witnesses if name in policy.quorum_members())
    alone = [name for name in names if policy.accepts([key for key in keys if key.name == name])]
    needed = [name for name in names if not policy.accepts([key for key in keys if key.name != name])]
    if alone:
        yield warning(
            subject,
            f"is reached by {' alone, or by '.join(alone)} alone: who has its keys can vouch for a fork, and for an old"
            " checkpoint",
            _K_OF_N,
        )
    if needed:
        yield warning(
            subject,
            f"is not reached without {', nor without '.join(needed)}: once that is gone, the log goes stale",
            _K_OF_N,
        )
