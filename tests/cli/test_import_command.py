"""`ldcat import`: what it prints and writes, and what it refuses without writing anything."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from catalog.firmware.build import FirmwareBuild, OriginWire
from catalog.firmware.kernel_record import KernelRecord
from catalog.imports.import_record import parse_import
from tests.support import published_documents as made
from tests.support.cli import AMDSEV, SNP, Run
from tests.support.published_documents import DIGEST


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Documents of several formats, and the root of what is signed."""
    data = made.dstack()
    documents = {
        "measurement.snp.cbor": data,
        "sha256sum.txt": made.checksums(data),
        "manifest.json": made.as_json(made.c8s()),
        "contrast.json": made.contrast_manifest(),
        "uvm.cose": made.uvm(),
        "root.pem": made.pem(made.root()),
    }
    for name, content in documents.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_a_table_says_what_was_read_by_whom_and_how_checked(run: Run, folder: Path) -> None:
    root = ("--root", str(folder / "root.pem"))
    code, out, err = run("import", str(folder / "uvm.cose"), *root, "--origin", "Microsoft")
    assert (code, err) == (0, "")
    for text in (
        "azure-uvm",
        "signature verified",
        "published by  Microsoft",
        "signed 2026-03-01 by a certificate",
    ):
        assert text in out
    assert DIGEST in out
    assert made.did() in out


def test_components_and_bases_have_tables_of_their_own(run: Run, folder: Path) -> None:
    code, out, _ = run("import", str(folder / "measurement.snp.cbor"), str(folder / "contrast.json"))
    assert code == 0
    assert "not signed: nothing vouches for it" in out
    assert "dstack/5a5a5a5a5a5a" in out
    assert "snp_baseline, sections, reset_vector, hashes_area" in out
    assert "kernel_sha256, initrd_sha256, append" in out
    assert "base of more vCPUs" in out
    assert "vcpus 1, product Milan, policy 0x3001f, reset_vector 0x80b004" in out


def test_json_has_every_document(run: Run, folder: Path) -> None:
    files = [str(folder / name) for name in ("measurement.snp.cbor", "manifest.json")]
    code, out, err = run("import", *files, "--name", "mine", "-f", "json")
    shown = json.loads(out)
    assert (code, err, shown["written"]) == (0, "", [])
    first, second = shown["documents"]
    assert (first["file"], first["form"], first["firmware"][0]["name"]) == (files[0], "dstack", "mine")
    assert [one["claims"]["vcpus"] for one in second["endorsed"]] == [1, 2]


def test_records_are_written_once_and_are_what_specs_take(run: Run, folder: Path) -> None:
    arguments = (
        "import",
        *(str(folder / name) for name in ("measurement.snp.cbor", "manifest.json")),
        *("--checksums", str(folder / "sha256sum.txt"), "--origin", "https://example", "--name", "mine"),
        *("-o", str(folder / "new" / "records")),
    )
    code, out, err = run(*arguments)
    assert (code, err) == (0, "")
    written = [line for line in out.splitlines() if line.startswith(str(folder / "new"))]
    assert sorted(written) == sorted(str(path) for path in (folder / "new").rglob("*") if path.is_file())
    assert len(written) == 4
    kernel = KernelRecord.parse((folder / "new/records/kernel_hashes/mine.toml").read_text())
    assert kernel.append == "console=ttyS0 quiet"
    firmware = str(folder / "new/records/firmware/mine.toml")
    measured = run("measure", firmware, *SNP, "--vcpus", "1", "-q")
    assert (measured[0], len(measured[1].strip())) == (0, 96)
    manifest = parse_import(next((folder / "new/records").glob("c8s-manifest-*.toml")).read_text())
    assert {one.endorser.id for one in manifest.endorsed} == {"https://example"}
    assert manifest.document_sha256 is not None
    kept = folder / "new/records/documents" / manifest.document_sha256.hex()
    assert kept.read_bytes() == (folder / "manifest.json").read_bytes()
    before = {path: path.stat().st_ino for path in (folder / "new").rglob("*.toml")}
    assert run(*arguments)[:2] == (code, out)
    assert set(before) == set((folder / "new").rglob("*.toml"))


def test_a_document_is_read_from_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(made.go_metadata())))
    code, out, _ = run("import", "-", "-f", "json")
    assert (code, json.loads(out)["documents"][0]["form"]) == (0, "sev-snp-measure-go")


