"""`ldcat export` about exported files: statements and OCI artifacts, of files that fit and of no others."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

from catalog.build.builder import BuildResult
from tests.support.catalogs import digest_with
from tests.support.cli import Run
from tests.support.oci import tags
from tests.support.published_logs import Place

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(32))


@pytest.fixture
def selected(place: Place, small: BuildResult) -> tuple[str, ...]:
    """Options that select one launch digest."""
    digest = digest_with(small, technology="sev-snp", vmm="qemu-kvm-init2", vcpus=1)
    return digest, "--launch-unknown", "--unenforced", "-q", *place.options()


@pytest.fixture
def values(run: Run, selected: tuple[str, ...], tmp_path: Path) -> Path:
    """An exported file with its sidecar."""
    path = tmp_path / "values.json"
    assert run("export", "--to", "rvps", *selected, "-o", str(path))[0] == 0
    return path


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key.pem"
    path.write_bytes(PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


def test_a_file_is_signed_and_both_are_put_into_an_artifact(
    run: Run, selected: tuple[str, ...], values: Path, key: Path, tmp_path: Path
) -> None:
    signed, layout = tmp_path / "values.dsse.json", tmp_path / "oci"
    statement = ("export", "--to", "in-toto", *selected, "--key", str(key))
    assert run(*statement, "--file", str(values), "-o", str(signed))[:2] == (0, "")
    envelope = Envelope.from_dict(json.loads(signed.read_bytes()))
    envelope.verify([SSlibKey.from_crypto(PRIVATE.public_key())], 1)
    said = json.loads(envelope.payload)
    assert [subject["name"] for subject in said["subject"]] == ["values.json"]
    assert [row["launch_digest"] for row in said["predicate"]["rows"]] == [selected[0]]
    files = ("--file", str(values), "--file", str(signed))
    artifact = ("export", "--to", "oci-layout", *selected, *files)
    assert run(*artifact, "-o", str(layout), "--tag", "one")[:2] == (0, "")
    assert run(*artifact, "-o", str(layout))[:2] == (0, "")
    assert len(set(tags(layout).values())) == 1
    assert sorted(tags(layout)) == ["latest", "one"]
    assert {one.name for one in layout.iterdir()} == {".ldcat-lock", "blobs", "index.json", "oci-layout"}


@pytest.mark.parametrize("change", ["contents", "sidecar", "selection"])
def test_a_file_that_does_not_fit_is_not_signed(
    run: Run,
    selected: tuple[str, ...],
    values: Path,
    key: Path,
    small: BuildResult,
    tmp_path: Path,
    change: str,
) -> None:
    digests = selected[:1]
    if change == "contents":
        values.write_bytes(base64.b64encode(values.read_bytes()))
    elif change == "sidecar":
        values.with_name("values.json.ldcat.json").unlink()
    else:
        digests = (digest_with(small, technology="sev-snp", vmm="qemu-kvm-init2", vcpus=2),)
    signed, layout = tmp_path / "values.dsse.json", tmp_path / "oci"
    about = (*digests, *selected[1:], "--file", str(values))
    for made in (("in-toto", "--key", str(key), "-o", str(signed)), ("oci-layout", "-o", str(layout))):
        code, out, err = run("export", "--to", *made, *about)
        assert (code, out) == (4, "")
        assert "ldcat: hint: export" in err
    assert not signed.exists()
    assert not layout.exists()


def test_an_artifact_needs_a_folder_of_its_own(
    run: Run, selected: tuple[str, ...], values: Path, tmp_path: Path
) -> None:
    artifact = ("export", "--to", "oci-layout", *selected, "--file", str(values))
    code, _, err = run(*artifact)
    assert (code, "-o FOLDER" in err) == (2, True)
    code, _, err = run(*artifact, "-o", str(tmp_path))
    assert (code, "which is not part of an OCI layout" in err) == (2, True)
