"""AttestationReport: what the secure processor reports about a running SEV-SNP guest; 1,184 bytes, version 2 and later.

The layout is fixed; what a newer version puts into reserved bits and bytes is kept, and becomes a note.
Source: SEV-SNP ABI (56860), 7.3, ATTESTATION_REPORT.
"""

from __future__ import annotations

from catalog.abi.digest import LaunchDigest
from catalog.abi.guest_policy import SnpPolicy
from catalog.abi.report_parts import FirmwareVersion, KeyInfo, PlatformInfo
from catalog.abi.structure import Bytes, Number
from catalog.abi.tcb import BEFORE_TURIN, LAYOUTS, SINCE_TURIN, Product, TcbLayout, TcbVersion, UnknownTcb, find_product
from catalog.errors import MalformedInput
from catalog.notes import Note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, ClassVar

REPORT_SIZE = 1184
SIGNED_SIZE = 0x2A0
"""Bytes of a report that its signature is over: all before it."""

FIRST_VERSION, NEWEST_VERSION = 2, 5
SIGNING_KEYS = {0: "VCEK", 1: "VLEK", 7: "none"}
ECDSA_P384_SHA384 = 1
HOST_REQUESTED = 0xFFFFFFFF
"""The VMPL in a report that the host requested."""

_TCBS = (0x38, 0x180, 0x1E0, 0x1F0)
"""Offsets of the TCB versions: current, reported, committed, at launch."""

_UNSIGNED = (0x330, REPORT_SIZE)
"""The reserved bytes after the signature's two numbers."""


class Tcb:
    """A field of a report with a TCB version. at: its offset."""

    __slots__ = ("at",)

    def __init__(self, at: int) -> None:
        self.at = at

    def __get__(self, report: AttestationReport, kind: type) -> TcbVersion | UnknownTcb:
        packed = report.raw[self.at : self.at + 8]
        return TcbVersion.parse(packed, report.tcb_layout) if report.tcb_layout else UnknownTcb(packed)


