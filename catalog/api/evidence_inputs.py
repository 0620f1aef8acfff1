"""Evidence and certificates as a program has them: values, bytes, text, or paths of files."""

from __future__ import annotations

import os

from catalog.abi.digest import SEV_DIGEST_SIZE, SNP_DIGEST_SIZE, LaunchDigest
from catalog.abi.report import AttestationReport
from catalog.errors import UsageError, VerificationFailed
from catalog.evidence.evidence import Evidence, LaunchMeasureData
from catalog.evidence.sniff import MAX_EVIDENCE, sniff

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from catalog.ask.answer import Answer
    from catalog.endorse.certificate import Certificate
    from catalog.endorse.crl import RevocationList
    from catalog.endorse.report_checks import ReportChecks
    from catalog.endorse.tdx.collateral import Collateral

    CertificatesInput = bytes | str | os.PathLike[str] | Iterable[bytes | str | os.PathLike[str]]
    """Certificates in bytes, or in files or folders, which a str names."""

EvidenceInput = Evidence | LaunchDigest | AttestationReport | LaunchMeasureData | bytes | str | os.PathLike[str]
"""Evidence, in a value, in bytes or text, or in a file. A str is text, not a path."""


def evidence_of(given: EvidenceInput, *, with_tik: bool = False) -> Evidence:
    """Read evidence; 32 and 48 bytes are a launch digest, or with a TIK a launch measurement.

    Raises MalformedInput for a form that is not known, Unreadable for a file.
    """
    match given:
        case Evidence():
            return given
        case LaunchDigest():
            return Evidence("launch digest", given)
        case AttestationReport():
            return Evidence("attestation report", given)
        case LaunchMeasureData():
            return Evidence("launch measurement", given)
        case str():
            return sniff(given.encode("utf-8", "surrogateescape"), with_tik=with_tik)
        case bytes() if len(given) in (SEV_DIGEST_SIZE, SNP_DIGEST_SIZE) and with_tik:
            return Evidence("launch measurement", LaunchMeasureData(given[:32], given[32:] or None))
        case bytes() if len(given) in (SEV_DIGEST_SIZE, SNP_DIGEST_SIZE):
            return Evidence("launch digest", LaunchDigest(given))
        case bytes():
            return sniff(given, with_tik=with_tik)
    from pathlib import Path

    from catalog.files.inputs import read_file

    data = read_file(Path(given), limit=MAX_EVIDENCE, regular=True)
    return sniff(data, name=os.fspath(given), with_tik=with_tik)


def certificates_of(given: CertificatesInput, *, are_roots: bool = False) -> tuple[Certificate, ...]:
    """Read certificates.

    are_roots: raise UsageError for a certificate that cannot be a root.

    Raises MalformedInput for an invalid certificate, Unreadable for a file, UsageError for a file or folder without
    certificates.
    """
    found: list[Certificate] = []
    for one in [given] if isinstance(given, bytes | str | os.PathLike) else given:
        if isinstance(one, bytes):
            from catalog.endorse.certificates import parse_certificates

            found += parse_certificates(one)
        else:
            from pathlib import Path

            from catalog.files.certificate_inputs import read_certificates

            found += read_certificates(Path(one))
    if are_roots and found:
        from catalog.endorse.endorsement import check_root

        for certificate in found:
            check_root(certificate)
    return tuple(found)


def collateral_of(given: CertificatesInput) -> Collateral:
    """Read what is said of the platform of a quote; raises MalformedInput, Unreadable and UsageError as others here."""
    from catalog.endorse.tdx.collateral import Collateral
    from catalog.files.certificate_inputs import read_collateral

    several = [given] if isinstance(given, bytes | str | os.PathLike) else given
    return Collateral.joined(
        Collateral.parse(one) if isinstance(one, bytes) else read_collateral(one) for one in several
    )


def revocation_lists_of(given: CertificatesInput) -> tuple[RevocationList, ...]:
    """Read revocation lists; raises MalformedInput for an invalid one, Unreadable for a file."""
    found: list[RevocationList] = []
    for one in [given] if isinstance(given, bytes | str | os.PathLike) else given:
        from pathlib import Path

        from catalog.endorse.certificates import parse_revocation_lists
        from catalog.files.certificate_inputs import MAX_CERTIFICATES
        from catalog.files.inputs import read_file

        data = one if isinstance(one, bytes) else read_file(Path(one), limit=MAX_CERTIFICATES, regular=True)
        found += parse_revocation_lists(data)
    return tuple(found)


def checks_of(
    report_data: bytes | None,
    host_data: bytes | None,
    id_key_digest: bytes | None,
    policy: int | None,
    min_tcb: str | None,
) -> ReportChecks | None:
    """What is demanded of a report; None if nothing is. Raises UsageError for a value of the wrong type or size."""
    if (report_data, host_data, id_key_digest, policy, min_tcb) == (None,) * 5:
        return None
    from catalog.endorse.report_checks import HOST_DATA_SIZE, KEY_DIGEST_SIZE, REPORT_DATA_SIZE, MinTcb, ReportChecks

    for name, value, size in (
        ("report_data", report_data, REPORT_DATA_SIZE),
        ("host_data", host_data, HOST_DATA_SIZE),
        ("id_key_digest", id_key_digest, KEY_DIGEST_SIZE),
    ):
        if value is not None and not isinstance(value, bytes):
            raise UsageError(f"{name} has to be bytes, not {type(value).__name__}", "such as bytes.fromhex(text)")
        if value is not None and len(value) != size:
            raise UsageError(f"{name} has {len(value)} bytes, not {size}")
    if min_tcb is not None and not isinstance(min_tcb, str):
        raise UsageError(f"min_tcb has to be a str, not {type(min_tcb).__name__}", "such as 'bootloader=3,snp=8'")
    return ReportChecks(
        min_tcb=None if min_tcb is None else MinTcb.parse(min_tcb),
        policy=policy,
        report_data=report_data,
        host_data=host_data,
        id_key_digest=id_key_digest,
    )


def check_accepted(reply: Answer) -> None:
    """Raises VerificationFailed if the evidence is refused; without certificates, the hint says where AMD's are."""
    if reply.refused:
        from catalog.ask.verification import sources

        whose = "Intel has collateral" if reply.evidence.quote else "AMD has certificates"
        lacks = reply.endorsement is None or not reply.endorsement.complete
        urls = [one.url for one in sources(reply.evidence) if one.url] if lacks else []
        raise VerificationFailed(reply.refused, f"{whose} at {', '.join(urls)}" if urls else None)
