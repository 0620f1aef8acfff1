"""Endorsement of an attestation report: is it signed by a VCEK or VLEK with a chain to AMD's root, for this platform.

All checks run; every result is reported, not only the first failure. Revocation is not looked up: nothing is fetched.
A root is trusted by its fingerprint, or because the caller gave it as a root; never because it came with the report.
Source: AMD 57230 (VCEK and VLEK certificates: chapter 3, extensions and signatures); SEV-SNP ABI (56860), 10.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from catalog.abi.report import ECDSA_P384_SHA384, SIGNED_SIZE, SIGNING_KEYS, AttestationReport
from catalog.abi.report_finding import Finding
from catalog.abi.tcb import TcbVersion, UnknownTcb
from catalog.errors import UsageError

AMD_ROOTS = {
    "69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd": "Milan",
    "4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1": "Genoa",
    "1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a": "Turin",
}
"""SHA-256 of the DER of AMD's root certificates (ARK), by product.

Source: the last certificate of https://kdsintf.amd.com/vcek/v1/Milan/cert_chain, .../Genoa/... and .../Turin/...;
.../vlek/v1/... has the same, and so has go-sev-guest in verify/trust/ask_ark_*.pem.
"""

_AMD = "1.3.6.1.4.1.3704.1."
_PRODUCT, _HARDWARE_ID, _PROVIDER = f"{_AMD}2", f"{_AMD}4", f"{_AMD}5"
_SPL = {
    "bootloader": f"{_AMD}3.1",
    "tee": f"{_AMD}3.2",
    "snp": f"{_AMD}3.3",
    "microcode": f"{_AMD}3.8",
    "fmc": f"{_AMD}3.9",
}
_INTEGER, _OCTET_STRING, _IA5_STRING = 0x02, 0x04, 0x16
_HARDWARE_ID_SIZES = (8, 64)
"""Bytes of a chip id: 64, or 8 since Turin."""

_PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA384()), salt_length=48)
"""The signature scheme of all AMD certificates."""

TrustedBy = Literal["amd", "given"]
"""Why a root is trusted: its fingerprint is one of AMD_ROOTS, or the caller gave it as a root."""


@dataclass(frozen=True, slots=True)
class Endorsement:
    """The result of all checks.

    root: product of the AMD root certificate at the end of the chain; None for any other root.
    trusted_by: why that root is trusted; None if it is not, or if the chain is broken.
    """

    findings: tuple[Finding, ...]
    root: str | None
    trusted_by: TrustedBy | None

    @property
    def verified(self) -> bool:
        """Whether no check failed."""
        return all(finding.passed is not False for finding in self.findings)


def verify_report(
    report: AttestationReport,
    certificates: Sequence[x509.Certificate],
    now: float,
    roots: Sequence[x509.Certificate] = (),
) -> Endorsement:
    """Check signature, chain, validity, product, chip and TCB of a report against certificates.

    certificates: from any source, such as the host; none of them is trusted.
    now: seconds since 1970.
    roots: roots that the caller trusts besides AMD's own; each has passed `check_root`.
    """
    key = report.signing_key
    if key == "none":
        return _refused("the report says that it is not signed")
    if key not in SIGNING_KEYS.values():
        return _refused("the report is signed by a key that is not known to this version")
    leaves = [certificate for certificate in certificates if _name(certificate) == f"SEV-{key}"]
    if not leaves:
        return _refused(f"no {key} certificate is given, and the report is signed by one")
    signers = [leaf for leaf in leaves if _has_signed(leaf, report)]
    leaf = (signers or leaves)[0]
    chain, ark = _chain(leaf, [*roots, *certificates], now, key)
    findings = [Finding("signature", bool(signers), _signed(report, key, bool(signers))), *chain]
    root, trusted_by = None, None
    if ark is not None:
        product, trusted = _trust(ark, roots)
        findings.append(Finding("root", trusted is not None, _whose(ark, product, trusted)))
        if all(finding.passed for finding in chain if finding.code == "chain"):
            root, trusted_by = product, trusted
    findings += [*_platform(report, leaf, key), Finding("revocation", None, "not looked up")]
    return Endorsement(tuple(findings), root, trusted_by)


def check_root(certificate: x509.Certificate) -> None:
    """Raises UsageError if a certificate cannot be a root: its name is not that of an ARK, it is not a CA, or it is not
    signed by itself.
    """
    name = _name(certificate) or ""
    if not name.startswith("ARK-"):
        raise UsageError(
            f"--root must be an ARK certificate, got {name!r}",
            "in AMD's cert_chain the ARK is the last certificate",
        )
    if not _may_sign(certificate):
        raise UsageError(f"{name!r} is not a CA certificate (basicConstraints)")
    if certificate.subject != certificate.issuer:
        raise UsageError(f"{name!r} is not self-signed: issuer and subject differ")
    if not _has_issued(certificate, certificate):
        raise UsageError(
            f"{name!r} has no valid RSASSA-PSS self-signature", "needed are SHA-384 and a salt of 48 bytes"
        )


def _refused(why: str) -> Endorsement:
    return Endorsement((Finding("signature", False, why),), None, None)


def _signed(report: AttestationReport, key: str, known: bool) -> str:
    """What is known of the signature. known: whether one of the certificates given has made it."""
    if report.signature_algorithm != ECDSA_P384_SHA384:
        return f"signature algorithm {report.signature_algorithm} is not known to this version"
    return f"of the report by the {key}" if known else f"none of the {key} certificates given has signed the report"


def _trust(ark: x509.Certificate, roots: Sequence[x509.Certificate]) -> tuple[str | None, TrustedBy | None]:
    """The product, if it is one of AMD's roots, and why it is trusted."""
    product = AMD_ROOTS.get(ark.fingerprint(hashes.SHA256()).hex())
    return product, "amd" if product else "given" if ark in roots else None


