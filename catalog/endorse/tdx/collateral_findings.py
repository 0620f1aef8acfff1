"""What collateral says of the platform of a quote: is it signed by Intel and valid, and which status follows.

Source: Intel PCS API version 4.
"""

from __future__ import annotations

from catalog.abi.tdx.quote_signature import QuoteSignature
from catalog.abi.tdx.td_report import TdReport
from catalog.endorse.certificate import Certificate
from catalog.endorse.certificate_signatures import has_signed_p256
from catalog.endorse.crl import RevocationList
from catalog.endorse.der import GENERALIZED_TIME, Element, Moment
from catalog.endorse.report_finding import Finding
from catalog.endorse.tdx.collateral import QE_IDENTITY_ID, TCB_INFO_ID, Collateral
from catalog.endorse.tdx.intel_chain import TCB_SIGNING, IntelChain
from catalog.endorse.tdx.json_members import text_of
from catalog.endorse.tdx.pck import PckFacts
from catalog.endorse.tdx.quoting_enclave import IDENTITY, find_identity
from catalog.endorse.tdx.signed_json import SignedJson
from catalog.endorse.tdx.tcb_info import STATUS, is_of_platform, tcb_findings
from catalog.errors import MalformedInput
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NOT_GIVEN = "the status of {} is not verified: no {} is given (--certs)"
_MOST_DOCUMENTS = 16
"""Documents of one kind whose signatures are verified."""

_MOST_SIGNERS = 32
"""Certificates for TCB signing that are tried as the signer."""


class Trust(Value):
    """By what collateral is verified. certificates, lists: none is trusted. roots: trusted besides Intel's.

    now: seconds since 1970. strict: only the best status passes, and what is missing fails.
    """

    certificates: Sequence[Certificate]
    roots: Sequence[Certificate]
    lists: Sequence[RevocationList]
    now: float
    strict: bool


def collateral_findings(
    report: TdReport, signature: QuoteSignature, pck: PckFacts | None, collateral: Collateral, trust: Trust
) -> Iterator[Finding]:
    """The status of platform, TDX module and QE; each `None` if nothing is given that says it."""
    infos = [one for one in collateral.with_id(TCB_INFO_ID) if pck and is_of_platform(one.fields, pck)]
    if not collateral.with_id(TCB_INFO_ID):
        text = _NOT_GIVEN.format("the platform's TCB", "TCB info")
        yield Finding(STATUS, False if trust.strict else None, text)
    elif pck is None or not infos:
        what = pck.fmspc.hex() if pck else "that the PCK certificate does not name"
        yield Finding(STATUS, False, f"no TCB info given is of the platform, FMSPC {what}")
    else:
        newest, signer = _newest(infos, trust)
        signed = _signed(newest, signer, "TCB info", "tcb-info", trust)
        yield signed
        if signed.passed:
            yield from tcb_findings(newest.fields, report, pck, strict=trust.strict)
    identities = collateral.with_id(QE_IDENTITY_ID)
    if not identities:
        text = _NOT_GIVEN.format("the QE", "QE identity")
        yield Finding(IDENTITY, False if trust.strict else None, text)
    else:
        newest, signer = _newest(identities, trust)
        signed = _signed(newest, signer, "QE identity", IDENTITY, trust)
        yield signed
        if signed.passed:
            yield find_identity(newest.fields, signature.qe_report, strict=trust.strict)


def _newest(documents: Sequence[SignedJson], trust: Trust) -> tuple[SignedJson, Certificate | None]:
    """The newest document that a trusted certificate has signed, and that one.

    Without one: the newest of all, and who else signed it. Documents and certificates are from anybody: what is not
    Intel's must not hide what is.
    """
    ordered = sorted(documents, key=lambda one: str(one.fields.get("issueDate")), reverse=True)[:_MOST_DOCUMENTS]
    named = [one for one in trust.certificates if one.subject_name == TCB_SIGNING][:_MOST_SIGNERS]
    trusted = [one for one in named if _chain(one, trust).trusted_by]
    for document, signers in [*((one, trusted) for one in ordered), (ordered[0], named)]:
        for signer in signers:
            if has_signed_p256(signer.key, document.signature, document.body):
                return document, signer
    return ordered[0], None


def _signed(document: SignedJson, signer: Certificate | None, what: str, code: str, trust: Trust) -> Finding:
    """Whether Intel signed a document, and it is valid now. signer: the certificate that has signed it."""
    if signer is None:
        is_given = any(one.subject_name == TCB_SIGNING for one in trust.certificates)
        why = "none given has signed it" if is_given else "none is given"
        return Finding(code, False, f"the {what} is not verified: of the certificates {TCB_SIGNING}, {why}")
    chain = _chain(signer, trust)
    revocation = chain.revocation(trust.lists, TCB_SIGNING, trust.now)
    for finding in (*chain.findings, revocation):
        if finding.passed is False:
            return Finding(code, False, f"the {what} is not verified: {finding.text}")
    try:
        since, until = (_moment(text_of(document.fields, name)) for name in ("issueDate", "nextUpdate"))
    except MalformedInput:
        return Finding(code, False, f"the {what} has no dates")
    if not since.seconds <= trust.now <= until.seconds:
        when = "is not yet valid" if trust.now < since.seconds else "has expired"
        return Finding(code, False, f"the {what} {when}: it is valid from {since.day} to {until.day}")
    return Finding(code, True, f"the {what} is signed, and valid from {since.day} to {until.day}")


def _chain(signer: Certificate, trust: Trust) -> IntelChain:
    return IntelChain.build(signer, TCB_SIGNING, trust.certificates, trust.roots, trust.now)


def _moment(text: str) -> Moment:
    """A time such as 2026-06-01T00:00:00Z; raises MalformedInput for anything else."""
    digits = text.translate(str.maketrans("", "", "-:T")).encode("utf-8", "replace")
    return Element(GENERALIZED_TIME, digits, b"").time()
