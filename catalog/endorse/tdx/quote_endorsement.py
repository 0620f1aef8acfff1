"""Endorsement of a TDX quote: is it signed by a QE of Intel, on a platform that is genuine by Intel's root.

All checks run; every result is reported. Nothing is fetched. What the platform's TCB is worth is said by collateral
alone; without it the endorsement is not complete.
Source: Intel TDX DCAP Quoting Library API, appendix A.3; Intel SGX PCK Certificate and CRL Profile Specification.
"""

from __future__ import annotations

from catalog.abi.tdx.attributes import TdAttributes
from catalog.abi.tdx.quote import TdxQuote
from catalog.abi.tdx.quote_signature import QuoteSignature
from catalog.endorse.certificate import Certificate, P256Key
from catalog.endorse.certificate_signatures import has_signed_p256, sha256
from catalog.endorse.crl import RevocationList
from catalog.endorse.endorsement import Endorsement
from catalog.endorse.report_finding import Finding
from catalog.endorse.tdx.collateral import QE_IDENTITY_ID, TCB_INFO_ID, Collateral
from catalog.endorse.tdx.collateral_findings import Trust, collateral_findings
from catalog.endorse.tdx.intel_chain import PCK_NAME, ROOT_NAME, IntelChain
from catalog.endorse.tdx.pck import PckFacts
from catalog.endorse.tdx.quoting_enclave import IDENTITY, find_qe
from catalog.endorse.tdx.tcb_info import MODULE, STATUS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MOST_LEAVES = 256
"""PCK certificates that are tried as the signer."""

_DIGEST_SIZE = 32
_NONE = Collateral()
_STATUSES = (STATUS, MODULE, IDENTITY)


def verify_quote(
    quote: TdxQuote,
    certificates: Sequence[Certificate],
    now: float,
    roots: Sequence[Certificate] = (),
    lists: Sequence[RevocationList] = (),
    collateral: Collateral = _NONE,
    *,
    strict: bool = False,
) -> Endorsement:
    """Check signature, QE, chain, validity, root, revocation and TCB of a quote.

    certificates, lists, collateral: from any source, such as the quote; none of them is trusted. The certificates are
    those of the collateral, too.
    now: seconds since 1970.
    roots: roots that the caller trusts besides Intel's; each has passed `check_root`.
    strict: what cannot be looked at is a failure, a missing CRL too; so are any status but the best, and a TD in debug
        mode.
    """
    signature = quote.signature
    if signature is None:
        return _refused("the quote has no signature that can be read")
    leaves = [one for one in certificates if one.subject_name == PCK_NAME]
    if not leaves:
        return _refused("no PCK certificate is given, and none is in the quote")
    signer = next((one for one in leaves[:_MOST_LEAVES] if _has_certified(one, signature)), None)
    leaf = signer or leaves[0]
    chain = IntelChain.build(leaf, PCK_NAME, certificates, roots, now)
    known_lists = [*lists, *collateral.lists]
    findings = [
        *_signatures(quote, signature, signer),
        *(_attributes(quote.report.attributes) if strict else ()),
        find_qe(signature.qe_report),
        *chain.findings,
        chain.revocation(known_lists, PCK_NAME, now, strict=strict),
        *collateral_findings(
            quote.report, signature, PckFacts.of(leaf), collateral, Trust(certificates, roots, known_lists, now, strict)
        ),
    ]
    given = collateral.with_id(TCB_INFO_ID) and collateral.with_id(QE_IDENTITY_ID)
    complete = bool(given) and not any(one.passed is None for one in findings if one.code in _STATUSES)
    return Endorsement(tuple(findings), ROOT_NAME if chain.trusted_by == "intel" else None, chain.trusted_by, complete)


def _refused(why: str) -> Endorsement:
    return Endorsement((Finding("signature", False, why),), None, None)


def _has_certified(leaf: Certificate, signature: QuoteSignature) -> bool:
    return has_signed_p256(leaf.key, signature.qe_signature, signature.qe_report.raw)


def _attributes(attributes: TdAttributes) -> Iterator[Finding]:
    """That the host can look into the TD, whatever was launched; nothing if it cannot."""
    if bits := attributes.bits_of(attributes.NOT_TRUSTED):
        yield Finding("td-attributes", False, f"the TD is not to be trusted: its attributes are {', '.join(bits)}")


def _signatures(quote: TdxQuote, signature: QuoteSignature, signer: Certificate | None) -> Iterator[Finding]:
    """From the quote to the PCK: the attestation key, the QE that has it, and the report of that QE."""
    key = P256Key(b"\x04" + signature.attestation_key)
    signed = has_signed_p256(key, signature.signature, quote.signed)
    yield Finding("signature", signed, f"the attestation key has {'' if signed else 'not '}signed the quote")
    if not quote.body_known:
        text = f"the quote has a body of type {quote.body_type}, of which this version knows the beginning alone"
        yield Finding("quote-body", False, text)
    digest = sha256(signature.attestation_key + signature.auth_data)
    bound = signature.qe_report.report_data == digest + bytes(_DIGEST_SIZE)
    text = f"the attestation key is {'' if bound else 'not '}the one that the QE reports"
    yield Finding("attestation-key", bound, text)
    by = "the PCK" if signer else "no PCK certificate given"
    yield Finding("qe-report", signer is not None, f"{by} has signed the report of the QE")
