"""An exported ID block from the command line: `ldcat lookup` finds it, and expects the digest of its ID key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from catalog.ask.evidence_files import read_id_key
from catalog.build.builder import BuildResult
from tests.support.cli import Run
from tests.support.id_block_exports import ID_KEY, key_file, qemu_digest
from tests.support.published_logs import Place


@pytest.fixture
def key_path(tmp_path: Path) -> str:
    path = tmp_path / "id.pem"
    path.write_bytes(key_file(ID_KEY).data)
    return str(path)


def test_an_exported_id_block_is_found(
    run: Run, place: Place, small: BuildResult, tmp_path: Path, key_path: str
) -> None:
    folder, digest = tmp_path / "block", qemu_digest(small)
    options = ("--unenforced", "--launch-unknown", *place.options())
    code, out, err = run("export", "--to", "id-block", digest, *options, "--id-key", key_path, "-o", str(folder))
    assert (code, out) == (0, "")
    assert "ldcat: note: the secure processor refuses every launch but this one: " in err
    code, out, _ = run("lookup", str(folder / "id-block.bin"), "--format", "json", *place.options())
    answer = json.loads(out)
    assert (code, answer["id_block"]["measurement"], answer["found"]) == (0, digest, True)
    public = tmp_path / "id.pub.pem"
    public.write_bytes(ID_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    expected = json.loads((folder / "id-keys.json").read_text())["id_key_digest"]
    with public.open("rb") as stdin:
        assert read_id_key(str(public), stdin).hex() == expected


@pytest.mark.parametrize("given", [True, False])
def test_a_key_that_does_not_do_is_refused(
    run: Run, place: Place, small: BuildResult, tmp_path: Path, given: bool
) -> None:
    folder, path = tmp_path / "block", tmp_path / "p256.pem"
    path.write_bytes(key_file(ec.generate_private_key(ec.SECP256R1())).data)
    options = ("--unenforced", "--launch-unknown", *place.options(), "-o", str(folder))
    key = ("--id-key", str(path)) if given else ()
    code, out, err = run("export", "--to", "id-block", qemu_digest(small), *options, *key)
    assert (code, out) == (3 if given else 2, "")
    said = ("p256.pem: the key is P-256; an ID block needs P-384", "ldcat: hint: openssl genpkey -algorithm EC ")
    for text in said if given else ("id-block needs --id-key FILE", "private key that signs the ID block"):
        assert text in err
    assert not folder.exists()
