"""`oci-layout`: exported files and their sidecars as an OCI artifact, which oras and skopeo copy to a registry."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.errors import UsageError
from catalog.export.export_format import ExportFormat
from catalog.export.exported import TECHNOLOGIES, Export, ExportFile
from catalog.export.given_files import fitting_files
from catalog.export.sidecar import ENDING, IN_FOLDER
from catalog.export.writers.dsse_type import MEDIA_TYPE

_JSON = "application/json"
_MEDIA_TYPES = {".dsse.json": MEDIA_TYPE, ".json": _JSON, ".yaml": "application/yaml", ".xml": "application/xml"}
"""By the end of a file's name."""
_OTHER = "application/octet-stream"


class OciLayout(ExportFormat):
    """A layer for each file, by its name, and one for each sidecar: who pulls the artifact can check what it is."""

    name = "oci-layout"
    title = "exported files, and envelopes that sign them, as an OCI artifact for a registry: oras, skopeo"
    file_name = "layout"
    technologies = frozenset(TECHNOLOGIES)
    settings = frozenset({"files", "tag"})
    required = frozenset({"files"})
    is_folder = True
    artifact_type = "application/vnd.ldcat.export.v1+json"

    def files(self, export: Export) -> Sequence[ExportFile]:
        layers: dict[str, ExportFile] = {}
        sidecars: dict[str, bytes] = {}
        for file, sidecar in fitting_files(export):
            layers[file.base_name] = ExportFile.of(file.base_name, _media_type(file.base_name), file.data)
            name = IN_FOLDER if len(sidecar.files) > 1 else file.base_name + ENDING
            if sidecars.setdefault(name, bytes(sidecar)) != bytes(sidecar):
                raise UsageError(
                    f"files of two exported folders are given, and each has its own {name}",
                    "make an artifact of each: --tag tells them apart in one layout",
                )
        if taken := sorted(layers.keys() & sidecars.keys()):
            raise UsageError(f"{taken[0]} is the name of a file and of a sidecar", "name the sidecar's file alone")
        return [*layers.values(), *(ExportFile.of(name, _JSON, data) for name, data in sorted(sidecars.items()))]


FORMAT = OciLayout()


def _media_type(name: str) -> str:
    return next((kind for ending, kind in _MEDIA_TYPES.items() if name.endswith(ending)), _OTHER)