class AttestationReport:
    """A report; its signature is not verified. `parse` makes one.

    raw: all bytes.
    tcb_layout: of all TCB versions; None if it is unknown.
    unknown: notes on what this version of ldcat does not know.
    vmpl: 0 to 3, or HOST_REQUESTED; another number has a note.
    """

    TECHNOLOGY: ClassVar[str] = "sev-snp"
    """Name of the technology that has such reports."""

    __slots__ = ("raw", "tcb_layout", "unknown")

    version = Number(0x000, 4)
    guest_svn = Number(0x004, 4)
    policy_bits = Number(0x008, 8)
    family_id = Bytes(0x010, 0x020)
    image_id = Bytes(0x020, 0x030)
    vmpl = Number(0x030, 4)
    signature_algorithm = Number(0x034, 4)
    current_tcb = Tcb(0x038)
    report_data = Bytes(0x050, 0x090)
    host_data = Bytes(0x0C0, 0x0E0)
    id_key_digest = Bytes(0x0E0, 0x110)
    author_key_digest = Bytes(0x110, 0x140)
    report_id = Bytes(0x140, 0x160)
    report_id_ma = Bytes(0x160, 0x180)
    reported_tcb = Tcb(0x180)
    chip_id = Bytes(0x1A0, 0x1E0)
    committed_tcb = Tcb(0x1E0)
    launch_tcb = Tcb(0x1F0)

    def __init__(self, raw: bytes, notes: Iterable[Note]) -> None:
        self.raw = raw
        layout = _expected_layout(self)
        self.tcb_layout = layout if layout and tcbs_fit(raw, layout) else None
        self.unknown = (*_unknown(self), *notes)

    @classmethod
    def parse(cls, raw: bytes, notes: Iterable[Note] = ()) -> AttestationReport:
        """Read 1,184 bytes. notes: on what was unknown where the bytes are from.

        Raises MalformedInput for another length, for zeros, and for a version before 2.
        """
        if len(raw) != REPORT_SIZE:
            raise MalformedInput(f"an attestation report has {REPORT_SIZE} bytes, not {len(raw)}")
        if not any(raw):
            raise MalformedInput("all bytes of the attestation report are zero")
        version = int.from_bytes(raw[:4], "little")
        if version < FIRST_VERSION:
            raise MalformedInput(
                f"invalid attestation report version {version}",
                f"SEV-SNP reports have version {FIRST_VERSION} or later",
            )
        return cls(bytes(raw), notes)

    @property
    def tcb_known(self) -> bool:
        """Whether all TCB versions fit the layout of the product."""
        return self.tcb_layout is not None

    @property
    def policy(self) -> SnpPolicy:
        """The guest policy."""
        return SnpPolicy(self.policy_bits)

    @property
    def platform_info(self) -> PlatformInfo:
        """State of the platform."""
        return PlatformInfo(int.from_bytes(self.raw[0x40:0x48], "little"))

    @property
    def key_info(self) -> KeyInfo:
        """What the report says about keys."""
        return KeyInfo(int.from_bytes(self.raw[0x48:0x4C], "little"))

    @property
    def signing_key(self) -> str:
        """VCEK, VLEK, none, or `unknown (N)`."""
        number = self.key_info.signing_key
        return SIGNING_KEYS.get(number, f"unknown ({number})")

    @property
    def measurement(self) -> LaunchDigest:
        """The launch digest."""
        return LaunchDigest(self.raw[0x90:0xC0])

    @property
    def cpuid(self) -> tuple[int, int, int] | None:
        """Family, model and stepping of the physical processor, extended parts included; None before version 3."""
        return (self.raw[0x188], self.raw[0x189], self.raw[0x18A]) if self.version >= 3 else None

    @property
    def product(self) -> Product | None:
        """The product of the processor; None if the report does not name it, or it is unknown to ldcat."""
        return find_product(*self.cpuid[:2]) if self.cpuid else None

    @property
    def current(self) -> FirmwareVersion:
        """The firmware that runs."""
        return FirmwareVersion(self.raw[0x1EA], self.raw[0x1E9], self.raw[0x1E8])

    @property
    def committed(self) -> FirmwareVersion:
        """The oldest firmware to which the platform can go back."""
        return FirmwareVersion(self.raw[0x1EE], self.raw[0x1ED], self.raw[0x1EC])

    @property
    def launch_mit_vector(self) -> int | None:
        """Mitigations at launch, a bit each; None before version 5."""
        return int.from_bytes(self.raw[0x1F8:0x200], "little") if self.version >= 5 else None

    @property
    def current_mit_vector(self) -> int | None:
        """Mitigations now, a bit each; None before version 5."""
        return int.from_bytes(self.raw[0x200:0x208], "little") if self.version >= 5 else None

    @property
    def signature(self) -> tuple[bytes, bytes]:
        """r and s, little-endian, 72 bytes each."""
        return self.raw[SIGNED_SIZE : SIGNED_SIZE + 72], self.raw[SIGNED_SIZE + 72 : SIGNED_SIZE + 144]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AttestationReport) and other.raw == self.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        return f"AttestationReport(version {self.version}, {self.measurement.hex()})"

    def to_dict(self) -> dict[str, Any]:
        """The report in JSON: bytes in hex, bits by name."""
        cpuid = self.cpuid and dict(zip(("family", "model", "stepping"), self.cpuid, strict=True))
        return {
            "version": self.version,
            "guest_svn": self.guest_svn,
            "policy": {"value": f"{self.policy_bits:#x}", **self.policy.to_dict()},
            "family_id": self.family_id.hex(),
            "image_id": self.image_id.hex(),
            "vmpl": self.vmpl,
            "signature_algorithm": self.signature_algorithm,
            "current_tcb": self.current_tcb.to_dict(),
            "platform_info": self.platform_info.to_dict(),
            "author_key_enabled": self.key_info.author_key_enabled,
            "mask_chip_key": self.key_info.mask_chip_key,
            "signing_key": self.signing_key,
            "key_info_unknown_bits": self.key_info.unknown_bits,
            "report_data": self.report_data.hex(),
            "measurement": self.measurement.hex(),
            "host_data": self.host_data.hex(),
            "id_key_digest": self.id_key_digest.hex(),
            "author_key_digest": self.author_key_digest.hex(),
            "report_id": self.report_id.hex(),
            "report_id_ma": self.report_id_ma.hex(),
            "reported_tcb": self.reported_tcb.to_dict(),
            "cpuid": cpuid,
            "product": self.product and self.product.name,
            "chip_id": self.chip_id.hex(),
            "committed_tcb": self.committed_tcb.to_dict(),
            "current": str(self.current),
            "committed": str(self.committed),
            "launch_tcb": self.launch_tcb.to_dict(),
            "launch_mit_vector": self.launch_mit_vector,
            "current_mit_vector": self.current_mit_vector,
        }


