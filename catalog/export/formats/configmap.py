"""`configmap`: a Kubernetes ConfigMap with the file of `rvps-file`, as trustee's operator mounts it.

Source: confidential-containers/trustee-operator at dec08ea, internal/controller/kbsconfig_controller.go; Kubernetes,
RFC 1123 labels, and the limits of 1 MiB of a ConfigMap and of 256 KiB of an annotation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from catalog.errors import UsageError
from catalog.export.export_format import ExportFormat, Readers
from catalog.export.exported import TECHNOLOGIES, Export, ExportFile
from catalog.export.reference_values import STORED_DEFAULTS, common_notes, local_json, stored_notes
from catalog.notes import Note

DEFAULT_NAMESPACE = "trustee-operator-system"
MOST_DIGESTS = 7_500
"""Of 132 bytes each: a ConfigMap holds 1 MiB, about 7,900 digests."""
_MOST_OF_APPLY = 1_900
"""Digests that fit the annotation of 256 KiB to which `kubectl apply` copies an object."""

_LABEL = re.compile("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_OTHER_IN_YAML = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""Labels that a reader of YAML 1.1 takes for a truth value or null; those that begin with a digit may be numbers."""

_HEAD = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: rvps-reference-values
  namespace: {namespace}
data:
  reference_value: |
"""


class ConfigMap(ExportFormat):
    """YAML; the file is a block of literal text in it, indented by four spaces."""

    name = "configmap"
    title = f"ConfigMap of trustee's operator for Kubernetes: kubectl apply, up to {MOST_DIGESTS:,} digests"
    readers = Readers.VERIFIERS
    technologies = frozenset(TECHNOLOGIES)
    file_name = "trustee-operator-configmap.yaml"
    settings = frozenset({"name", "namespace", "valid_from", "days"})
    defaults = {**STORED_DEFAULTS, "namespace": DEFAULT_NAMESPACE}
    takes_updates = True

    def files(self, export: Export) -> Sequence[ExportFile]:
        if len(export.digests) > MOST_DIGESTS:
            raise UsageError(
                f"a ConfigMap holds at most {MOST_DIGESTS:,} digests, because of its limit of 1 MiB; "
                f"{len(export.digests):,} are selected",
                "select fewer vCPU counts or types, or use --to rvps or --to rvps-file",
            )
        text = b"".join(local_json(export)()).decode()
        lines = "".join(f"    {line}\n" for line in text.splitlines())
        data = (_HEAD.format(namespace=_namespace(export)) + lines).encode()
        return [ExportFile.of(self.file_name, "application/yaml", data)]

    def notes(self, export: Export) -> Sequence[Note]:
        notes = [*common_notes(export), *stored_notes()]
        if len(export.digests) > _MOST_OF_APPLY:
            text = "kubectl apply refuses objects over 256 KiB unless it is given --server-side"
            notes.append(Note("configmap-needs-server-side", text))
        return notes


def _namespace(export: Export) -> str:
    """The namespace as YAML text. Raises UsageError unless it is a label of RFC 1123."""
    namespace = export.settings.namespace
    if namespace is None:
        return DEFAULT_NAMESPACE
    if _LABEL.fullmatch(namespace) is None:
        raise UsageError(
            f"{namespace[:64]!r} is no Kubernetes namespace: 1 to 63 of a-z, 0-9 and, in between, '-'",
            f"without --namespace it is {DEFAULT_NAMESPACE}",
        )
    return f'"{namespace}"' if namespace in _OTHER_IN_YAML or namespace[0].isdigit() else namespace


FORMAT = ConfigMap()
