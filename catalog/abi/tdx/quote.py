"""TdxQuote: what a TD shows about itself, signed by a quoting enclave; version 4 or 5.

The layout of header and body is fixed. What is behind them, and bits that this version does not know, become notes.
Source: Intel TDX DCAP Quoting Library API, appendix A.3; google/go-tdx-guest, abi/abi.go; Phala-Network/dcap-qvl,
src/quote.rs.
"""

from __future__ import annotations

from catalog.abi.structure import Bytes, Number
from catalog.abi.tdx.quote_signature import QuoteSignature
from catalog.abi.tdx.td_report import TD_REPORT_15_SIZE, TD_REPORT_SIZE, TdReport
from catalog.errors import MalformedInput
from catalog.notes import Note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, ClassVar

    from catalog.abi.digest import LaunchDigest

HEADER_SIZE = 48
SMALLEST_QUOTE = HEADER_SIZE + TD_REPORT_SIZE
TEE_TYPE = 0x81
ECDSA_P256 = 2
INTEL_QE = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
"""QE vendor ID of Intel."""

_VERSIONS = (4, 5)
_DESCRIPTOR_SIZE = 6
"""Bytes before the body, since version 5: its type and its size."""

_SGX_BODY = 1
_BODY_SIZES = {2: TD_REPORT_SIZE, 3: TD_REPORT_15_SIZE}
_RESERVED = slice(8, 12)


class TdxQuote:
    """A quote; its signature is not verified. `parse` makes one.

    raw: all bytes.
    body_type: 2 for a body of TDX 1.0, 3 for TDX 1.5; another number is unknown, and has a note.
    report: what is said of the TD; of a body of an unknown type its beginning, as under TDX 1.0.
    signed_size: bytes that the signature is over, from the first.
    signature: None if it is missing or cannot be read; a note says why.
    unknown: notes on what this version of ldcat does not know.
    """

    TECHNOLOGY: ClassVar[str] = "tdx"
    """Name of the technology that has such quotes."""

    __slots__ = ("body_type", "raw", "report", "signature", "signed_size", "unknown")

    version = Number(0, 2)
    key_type = Number(2, 2)
    qe_vendor_id = Bytes(12, 28)
    user_data = Bytes(28, 48)

    def __init__(self, raw: bytes, notes: Iterable[Note]) -> None:
        self.raw = raw
        at, size, self.body_type = _body(raw)
        self.signed_size = at + size
        known = _BODY_SIZES.get(self.body_type, TD_REPORT_SIZE)
        self.report = TdReport.parse(raw[at : at + known])
        self.signature, behind = self._read_signature()
        self.unknown = (*self._unknown(), *behind, *notes)

    @classmethod
    def parse(cls, raw: bytes, notes: Iterable[Note] = ()) -> TdxQuote:
        """Read a quote as far as its layout is known. notes: on what was unknown where the bytes are from.

        Raises MalformedInput if header or body is cut short, for another version than 4 and 5, for a quote of another
        TEE, and for a body that has not the size of its type.
        """
        if len(raw) < SMALLEST_QUOTE:
            raise MalformedInput(f"a TDX quote has at least {SMALLEST_QUOTE} bytes, not {len(raw)}")
        version, tee_type = int.from_bytes(raw[:2], "little"), int.from_bytes(raw[4:8], "little")
        if version not in _VERSIONS:
            raise MalformedInput(f"TDX quote version {version} is not known to this version, which knows 4 and 5")
        if tee_type != TEE_TYPE:
            raise MalformedInput(f"the quote is of TEE type {tee_type:#x}, not of TDX ({TEE_TYPE:#x})")
        return cls(bytes(raw), notes)

    @property
    def measurement(self) -> LaunchDigest:
        """The launch digest: MRTD."""
        return self.report.measurement

    @property
    def body_known(self) -> bool:
        """Whether this version knows the type of the body."""
        return self.body_type in _BODY_SIZES

    @property
    def signed(self) -> bytes:
        """What the signature is over: header and body."""
        return self.raw[: self.signed_size]

    def _read_signature(self) -> tuple[QuoteSignature | None, list[Note]]:
        """The signature data, and notes on what is behind the body."""
        at = self.signed_size + 4
        size = int.from_bytes(self.raw[self.signed_size : at], "little")
        if len(self.raw) < at or size > len(self.raw) - at:
            return None, [Note("quote-signature-unreadable", "the quote ends before the end of its signature")]
        end = at + size
        notes = []
        if any(self.raw[end:]):
            text = f"{len(self.raw) - end:,} bytes follow the quote, which its signature does not cover"
            notes.append(Note("reserved-not-zero", text))
        if self.key_type != ECDSA_P256:
            text = f"attestation key type {self.key_type} is not known to this version, so the signature is not read"
            return None, [Note("signature-algorithm-unknown", text), *notes]
        try:
            signature = QuoteSignature.parse(self.raw[at:end])
        except MalformedInput as error:
            text = f"the signature of the quote is not read: {error}"
            return None, [Note("quote-signature-unreadable", text), *notes]
        return signature, [*signature.qe_report.unknown(), *notes]

    def _unknown(self) -> Iterator[Note]:
        """A note on each field of header and body that has what this version does not know."""
        if any(self.raw[_RESERVED]):
            yield Note("reserved-not-zero", "reserved bytes 8 to 11 of the quote are not zero")
        if self.qe_vendor_id != INTEL_QE:
            text = f"the vendor of the quoting enclave, {self.qe_vendor_id.hex()}, is not Intel"
            yield Note("qe-vendor-unknown", text)
        if not self.body_known:
            text = f"body type {self.body_type} is not known to this version: its beginning is read as under TDX 1.0"
            yield Note("quote-body-unknown", text)
        yield from self.report.unknown()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TdxQuote) and other.raw == self.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        return f"TdxQuote(version {self.version}, {self.measurement.hex()})"

    def to_dict(self) -> dict[str, Any]:
        """The quote in JSON: bytes in hex, bits by name."""
        return {
            "kind": "quote",
            "version": self.version,
            "key_type": self.key_type,
            "qe_vendor_id": self.qe_vendor_id.hex(),
            "user_data": self.user_data.hex(),
            "body_type": self.body_type,
            **self.report.to_dict(),
        }


def _body(raw: bytes) -> tuple[int, int, int]:
    """Offset, size and type of the body; raises MalformedInput for one of SGX, of a wrong size, or cut short."""
    if int.from_bytes(raw[:2], "little") == _VERSIONS[0]:
        return HEADER_SIZE, TD_REPORT_SIZE, 2
    kind, size = int.from_bytes(raw[48:50], "little"), int.from_bytes(raw[50:54], "little")
    if kind == _SGX_BODY:
        raise MalformedInput("the quote has the body of an SGX enclave, though its header is of TDX")
    if size != _BODY_SIZES.get(kind, size) or size < TD_REPORT_SIZE:
        raise MalformedInput(f"the body of the quote, of type {kind}, has {size} bytes")
    at = HEADER_SIZE + _DESCRIPTOR_SIZE
    if size > len(raw) - at:
        raise MalformedInput(f"the quote ends within its body of {size} bytes")
    return at, size, kind
