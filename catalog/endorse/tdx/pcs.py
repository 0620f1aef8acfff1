"""Where Intel publishes the collateral for a quote: the URLs of its Provisioning Certification Service (PCS).

Nothing is fetched. Source: Intel PCS API version 4; google/go-tdx-guest, pcs/pcs.go.
"""

from __future__ import annotations

from catalog.endorse.certificates import parse_carried
from catalog.endorse.kds import CertificateSource
from catalog.endorse.tdx.intel_chain import PCK_NAME
from catalog.endorse.tdx.pck import PckFacts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_HOST = "https://api.trustedservices.intel.com"
_ROOT_LIST = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"
_PROCESSOR = "Processor CA"


def collateral_sources(certificates: Iterable[bytes]) -> list[CertificateSource]:
    """Where the collateral for a quote is; no URL is known without its PCK certificate. certificates: in it, in DER."""
    leaf = next((one for one in parse_carried(certificates) if one.subject_name == PCK_NAME), None)
    facts = PckFacts.of(leaf) if leaf else None
    if leaf is None or facts is None:
        return [
            CertificateSource("no URL of its collateral is known: the quote has no PCK certificate that can be read")
        ]
    ca = "processor" if (leaf.issuer_name or "").endswith(_PROCESSOR) else "platform"
    chain = "with the chain in the header TCB-Info-Issuer-Chain"
    return [
        CertificateSource(
            f"the TCB info of this platform, {chain}", f"{_HOST}/tdx/certification/v4/tcb?fmspc={facts.fmspc.hex()}"
        ),
        CertificateSource("the QE identity", f"{_HOST}/tdx/certification/v4/qe/identity"),
        CertificateSource("the CRL of PCK certificates", f"{_HOST}/sgx/certification/v4/pckcrl?ca={ca}"),
        CertificateSource("the CRL of Intel's root", _ROOT_LIST),
    ]
