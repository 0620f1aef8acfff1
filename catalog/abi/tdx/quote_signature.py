"""QuoteSignature: what a quote of version 4 or 5 has behind its body: the signature, and what it can be verified by.

Source: Intel TDX DCAP Quoting Library API, appendix A.3 (ECDSA 256-bit quote signature data structure, QE certification
data); google/go-tdx-guest, abi/abi.go; Phala-Network/dcap-qvl, src/quote.rs.
"""

from __future__ import annotations

from catalog.abi.tdx.qe_report import QE_REPORT_SIZE, QeReport
from catalog.errors import MalformedInput
from catalog.values import Value

QE_CERTIFICATION, PCK_CHAIN = 6, 5
"""Types of certification data: by a report of the QE; PEM of the PCK certificate and those above it."""

_KEY_SIZE = 64


class QuoteSignature(Value):
    """The signature data of a quote; nothing is verified.

    signature: over the quote, by the attestation key: r and s, 32 bytes each, big-endian.
    attestation_key: on P-256, x and y, likewise.
    qe_signature: over the report of the QE, by the PCK, in the form of `signature`.
    auth_data: what the QE hashes with its key.
    certification_type: of `certification`: PCK_CHAIN, or another number.
    """

    signature: bytes
    attestation_key: bytes
    qe_report: QeReport
    qe_signature: bytes
    auth_data: bytes
    certification_type: int
    certification: bytes

    @classmethod
    def parse(cls, data: bytes) -> QuoteSignature:
        """Read the whole of the data; raises MalformedInput if it is cut short, has more, or is of another type."""
        outer = _Reader(data)
        signature, key = outer.take(_KEY_SIZE), outer.take(_KEY_SIZE)
        kind, certified = outer.typed()
        outer.end()
        if kind != QE_CERTIFICATION:
            raise MalformedInput(f"its certification data are of type {kind}, not {QE_CERTIFICATION}")
        inner = _Reader(certified)
        report, qe_signature = QeReport(inner.take(QE_REPORT_SIZE)), inner.take(_KEY_SIZE)
        auth_data = inner.sized(2)
        kind, certification = inner.typed()
        inner.end()
        return cls(signature, key, report, qe_signature, auth_data, kind, certification)


class _Reader:
    """Bytes, taken one part after the other; numbers are little-endian."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, size: int) -> bytes:
        if size > len(self._data) - self._at:
            raise MalformedInput("it is cut short")
        self._at += size
        return self._data[self._at - size : self._at]

    def sized(self, size: int) -> bytes:
        """Bytes behind their length, which has `size` bytes."""
        return self.take(int.from_bytes(self.take(size), "little"))

    def typed(self) -> tuple[int, bytes]:
        """A type of 2 bytes, and what is behind it with a length of 4 bytes."""
        return int.from_bytes(self.take(2), "little"), self.sized(4)

    def end(self) -> None:
        if self._at < len(self._data):
            raise MalformedInput("more follows its last part")
