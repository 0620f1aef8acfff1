"""ldcat's own TOML: a whole firmware record, a kernel record, or an import record of facts that are known in part."""

from __future__ import annotations

from dataclasses import replace

from catalog.firmware.build import FirmwareBuild
from catalog.firmware.kernel_record import KernelRecord
from catalog.imports.component_facts import FirmwareFacts, KernelFacts
from catalog.imports.documents import Document, Form, Given
from catalog.imports.import_record import parse_import
from catalog.imports.import_wire import FORMAT
from catalog.imports.imported import Imported

NAME = "ldcat"

_KINDS = ("\n[component]", "\n[kernel]", f'format = "{FORMAT}"')


def recognizes(document: Document) -> bool:
    """Whether it is text with the table or the key that one of the three has."""
    text = document.text
    return text is not None and document.json is None and any(kind in f"\n{text}" for kind in _KINDS)


def parse(document: Document, _given: Given) -> Imported:
    """The facts; raises MalformedRecord."""
    text = document.text or ""
    if _KINDS[2] in text:
        note = "read from an import record, and its document is not checked again"
        return replace(parse_import(text), notes=(note,), recorded=True)
    if "\n[component]" in f"\n{text}":
        return Imported(NAME, document.sha256, firmware=(FirmwareFacts.of(FirmwareBuild.parse(text)),))
    return Imported(NAME, document.sha256, kernels=(KernelFacts.of(KernelRecord.parse(text)),))


FORM = Form(NAME, "record of ldcat (TOML)", recognizes, parse)
