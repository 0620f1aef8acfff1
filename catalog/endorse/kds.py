"""Where AMD publishes the certificates and the revocation list for a report: the URLs of its key distribution service.

Nothing is fetched. Source: AMD 57230, chapter 4 (VCEK and KDS interface); virtee/snpguest src/fetch.rs (two digits).
"""

from __future__ import annotations

from catalog.abi.report import AttestationReport
from catalog.abi.tcb import BEFORE_TURIN, PRODUCTS, Product, TcbVersion

_HOST = "https://kdsintf.amd.com"
_PARAMETERS = {"fmc": "fmcSPL", "bootloader": "blSPL", "tee": "teeSPL", "snp": "snpSPL", "microcode": "ucodeSPL"}
_SHORT = 8
"""Bytes of a chip id since Turin."""

_SERVED = ("Milan", "Genoa", "Turin")
"""Products of which the service is known to have certificates."""

_UNSURE = ", if the processor is of {} (a report of version 2 does not say)"


class CertificateSource:
    """Where something is. what: what is there. url: None if it has none, as `what` says then."""

    __slots__ = ("url", "what")

    def __init__(self, what: str, url: str | None = None) -> None:
        self.what, self.url = what, url

    def to_dict(self) -> dict[str, str | None]:
        """The source in JSON."""
        return {"what": self.what, "url": self.url}

    def __str__(self) -> str:
        return f"{self.what}: {self.url}" if self.url else self.what


def certificate_sources(report: AttestationReport) -> list[CertificateSource]:
    """Where the certificates for a report are, for each product that it can be of; empty for one that is not signed."""
    key = report.signing_key
    if key not in ("VCEK", "VLEK"):
        return []
    products = _products(report)
    if not products:
        return [CertificateSource(f"no URL of its {key} is known: the processor is not one of {', '.join(_SERVED)}")]
    found = []
    for product in products:
        note = _UNSURE.format(product.name) if len(products) > 1 else ""
        found += [_signing_key(report, key, product, note), _chain(key, product, note)]
    return found


def _signing_key(report: AttestationReport, key: str, product: Product, note: str) -> CertificateSource:
    if key == "VLEK":
        return CertificateSource(f"the VLEK is with the provider of the machine{note}: AMD gives it to nobody else")
    if not any(report.chip_id):
        return CertificateSource("the VCEK has no URL, as the platform masks the chip ID: ask its provider")
    packed = report.raw[0x180:0x188]
    if not product.layout.fits(packed):
        return CertificateSource(f"the VCEK has no URL{note}, as the TCB version {packed.hex()} is of unknown layout")
    tcb = TcbVersion.parse(packed, product.layout)
    chip = report.chip_id if product.layout is BEFORE_TURIN else report.chip_id[:_SHORT]
    parts = ((name, getattr(tcb, part)) for part, name in _PARAMETERS.items())
    query = "&".join(f"{name}={value:02}" for name, value in parts if value is not None)
    url = f"{_HOST}/vcek/v1/{product.name}/{chip.hex()}?{query}"
    return CertificateSource(f"the VCEK of this chip and TCB{note}", url)


def _chain(key: str, product: Product, note: str) -> CertificateSource:
    middle = "ASK" if key == "VCEK" else "ASVK"
    url = f"{_HOST}/{key.lower()}/v1/{product.name}/cert_chain"
    return CertificateSource(f"the {middle} and the ARK above it{note}", url)


def _products(report: AttestationReport) -> list[Product]:
    """The products that a report can be of; none for a processor that is unknown, or not served."""
    served = [product for product in PRODUCTS if product.name in _SERVED]
    if report.cpuid:
        return [product for product in served if product == report.product]
    short = any(report.chip_id) and not any(report.chip_id[_SHORT:])
    return [product for product in served if (product.layout is not BEFORE_TURIN) == short]
