"""What a VCEK or VLEK states about its platform, compared with a report: product, TCB, and chip or provider.

Source: AMD 57230, chapter 3 (extensions).
"""

from __future__ import annotations

from catalog.abi.report import AttestationReport, tcbs_fit
from catalog.abi.tcb import PRODUCTS, TcbVersion, UnknownTcb
from catalog.endorse.certificate import Certificate
from catalog.endorse.der import IA5_STRING, INTEGER, OCTET_STRING, Element, read_value
from catalog.endorse.report_finding import Finding
from catalog.errors import MalformedInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_AMD = "1.3.6.1.4.1.3704.1."
_PRODUCT, _HARDWARE_ID, _PROVIDER = f"{_AMD}2", f"{_AMD}4", f"{_AMD}5"
_SPL = {
    "bootloader": f"{_AMD}3.1",
    "tee": f"{_AMD}3.2",
    "snp": f"{_AMD}3.3",
    "microcode": f"{_AMD}3.8",
    "fmc": f"{_AMD}3.9",
}
_HARDWARE_ID_SIZES = (8, 64)
"""Bytes of a chip id: 64, or 8 since Turin."""


def platform_findings(report: AttestationReport, leaf: Certificate, key: str, *, strict: bool) -> Iterator[Finding]:
    """Compare a report with the certificate of its signing key, whose signature and chain are checked elsewhere.

    key: VCEK or VLEK.
    strict: a TCB or chip id that cannot be compared is a failure.
    """
    product = _text(leaf, _PRODUCT) or ""
    line = product.partition("-")[0]  # the stepping behind it is known to be wrong in AMD's certificates
    yield from _product(report, leaf, key, product, line)
    yield from _tcb(report, leaf, line)
    if key == "VCEK":
        yield _chip(report, _hardware_id(leaf), strict=strict)
    else:
        provider = _text(leaf, _PROVIDER)
        what = f"the VLEK was loaded by {provider}" if provider else "the VLEK names no provider"
        yield Finding("provider", provider is not None, what)


def _product(report: AttestationReport, leaf: Certificate, key: str, product: str, line: str) -> Iterator[Finding]:
    """The product line in certificate, issuer's name and report."""
    issuer = product_line(leaf.issuer_name)
    if not line:
        yield Finding("product", False, f"the {key} names no product")
        return
    yield Finding("product", line == issuer, f"the {key} is of {product}, issued for {issuer or 'none'}")
    if report.product:
        same = line == report.product.name
        yield Finding("product", same, f"the report is of {report.product.name}, the {key} of {product}")
    else:
        why = "names an unknown processor" if report.cpuid else f"names no product, as it has version {report.version}"
        yield Finding("product", None, f"the report {why}")


def _tcb(report: AttestationReport, leaf: Certificate, line: str) -> Iterator[Finding]:
    """Each part of the reported TCB."""
    tcb = _reported_tcb(report, line)
    if isinstance(tcb, UnknownTcb):
        yield Finding("tcb", False, f"reported {tcb.raw.hex()}, in a layout that is not known to this version")
        return
    for part, oid in _SPL.items():
        reported, certified = getattr(tcb, part), _number(leaf, oid)
        if reported is None and oid not in leaf.extensions:
            continue
        yield Finding("tcb", certified == reported, f"{part}: reported {reported}, certified {certified}")


def _reported_tcb(report: AttestationReport, line: str) -> TcbVersion | UnknownTcb:
    """The reported TCB; if the report names no product, in the layout of the product that the certificate names."""
    product = next((known for known in PRODUCTS if known.name == line), None)
    if report.cpuid or product is None:
        return report.reported_tcb
    packed = report.raw[0x180:0x188]
    return TcbVersion.parse(packed, product.layout) if tcbs_fit(report.raw, product.layout) else UnknownTcb(packed)


def _chip(report: AttestationReport, hardware_id: bytes | None, *, strict: bool) -> Finding:
    if hardware_id is None:
        return Finding("chip", False, "the VCEK has no hardware ID")
    if not any(report.chip_id):
        return Finding("chip", False if strict else None, "the platform masks the chip ID, so it cannot be compared")
    same = report.chip_id == hardware_id.ljust(len(report.chip_id), b"\0")
    return Finding("chip", same, f"the report is {'' if same else 'not '}of the chip that the VCEK is of")


def product_line(name: str | None) -> str:
    """The product line that the common name of an ASK, ASVK or ARK ends with."""
    return (name or "").rpartition("-")[2]


def _hardware_id(leaf: Certificate) -> bytes | None:
    """The chip id: bare, as AMD writes it, or in an OCTET STRING; None for another length."""
    extension = leaf.extensions.get(_HARDWARE_ID)
    if extension is None:
        return None
    wrapped = _value(leaf, _HARDWARE_ID, OCTET_STRING)
    values = [extension.value, wrapped.contents] if wrapped else [extension.value]
    return next((value for value in values if len(value) in _HARDWARE_ID_SIZES), None)


def _number(leaf: Certificate, oid: str) -> int | None:
    """A security version; None if it is missing, or not a number that is positive or zero."""
    value = _value(leaf, oid, INTEGER)
    try:
        return None if value is None else value.number()
    except MalformedInput:
        return None


def _text(leaf: Certificate, oid: str) -> str | None:
    """A text, with marks for what is not ASCII; None if it is missing or of another type."""
    value = _value(leaf, oid, IA5_STRING)
    return None if value is None else value.contents.decode("ascii", "replace")


def _value(leaf: Certificate, oid: str, tag: int) -> Element | None:
    """The one value that an extension is; None if it is missing or another value."""
    extension = leaf.extensions.get(oid)
    try:
        return None if extension is None else read_value(extension.value, tag)
    except MalformedInput:
        return None
