"""Tdreport: TDREPORT_STRUCT, which TDG.MR.REPORT writes inside a TD; 1,024 bytes, with a MAC and no signature.

Only the processor that made it can verify its MAC.
Source: Intel TDX Module ABI Reference Specification, TDREPORT_STRUCT (REPORTMACSTRUCT, TEE_TCB_INFO, TDINFO_STRUCT);
Linux, tools/testing/selftests/tdx/tdx_guest_test.c; intel/confidential-computing.tee.dcap, sgx_report2.h.
"""

from __future__ import annotations

from catalog.abi.structure import Bytes, Number
from catalog.abi.tdx.td_report import TdReport
from catalog.errors import MalformedInput
from catalog.notes import Note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, ClassVar

    from catalog.abi.digest import LaunchDigest

TDREPORT_SIZE = 1024
TDREPORT_TYPE = 0x81

_NEWEST_VERSION = 1
_RESERVED = ((3, 16), (0xC0, 0xE0), (0x190, 0x200), (0x3C0, 0x400))
_PARTS = (
    (0x108, 0x118),  # TEE_TCB_SVN
    (0x118, 0x180),  # MRSEAM, MRSIGNERSEAM, SEAMATTRIBUTES
    (0x200, 0x390),  # TDINFO from ATTRIBUTES to RTMR3
    (0x080, 0x0C0),  # REPORTDATA
    (0x180, 0x190),  # TEE_TCB_SVN_2
    (0x390, 0x3C0),  # SERVTD_HASH
)
"""Where the fields of a TdReport of TDX 1.5 are, in its order."""


class Tdreport:
    """A TDREPORT; its MAC is not verified.

    raw: all bytes.
    report: the same fields in the order of a quote.
    unknown: notes on what this version of ldcat does not know.
    """

    TECHNOLOGY: ClassVar[str] = "tdx"
    """Name of the technology that has such reports."""

    __slots__ = ("raw", "report", "unknown")

    report_type = Number(0, 1)
    subtype = Number(1, 1)
    version = Number(2, 1)
    cpu_svn = Bytes(0x10, 0x20)

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.report = TdReport.parse(b"".join(raw[start:end] for start, end in _PARTS))
        self.unknown = tuple(self._unknown())

    @classmethod
    def parse(cls, raw: bytes) -> Tdreport:
        """Read 1,024 bytes; raises MalformedInput for another length, and for the report of another TEE."""
        if len(raw) != TDREPORT_SIZE:
            raise MalformedInput(f"a TDREPORT has {TDREPORT_SIZE} bytes, not {len(raw)}")
        if raw[0] != TDREPORT_TYPE:
            raise MalformedInput(f"the report is of TEE type {raw[0]:#x}, not of TDX ({TDREPORT_TYPE:#x})")
        return cls(bytes(raw))

    @property
    def measurement(self) -> LaunchDigest:
        """The launch digest: MRTD."""
        return self.report.measurement

    def _unknown(self) -> Iterator[Note]:
        if self.subtype or self.version > _NEWEST_VERSION:
            text = f"TDREPORT subtype {self.subtype}, version {self.version} is not known to this version"
            yield Note("report-version-unknown", text)
        for start, end in _RESERVED:
            if any(self.raw[start:end]):
                yield Note("reserved-not-zero", f"reserved bytes {start:#x} to {end - 1:#x} are not zero")
        yield from self.report.unknown()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tdreport) and other.raw == self.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    def to_dict(self) -> dict[str, Any]:
        """The report in JSON: bytes in hex, bits by name."""
        return {
            "kind": "tdreport",
            "version": self.version,
            "subtype": self.subtype,
            "cpu_svn": self.cpu_svn.hex(),
            **self.report.to_dict(),
        }