def _whose(ark: x509.Certificate, product: str | None, trusted: TrustedBy | None) -> str:
    given = "given" if trusted else "not given"
    whose = f"AMD's for {product}" if product else f"none of AMD's known here, and {given} as a root"
    return f"the ARK is {whose} (SHA-256 {ark.fingerprint(hashes.SHA256()).hex()})"


def _chain(
    leaf: x509.Certificate, certificates: Sequence[x509.Certificate], now: float, key: str
) -> tuple[list[Finding], x509.Certificate | None]:
    """Check the chain from the leaf up: each certificate is issued by the next, the last by itself, all are valid now.

    A given certificate is checked even if it is not the issuer. Gives the findings, and the ARK if one is given.
    """
    findings = [_validity(leaf, now, key)]
    child, child_name, line = leaf, key, _line(leaf.issuer)
    for name, prefix in (("ASK", "SEV-") if key == "VCEK" else ("ASVK", "SEV-VLEK-"), ("ARK", "ARK-")):
        right = [certificate for certificate in certificates if _name(certificate) == f"{prefix}{line}"]
        named = [certificate for certificate in right if certificate.subject == child.issuer]
        issuers = [certificate for certificate in named if _has_issued(certificate, child)]
        if issuers:
            findings.append(Finding("chain", True, f"the {child_name} is signed by the {name}, {_name(issuers[0])}"))
        else:
            why = "the one given has not signed it" if named else "none is given with the name of its issuer"
            findings.append(Finding("chain", False, f"the {child_name} is issued by an {name}: {why}"))
        found = [*issuers, *named, *right]
        if not found:
            return findings, None
        findings.append(_validity(found[0], now, name))
        child, child_name = found[0], name
    self_signed = child.subject == child.issuer and _has_issued(child, child)
    findings.append(Finding("chain", self_signed, f"the ARK is {'' if self_signed else 'not '}signed by itself"))
    return findings, child


def _line(name: x509.Name) -> str:
    """The product line that the name of an ASK, ASVK or ARK ends with."""
    return (_common_name(name) or "").rpartition("-")[2]


