"""`rvps-file`: the file of the store LocalJson of trustee's RVPS.

It is `reference_value`, without an ending, in the folder that `file_dir_path` of the configuration names.
Source: confidential-containers/trustee, deps/key-value-storage/src/local_json and rvps/src/reference_value.rs;
attestation-service/src/rvps/grpc.rs, which keeps tonic's limit of a message.
"""

from __future__ import annotations

from collections.abc import Sequence

from catalog.export.export_format import ExportFormat, Readers
from catalog.export.exported import TECHNOLOGIES, Export, ExportFile
from catalog.export.reference_values import STORED_DEFAULTS, common_notes, local_json, stored_notes
from catalog.notes import Note

_MOST_OF_ANSWER = 42_300
"""Digests of 99 bytes each in JSON that fit the 4 MiB which a client of gRPC takes as an answer."""


class RvpsFile(ExportFormat):
    """A JSON object: the reference value, in base64url, by its name."""

    name = "rvps-file"
    title = "file of the store LocalJson of trustee's RVPS: FILE_DIR_PATH/reference_value"
    readers = Readers.VERIFIERS
    technologies = frozenset(TECHNOLOGIES)
    file_name = "rvps-reference_value.json"
    settings = frozenset({"name", "valid_from", "days"})
    defaults = STORED_DEFAULTS
    takes_updates = True

    def files(self, export: Export) -> Sequence[ExportFile]:
        return [ExportFile(self.file_name, "application/json", local_json(export))]

    def notes(self, export: Export) -> Sequence[Note]:
        notes, count = [*common_notes(export), *stored_notes()], len(export.digests)
        if count > _MOST_OF_ANSWER:
            text = (
                f"the list has {count:,} digests and over 4 MiB, which the attestation service refuses of an RVPS "
                "that runs apart from it: use a built-in RVPS, or a smaller selection"
            )
            notes.append(Note("rvps-list-large", text))
        return notes


FORMAT = RvpsFile()
