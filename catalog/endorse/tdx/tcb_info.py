"""What a TCB info of Intel says about a platform and its TDX module.

Source: Intel PCS API version 4, TCB Info for TDX; Intel SGX-TDX-DCAP-QuoteVerificationLibrary, TcbLevelCheck.cpp;
google/go-tdx-guest, verify/verify.go.
"""

from __future__ import annotations

from catalog.abi.tdx.td_report import TdReport
from catalog.endorse.report_finding import Finding
from catalog.endorse.tdx.json_members import as_object, hex_of, list_of, number_of, object_of, text_of
from catalog.endorse.tdx.pck import COMPONENTS, FMSPC_SIZE, PCE_ID_SIZE, PckFacts
from catalog.endorse.tdx.tcb_levels import TcbLevel, level_of_svn
from catalog.errors import MalformedInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

STATUS, MODULE = "tcb-status", "tdx-module"

_FIRST_VERSION = 3
_SIGNER_SIZE, _ATTRIBUTES_SIZE = 48, 8


def is_of_platform(fields: Mapping[str, Any], pck: PckFacts) -> bool:
    """Whether a TCB info is of the platform of a PCK certificate."""
    try:
        same = hex_of(fields, "fmspc", FMSPC_SIZE) == pck.fmspc and hex_of(fields, "pceId", PCE_ID_SIZE) == pck.pce_id
        return same and number_of(fields, "version") >= _FIRST_VERSION
    except MalformedInput:
        return False


def tcb_findings(fields: Mapping[str, Any], report: TdReport, pck: PckFacts, *, strict: bool) -> Iterator[Finding]:
    """The status of the platform, and that of its TDX module. fields: of a TCB info whose signature is verified."""
    try:
        level = _platform_level(fields, report.tee_tcb_svn, pck)
        if level is None:
            yield Finding(STATUS, False, "the TCB of the platform is below every level of the TCB info")
        else:
            yield level.finding(STATUS, "the platform's TCB", strict=strict)
        yield _module(fields, report, strict=strict)
    except MalformedInput as error:
        yield Finding(STATUS, False, f"the TCB info cannot be read: {error}")


def _platform_level(fields: Mapping[str, Any], tee_tcb_svn: bytes, pck: PckFacts) -> TcbLevel | None:
    """The first level that none of the platform's SVNs is below.

    The first two of the TDX module have levels of their own since its version 1.
    """
    skipped = 2 if tee_tcb_svn[1] else 0
    for entry in list_of(fields, "tcbLevels"):
        level = as_object(entry, "a TCB level")
        tcb = object_of(level, "tcb")
        sgx, tdx = _svns(tcb, "sgxtcbcomponents"), _svns(tcb, "tdxtcbcomponents")
        has_sgx = all(own >= least for own, least in zip(pck.components, sgx, strict=True))
        has_tdx = all(own >= least for own, least in zip(tee_tcb_svn[skipped:], tdx[skipped:], strict=True))
        if has_sgx and has_tdx and pck.pce_svn >= number_of(tcb, "pcesvn"):
            return TcbLevel.parse(level)
    return None


def _svns(tcb: Mapping[str, Any], name: str) -> list[int]:
    found = [number_of(as_object(one, name), "svn") for one in list_of(tcb, name)]
    if len(found) != COMPONENTS:
        raise MalformedInput(f"{name} has not {COMPONENTS} parts")
    return found


def _module(fields: Mapping[str, Any], report: TdReport, *, strict: bool) -> Finding:
    """Whether the TDX module is one of Intel, and the status of its version."""
    svn, version = report.tee_tcb_svn[0], report.tee_tcb_svn[1]
    identity, name = object_of(fields, "tdxModule"), f"TDX_{version:02X}"
    if version:
        listed = [as_object(one, "a TDX module identity") for one in list_of(fields, "tdxModuleIdentities")]
        named = [one for one in listed if text_of(one, "id").upper() == name]
        if not named:
            return Finding(MODULE, False, f"the TCB info has no identity of the TDX module, {name}")
        identity = named[0]
    mask = hex_of(identity, "attributesMask", _ATTRIBUTES_SIZE)
    attributes = hex_of(identity, "attributes", _ATTRIBUTES_SIZE)
    own = report.seam_attributes.to_bytes(_ATTRIBUTES_SIZE, "little")
    if report.mr_signer_seam != hex_of(identity, "mrsigner", _SIGNER_SIZE):
        return Finding(MODULE, False, "the TDX module is signed by another than the TCB info says (MRSIGNERSEAM)")
    if bytes(one & bits for one, bits in zip(own, mask, strict=True)) != attributes:
        return Finding(MODULE, False, "the TDX module has other attributes than the TCB info says")
    if not version:
        return Finding(MODULE, True, "the TDX module has signer and attributes as the TCB info says")
    level = level_of_svn(list_of(identity, "tcbLevels"), svn)
    if level is None:
        return Finding(MODULE, False, f"the SVN of the TDX module, {svn}, is below every level of the TCB info")
    return level.finding(MODULE, f"the TDX module, {name} with SVN {svn},", strict=strict)
