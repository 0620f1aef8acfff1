"""TcbVersion: security versions of the SNP platform's components; Turin and later pack them in another order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_LEGACY = {"bootloader": 0, "tee": 1, "snp": 6, "microcode": 7}
_TURIN = {"fmc": 0, "bootloader": 1, "tee": 2, "snp": 3, "microcode": 7}


@dataclass(frozen=True, slots=True)
class Product:
    """A line of processors. name: as in its VCEK certificates, without the stepping. packs_fmc: since Turin."""

    name: str
    packs_fmc: bool


MILAN, GENOA, TURIN, VENICE = (
    Product("Milan", False),
    Product("Genoa", False),
    Product("Turin", True),
    Product("Venice", True),
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


def has_layout(packed: bytes, *, packs_fmc: bool) -> bool:
    """Whether 8 bytes fit the layout since Turin, or the one before it: all bytes that it reserves are zero."""
    places = (_TURIN if packs_fmc else _LEGACY).values()
    return not any(packed[at] for at in range(8) if at not in places)


@dataclass(frozen=True, slots=True)
class TcbVersion:
    """Security version numbers, one byte each. fmc: None on processors that do not have it.

    Source: SEV-SNP ABI (56860), 2.2, TCB_VERSION.
    """

    fmc: int | None
    bootloader: int
    tee: int
    snp: int
    microcode: int

    @classmethod
    def parse(cls, packed: bytes, *, packs_fmc: bool) -> TcbVersion:
        """From 8 bytes; those that the layout reserves are not read (see `has_layout`)."""
        places = _TURIN if packs_fmc else _LEGACY
        return cls(fmc=packed[0] if packs_fmc else None, **{n: packed[at] for n, at in places.items() if n != "fmc"})

    def pack(self) -> bytes:
        """The 8 bytes, packed as since Turin if there is an fmc."""
        packed = bytearray(8)
        for name, at in (_LEGACY if self.fmc is None else _TURIN).items():
            packed[at] = getattr(self, name)
        return bytes(packed)

    def to_dict(self) -> dict[str, Any]:
        """The numbers in JSON."""
        return {name: getattr(self, name) for name in self.__slots__}

    def __str__(self) -> str:
        fmc = "" if self.fmc is None else f"fmc {self.fmc}, "
        return f"{fmc}bootloader {self.bootloader}, tee {self.tee}, snp {self.snp}, microcode {self.microcode}"


@dataclass(frozen=True, slots=True)
class UnknownTcb:
    """A TCB version of unknown layout. raw: its 8 bytes."""

    raw: bytes

    def to_dict(self) -> dict[str, Any]:
        """The bytes in JSON."""
        return {"raw": self.raw.hex()}

    def __str__(self) -> str:
        return f"{self.raw.hex()} (unknown layout)"
