"""The one strict reader of `ldcat-import/1`: TOML of what was imported and is known in part."""

from __future__ import annotations

import re

from catalog.errors import MalformedRecord
from catalog.firmware.build import section_type
from catalog.firmware.metadata import Area, Section
from catalog.imports.component_facts import FirmwareFacts, KernelFacts
from catalog.imports.endorsed_facts import Base, Claims, EndorsedDigest, Endorser
from catalog.imports.import_wire import BaseWire, EndorsedWire, EndorserWire, FirmwareWire, ImportWire, KernelWire
from catalog.imports.imported import Imported
from catalog.imports.strict_json import MOST_ITEMS
from catalog.wire import decode_toml, unhex

_WHAT = "import record"
_FORM = re.compile("[a-z0-9][a-z0-9-]{0,39}")


def parse_import(text: str) -> Imported:
    """Read a record; raises MalformedRecord naming the path of the wrong key."""
    wire = decode_toml(text, ImportWire, _WHAT)
    counts = [len(one) for one in (wire.firmware, wire.kernel, wire.endorsed, wire.base)]
    if not 0 < sum(counts) <= MOST_ITEMS:
        raise MalformedRecord(f"{_WHAT}: {sum(counts)} entries, not 1 to {MOST_ITEMS}")
    if not _FORM.fullmatch(wire.document.form):
        raise MalformedRecord(f"{_WHAT}: $.document.form: {wire.document.form[:24]!r} is no name of a format")
    said = wire.document
    if said.sha256 is None and (said.origin is None or said.checked != "none"):
        raise MalformedRecord(f"{_WHAT}: $.document: without sha256 it has an origin, and nothing was checked")
    return Imported(
        form=said.form,
        document_sha256=_hash(said.sha256, 32, f"{_WHAT}: $.document.sha256"),
        checked=said.checked,
        document_time=said.time,
        certificate_until=said.certificate_until,
        origin=said.origin,
        firmware=tuple(_firmware(one, f"{_WHAT}: $.firmware[{at}]") for at, one in enumerate(wire.firmware)),
        kernels=tuple(_kernel(one, f"{_WHAT}: $.kernel[{at}]") for at, one in enumerate(wire.kernel)),
        endorsed=tuple(_endorsed(one, f"{_WHAT}: $.endorsed[{at}]") for at, one in enumerate(wire.endorsed)),
        bases=tuple(_base(one, f"{_WHAT}: $.base[{at}]") for at, one in enumerate(wire.base)),
    )


def _firmware(wire: FirmwareWire, path: str) -> FirmwareFacts:
    sections = None
    if wire.sections is not None:
        sections = tuple(
            Section(one.gpa, one.size, section_type(one.type, f"{path}.sections")) for one in wire.sections
        )
    return FirmwareFacts(
        name=wire.name,
        sha256=_hash(wire.sha256, 32, f"{path}.sha256"),
        sha384=_hash(wire.sha384, 48, f"{path}.sha384"),
        size=wire.size,
        snp_baseline=_hash(wire.snp_baseline, 48, f"{path}.snp_baseline"),
        sections=sections,
        reset_vector=wire.reset_vector,
        hashes_area=Area(wire.hashes_area.gpa, wire.hashes_area.size) if wire.hashes_area else None,
    )


def _kernel(wire: KernelWire, path: str) -> KernelFacts:
    return KernelFacts(
        kernel_sha256=unhex(wire.kernel_sha256, 32, f"{path}.kernel_sha256"),
        name=wire.name,
        initrd_sha256=_hash(wire.initrd_sha256, 32, f"{path}.initrd_sha256"),
        append=wire.append,
        append_sha256=_hash(wire.append_sha256, 32, f"{path}.append_sha256"),
        append_words=tuple(wire.append_words),
    )


def _endorsed(wire: EndorsedWire, path: str) -> EndorsedDigest:
    said = wire.claims
    hashes = {
        name: _hash(getattr(said, name), size, f"{path}.claims.{name}")
        for name, size in (("firmware_sha256", 32), ("firmware_sha384", 48), ("kernel_sha256", 32),
                           ("initrd_sha256", 32), ("igvm_sha256", 32))
    }  # fmt: skip
    claims = Claims(said.vcpus, said.vcpu_type, said.product, said.policy, reset_vector=said.reset_vector, **hashes)
    digest = _digest(wire.launch_digest, f"{path}.launch_digest")
    return EndorsedDigest(digest, wire.technology, _endorser(wire.endorser), claims)


def _base(wire: BaseWire, path: str) -> Base:
    return Base(
        digest=_digest(wire.launch_digest, f"{path}.launch_digest"),
        technology=wire.technology,
        endorser=_endorser(wire.endorser),
        vcpus=wire.vcpus,
        reset_vector=wire.reset_vector,
        product=wire.product,
        vcpu_type=wire.vcpu_type,
        vmm=wire.vmm,
        sev_features=wire.sev_features,
        name=wire.name,
    )


def _endorser(wire: EndorserWire) -> Endorser:
    return Endorser(wire.scheme, wire.id, wire.feed, wire.svn)


def _digest(text: str, path: str) -> bytes:
    return unhex(text, 32 if len(text) == 64 else 48, path)


def _hash(text: str | None, size: int, path: str) -> bytes | None:
    return None if text is None else unhex(text, size, path)
