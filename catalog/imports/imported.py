"""Imported: everything that one document says, with how it was checked and by whom it was published.

Times are seconds since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from catalog.imports.component_facts import FirmwareFacts, KernelFacts
from catalog.imports.endorsed_facts import Base, EndorsedDigest, Endorser

MAX_DOCUMENT = 4 << 20
"""Bytes of a document; the largest known ones have 30 KB."""

Checked = Literal["signature", "none"]
"""How a document was checked: its signature was verified up to a key that the reader trusts, or nothing was."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What one document says.

    form: name of its format.
    document_sha256: of its bytes; None for values that were collected from a publication, without a document.
    document_time: when it was made or signed, by its own word.
    certificate_until: end of validity of the signer's certificate.
    origin: who published it, and where.
    notes: sentences for the reader, without a full stop.
    recorded: whether this was read from an import record, so that `checked` is what the record says of the document.
    """

    form: str
    document_sha256: bytes | None
    checked: Checked = "none"
    document_time: int | None = None
    certificate_until: int | None = None
    origin: str | None = None
    firmware: tuple[FirmwareFacts, ...] = ()
    kernels: tuple[KernelFacts, ...] = ()
    endorsed: tuple[EndorsedDigest, ...] = ()
    bases: tuple[Base, ...] = ()
    notes: tuple[str, ...] = ()
    recorded: bool = False

    def said_by(self, origin: str | None) -> Imported:
        """The same, published by `origin`: the endorser's id where the document names none. None changes nothing."""
        if origin is None:
            return self
        return replace(
            self,
            origin=origin,
            endorsed=tuple(replace(one, endorser=_by(one.endorser, origin)) for one in self.endorsed),
            bases=tuple(replace(one, endorser=_by(one.endorser, origin)) for one in self.bases),
        )

    def named(self, name: str | None) -> Imported:
        """The same with a name for every component: its own below `name`, or else one made of its form and hash."""
        several = sum(one.name is None for one in self.firmware) > 1
        firmware = [_renamed(one, _name(one.name, name, self.form, one.identity, several)) for one in self.firmware]
        kernels = [replace(one, name=_name(one.name, name, self.form, one.kernel_sha256)) for one in self.kernels]
        return replace(self, firmware=tuple(firmware), kernels=tuple(kernels))


def _renamed(facts: FirmwareFacts, name: str) -> FirmwareFacts:
    """The same image by another name, its whole record too."""
    return replace(facts, name=name, build=replace(facts.build, name=name) if facts.build else None)


def _by(endorser: Endorser, origin: str) -> Endorser:
    return endorser if endorser.id is not None else replace(endorser, id=origin)


def _name(own: str | None, given: str | None, form: str, identity: bytes, several: bool = False) -> str:
    if own is None and (given is None or several):
        return f"{given or form}/{identity.hex()[:12]}"
    return "/".join(part for part in (given, own) if part)
