"""QeReport: what SGX reports of the quoting enclave (QE), whose key signs quotes; 384 bytes.

Source: Intel SGX ECDSA Quoting Library API, appendix A.4 (enclave report body); intel/linux-sgx, sgx_report.h,
sgx_report_body_t.
"""

from __future__ import annotations

from catalog.abi.structure import Bytes, Number
from catalog.errors import MalformedInput
from catalog.notes import Note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

QE_REPORT_SIZE = 384

_RESERVED = ((20, 32), (96, 128), (160, 192), (262, 304))


class QeReport:
    """A report of the QE; nothing is verified. raw: all bytes. report_data: 64 bytes."""

    __slots__ = ("raw",)

    misc_select = Number(16, 4)
    attributes = Bytes(48, 64)
    mr_enclave = Bytes(64, 96)
    mr_signer = Bytes(128, 160)
    isv_prod_id = Number(256, 2)
    isv_svn = Number(258, 2)
    report_data = Bytes(320, 384)

    def __init__(self, raw: bytes) -> None:
        if len(raw) != QE_REPORT_SIZE:
            raise MalformedInput(f"the report of a QE has {QE_REPORT_SIZE} bytes, not {len(raw)}")
        self.raw = bytes(raw)

    def unknown(self) -> Iterator[Note]:
        """A note on each reserved range that is not zero."""
        for start, end in _RESERVED:
            if any(self.raw[start:end]):
                text = f"reserved bytes {start} to {end - 1} of the report of the QE are not zero"
                yield Note("reserved-not-zero", text)
