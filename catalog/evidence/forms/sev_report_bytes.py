"""An attestation report of SEV or SEV-ES: 208 bytes, with the launch digest itself."""

from __future__ import annotations

from catalog.abi.sev_attestation import SevAttestationReport
from catalog.evidence.evidence import Evidence
from catalog.notes import Note

PEK_NOT_CHECKED = Note(
    "pek-not-checked",
    "the report is not verified: ldcat does not check the chain of its platform endorsement key (PEK)",
)


def read_sev_report(data: bytes) -> Evidence:
    """208 bytes, as ATTESTATION of the SEV API writes them. Raises MalformedInput for a key that is not the PEK."""
    report = SevAttestationReport.parse(data)
    return Evidence("attestation report of SEV or SEV-ES", report, notes=(PEK_NOT_CHECKED,))
