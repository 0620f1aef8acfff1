"""ID blocks in the vectors, in every form, byte for byte; their signatures are deterministic."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from catalog.abi.id_auth import IdAuth
from catalog.abi.id_block import IdBlock
from catalog.endorse.id_signatures import check_id_signatures
from catalog.errors import UsageError
from catalog.export.export_format import export_format_named
from catalog.export.exported import Export
from catalog.export.settings import GivenFile, Settings
from tests.real.export_vectors import SINGLE, vector_export
from tests.real.shared import EXCHANGE


def key(name: str) -> GivenFile:
    return GivenFile(name, (EXCHANGE / "test-keys" / name).read_bytes())


def exported(folder: str, *, author: bool = True) -> Export:
    author_key = key("author.pem") if author else None
    return vector_export(folder, Settings(id_key=key("id.pem"), author_key=author_key))


def written(name: str, export: Export) -> dict[str, bytes]:
    return {file.name: b"".join(file.chunks()) for file in export_format_named(name).files(export)}


@pytest.mark.parametrize("folder", SINGLE)
def test_the_files_of_an_id_block(folder: str) -> None:
    expected = {
        name: (EXCHANGE / folder / name).read_bytes() for name in ("id-block.bin", "id-auth.bin", "id-keys.json")
    }
    assert written("id-block", exported(folder)) == expected
    block, auth = expected["id-block.bin"], IdAuth.parse(expected["id-auth.bin"])
    assert IdBlock.parse(block).to_bytes() == block
    assert auth.to_bytes() == expected["id-auth.bin"]
    check_id_signatures(auth, block)


@pytest.mark.parametrize("folder", SINGLE)
def test_without_an_author_key(folder: str) -> None:
    files = written("id-block", exported(folder, author=False))
    assert files["id-auth.bin"] == (EXCHANGE / folder / "id-auth-no-author.bin").read_bytes()
    assert files["id-block.bin"] == (EXCHANGE / folder / "id-block.bin").read_bytes()


@pytest.mark.parametrize("folder", SINGLE)
@pytest.mark.parametrize(("name", "file"), [("qemu", "qemu.args"), ("libvirt", "libvirt.xml")])
def test_the_words_of_qemu_and_libvirt(folder: str, name: str, file: str) -> None:
    assert written(name, exported(folder)) == {file: (EXCHANGE / folder / file).read_bytes()}


@pytest.mark.parametrize("folder", SINGLE)
def test_a_launch_by_another_vmm_is_said(folder: str) -> None:
    export = exported(folder)
    hosted = any(row.vmm in ("gce-v1", "ec2-2026") for row in export.rows)
    for name in ("qemu", "libvirt"):
        codes = [note.code for note in export_format_named(name).notes(export)]
        assert ("launch-of-other-vmm" in codes) is hosted


@pytest.mark.parametrize("folder", ["a", "c"])
def test_the_words_of_kata_are_those_of_qemu(folder: str) -> None:
    said = tomllib.loads(written("kata", exported(folder))["kata.toml"].decode())
    line = Path(EXCHANGE / folder / "qemu.args").read_text()
    assert f",id-block={said['snp_id_block']},id-auth={said['snp_id_auth']}," in line
    assert said["snp_guest_policy"] == 0x30000


def test_five_digests_are_refused() -> None:
    export = vector_export("many", Settings(id_key=key("id.pem")))
    for name in ("id-block", "qemu", "libvirt", "kata"):
        with pytest.raises(UsageError, match="an ID block has one launch digest, but 5 are selected"):
            export_format_named(name).files(export)
