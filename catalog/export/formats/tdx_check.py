"""`tdx-check`: go-tdx-guest's checkconfig.Config in text, a policy that its `check` tool compares a TDX quote with.

Source: google/go-tdx-guest, proto/checkconfig.proto, tools/check/check.go, validate/validate.go.
"""

from __future__ import annotations

from collections.abc import Sequence

from catalog.export.export_format import ExportFormat, Readers
from catalog.export.exported import TDX, Export, ExportFile
from catalog.export.writers.text_proto import escaped
from catalog.notes import Note


class TdxCheckConfig(ExportFormat):
    """A config accepts any of its MRTDs, so there is one for all.

    The empty header policy is needed: the tool sets fields in it, and ends with a nil pointer if there is none.
    """

    name = "tdx-check"
    title = "checkconfig.Config of go-tdx-guest: check -config FILE.textproto"
    readers = Readers.VERIFIERS
    technologies = frozenset({TDX})
    why_no_other = "go-tdx-guest reads TDX quotes only"
    file_name = "tdx-check.textproto"
    file_ending = ".textproto"
    takes_updates = True

    def files(self, export: Export) -> Sequence[ExportFile]:
        mrtds = [f"    any_mr_td: {escaped(digest)}" for digest in export.digests]
        body = ["  td_quote_body_policy {", *mrtds, "    enable_td_debug_check: true", "  }"]
        text = "\n".join(["policy {", "  header_policy {}", *body, "}", ""])
        return [ExportFile.of(self.file_name, "text/plain; charset=utf-8", text.encode())]

    def notes(self, export: Export) -> Sequence[Note]:  # noqa: ARG002
        text = (
            "the config says nothing of RTMRs, MRCONFIGID, the TDX module or its TCB: any kernel and any configuration "
            "is accepted with these MRTDs"
        )
        return [Note("export-accepts-more", text)]


FORMAT = TdxCheckConfig()