def _expected_layout(report: AttestationReport) -> TcbLayout | None:
    """The layout of the TCB versions by the product, else by the family, else (version 2) by the chip id, which has 8
    bytes since Turin; None for an unknown product of another family than Milan and Genoa.
    """
    if report.product:
        return report.product.layout
    if report.cpuid:
        return BEFORE_TURIN if report.cpuid[0] == 0x19 else None
    return SINCE_TURIN if any(report.chip_id) and not any(report.chip_id[8:]) else BEFORE_TURIN


def _unknown(report: AttestationReport) -> Iterator[Note]:
    """A note on each field that has what this version does not know, in the order of the fields."""
    if report.version > NEWEST_VERSION:
        text = f"report version {report.version} is not known to this version: it is read as version {NEWEST_VERSION}"
        yield Note("report-version-unknown", text)
    if text := report.policy.unknown_text("policy"):
        yield Note("policy-bit-unknown", text)
    if report.vmpl > 3 and report.vmpl != HOST_REQUESTED:
        yield Note("vmpl-unknown", f"VMPL {report.vmpl} is not known to this version, which knows 0 to 3")
    if text := report.platform_info.unknown_text("platform_info"):
        yield Note("platform-bit-unknown", text)
    if text := report.key_info.unknown_text("key_info"):
        yield Note("key-info-unknown", text)
    if report.key_info.signing_key not in SIGNING_KEYS:
        yield Note("key-info-unknown", f"signing key {report.key_info.signing_key} is not known to this version")
    if report.cpuid and not report.product:
        family, model, _ = report.cpuid
        yield Note("product-unknown", f"processor family {family:#x}, model {model:#x} is not known to this version")
    if not report.tcb_known:
        yield Note("tcb-layout-unknown", _unknown_layout(report))
    algorithm = report.signature_algorithm
    if algorithm != ECDSA_P384_SHA384 and report.signing_key != "none":
        text = f"signature algorithm {algorithm} is not known to this version, so the signature cannot be verified"
        yield Note("signature-algorithm-unknown", text)
    for start, end in _reserved(report.version):
        if any(report.raw[start:end]):
            yield Note("reserved-not-zero", _not_zero(start, end))


def _not_zero(start: int, end: int) -> str:
    if end - start == 1:
        return f"reserved byte {start:#x} is not zero"
    unsigned = "; they follow the signature, which does not cover them" if start > SIGNED_SIZE else ""
    return f"reserved bytes {start:#x} to {end - 1:#x} are not zero{unsigned}"


def _reserved(version: int) -> tuple[tuple[int, int], ...]:
    """The reserved ranges of a version outside the fields: start, and end, which is not included."""
    return (
        (0x4C, 0x50),
        (0x188 if version < 3 else 0x18B, 0x1A0),
        (0x1EB, 0x1EC),
        (0x1EF, 0x1F0),
        (0x1F8 if version < 5 else 0x208, SIGNED_SIZE),
        _UNSIGNED,
    )


def tcbs_fit(raw: bytes, layout: TcbLayout) -> bool:
    """Whether all TCB versions of a report fit a layout."""
    return all(layout.fits(raw[at : at + 8]) for at in _TCBS)


def _unknown_layout(report: AttestationReport) -> str:
    """Why the TCB versions are unknown, and whether they fit the layout of other products.

    Tools have written such reports: sev 6.1.0 writes those of Milan as those of Turin (virtee/snpguest issue 98).
    """
    text = "the layout of the report's TCB versions is not known to this version"
    fitting = [layout.products for layout in LAYOUTS if tcbs_fit(report.raw, layout)]
    if _expected_layout(report) and fitting:
        text += f"; it is that of another product ({', '.join(fitting)}), so a tool may have rewritten the report"
    return text
