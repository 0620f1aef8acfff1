"""Notes on evidence: what weakens a report or a launch measurement, independent of the catalog."""

from __future__ import annotations

from catalog.abi.report import HOST_REQUESTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from catalog.abi.guest_policy import SevPolicy
    from catalog.abi.report import AttestationReport


def report_notes(report: AttestationReport) -> list[str]:
    """Facts in a report that weaken what it proves, or what can be found of it."""
    notes = []
    if report.policy.debug:
        notes.append("the guest policy allows debugging: the host can read and change the guest's memory")
    if report.policy.migrate_ma:
        notes.append("the guest policy allows a migration agent, which can move the guest and has its secrets")
    if report.vmpl == HOST_REQUESTED:
        notes.append("this report was requested by the host, not by software in the guest")
    elif report.vmpl:
        notes.append(
            f"the report is of VMPL {report.vmpl}: something else, at VMPL 0, can be between it and the launch"
        )
    if report.signing_key == "VLEK":
        notes.append("the report is signed by a VLEK, a key of a cloud provider, whose firmware may not be public")
    return [*notes, *(note.text for note in report.unknown)]


FIRMWARE_NOT_PUBLIC = (
    "the report is of an Azure confidential VM: Microsoft publishes neither its firmware nor its launch digests, "
    "so no search can find the configuration"
)


def sev_policy_notes(policy: SevPolicy) -> list[str]:
    """What the guest policy of a SEV or SEV-ES guest allows the host to do."""
    notes = []
    if not policy.no_debug:
        notes.append("the guest policy allows debugging: the host can read and change the guest's memory")
    if not policy.no_key_sharing:
        notes.append("the guest policy allows other guests to share its memory key")
    if not policy.no_send:
        notes.append("the guest policy allows the guest to be sent to another platform")
    if unknown := policy.unknown_text("policy"):
        notes.append(unknown)
    return notes
