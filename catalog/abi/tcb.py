"""TcbVersion: security versions of the SNP platform's components; each product line packs them in its own order."""

from __future__ import annotations

from catalog.errors import MalformedInput
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any


class TcbLayout(Value):
    """Where a TCB version has its components. products: that have it. places: the component in each byte, or empty."""

    products: str
    places: tuple[str, ...]

    @property
    def parts(self) -> set[str]:
        """The components."""
        return set(self.places) - {""}

    def fits(self, packed: bytes) -> bool:
        """Whether 8 bytes fit: all that are reserved are zero."""
        return not any(byte for part, byte in zip(self.places, packed, strict=True) if not part)


BEFORE_TURIN, SINCE_TURIN, SINCE_VENICE = LAYOUTS = (
    TcbLayout("Milan and Genoa", ("bootloader", "tee", "", "", "", "", "snp", "microcode")),
    TcbLayout("Turin", ("fmc", "bootloader", "tee", "snp", "", "", "", "microcode")),
    TcbLayout("Venice", ("fmc", "tee", "snp", "", "", "", "", "")),
)
"""All layouts.

Source: SEV-SNP ABI (56860) 1.59, 2.3, TCB_VERSION; that of Venice: virtee/sev pull request 396.
"""


class Product(Value):
    """A line of processors. name: as in its VCEK certificates, without the stepping. layout: of its TCB versions."""

    name: str
    layout: TcbLayout


PRODUCTS = MILAN, GENOA, TURIN, VENICE = (
    Product("Milan", BEFORE_TURIN),
    Product("Genoa", BEFORE_TURIN),
    Product("Turin", SINCE_TURIN),
    Product("Venice", SINCE_VENICE),
)

_MODELS = (
    (0x19, range(0x10), MILAN),
    (0x19, range(0x10, 0x20), GENOA),
    (0x19, range(0xA0, 0xB0), GENOA),
    (0x1A, range(0x12), TURIN),
    (0x1A, range(0x50, 0x58), VENICE),
    (0x1A, range(0x90, 0xB0), VENICE),
    (0x1A, range(0xC0, 0xC8), VENICE),
)


def find_product(family: int, model: int) -> Product | None:
    """The product of a processor by its CPUID family and model, extended parts included; None: unknown to ldcat.

    Bergamo and Siena, family 0x19 model 0xA0 and up, have Genoa's certificates. Source: virtee/sev src/lib.rs.
    """
    for known, models, product in _MODELS:
        if family == known and model in models:
            return product
    return None


def layout_of(parts: Collection[str]) -> TcbLayout | None:
    """The layout that has exactly these components; None if there is none."""
    return next((layout for layout in LAYOUTS if layout.parts == set(parts)), None)


class TcbVersion(Value):
    """Security version numbers, one byte each; None for a component that the product does not report."""

    fmc: int | None = None
    bootloader: int | None = None
    tee: int | None = None
    snp: int | None = None
    microcode: int | None = None

    @classmethod
    def parse(cls, packed: bytes, layout: TcbLayout) -> TcbVersion:
        """From 8 bytes; those that the layout reserves are not read (see `TcbLayout.fits`)."""
        return cls(**{part: byte for part, byte in zip(layout.places, packed, strict=True) if part})

    def pack(self) -> bytes:
        """The 8 bytes; raises MalformedInput if no layout has exactly the components that are known."""
        parts = self.to_dict()
        layout = layout_of([part for part, number in parts.items() if number is not None])
        if layout is None:
            raise MalformedInput(f"no TCB version has exactly these components: {self}")
        return bytes(parts[part] if part else 0 for part in layout.places)

    def to_dict(self) -> dict[str, Any]:
        """The numbers in JSON."""
        return {part: getattr(self, part) for part in self.FIELDS}

    def __str__(self) -> str:
        return ", ".join(f"{part} {number}" for part, number in self.to_dict().items() if number is not None)


class UnknownTcb(Value):
    """A TCB version of unknown layout. raw: its 8 bytes."""

    raw: bytes

    def to_dict(self) -> dict[str, Any]:
        """The bytes in JSON."""
        return {"raw": self.raw.hex()}

    def __str__(self) -> str:
        return f"{self.raw.hex()} (unknown layout)"
