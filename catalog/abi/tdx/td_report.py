"""TdReport: what the TDX module says of a TD: 584 bytes (TDX 1.0) or 648 (TDX 1.5), as the body of a quote has them.

Source: Intel TDX DCAP Quoting Library API, appendix A.3 (TD Quote Body, and its form of version 5 for TDX 1.5);
google/go-tdx-guest, abi/abi.go; Phala-Network/dcap-qvl, src/quote.rs.
"""

from __future__ import annotations

from catalog.abi.digest import LaunchDigest
from catalog.abi.structure import Bytes, Number
from catalog.abi.tdx.attributes import TdAttributes, Xfam
from catalog.errors import MalformedInput
from catalog.notes import Note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

TD_REPORT_SIZE, TD_REPORT_15_SIZE = 584, 648
"""Bytes under TDX 1.0 and 1.5."""

RTMRS = 4
_RTMR_SIZE, _RTMRS_AT = 48, 328


class TdReport:
    """What is said of a TD; nothing is verified. `parse` makes one. Registers have 48 bytes.

    raw: all bytes.
    mr_seam, mr_signer_seam: of the TDX module; the signer is zero for one of Intel.
    tee_tcb_svn: security versions of the TDX module: at 0 its SVN, at 1 its major version.
    """

    __slots__ = ("raw",)

    tee_tcb_svn = Bytes(0, 16)
    mr_seam = Bytes(16, 64)
    mr_signer_seam = Bytes(64, 112)
    seam_attributes = Number(112, 8)
    attribute_bits = Number(120, 8)
    xfam_bits = Number(128, 8)
    mrtd = Bytes(136, 184)
    mr_config_id = Bytes(184, 232)
    mr_owner = Bytes(232, 280)
    mr_owner_config = Bytes(280, 328)
    report_data = Bytes(520, 584)

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    @classmethod
    def parse(cls, raw: bytes) -> TdReport:
        """Read 584 or 648 bytes; raises MalformedInput for another length."""
        if len(raw) not in (TD_REPORT_SIZE, TD_REPORT_15_SIZE):
            raise MalformedInput(f"a TD report has {TD_REPORT_SIZE} or {TD_REPORT_15_SIZE} bytes, not {len(raw)}")
        return cls(bytes(raw))

    @property
    def measurement(self) -> LaunchDigest:
        """The launch digest: MRTD."""
        return LaunchDigest(self.mrtd)

    @property
    def attributes(self) -> TdAttributes:
        """What the TD may do, and what the host may do with it."""
        return TdAttributes(self.attribute_bits)

    @property
    def xfam(self) -> Xfam:
        """The extended states that the TD may use."""
        return Xfam(self.xfam_bits)

    @property
    def rtmrs(self) -> tuple[bytes, ...]:
        """The four registers that the TD extends."""
        starts = range(_RTMRS_AT, _RTMRS_AT + RTMRS * _RTMR_SIZE, _RTMR_SIZE)
        return tuple(self.raw[at : at + _RTMR_SIZE] for at in starts)

    @property
    def tee_tcb_svn_2(self) -> bytes | None:
        """The security versions if the module was updated while TDs ran, 16 bytes; None under TDX 1.0."""
        return self.raw[TD_REPORT_SIZE : TD_REPORT_SIZE + 16] or None

    @property
    def mr_service_td(self) -> bytes | None:
        """The hash over the service TDs that are bound to the TD, 48 bytes; None under TDX 1.0."""
        return self.raw[TD_REPORT_SIZE + 16 :] or None

    def unknown(self) -> Iterator[Note]:
        """A note on each field that has bits that this version does not know."""
        if text := self.attributes.unknown_text("TD attribute"):
            yield Note("td-attribute-unknown", text)
        if text := self.xfam.unknown_text("XFAM"):
            yield Note("xfam-bit-unknown", text)
        if self.seam_attributes:
            text = f"SEAMATTRIBUTES are {self.seam_attributes:#x}: this version knows none of the bits"
            yield Note("td-attribute-unknown", text)

    def to_dict(self) -> dict[str, Any]:
        """The report in JSON: bytes in hex, bits by name."""
        return {
            "tee_tcb_svn": self.tee_tcb_svn.hex(),
            "mr_seam": self.mr_seam.hex(),
            "mr_signer_seam": self.mr_signer_seam.hex(),
            "seam_attributes": f"{self.seam_attributes:#x}",
            "attributes": {"value": f"{self.attribute_bits:#x}", **self.attributes.to_dict()},
            "xfam": {"value": f"{self.xfam_bits:#x}", **self.xfam.to_dict()},
            "mrtd": self.mrtd.hex(),
            "mr_config_id": self.mr_config_id.hex(),
            "mr_owner": self.mr_owner.hex(),
            "mr_owner_config": self.mr_owner_config.hex(),
            "rtmrs": [register.hex() for register in self.rtmrs],
            "report_data": self.report_data.hex(),
            "tee_tcb_svn_2": self.tee_tcb_svn_2 and self.tee_tcb_svn_2.hex(),
            "mr_service_td": self.mr_service_td and self.mr_service_td.hex(),
        }
