"""Findings about the policy of a trust note: keys that cannot be witnesses, and what its quorum depends on."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.operate.finding import Finding, error, note, warning
from catalog.transparency.policy import Policy

_K_OF_N = "require k of n witnesses of different operators: two or more, but not all"

_MEANT = "nothing, if that is intended"


def policy_findings(policy: Policy) -> Iterator[Finding]:
    """Yield findings about a policy. Errors are policies that cannot work; `ldcat trust init` refuses them."""
    for name, key in policy.witnesses.items():
        if policy.is_of_log(key):
            log = next(log for log in policy.logs if key.name == log.name or key.public_key == log.public_key)
            what = "public key" if key.public_key == log.public_key else "name"
            yield error(
                f"witness {name}",
                f"has the {what} of the log {log.name}, which cannot be its own witness: it never votes",
                "ldcat keygen --for witness, with another name",
            )
    yield from _shared_names(policy)
    if policy.quorum is not None:
        yield from _quorum_findings(policy, policy.quorum)


def _shared_names(policy: Policy) -> Iterator[Finding]:
    """Yield groups with several members that have keys of the same name."""
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
            what = f"{listed} are keys of one witness, {key_name}"
            if len(group.voices) < group.threshold:
                yield warning(f"group {name}", f"{what}: they count once", "name witnesses of different operators")
            elif len(group.voices) < len(group.members):
                yield note(f"group {name}", f"{what}: they count once", _MEANT)
            else:
                yield note(f"group {name}", f"{what}: each has to sign, but they are still one witness", _MEANT)


def _below(policy: Policy, name: str) -> set[str]:
    """The name of a witness or group, and the names of all its members, at any depth."""
    found = {name}
    for other, group in reversed(list(policy.groups.items())):  # members are defined above their group
        if other in found:
            found.update(group.members)
    return found


def _quorum_findings(policy: Policy, quorum: str) -> Iterator[Finding]:
    """Yield findings if the quorum is impossible, or depends on a single witness."""
    subject, keys = f"quorum {quorum}", list(policy.witnesses.values())
    if not policy.accepts(keys):
        yield error(
            subject,
            "is not reached even if all cosign: keys of one name are one witness, and a log is not a witness",
            _K_OF_N,
        )
        return
    names = dict.fromkeys(policy.witnesses[name].name for name in policy.witnesses if name in policy.quorum_members())
    alone = [name for name in names if policy.accepts([key for key in keys if key.name == name])]
    needed = [name for name in names if not policy.accepts([key for key in keys if key.name != name])]
    if alone:
        yield warning(
            subject,
            f"is reached by {' alone, or by '.join(alone)} alone: whoever has its keys can cosign a fork, or an old"
            " checkpoint",
            _K_OF_N,
        )
    if needed:
        yield warning(
            subject,
            f"is not reached without {', nor without '.join(needed)}: if it stops, the log becomes stale",
            _K_OF_N,
        )