def test_standard_input_that_cannot_be_read_is_an_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.TextIOWrapper(io.BytesIO())
    closed.close()
    monkeypatch.setattr(sys, "stdin", type("Stdin", (), {"buffer": closed}))
    code, _, err = run("import", "-")
    assert (code, err.startswith("ldcat: error: -: ")) == (5, True)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("uvm.cose",), 6, "uvm.cose: azure-uvm: the issuer is did:x509:0:sha256:"),
        (("uvm.cose", "--root", "root.pem", "--feed", "Other"), 4, "the feed is 'ContainerPlat-AMD-UVM', not 'Other'"),
        (("uvm.cose", "--root", "sha256sum.txt"), 3, "sha256sum.txt: no certificates in PEM or DER"),
        (("sha256sum.txt",), 3, "sha256sum.txt: a document of no known format"),
        (("nothing",), 5, "nothing: no such file or directory"),
        (("measurement.snp.cbor", "--checksums", "manifest.json"), 3, "checksum file: line 1"),
        (("manifest.json", "-o", "new"), 2, "the c8s-manifest document does not say whose it is"),
        (("measurement.snp.cbor", "--name", ""), 2, "invalid value for '--name'"),
        (("manifest.json", "--origin", "", "-o", "new"), 2, "invalid value for '--origin'"),
        (("-", "-"), 2, "stdin can be read only once"),
        (("manifest.json", "-f", "csv"), 2, "'csv' is not one of"),
    ],
)
def test_what_is_refused_is_said_in_a_line_and_nothing_is_written(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int, message: str
) -> None:
    monkeypatch.chdir(folder)
    got, out, err = run("import", *arguments)
    assert (got, out) == (code, "")
    assert err.startswith("ldcat: error: ")
    assert message in err
    assert not (folder / "new").exists()


def test_one_bad_document_of_several_stops_all_of_them(run: Run, folder: Path) -> None:
    files = [str(folder / name) for name in ("manifest.json", "sha256sum.txt")]
    assert run("import", *files, "--origin", "x", "-o", str(folder / "new"))[0] == 3
    assert not (folder / "new").exists()


def test_a_file_with_other_contents_is_never_replaced(run: Run, folder: Path) -> None:
    existing = folder / "new" / "kernel_hashes" / "mine.toml"
    existing.parent.mkdir(parents=True)
    existing.write_text("other")
    arguments = ("import", str(folder / "measurement.snp.cbor"), "--name", "mine", "-o", str(folder / "new"))
    code, _, err = run(*arguments)
    assert (code, "mine.toml is there with other contents" in err) == (2, True)
    assert [path for path in (folder / "new").rglob("*") if path.is_file()] == [existing]
    existing.write_text("other" * 10_000)
    assert run(*arguments)[0] == 2


def test_two_components_of_one_name_are_refused(run: Run, folder: Path) -> None:
    (folder / "other").write_bytes(made.dstack(kernel_hash=b"\x99" * 32))
    files = [str(folder / name) for name in ("measurement.snp.cbor", "other")]
    code, _, err = run("import", *files, "--name", "mine", "-o", str(folder / "new"))
    assert (code, "two components would be written to " in err) == (2, True)
    assert not (folder / "new").exists()


def _two_forms(folder: Path) -> list[str]:
    (folder / "attached.json").write_bytes(made.dstack_attached())
    return [str(folder / name) for name in ("measurement.snp.cbor", "attached.json")]


def test_equal_facts_of_two_documents_are_written_once(run: Run, folder: Path) -> None:
    forms, new = _two_forms(folder), folder / "new"
    code, out, err = run("import", *forms, "--name", "mine", "-o", str(new), "-f", "json")
    files = [new / "firmware" / "mine.toml", new / "kernel_hashes" / "mine.toml"]
    assert (code, err, json.loads(out)["written"]) == (0, "", [str(path) for path in files])
    before = [path.read_bytes() for path in files]
    for form in forms:
        code, out, err = run("import", form, "--name", "mine", "-o", str(new))
        assert code == 0
        assert [path.read_bytes() for path in files] == before
    assert err.count("is there with the same facts, and left as it is") == 2
    assert str(files[0]) not in out


def test_the_origin_is_that_of_the_firmware_record(run: Run, folder: Path) -> None:
    arguments = ("import", str(folder / "measurement.snp.cbor"), "--name", "mine", "-o", str(folder / "new"))
    assert run(*arguments, "--origin", "https://example at abc")[0] == 0
    path = folder / "new" / "firmware" / "mine.toml"
    assert FirmwareBuild.parse(path.read_text()).origin == OriginWire(package="https://example at abc")
    assert "published in            https://example at abc\n" in run("inspect", str(path))[1]
    again = ("import", str(path), "--origin", "https://other", "-o", str(folder / "again"))
    assert run(*again)[0] == 0
    assert (
        OriginWire(package="https://example at abc")
        == FirmwareBuild.parse((folder / "again" / "firmware" / "mine.toml").read_text()).origin
    )
    code, _, err = run(*arguments, "--origin", "https://other")
    assert (code, "mine.toml is there with other contents" in err) == (2, True)


