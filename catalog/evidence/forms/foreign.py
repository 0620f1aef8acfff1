"""What is no evidence that ldcat reads, but is recognised so that the error can name it.

Source: Intel TDX module ABI, REPORTTYPE; IGVM specification, file header.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalog.endorse.certificate_forms import certificates_of_members
from catalog.errors import MalformedInput


def tdx_in_hcl() -> MalformedInput:
    """The error for an Azure HCL blob with a report of Intel TDX."""
    return MalformedInput("the report in this Azure HCL blob is of Intel TDX, on a platform without public firmware")


def igvm_file() -> MalformedInput:
    """The error for an IGVM file."""
    return MalformedInput(
        "this is an IGVM file: an image to launch, not evidence of a launch",
        "ldcat inspect FILE shows its launch digest under each loader",
    )


def event_log() -> MalformedInput:
    """The error for an event log of a TD or a TPM."""
    return MalformedInput(
        "this is an event log, which nothing vouches for by itself, and no evidence of a launch",
        "ldcat explain --event-log FILE says which events of a TD are known",
    )


def refuse_proof(fields: Mapping[str, Any]) -> None:
    """Raises MalformedInput for a proof of `ldcat prove`, whose revocations may have the launch digests of others."""
    if str(fields.get("format")).startswith("ldcat-proof/"):
        raise MalformedInput(
            "this is a proof of what a log says of a launch digest, and no evidence of a launch",
            "ldcat verify-proof FILE verifies it",
        )


def foreign_json(fields: Mapping[str, Any]) -> MalformedInput | None:
    """The error for evidence of another technology in JSON; None for other JSON.

    Hygon CSV: attestation_report has none of the fields of a report of AMD, and the chain has a PEK, HSK or CEK
    (confidential-containers/trustee deps/verifier/test_data/csv_evidence.json).
    """
    report, chain = fields.get("attestation_report"), fields.get("cert_chain")
    is_other = isinstance(report, dict) and not report.keys() & {"version", "policy", "signature"}
    if is_other and isinstance(chain, dict) and chain.keys() & {"pek", "hsk", "cek", "hsk_cek"}:
        return MalformedInput(
            "this is evidence of Hygon CSV: its attestation_report has no version, policy and signature of AMD SEV",
            "ldcat knows launch digests of AMD SEV only",
        )
    if fields.keys() >= {"MetadataItems", "OVMFHash"}:
        return MalformedInput(
            "this is firmware metadata of sev-snp-measure-go, and is no evidence",
            "write a firmware record from it, and give that to ldcat measure: docs/firmware.md",
        )
    if certificates_of_members(fields):
        return MalformedInput("this JSON has certificates, and no report", "give it with the report: --certs FILE")
    return None
