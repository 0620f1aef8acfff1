"""`check`: go-sev-guest's check.Config in text, a policy that its `check` tool compares an attestation report with.

Source: google/go-sev-guest, proto/check.proto, tools/check/check.go, validate/validate.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from catalog.abi.guest_policy import SnpPolicy
from catalog.ask.evidence_notes import snp_policy_notes
from catalog.errors import UsageError
from catalog.export.export_format import ExportFormat
from catalog.export.exported import Export, ExportFile
from catalog.export.settings import DEFAULT_POLICY, Settings
from catalog.notes import Note


class CheckConfig(ExportFormat):
    """A config has room for one launch digest, so there is one file for each."""

    name = "check"
    title = "check.Config of go-sev-guest: check -config FILE.textproto"
    settings = frozenset({"policy", "guest_svn", "family_id", "image_id"})
    file_ending = ".textproto"

    def files(self, export: Export) -> Sequence[ExportFile]:
        return [_file(digest, export.settings) for digest in export.digests]

    def notes(self, export: Export) -> Sequence[Note]:
        settings = export.settings
        notes = snp_policy_notes(_policy(settings))
        values = {"guest SVN": settings.guest_svn, "family ID": settings.family_id, "image ID": settings.image_id}
        if given := [name for name, value in values.items() if value is not None]:
            text = f"the host chooses {' and '.join(given)} of a report, unless the key of its ID block is checked"
            notes.append(Note("host-chooses-value", text))
        return notes


def _file(digest: bytes, settings: Settings) -> ExportFile:
    """The config of a launch digest: its fields by number, as go-sev-guest prints them."""
    fields = [f"policy: {_policy(settings).value:#x}"]
    if settings.guest_svn is not None:
        fields.insert(0, f"minimum_guest_svn: {settings.guest_svn}")
    if settings.family_id is not None:
        fields.append(f"family_id: {_bytes(settings.family_id)}")
    if settings.image_id is not None:
        fields.append(f"image_id: {_bytes(settings.image_id)}")
    fields.append(f"measurement: {_bytes(digest)}")
    return ExportFile.of(f"{digest.hex()}.textproto", "text/plain; charset=utf-8", _config(fields))


def _config(fields: Iterable[str]) -> bytes:
    return "".join(["policy {\n", *(f"  {field}\n" for field in fields), "}\n"]).encode()


def _bytes(value: bytes) -> str:
    """A string of the text format: each byte escaped in hex."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in value) + '"'


def _policy(settings: Settings) -> SnpPolicy:
    """The most permissive guest policy that is accepted; raises UsageError for one that go-sev-guest refuses."""
    policy = SnpPolicy.parse(DEFAULT_POLICY if settings.policy is None else settings.policy)
    if reason := policy.unknown_text("policy"):
        raise UsageError(f"go-sev-guest refuses the policy {policy.value:#x}: {reason}", "--policy 0x30000 is usual")
    return policy


FORMAT = CheckConfig()
