"""Whether a quoting enclave (QE) is Intel's, and the status that Intel gives to its version.

Whoever has a platform can have its PCK sign the report of any enclave with the right to it; only Intel's QE signs what
the TDX module said. Source: Intel PCS API version 4, Enclave Identity; Intel SGX SDK, SECS.ATTRIBUTES.
"""

from __future__ import annotations

from catalog.abi.tdx.qe_report import QeReport
from catalog.endorse.report_finding import Finding
from catalog.endorse.tdx.json_members import hex_of, list_of, number_of
from catalog.endorse.tdx.tcb_levels import level_of_svn
from catalog.errors import MalformedInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

INTEL_SIGNER = bytes.fromhex("dc9e2a7c6f948f17474e34a7fc43ed030f7c1563f1babddf6340c82e0e54a8c5")
"""MRSIGNER of Intel's QE for TDX.

Source: `mrsigner` of the identity TD_QE of the PCS, as in google/go-tdx-guest, testing/testdata, and
Phala-Network/dcap-qvl, sample.
"""

_PRODUCT = 2
_DEBUG = 0x02
CODE, IDENTITY = "qe", "qe-identity"


def find_qe(report: QeReport) -> Finding:
    """Whether the QE is Intel's for TDX, by what never changes of it."""
    if report.mr_signer != INTEL_SIGNER or report.isv_prod_id != _PRODUCT:
        signer = report.mr_signer.hex()
        return Finding(
            CODE, False, f"the QE is not Intel's for TDX: product {report.isv_prod_id} of the signer {signer}"
        )
    if report.attributes[0] & _DEBUG:
        return Finding(CODE, False, "the QE runs in debug mode, in which anybody can read its key")
    return Finding(CODE, True, f"the QE is Intel's for TDX, with SVN {report.isv_svn}")


def find_identity(fields: Mapping[str, Any], report: QeReport, *, strict: bool) -> Finding:
    """Whether the QE is the one of an identity, and its status. fields: of one whose signature is verified."""
    try:
        for name, own in (
            ("miscselect", report.misc_select.to_bytes(4, "little")),
            ("attributes", report.attributes),
        ):
            mask = hex_of(fields, f"{name}Mask", len(own))
            if bytes(one & bits for one, bits in zip(own, mask, strict=True)) != hex_of(fields, name, len(own)):
                return Finding(IDENTITY, False, f"the QE has another {name} than its identity says")
        if report.mr_signer != hex_of(fields, "mrsigner", 32):
            return Finding(IDENTITY, False, "the QE has another signer than its identity says")
        if report.isv_prod_id != number_of(fields, "isvprodid"):
            return Finding(IDENTITY, False, "the QE is another product than its identity says")
        level = level_of_svn(list_of(fields, "tcbLevels"), report.isv_svn)
    except MalformedInput as error:
        return Finding(IDENTITY, False, f"the QE identity cannot be read: {error}")
    if level is None:
        return Finding(IDENTITY, False, f"the SVN of the QE, {report.isv_svn}, is below every level of its identity")
    return level.finding(IDENTITY, f"the QE, with SVN {report.isv_svn},", strict=strict)
