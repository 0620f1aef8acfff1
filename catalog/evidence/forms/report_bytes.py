"""An attestation report as bytes: alone, in a MSG_REPORT_RSP, in an Azure HCL blob, or followed by its certificates."""

from __future__ import annotations

from catalog.abi.report import REPORT_SIZE, AttestationReport
from catalog.evidence.evidence import HCL_FORM, Evidence

HEADER = 0x20
"""Bytes before the report in a MSG_REPORT_RSP (SEV-SNP ABI, 7.3) and in an Azure HCL blob."""


def read_report(data: bytes) -> Evidence:
    """1,184 bytes. Raises MalformedInput for what cannot be a report."""
    return Evidence("attestation report", AttestationReport.parse(data))


def read_response(data: bytes) -> Evidence:
    """A MSG_REPORT_RSP, as /dev/sev-guest returns it. Raises MalformedInput for what cannot be a report."""
    report = AttestationReport.parse(data[HEADER : HEADER + REPORT_SIZE])
    return Evidence("attestation report in a MSG_REPORT_RSP", report)


def read_hcl(data: bytes) -> Evidence:
    """An Azure HCL blob; its runtime claims, which REPORT_DATA has the hash of, are behind the report.

    Raises MalformedInput for what cannot be a report.
    """
    return Evidence(HCL_FORM, AttestationReport.parse(data[HEADER : HEADER + REPORT_SIZE]))


def read_extended(data: bytes) -> Evidence:
    """A report followed by its certificate table: an extended report, or outblob and auxblob of configfs-tsm.

    Raises MalformedInput for what cannot be a report, and for an invalid table.
    """
    from catalog.endorse.certificate_forms import certificate_table

    certificates = tuple(certificate_table(data[REPORT_SIZE:]))
    table = "its certificate table" if certificates else "a certificate table without certificates"
    form = f"attestation report followed by {table}"
    return Evidence(form, AttestationReport.parse(data[:REPORT_SIZE]), certificates)