def _platform(report: AttestationReport, leaf: x509.Certificate, key: str) -> Iterator[Finding]:
    """Compare product, TCB and chip in the leaf certificate with those in the report."""
    product = (_extension(leaf, _PRODUCT, _IA5_STRING) or b"").decode("ascii", "replace")
    issuer = _line(leaf.issuer)
    line = product.partition("-")[0]
    if not line:
        yield Finding("product", False, f"the {key} names no product")
    else:
        yield Finding("product", line == issuer, f"the {key} is of {product}, issued for {issuer or 'none'}")
    if line and report.product:
        same = line == report.product.name
        yield Finding("product", same, f"the report is of {report.product.name}, the {key} of {product}")
    yield from _tcb(report.reported_tcb, leaf)
    if key == "VCEK":
        yield _chip(report, _hardware_id(leaf))
    else:
        provider = _extension(leaf, _PROVIDER, _IA5_STRING)
        named = provider.decode("ascii", "replace") if provider else None
        what = f"the VLEK was loaded by {named}" if named else "the VLEK names no provider"
        yield Finding("provider", named is not None, what)


def _tcb(tcb: TcbVersion | UnknownTcb, leaf: x509.Certificate) -> Iterator[Finding]:
    """Compare each part of the reported TCB with the certified one."""
    if isinstance(tcb, UnknownTcb):
        yield Finding("tcb", False, f"reported {tcb.raw.hex()}, in a layout that is not known to this version")
        return
    for part, oid in _SPL.items():
        value = _extension(leaf, oid, _INTEGER)
        reported = getattr(tcb, part)
        certified = None if value is None else int.from_bytes(value, "big")
        if (reported, certified) != (None, None):
            yield Finding("tcb", certified == reported, f"{part}: reported {reported}, certified {certified}")


def _chip(report: AttestationReport, hardware_id: bytes | None) -> Finding:
    if hardware_id is None:
        return Finding("chip", False, "the VCEK has no hardware ID")
    if not any(report.chip_id):
        return Finding("chip", None, "the report has no chip ID: the platform masks it")
    known = len(hardware_id) in _HARDWARE_ID_SIZES
    same = known and report.chip_id == hardware_id.ljust(len(report.chip_id), b"\0")
    return Finding("chip", same, f"the report is {'' if same else 'not '}of the chip that the VCEK is of")


def _validity(certificate: x509.Certificate, now: float, name: str) -> Finding:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    valid = start.timestamp() <= now <= end.timestamp()
    return Finding("validity", valid, f"the {name} is valid from {start:%Y-%m-%d} to {end:%Y-%m-%d}")


def _has_signed(leaf: x509.Certificate, report: AttestationReport) -> bool:
    key = leaf.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP384R1):
        return False
    if report.signature_algorithm != ECDSA_P384_SHA384:
        return False
    r, s = (int.from_bytes(half, "little") for half in report.signature)
    try:
        key.verify(encode_dss_signature(r, s), report.raw[:SIGNED_SIZE], ec.ECDSA(hashes.SHA384()))
    except InvalidSignature:
        return False
    return True


def _has_issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether the issuer is a CA, and has signed the certificate with AMD's signature scheme."""
    key = issuer.public_key()
    if not isinstance(key, rsa.RSAPublicKey) or not _may_sign(issuer):
        return False
    try:
        key.verify(certificate.signature, certificate.tbs_certificate_bytes, _PSS, hashes.SHA384())
    except InvalidSignature:
        return False
    return True


def _may_sign(issuer: x509.Certificate) -> bool:
    try:
        return issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _hardware_id(leaf: x509.Certificate) -> bytes | None:
    """The chip id, 64 bytes, or 8 since Turin: bare, as in older certificates, or in an OCTET STRING."""
    bare = _extension(leaf, _HARDWARE_ID, None)
    if bare is not None and len(bare) in _HARDWARE_ID_SIZES:
        return bare
    return _extension(leaf, _HARDWARE_ID, _OCTET_STRING)


def _extension(certificate: x509.Certificate, oid: str, tag: int | None) -> bytes | None:
    """The contents of an extension that is one short DER value with this tag; the whole extension if tag is None.

    None if there is no such extension, or it is not such a value.
    """
    try:
        found = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier(oid)).value
    except x509.ExtensionNotFound:
        return None
    data = found.value if isinstance(found, x509.UnrecognizedExtension) else b""
    if tag is None:
        return data
    if len(data) < 3 or data[0] != tag or data[1] != len(data) - 2:
        return None
    return data[2:]


def _name(certificate: x509.Certificate) -> str | None:
    return _common_name(certificate.subject)


def _common_name(name: x509.Name) -> str | None:
    common = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(common[0].value) if common else None