def test_a_folder_that_cannot_be_made_is_an_error(run: Run, folder: Path) -> None:
    arguments = ("import", str(folder / "measurement.snp.cbor"), "-o", str(folder / "uvm.cose" / "new"))
    code, _, err = run(*arguments)
    assert (code, "uvm.cose" in err) == (5, True)


def test_a_list_without_a_document_says_so(run: Run, tmp_path: Path) -> None:
    (tmp_path / "list.toml").write_text(
        f"""format = "ldcat-import/1"
[document]
form = "published-list"
checked = "none"
origin = "https://example at abc"
[[endorsed]]
launch_digest = "{DIGEST}"
technology = "sev-snp"
endorser = {{ scheme = "published-list", id = "https://example" }}
"""
    )
    code, out, _ = run("import", str(tmp_path / "list.toml"))
    assert code == 0
    assert "document      not kept" in out
    assert "checked       not now: the record says 'none'" in out
    assert "published by  https://example at abc" in out


def test_text_of_a_document_is_made_printable(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(made.rvps_message({"measurement\x1b[2J": [DIGEST]}))
    code, out, _ = run("import", str(tmp_path / "x"))
    assert (code, "\x1b" in out, "measurement\\x1b[2J" in out) == (0, False, True)


SPEC = f"""
name = "imported"
firmware = {{ builds = ["{AMDSEV}"] }}

[kernel_hashes]
files = ["got/kernel_hashes/*.toml"]

[technologies.sev-snp]
vmm = ["qemu-kvm-init2"]
vcpu_signatures = ["EPYC"]
sev_features = [1]
vcpus = [2]
"""
TAKEN = """
[[kernel_hashes.define]]
name = "mine"
kernel_sha256 = "1111111111111111111111111111111111111111111111111111111111111111"
"""


@pytest.fixture
def imported(run: Run, folder: Path, tmp_path: Path) -> Path:
    """A kernel record of what dstack publishes, beside its firmware record."""
    assert run("import", str(folder / "measurement.snp.cbor"), "--name", "mine", "-o", str(tmp_path / "got"))[0] == 0
    return tmp_path / "got/kernel_hashes/mine.toml"


def test_imported_records_are_measured(run: Run, imported: Path) -> None:
    kernel = KernelRecord.parse(imported.read_text()).hashes
    launch = (str(imported.parents[1] / "firmware/mine.toml"), *SNP, "--vcpus", "2", "-q")
    hashes = ("--kernel-sha256", kernel.kernel.hex(), "--initrd-sha256", kernel.initrd.hex())
    expected = run("measure", *launch, *hashes, "--append-sha256", kernel.cmdline.hex())
    assert expected[0] == 0
    assert run("measure", *launch, "--kernel-hashes", str(imported))[:2] == expected[:2]


def test_an_imported_kernel_is_built_into_a_catalog(run: Run, imported: Path, tmp_path: Path) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text(SPEC)
    assert run("build", str(spec), "-o", str(tmp_path / "out"), "-q")[0] == 0
    digest = run("measure", AMDSEV, *SNP, "--vcpus", "2", "--kernel-hashes", str(imported), "-q")[1].strip()
    code, out, _ = run("lookup", digest, "--catalog", str(tmp_path / "out"))
    assert (code, "kernel hashes     mine\n" in out) == (0, True)


@pytest.mark.parametrize(
    ("spec", "code", "message"),
    [
        (SPEC.replace("*.toml", "*.none"), 5, "no kernel record matches 'got/kernel_hashes/*.none'"),
        (SPEC + TAKEN, 2, "the kernel hashes name 'mine' is taken"),
        (SPEC.replace("kernel_hashes/*", "firmware/*"), 3, "kernel hashes record"),
    ],
    ids=["no file", "two of one name", "another record"],
)
def test_a_kernel_record_that_a_spec_cannot_take_is_refused(
    run: Run, imported: Path, tmp_path: Path, spec: str, code: int, message: str
) -> None:
    (tmp_path / "spec.toml").write_text(spec)
    found, _, err = run("build", str(tmp_path / "spec.toml"), "-o", str(tmp_path / "out"), "-q")
    assert (found, message in err) == (code, True), err
    assert not (tmp_path / "out").exists()
