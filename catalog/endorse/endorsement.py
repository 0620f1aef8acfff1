"""Endorsement of an attestation report: is it signed by a VCEK or VLEK with a chain to AMD's root, for this platform.

All checks run; every result is reported, not only the first failure. Nothing is fetched. A root is trusted by its
fingerprint, or because the caller gave it as a root; never because it came with the report.
Source: AMD 57230 (VCEK and VLEK certificates: chapter 3, extensions and signatures); SEV-SNP ABI (56860), 10.
"""

from __future__ import annotations

from catalog.abi.report import ECDSA_P384_SHA384, SIGNED_SIZE, AttestationReport
from catalog.endorse.certificate import Certificate, P256Key
from catalog.endorse.certificate_signatures import has_signed, has_signed_p384, sha256
from catalog.endorse.crl import RevocationList
from catalog.endorse.crl_findings import find_revocation
from catalog.endorse.platform_findings import platform_findings, product_line
from catalog.endorse.report_finding import Finding, validity_finding
from catalog.errors import UsageError
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    TrustedBy = Literal["amd", "intel", "given"]

AMD_ROOTS = {
    "69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd": "Milan",
    "4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1": "Genoa",
    "1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a": "Turin",
}
"""SHA-256 of the DER of AMD's root certificates (ARK), by product.

Source: the last certificate of https://kdsintf.amd.com/vcek/v1/Milan/cert_chain, .../Genoa/... and .../Turin/...;
.../vlek/v1/... has the same, and so has go-sev-guest in verify/trust/ask_ark_*.pem.
"""

_MOST_LEAVES, _MOST_ISSUERS = 256, 32
"""Certificates of one name that are tried as the signer: anybody can add more to a table. A folder may have all VCEKs
of a fleet; to verify a report takes less than to verify a certificate.
"""

_MIDDLE = {"VCEK": ("ASK", "SEV-"), "VLEK": ("ASVK", "SEV-VLEK-")}
"""The key that issues a signing key, and what its name begins with."""


class Endorsement(Value):
    """The result of all checks.

    root: product of the AMD root certificate at the end of the chain, or the name of Intel's; None for any other root.
    trusted_by: `amd` or `intel` if its fingerprint is a known one, `given` if the caller gave it as a root; None if it
    is not trusted, or if the chain is broken.
    complete: False if nothing that was given says what the TCB of the platform is worth.
    """

    findings: tuple[Finding, ...]
    root: str | None
    trusted_by: TrustedBy | None
    complete: bool = True

    @property
    def failed(self) -> bool:
        """Whether a check failed."""
        return any(finding.passed is False for finding in self.findings)

    @property
    def verified(self) -> bool:
        """Whether no check failed, and all were made that decide."""
        return self.complete and not self.failed


def verify_report(
    report: AttestationReport,
    certificates: Sequence[Certificate],
    now: float,
    roots: Sequence[Certificate] = (),
    lists: Sequence[RevocationList] = (),
    *,
    strict: bool = False,
) -> Endorsement:
    """Check signature, chain, validity, root, product, TCB, chip and revocation of a report against certificates.

    certificates, lists: from any source, such as the host; none of them is trusted.
    now: seconds since 1970.
    roots: roots that the caller trusts besides AMD's own; each has passed `check_root`.
    strict: what cannot be compared is a failure.
    """
    key = report.signing_key
    if key == "none":
        return _refused("the report says that it is not signed")
    if key not in _MIDDLE:
        return _refused("the report is signed by a key that is not known to this version")
    leaves = [one for one in certificates if one.subject_name == f"SEV-{key}"]
    if not leaves:
        return _refused(f"no {key} certificate is given, and the report is signed by one")
    signer = next((one for one in leaves[:_MOST_LEAVES] if _has_signed(one, report)), None)
    leaf = signer or leaves[0]
    chain = _chain(leaf, [*roots, *certificates], now, key)
    root, trusted_by = None, None
    findings = [Finding("signature", signer is not None, _by_whom(report, signer, leaves)), *chain.findings]
    if chain.ark is not None:
        product, trusted = _trust(chain.ark, roots)
        findings.append(Finding("root", trusted is not None, _whose(chain.ark, product, trusted)))
        if chain.whole:
            root, trusted_by = product, trusted
    findings += platform_findings(report, leaf, key, strict=strict)
    middle = chain.middle if chain.whole else None
    findings.append(find_revocation(lists, chain.ark, middle, _MIDDLE[key][0], now))
    return Endorsement(tuple(findings), root, trusted_by)


