"""Evidence as bytes, recognised by its first bytes or its length, in the order of docs/evidence.md."""

from __future__ import annotations

from catalog.evidence.evidence import Evidence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_REPORT_SIZE = 1184
_TDX_TYPE = 0x81
_TDREPORT_SIZE = 1024
_TDX_QUOTE_SIZE = 48 + 584
"""Bytes: header and report body of version 4, which is the shortest."""


def recognise_bytes(data: bytes) -> Evidence | None:
    """Evidence of one of the binary forms; None for other input.

    Raises MalformedInput for an invalid one, and for what is recognised as something else, such as an IGVM file.
    """
    reader = _reader(data)
    return reader(data) if reader else None


def _reader(data: bytes) -> Callable[[bytes], Evidence] | None:
    """What reads these bytes."""
    size = len(data)
    version, tee_type = int.from_bytes(data[:2], "little"), int.from_bytes(data[4:8], "little")
    has_key_type = data[2:4] != b"\0\0"  # a report of AMD has its guest SVN at 4, and zeros here
    if size >= _TDX_QUOTE_SIZE and version in (4, 5) and has_key_type and tee_type == _TDX_TYPE:
        from catalog.evidence.forms.td_bytes import read_quote

        return read_quote
    if size == _TDREPORT_SIZE and data[:2] == bytes([_TDX_TYPE, 0]):  # type and subtype
        from catalog.evidence.forms.td_bytes import read_tdreport

        return read_tdreport
    if data[:4] == b"IGVM":
        from catalog.evidence.forms.foreign import igvm_file

        raise igvm_file()
    if data[4:8] == b"\3\0\0\0" and data[32:48] == b"Spec ID Event03\0":
        from catalog.evidence.forms.foreign import event_log

        raise event_log()
    if data[:4] == b"HCLA":
        from catalog.evidence.forms import report_bytes

        if data[0x20:0x21] == bytes([_TDX_TYPE]):
            from catalog.evidence.forms.foreign import tdx_in_hcl

            raise tdx_in_hcl()
        return report_bytes.read_hcl
    if size >= 0x20 + _REPORT_SIZE and data[:8] == bytes(4) + _REPORT_SIZE.to_bytes(4, "little"):
        from catalog.evidence.forms import report_bytes

        return report_bytes.read_response
    if size >= _REPORT_SIZE and data[1:4] == bytes(3):  # a version; no text has such bytes
        from catalog.evidence.forms import report_bytes

        return report_bytes.read_report if size == _REPORT_SIZE else report_bytes.read_extended
    return _reader_of_others(data)


def _reader_of_others(data: bytes) -> Callable[[bytes], Evidence] | None:
    if len(data) == 208 and data[0x34:0x38] == b"\x02\x10\0\0":  # the usage of a PEK
        from catalog.evidence.forms.sev_report_bytes import read_sev_report

        return read_sev_report
    if len(data) == 96 and data[0x50:0x54] == b"\1\0\0\0":  # the version
        from catalog.evidence.forms.id_block_bytes import read_id_block

        return read_id_block
    if data[:4] == b"\0\3\x81\x12":
        from catalog.evidence.forms.dstack_scale import read_scale

        return read_scale
    return None
