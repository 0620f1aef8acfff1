"""The sidecar of an export: written canonically, read strictly."""

from __future__ import annotations

import hashlib

import pytest

from catalog.errors import MalformedRecord, VerificationFailed
from catalog.export.exported import Source
from catalog.export.settings import GivenFile
from catalog.export.sidecar import DescribedFile, Sidecar, StatedSettings, make_sidecar, read_sidecar, sidecar_of
from catalog.notes import Note

DATA = b"values\n"
SOURCE = Source("test", "0" * 64, "catalog.example/test", 3, 1234, "1" * 64, 1_700_000_000, {"vmm": "qemu", "vcpus": 2})


SETTINGS = StatedSettings(
    valid_from="2026-11-28T00:00:00Z", policy="0x30000", guest_svn=2, family_id="0" * 32, id_key_digest="2" * 96
)


def made(**other: object) -> Sidecar:
    file = DescribedFile(name="values.json", size=len(DATA), sha256=hashlib.sha256(DATA).hexdigest())
    return make_sidecar(
        "rvps",
        SOURCE,
        [b"b" * 48, b"a" * 48],
        [file],
        [Note("deprecated", "deprecated by its publisher")],
        settings=SETTINGS,
        **other,  # type: ignore[arg-type]
    )


def test_it_is_read_as_it_was_written() -> None:
    found = read_sidecar(bytes(made()), "a sidecar")
    assert found == made()
    assert found.release is not None
    assert (found.release.number, found.release.size) == (3, 1234)
    assert found.digests.sha256 == hashlib.sha256(b"a" * 48 + b"b" * 48).hexdigest()


def test_a_local_catalog_has_no_release() -> None:
    source = Source("test", "0" * 64, None, None, None, None, 0, {})
    one = make_sidecar("rvps", source, [b"a" * 48], made().files, [])
    assert read_sidecar(bytes(one), "a sidecar").release is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"version": 1', b'"version": 2'),
        (b'"count": 2', b'"count": 0'),
        (b'"vmm": "qemu"', b'"vmm":  "qemu"'),
        (b'"type": "ldcat-export",\n  "version": 1', b'"version": 1,\n  "type": "ldcat-export"'),
        (b'"notes"', b'"more"'),
        (b'"vcpus": 2', b'"vcpus": [[2]]'),
        (b'"guest_svn": 2', b'"guest_svn": null'),
        (b'"guest_svn": 2', b'"guest_svn": "2"'),
        (b'"guest_svn": 2', b'"passphrase": "x"'),
        (b'"0x30000"', b'"0x030000"'),
        (b'"0x30000"', b'"0X30000"'),
        (b"2026-11-28T00:00:00Z", b"2026-11-28"),
        (b"2" * 96, b"2" * 95),
        (b'"changes": null', b'"changes": {"since": 1}'),
        (b"values.json", b"../values.json"),
        (b"values.json", b".."),
        (b"values.json", b"values.json\\n"),
        (b"0" * 64, b"0" * 64 + b"\\n"),
        (b"}\n", b"}"),
    ],
)
def test_anything_else_is_refused(old: bytes, new: bytes) -> None:
    data = bytes(made())
    assert old in data
    with pytest.raises(MalformedRecord, match="a sidecar: "):
        read_sidecar(data[::-1].replace(old[::-1], new[::-1], 1)[::-1], "a sidecar")


def test_a_file_is_compared_with_its_sidecar() -> None:
    file = GivenFile("out/values.json", DATA, bytes(made()))
    assert sidecar_of(file) == made()
    for wrong, message in (
        (GivenFile("out/values.json", DATA), "has no sidecar"),
        (GivenFile("out/other.json", DATA, bytes(made())), "does not name it"),
        (GivenFile("out/values.json", b"other", bytes(made())), "is not the file"),
    ):
        with pytest.raises(VerificationFailed, match=message):
            sidecar_of(wrong)
