"""The one writer of `ldcat-import/1`, and of kernel records: TOML of what was imported, in one canonical form."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.abi.kernel_hashes import NO_INITRD
from catalog.firmware.build import section_line, toml_text
from catalog.firmware.kernel_record import BlobWire
from catalog.imports.component_facts import FirmwareFacts, KernelFacts
from catalog.imports.endorsed_facts import Base, EndorsedDigest
from catalog.imports.import_wire import FORMAT
from catalog.imports.imported import Imported


def import_toml(imported: Imported) -> str:
    """The canonical text of what is known in part: `parse_import` of it gives the same facts.

    What has a whole record is left out: it has a file of its own.
    """
    lines = [f"format = {toml_text(FORMAT)}", "", "[document]", *_document_lines(imported)]
    for firmware in imported.firmware:
        if firmware.record() is None:
            lines += ["", "[[firmware]]", *_firmware_lines(firmware)]
    for kernel in imported.kernels:
        if not kernel.is_whole:
            lines += ["", "[[kernel]]", *_kernel_lines(kernel)]
    for endorsed in imported.endorsed:
        lines += ["", "[[endorsed]]", *_digest_lines(endorsed)]
        if claims := list(_pairs(endorsed.claims.given())):
            lines.append(f"claims = {{ {', '.join(claims)} }}")
    for base in imported.bases:
        facts = {name: getattr(base, name) for name in _BASE_FACTS}
        lines += ["", "[[base]]", *_pairs({"name": base.name}), *_digest_lines(base), *_pairs(facts)]
    return "\n".join(lines) + "\n"


def kernel_toml(facts: KernelFacts) -> str:
    """The text of a kernel record, of facts that are whole and named: `KernelRecord.parse` reads it."""
    lines = [*_pairs({"name": facts.name, "append": facts.append, "append_sha256": facts.append_sha256})]
    lines += ["", "[kernel]", *_blob_lines(facts.kernel_sha256, facts.record.wire.kernel if facts.record else None)]
    if facts.initrd_sha256 not in (None, NO_INITRD):
        lines += ["", "[initrd]", *_blob_lines(facts.initrd_sha256, facts.record.wire.initrd if facts.record else None)]
    return "\n".join(lines) + "\n"


def _blob_lines(sha256: bytes | None, wire: BlobWire | None) -> Iterator[str]:
    """A file by its hash, and where it was published if a record says so."""
    origin = {name: getattr(wire, name) for name in BlobWire.__struct_fields__[1:]} if wire else {}
    return _pairs({"sha256": sha256, **origin})


_BASE_FACTS = ("vcpus", "reset_vector", "product", "vcpu_type", "vmm", "sev_features")
_IN_HEX = ("gpa", "size", "reset_vector", "policy", "sev_features")


def _document_lines(imported: Imported) -> Iterator[str]:
    return _pairs(
        {
            "form": imported.form,
            "sha256": imported.document_sha256,
            "checked": imported.checked,
            "origin": imported.origin,
            "time": imported.document_time,
            "certificate_until": imported.certificate_until,
        }
    )


def _firmware_lines(facts: FirmwareFacts) -> Iterator[str]:
    yield from _pairs({name: getattr(facts, name) for name in ("name", "sha256", "sha384")})
    if facts.size is not None:
        yield f"size = {facts.size}"
    yield from _pairs({"reset_vector": facts.reset_vector})
    if area := facts.hashes_area:
        yield f"hashes_area = {{ {', '.join(_pairs({'gpa': area.gpa, 'size': area.size}))} }}"
    yield from _pairs({"snp_baseline": facts.snp_baseline})
    if facts.sections is not None:
        yield "sections = ["
        yield from (f"    {section_line(section)}," for section in facts.sections)
        yield "]"


def _kernel_lines(facts: KernelFacts) -> Iterator[str]:
    names = ("name", "kernel_sha256", "initrd_sha256", "append", "append_sha256")
    yield from _pairs({name: getattr(facts, name) for name in names})
    if facts.append_words:
        yield f"append_words = [{', '.join(toml_text(word) for word in facts.append_words)}]"


def _digest_lines(one: EndorsedDigest | Base) -> Iterator[str]:
    yield from _pairs({"launch_digest": one.digest, "technology": one.technology})
    by = one.endorser
    said = _pairs({"scheme": by.scheme, "id": by.id, "feed": by.feed, "svn": by.svn})
    yield f"endorser = {{ {', '.join(said)} }}"


def _pairs(values: dict[str, object]) -> Iterator[str]:
    """`key = value` of what is known."""
    for name, value in values.items():
        if isinstance(value, bytes):
            yield f'{name} = "{value.hex()}"'
        elif isinstance(value, int):
            yield f"{name} = {value:#x}" if name in _IN_HEX else f"{name} = {value}"
        elif isinstance(value, str):
            yield f"{name} = {toml_text(value)}"
