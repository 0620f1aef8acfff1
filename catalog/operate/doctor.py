"""The doctor: current and upcoming problems of a published log and its trust note."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.errors import LdcatError
from catalog.log.log_folder import CHECKPOINT, LastCheckpoint, LogFolder, no_log
from catalog.log.log_walk import LogWalk
from catalog.log.records import ReleaseRecord
from catalog.operate.doctor_log import (
    leftover_findings,
    memory_findings,
    read_last_leaf,
    record_findings,
    release_findings,
)
from catalog.operate.doctor_packs import pack_findings
from catalog.operate.doctor_policy import policy_findings
from catalog.operate.doctor_signers import (
    Signatures,
    freshness_findings,
    policy_keys,
    request_findings,
    signer_findings,
)
from catalog.operate.doctor_trust import trust_findings, version_findings
from catalog.operate.finding import Finding, error, is_healthy
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.note import Note, Verified
from catalog.transparency.trust import Trust


@dataclass(frozen=True, slots=True)
class Examination:
    """The result of examining a log.

    trust: the trust note that it was examined with.
    checkpoint: the published checkpoint; None if it cannot be read.
    release: the last release record; None if it cannot be read.
    signers: keys of the policy whose signatures are valid.
    findings: what was found.
    """

    trust: Trust
    checkpoint: Checkpoint | None
    release: ReleaseRecord | None
    signers: tuple[Verified, ...]
    findings: tuple[Finding, ...]


def examine(
    log: LogFolder,
    trust_note: Note,
    signed: Mapping[str, LastCheckpoint],
    *,
    compares: bool = True,
    now: int,
    walk: LogWalk | None = None,
) -> Examination:
    """Examine a log. Any fault of the log is a finding. Raises MalformedInput for an invalid trust note.

    signed: the checkpoint of each log that this machine signed last, by origin.
    compares: whether it does not matter that this machine signed nothing: it does not publish here, or a host is asked.
    now: seconds since 1970.
    walk: a walk over the leaves of the log that has ended; None: they are read here.
    """
    trust = Trust.parse(trust_note.text)
    findings = [*trust_findings(trust_note, trust, now), *policy_findings(trust.policy)]
    published, checkpoint = _published(log, signed, findings)
    signers: tuple[Verified, ...] = ()
    release = None
    if published and checkpoint:
        last = read_last_leaf(log, checkpoint)
        release = last.release
        signers = Signatures.of(published, policy_keys(trust)).right
        findings += signer_findings(published, checkpoint, trust)
        findings += request_findings(published, checkpoint, trust)
        findings += freshness_findings(signers, release.time if release else None, trust, now)
        findings += last.findings
        if release:
            findings += version_findings(release, trust)
            own = [*release_findings(log, release), *record_findings(log, checkpoint, trust, now, walk)]
            findings += own
            if is_healthy((*last.findings, *own)):  # files that are damaged say nothing about a pack of them
                findings += pack_findings(log, checkpoint)
    for origin, memory in signed.items():
        if log.is_here if checkpoint is None else checkpoint.origin == origin:
            findings += memory_findings(log, checkpoint, origin, memory, compares=compares)
    findings += leftover_findings(log, release)
    return Examination(trust, checkpoint, release, signers, tuple(findings))


def examination_to_dict(found: Examination, host: Sequence[Finding], now: int) -> dict[str, Any]:
    """The JSON of `ldcat doctor` (docs/command-line.md). host: findings about the static host, if one was checked."""
    findings = (*found.findings, *host)
    checkpoint, release = found.checkpoint, found.release
    return {
        "healthy": is_healthy(findings),
        "checkpoint": checkpoint and checkpoint.to_dict(),
        "release": release
        and {"release": release.release, "time": release.time, "trust_version": release.trust_version},
        "trust": {
            "version": found.trust.version,
            "expires": found.trust.expires,
            "max_age": found.trust.max_age,
            "quorum": found.trust.policy.quorum,
        },
        "signers": [
            {
                "name": signer.key.name,
                "key_id": signer.key.key_id.hex(),
                "algorithm": signer.key.type.title,
                "timestamp": signer.timestamp,
                "age": None if signer.timestamp is None else now - signer.timestamp,
            }
            for signer in found.signers
        ],
        "findings": [
            {
                "severity": finding.severity.value,
                "subject": finding.subject,
                "what": finding.what,
                "advice": finding.advice,
            }
            for finding in findings
        ],
    }


def _published(
    log: LogFolder, signed: Mapping[str, LastCheckpoint], findings: list[Finding]
) -> tuple[Note | None, Checkpoint | None]:
    """The published checkpoint, unverified. Faults are added to the findings."""
    try:
        found = log.checkpoint()
        if found is not None:
            return found, Checkpoint.parse(found.text)
    except LdcatError as failure:
        advice = "restore it; this machine remembers what it signed last"
        findings.append(error(CHECKPOINT, str(failure), advice if log.is_here else "look at the host, and at the URL"))
        return None, None
    advice = no_log(log, signed.values()).hint or ""
    findings.append(error(CHECKPOINT, "nothing is published here", advice))
    return None, None
