"""`rvps`: a message that trustee's reference value provider service registers (`rvps-tool register`, POST to the KBS).

Source: confidential-containers/trustee, rvps/src/lib.rs (Message) and rvps/src/extractors/sample (version 0.1.0);
kbs/src/config.rs (payload_request_size).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence

from catalog.errors import UsageError
from catalog.export.export_format import ExportFormat, Readers
from catalog.export.exported import TECHNOLOGIES, Export, ExportFile
from catalog.export.reference_values import DEFAULT_NAMES, by_name, common_notes, in_base64, value_name
from catalog.notes import Note

_MOST_OF_KBS = 15_800
"""Digests of 132 bytes each in base64 that fit the 2 MiB which the KBS reads of a request by default."""


class RvpsMessage(ExportFormat):
    """One line of JSON: version, type, and the reference values in base64."""

    name = "rvps"
    title = "message for trustee's RVPS: rvps-tool register, or POST /kbs/v0/reference-value"
    readers = Readers.VERIFIERS
    technologies = frozenset(TECHNOLOGIES)
    file_name = "rvps-message.json"
    settings = frozenset({"name"})
    defaults = {"name": DEFAULT_NAMES}
    takes_updates = True

    def files(self, export: Export) -> Sequence[ExportFile]:
        _check_case(value_name(export))

        def chunks() -> Iterator[bytes]:
            yield b'{"version":"0.1.0","type":"sample","payload":"'
            yield from in_base64(by_name(export), base64.b64encode)
            yield b'"}\n'

        return [ExportFile(self.file_name, "application/json", chunks)]

    def notes(self, export: Export) -> Sequence[Note]:
        name, count = value_name(export), len(export.digests)
        text = f"registering replaces the whole list of {name}: always register the complete list"
        notes = [*common_notes(export), Note("rvps-overwrites", text)]
        if count > _MOST_OF_KBS:
            text = (
                f"the message has {count:,} digests and over 2 MiB, which the KBS refuses by default: raise its "
                "payload_request_size, use rvps-tool (up to 4 MiB), or export with --to rvps-file"
            )
            notes.append(Note("rvps-list-large", text))
        return notes


def _check_case(name: str) -> None:
    """Raises UsageError for upper case: what registers a message does not know which store is behind the RVPS."""
    if name != name.lower():
        raise UsageError(
            f"{name[:64]!r} has upper case: the store LocalFs makes it a file name, and some file systems ignore case",
            f"use --name {name.lower()[:64]}; or --to rvps-file, for the store LocalJson, which tells case apart",
        )


FORMAT = RvpsMessage()
