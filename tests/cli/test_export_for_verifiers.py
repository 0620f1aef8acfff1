"""`ldcat export` for verifiers: files as they ask for, by name and number; and `ldcat import` reads what it wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.cli import Run
from tests.support.published_logs import Place

ROWS = ("--vmm", "qemu-kvm-init2", "--vcpu-type", "EPYC-Milan", "--sev-features", "1", "--kernel-hashes", "mine")
UNKNOWN = "--launch-unknown"


@pytest.fixture
def export(run: Run, place: Place) -> Run:
    """Runs `ldcat export` on rows with kernel hashes, of a published catalog."""
    return lambda name, *arguments: run("export", "--to", name, *ROWS, UNKNOWN, *place.options(), *arguments)


def test_a_config_needs_the_name_that_its_reader_goes_by(export: Run, tmp_path: Path) -> None:
    code, _, err = export("check", "--vcpus", "1", "-o", str(tmp_path / "guest.txt"))
    assert (code, list(tmp_path.glob("guest*"))) == (2, [])
    assert "error: guest.txt: the reader of this file wants a name that ends with .textproto" in err
    assert "guest.txt.textproto" in err
    code, printed, _ = export("check", "--vcpus", "1")
    assert export("check", "--vcpus", "1", "-o", str(tmp_path / "guest.textproto"))[0] == code == 0
    assert (tmp_path / "guest.textproto").read_text() == printed


def test_several_configs_are_a_folder_unless_an_author_stands_for_them(export: Run, tmp_path: Path) -> None:
    code, out, err = export("check", "--vcpus", "1-3")
    assert (code, out) == (2, "")
    assert "error: this export is 3 files" in err
    assert export("check", "--vcpus", "1-3", "-o", str(tmp_path / "guests"))[0] == 0
    sidecar = json.loads((tmp_path / "guests" / "ldcat-export.json").read_text())
    assert len(list((tmp_path / "guests").glob("*.textproto"))) == len(sidecar["files"]) == 3
    key = ec.derive_private_key(5, ec.SECP384R1()).public_key()
    author = tmp_path / "author.pem"
    author.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    code, out, err = export("check", "--vcpus", "1-3", "--author-key", str(author))
    assert (code, out.count("trusted_author_key_hashes"), out.count("measurement")) == (0, 1, 0)
    assert "warning: the config names no launch digest" in err


@pytest.mark.parametrize(
    ("name", "settings", "known"),
    [
        ("c8s", (), "claims                  vcpus 2"),
        ("contrast", ("--product", "Genoa"), "claims                  vcpus 2, product Genoa"),
        ("dstack", (), "all that is known  kernel_sha256, initrd_sha256, append"),
        ("sev-snp-measure-go", (), "all that is known  snp_baseline, sections, reset_vector"),
    ],
)
def test_an_import_reads_what_was_written(
    run: Run, export: Run, tmp_path: Path, name: str, settings: tuple[str, ...], known: str
) -> None:
    path = tmp_path / "exported"
    assert export(name, "--vcpus", "1-2", *settings, "-o", str(path), "-q")[:2] == (0, "")
    code, out, _ = run("import", str(path))
    assert (code, known in out) == (0, True)


def test_settings_of_others_are_refused_and_a_product_is_needed(export: Run) -> None:
    code, _, err = export("contrast", "--vcpus", "1")
    assert (code, "contrast needs --product" in err) == (2, True)
    code, _, err = export("c8s", "--vcpus", "1", "--product", "Milan")
    assert (code, "formats that do: contrast" in err) == (2, True)
