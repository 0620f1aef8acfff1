"""check.Config of go-sev-guest: a file for each digest, and policies that it would refuse."""

from __future__ import annotations

from dataclasses import replace

import pytest

from catalog.errors import UsageError
from catalog.export.exported import Export
from catalog.export.formats.check import FORMAT
from catalog.export.settings import Settings
from tests.support.exports import export_of


def text_of(settings: Settings | None = None) -> str:
    (file,) = FORMAT.files(export_of(settings=settings))
    return b"".join(file.chunks()).decode()


def codes(export: Export) -> list[str]:
    return [note.code for note in FORMAT.notes(export)]


def test_a_digest_is_escaped_byte_by_byte_below_the_policy() -> None:
    digest = export_of().digests[0]
    escaped = "".join(f"\\x{byte:02x}" for byte in digest)
    assert text_of() == f'policy {{\n  policy: 0x30000\n  measurement: "{escaped}"\n}}\n'
    assert codes(export_of()) == []


def test_each_digest_has_a_file_by_its_name_once() -> None:
    export = export_of(3)
    files = FORMAT.files(replace(export, rows=[*export.rows, *export.rows]))
    assert [file.name for file in files] == [f"{digest.hex()}.textproto" for digest in export.digests]
    assert all(file.name.endswith(FORMAT.file_ending) for file in files)
    assert len({b"".join(file.chunks()) for file in files}) == 3


def test_settings_are_fields_in_the_order_of_their_numbers() -> None:
    settings = Settings(policy=0xB0003, guest_svn=7, family_id=b"\1" * 16, image_id=b"\xfe" * 16)
    lines = [line.strip() for line in text_of(settings).splitlines()[1:-2]]
    ids = ["family_id: " + '"' + "\\x01" * 16 + '"', "image_id: " + '"' + "\\xfe" * 16 + '"']
    assert lines == ["minimum_guest_svn: 7", "policy: 0xb0003", *ids]


@pytest.mark.parametrize(
    ("policy", "reason"),
    [(0, "bit 17 is not set"), (0x10000, "bit 17 is not set"), (1 << 26 | 0x20000, "bit 26 is not known")],
)
def test_a_policy_that_go_sev_guest_refuses_is_an_error(policy: int, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        text_of(Settings(policy=policy))
    assert "--policy 0x30000" in (caught.value.hint or "")


def test_what_a_policy_allows_and_who_chooses_other_values_is_said() -> None:
    assert codes(export_of(settings=Settings(policy=0xE0000))) == ["debug-allowed", "migration-agent-allowed"]
    (note,) = FORMAT.notes(export_of(settings=Settings(guest_svn=0, image_id=bytes(16))))
    assert note.code == "host-chooses-value"
    assert "guest SVN and image ID" in note.text
