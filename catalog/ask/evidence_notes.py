"""Notes on evidence: what weakens a report or a launch measurement, independent of the catalog."""

from __future__ import annotations

from catalog.abi.report import HOST_REQUESTED
from catalog.notes import Note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from catalog.abi.guest_policy import SevPolicy, SnpPolicy
    from catalog.abi.report import AttestationReport
    from catalog.evidence.evidence import Evidence

_DEBUG = "the guest policy allows debugging: the host can read and change the guest's memory"


def notes_on(evidence: Evidence) -> list[Note]:
    """What weakens evidence: what it says about itself, then how it was read. Launch measurements have theirs apart."""
    if evidence.report:
        return [*report_notes(evidence.report), *evidence.notes]
    if evidence.td:
        from catalog.ask.tdx.td_notes import td_notes

        return [*td_notes(evidence.td), *evidence.notes]
    from catalog.abi.guest_policy import SevPolicy, SnpPolicy

    if evidence.sev_report:
        return [*sev_policy_notes(SevPolicy.parse(evidence.sev_report.policy)), *evidence.notes]
    if evidence.id_block:
        policy = SnpPolicy.parse(evidence.id_block.policy)
        text = policy.unknown_text("policy")
        unknown = [Note("policy-bit-unknown", text)] if text else []
        return [*snp_policy_notes(policy), *unknown, *evidence.notes]
    return list(evidence.notes)


REPORT_NOT_VERIFIED = Note(
    "report-not-verified",
    "the signature of the report was not verified, so anyone can have written it: ldcat lookup --certs verifies it",
)
"""The note if evidence is compared with a proof alone."""


def unverified_notes(evidence: Evidence) -> list[Note]:
    """What weakens evidence of which nothing but the launch digest is compared with something."""
    return [*([REPORT_NOT_VERIFIED] if evidence.verifiable else []), *notes_on(evidence)]


def snp_policy_notes(policy: SnpPolicy) -> list[Note]:
    """What the guest policy of a SEV-SNP guest allows the host to do."""
    notes = []
    if policy.debug:
        notes.append(Note("debug-allowed", _DEBUG))
    if policy.migrate_ma:
        text = "the guest policy allows a migration agent, which can move the guest and has its secrets"
        notes.append(Note("migration-agent-allowed", text))
    return notes


def report_notes(report: AttestationReport) -> list[Note]:
    """Facts in a report that weaken what it proves, or what can be found of it."""
    notes = snp_policy_notes(report.policy)
    if report.vmpl == HOST_REQUESTED:
        text = "this report was requested by the host, not by software in the guest"
        notes.append(Note("requested-by-host", text))
    elif report.vmpl:
        text = f"the report is of VMPL {report.vmpl}: something else, at VMPL 0, can be between it and the launch"
        notes.append(Note("vmpl-above-0", text))
    if report.signing_key == "VLEK":
        text = "the report is signed by a VLEK, a key of a cloud provider, whose firmware may not be public"
        notes.append(Note("signed-by-vlek", text))
    return [*notes, *report.unknown]


FIRMWARE_NOT_PUBLIC = Note(
    "firmware-not-public",
    "the report is of an Azure confidential VM: Microsoft publishes neither its firmware nor its launch digests, "
    "so no search can find the configuration",
)


def sev_policy_notes(policy: SevPolicy) -> list[Note]:
    """What the guest policy of a SEV or SEV-ES guest allows the host to do."""
    notes = []
    if not policy.no_debug:
        notes.append(Note("debug-allowed", _DEBUG))
    if not policy.no_key_sharing:
        notes.append(Note("key-sharing-allowed", "the guest policy allows other guests to share its memory key"))
    if not policy.no_send:
        text = "the guest policy allows the guest to be sent to another platform"
        notes.append(Note("sending-allowed", text))
    if unknown := policy.unknown_text("policy"):
        notes.append(Note("policy-bit-unknown", unknown))
    return notes
