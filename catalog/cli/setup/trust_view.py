"""What `ldcat trust show` shows of a trust note: for people, and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.errors import UsageError
from catalog.terminal import render
from catalog.terminal.moments import moment

if TYPE_CHECKING:  # cryptography takes long to load
    from catalog.transparency.keys import VerifierKey
    from catalog.transparency.policy import Policy
    from catalog.transparency.trust import Trust


def trust_record(trust: Trust) -> dict[str, object]:
    """The JSON of `ldcat trust show --format json` (docs/command-line.md)."""
    policy = trust.policy
    return {
        "version": trust.version,
        "expires": trust.expires,
        "max_age": trust.max_age,
        "threshold": trust.threshold,
        "log_signatures": "all" if trust.all_log_signatures else "any",
        "roots": {role: str(key) for role, key in trust.roots.items()},
        "logs": [str(key) for key in policy.logs],
        "witnesses": {name: str(key) for name, key in policy.witnesses.items()},
        "witness_urls": dict(policy.witness_urls),
        "groups": {
            name: {"threshold": group.threshold, "members": list(group.members)}
            for name, group in policy.groups.items()
        },
        "quorum": policy.quorum,
    }


def trust_facts(trust: Trust) -> list[tuple[str, object]]:
    """Names and values for people. Keys are shown by name, ID and type; the note and JSON have them whole."""

    def named(key: VerifierKey) -> str:
        return f"{key.name}+{key.key_id.hex()} ({key.type.title})"

    policy = trust.policy
    facts: list[tuple[str, object]] = [("version", trust.version), ("expires", moment(trust.expires))]
    facts += [("max age", f"{trust.max_age} seconds"), ("threshold", f"{trust.threshold} of {len(trust.roots)} roots")]
    facts += [(f"root {role}", named(key)) for role, key in trust.roots.items()]
    facts += [("log", named(key)) for key in policy.logs]
    if trust.all_log_signatures:
        facts.append(("log signatures", "all that are named"))
    for name, key in policy.witnesses.items():
        facts.append((f"witness {name}", f"{named(key)} {policy.witness_urls.get(name, '')}".rstrip()))
    for name, group in policy.groups.items():
        facts.append((f"group {name}", f"{group.threshold} of {', '.join(group.members)}"))
    return [*facts, ("quorum", policy.quorum or "none")]


def report_policy(policy: Policy, *, quiet: bool) -> None:
    """Print warnings and notes about a policy; raises UsageError if it cannot work."""
    from catalog.operate.doctor_policy import policy_findings
    from catalog.operate.finding import Severity

    found = list(policy_findings(policy))
    for finding in found:
        if finding.severity is Severity.ERROR:
            raise UsageError(f"the policy: {finding.subject}: {finding.what}", finding.advice)
    for finding in found:
        text = f"the policy: {finding.subject}: {finding.what}; {finding.advice}"
        if finding.severity is Severity.WARNING:
            render.warning(text)
        elif not quiet:
            render.note(text)


def print_policy(trust: Trust, *, ed25519_only: bool) -> None:
    """Print the tlog-policy of a trust note, and what it cannot say; raises as `ed25519_policy`."""
    from catalog.transparency.ed25519_policy import ed25519_policy

    text = trust.policy_text
    if ed25519_only:
        text = ed25519_policy(trust.policy, all_log_signatures=trust.all_log_signatures)
    render.exact(text.rstrip("\n"))
    lost = f"that the trust note expires, nor that a checkpoint is stale after {trust.max_age} seconds"
    demand = ", nor that all keys of the log have to sign" if trust.all_log_signatures else ""
    render.note(f"a policy does not say {lost}{demand}")
