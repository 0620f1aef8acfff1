"""The facts of a quote or TDREPORT, as `ldcat lookup` prints them."""

from __future__ import annotations

from catalog.abi.tdx.quote import TdxQuote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from catalog.abi.structure import BitField
    from catalog.abi.tdx.tdreport import Tdreport


def td_facts(shown: TdxQuote | Tdreport) -> list[tuple[str, object]]:
    """Name and value of each fact, with the launch digest first. Registers that are zero are left short."""
    report = shown.report
    facts: list[tuple[str, object]] = [
        ("version", shown.version),
        ("launch digest (MRTD)", report.mrtd.hex()),
        ("MRSEAM", _register(report.mr_seam)),
        ("MRSIGNERSEAM", _register(report.mr_signer_seam)),
        ("TEE_TCB_SVN", report.tee_tcb_svn.hex()),
        ("attributes", _bits(report.attributes)),
        ("XFAM", _bits(report.xfam)),
        ("MRCONFIGID", _register(report.mr_config_id)),
        ("MROWNER", _register(report.mr_owner)),
        ("MROWNERCONFIG", _register(report.mr_owner_config)),
        *((f"RTMR{number}", _register(value)) for number, value in enumerate(report.rtmrs)),
        ("REPORTDATA", report.report_data.hex()),
    ]
    if report.tee_tcb_svn_2 is not None and report.mr_service_td is not None:
        facts += [("TEE_TCB_SVN_2", report.tee_tcb_svn_2.hex()), ("MRSERVICETD", _register(report.mr_service_td))]
    return [*facts, ("QE vendor", shown.qe_vendor_id.hex())] if isinstance(shown, TdxQuote) else facts


def _register(value: bytes) -> str:
    return value.hex() if any(value) else "0"


def _bits(field: BitField) -> str:
    names = [name for name, at in field.NAMES.items() if field.value >> at & 1]
    return f"{field.value:#x} ({', '.join([*names, *(f'bit {at}' for at in field.unknown_bits)]) or 'none'})"
