"""IntelChain: from a PCK or TCB signing certificate up to Intel's root, each step with its findings.

Source: Intel SGX PCK Certificate and CRL Profile Specification, 1.3 and 1.4.
"""

from __future__ import annotations

from catalog.endorse.certificate import Certificate
from catalog.endorse.certificate_signatures import has_signed, sha256
from catalog.endorse.crl import RevocationList
from catalog.endorse.report_finding import Finding, validity_finding
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from catalog.endorse.endorsement import TrustedBy

INTEL_ROOT = "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3"
"""SHA-256 of the DER of Intel's root certificate, `Intel SGX Root CA`.

Source: google/go-tdx-guest, verify/trusted_root.pem; Phala-Network/dcap-qvl, src/TrustedRootCA.der.
"""

ROOT_NAME, PCK_NAME, TCB_SIGNING = "Intel SGX Root CA", "Intel SGX PCK Certificate", "Intel SGX TCB Signing"
_MOST_ABOVE = 2
"""Certificates above a leaf: a CA for PCK certificates, and the root."""

_MOST_ISSUERS = 32
"""Certificates of one name that are tried as the issuer: anybody can add more."""

_MOST_LISTS = 16
"""Revocation lists of one issuer whose signature is verified."""


class IntelChain(Value):
    """A certificate and those above it, the root last; without those that are missing.

    findings: on each step: `chain`, `validity` and `root`.
    trusted_by: `intel` for Intel's root, `given` for one that the caller trusts; None for another, or a broken chain.
    """

    certificates: tuple[Certificate, ...]
    findings: tuple[Finding, ...]
    trusted_by: TrustedBy | None

    @classmethod
    def build(
        cls, leaf: Certificate, name: str, given: Sequence[Certificate], roots: Sequence[Certificate], now: float
    ) -> IntelChain:
        """Check the chain from a leaf up. name: what findings call the leaf. now: seconds since 1970."""
        found, findings = [leaf], [validity_finding(leaf, name, now)]
        if not leaf.understood:
            findings.append(Finding("chain", False, f"the {name} has a critical extension that is unknown here"))
        child, called = leaf, name
        for _ in range(_MOST_ABOVE):
            if child.subject == child.issuer:
                break
            issuer = _issuer(child, [*roots, *given])
            above = child.issuer_name or "a certificate without a name"
            if issuer is None:
                findings.append(Finding("chain", False, f"the {called} is issued by {above}, which is not given"))
                return cls(tuple(found), tuple(findings), None)
            findings += [
                Finding("chain", True, f"the {called} is signed by {above}"),
                validity_finding(issuer, above, now),
            ]
            found.append(issuer)
            child, called = issuer, above
        self_signed = len(found) > 1 and _has_issued(child, child)
        findings.append(Finding("chain", self_signed, f"{called} is {'' if self_signed else 'not '}signed by itself"))
        trusted = _trusted(child, roots)
        findings.append(Finding("root", trusted is not None, _whose(child, trusted)))
        whole = all(one.passed for one in findings if one.code == "chain")
        return cls(tuple(found), tuple(findings), trusted if whole else None)

    def revocation(self, lists: Sequence[RevocationList], name: str, now: float, *, strict: bool = False) -> Finding:
        """Whether any certificate below the root is revoked by the newest list of its issuer.

        lists: from any source; none is trusted. strict: without any it fails.
        """
        if not lists:
            return Finding("revocation", False if strict else None, f"the {name} is not looked up: no CRL is given")
        if self.trusted_by is None:
            return Finding("revocation", False, f"the {name} is not looked up: its chain reaches no trusted root")
        failed = next(self._revoked(lists, now), None)
        return failed or Finding("revocation", True, f"no certificate from the {name} to the root is in a CRL")

    def _revoked(self, lists: Sequence[RevocationList], now: float) -> Iterator[Finding]:
        for child, issuer in zip(self.certificates, self.certificates[1:], strict=False):
            if why := _why_revoked(child, issuer, lists, now):
                yield Finding("revocation", False, why)


def _why_revoked(child: Certificate, issuer: Certificate, lists: Sequence[RevocationList], now: float) -> str | None:
    """Why no list of its issuer clears a certificate; None if one does."""
    by = issuer.subject_name
    named = [one for one in lists if one.signed.issuer == issuer.subject]
    named = list({one.signed.data: one for one in named}.values())
    if len(named) > _MOST_LISTS:
        return f"more than {_MOST_LISTS} CRLs of {by} are given: give the newest"
    ours = [one for one in named if issuer.may_revoke and has_signed(issuer.key, one.signed)]
    if not ours:
        return f"the CRL of {by} is not signed by it" if named else f"no CRL given is of {by}"
    newest = max(ours, key=lambda one: one.this_update.seconds)
    since, until = newest.this_update, newest.next_update
    if not newest.understood:
        return f"the CRL of {by} has a critical extension that is unknown here"
    if until is None or not since.seconds <= now <= until.seconds:
        return f"the CRL of {by} is valid from {since.day} to {until.day if until else 'no date'}"
    equal = [one for one in ours if one.this_update == since]  # of two of one time, the one that revokes counts
    revoked = any(child.serial in one.serials for one in equal)
    return f"{child.subject_name} is revoked by the CRL of {since.day}" if revoked else None


def _issuer(child: Certificate, given: Sequence[Certificate]) -> Certificate | None:
    named = [one for one in given if one.subject == child.issuer]
    return next((one for one in named[:_MOST_ISSUERS] if _has_issued(one, child)), None)


def _has_issued(issuer: Certificate, certificate: Certificate) -> bool:
    return issuer.may_sign and has_signed(issuer.key, certificate.signed)


def _trusted(root: Certificate, roots: Sequence[Certificate]) -> TrustedBy | None:
    if sha256(root.der).hex() == INTEL_ROOT:
        return "intel"
    return "given" if any(root.der == one.der for one in roots) else None


def _whose(root: Certificate, trusted: str | None) -> str:
    whose = {"intel": "Intel's", "given": "not Intel's, but given as a root"}.get(
        trusted or "", "not Intel's, nor given as a root"
    )
    return f"the root is {whose} (SHA-256 {sha256(root.der).hex()})"