def check_root(certificate: Certificate) -> None:
    """Raises UsageError if a certificate cannot be a root: it is neither named as an ARK nor has a key on P-256, as
    Intel's has; it is not a CA; or it is not signed by itself.
    """
    name = certificate.subject_name or ""
    of_intel = isinstance(certificate.key, P256Key)
    if not name.startswith("ARK-") and not of_intel:
        raise UsageError(
            f"--root must be an ARK certificate, got {name!r}",
            "in AMD's cert_chain the ARK is the last certificate",
        )
    if not certificate.may_sign:
        raise UsageError(f"{name!r} is not a CA certificate (basicConstraints, keyUsage)")
    if certificate.subject != certificate.issuer:
        raise UsageError(f"{name!r} is not self-signed: issuer and subject differ")
    if not has_signed(certificate.key, certificate.signed):
        if of_intel:
            raise UsageError(f"{name!r} has no valid ECDSA self-signature", "needed are P-256 and SHA-256")
        raise UsageError(
            f"{name!r} has no valid RSASSA-PSS self-signature", "needed are SHA-384 and a salt of 48 bytes"
        )


def _refused(why: str) -> Endorsement:
    return Endorsement((Finding("signature", False, why),), None, None)


def _has_signed(leaf: Certificate, report: AttestationReport) -> bool:
    if report.signature_algorithm != ECDSA_P384_SHA384:
        return False
    return has_signed_p384(leaf.key, report.signature, report.raw[:SIGNED_SIZE])


def _by_whom(report: AttestationReport, signer: Certificate | None, leaves: Sequence[Certificate]) -> str:
    key = report.signing_key
    if report.signature_algorithm != ECDSA_P384_SHA384:
        return f"signature algorithm {report.signature_algorithm} is not known to this version"
    if signer:
        return f"of the report by the {key}"
    tried = "" if len(leaves) <= _MOST_LEAVES else f" (the first {_MOST_LEAVES:,} of {len(leaves):,} were tried)"
    return f"none of the {key} certificates given has signed the report{tried}"


def _trust(ark: Certificate, roots: Sequence[Certificate]) -> tuple[str | None, TrustedBy | None]:
    """The product, if it is one of AMD's roots, and why it is trusted."""
    product = AMD_ROOTS.get(_fingerprint(ark))
    return product, "amd" if product else "given" if any(ark.der == root.der for root in roots) else None


def _whose(ark: Certificate, product: str | None, trusted: TrustedBy | None) -> str:
    given = "but given" if trusted else "nor given"
    whose = f"AMD's for {product}" if product else f"not one of AMD's, {given} as a root"
    return f"the ARK is {whose} (SHA-256 {_fingerprint(ark)})"


def _fingerprint(certificate: Certificate) -> str:
    return sha256(certificate.der).hex()


class _Chain(Value):
    """middle: the ASK or ASVK. ark: the root. Both are None if none is given, and may be of a broken chain."""

    findings: tuple[Finding, ...]
    middle: Certificate | None = None
    ark: Certificate | None = None

    @property
    def whole(self) -> bool:
        """Whether each certificate is issued by the next, up to the ARK; it is not if one is missing."""
        return all(one.passed for one in self.findings if one.code == "chain")


def _chain(leaf: Certificate, certificates: Sequence[Certificate], now: float, key: str) -> _Chain:
    """Check the chain from the leaf up: each certificate is issued by the next, the last by itself, all are valid now.

    A given certificate is checked even if it is not the issuer.
    """
    findings = [validity_finding(leaf, key, now)]
    if not leaf.understood:
        findings.append(Finding("chain", False, f"the {key} has a critical extension that is unknown here"))
    child, child_name, line = leaf, key, product_line(leaf.issuer_name)
    above: list[Certificate] = []
    for name, prefix in (_MIDDLE[key], ("ARK", "ARK-")):
        right = [one for one in certificates if one.subject_name == f"{prefix}{line}"]
        named = [one for one in right if one.subject == child.issuer]
        issuer = next((one for one in named[:_MOST_ISSUERS] if _has_issued(one, child)), None)
        if issuer:
            findings.append(Finding("chain", True, f"the {child_name} is signed by the {name}, {issuer.subject_name}"))
        else:
            why = f"not signed by the {name} given" if named else f"issued by an {name} that is not given"
            findings.append(Finding("chain", False, f"the {child_name} is {why}"))
        if not right:
            return _Chain(tuple(findings), *above)
        child, child_name = issuer or (named or right)[0], name
        above.append(child)
        findings.append(validity_finding(child, name, now))
    self_signed = child.subject == child.issuer and _has_issued(child, child)
    findings.append(Finding("chain", self_signed, f"the ARK is {'' if self_signed else 'not '}signed by itself"))
    return _Chain(tuple(findings), *above)


def _has_issued(issuer: Certificate, certificate: Certificate) -> bool:
    """Whether the issuer is a CA, and has signed the certificate with AMD's signature scheme."""
    return issuer.may_sign and has_signed(issuer.key, certificate.signed)
