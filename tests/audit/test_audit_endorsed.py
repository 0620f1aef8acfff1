"""Endorsed digests in an audit: compared with their documents, and with the rows of the firmware that they name."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.audit.audit_endorsed import endorsed_findings
from catalog.audit.recomputed_endorsements import recompute_endorsements
from catalog.build.builder import BuildResult
from catalog.firmware.build import FirmwareBuild
from catalog.operate.finding import Severity
from catalog.rows.endorsed_record import EndorsedRecord
from catalog.spec import embedded
from catalog.store.catalog import Catalog
from catalog.store.endorsements import document_name, endorsements_file
from tests.support.catalogs import build
from tests.support.cli import Run
from tests.support.endorsed_digests import endorsed, import_list, listed, with_endorsed, write_import, write_page
from tests.support.forged_catalogs import forged, in_manifest
from tests.support.partly_known import PART, TRUE_IMAGE
from tests.support.partly_known import digest as digest_of
from tests.support.published_documents import DIGEST, as_json, c8s, gce, pem, root, uvm
from tests.support.samples import INITRD, KERNEL, ONE_ROW, whole_image, write_spec

IMPORTS = '[imports]\nfiles = ["in/*.toml"]\nroots = ["in/root.pem"]\n'
IMAGE = hashlib.sha256(whole_image()).hexdigest()
IMAGE_384 = hashlib.sha384(whole_image()).hexdigest()


def found(catalog: Path) -> list[tuple[Severity, str, str]]:
    return [(one.severity, one.subject, one.evidence) for one in endorsed_findings(Catalog.open(catalog))]


def with_list(built: BuildResult, folder: Path, *records: EndorsedRecord) -> Path:
    return forged(built, folder, with_endorsed(endorsements_file(records))).folder


def with_other(built: BuildResult, folder: Path, right: bytes, wrong: bytes) -> Path:
    """A catalog that lists something else once."""
    data = (built.folder / "endorsements/endorsed.jsonl").read_bytes()
    assert right in data
    lines = sorted(data.replace(right, wrong, 1).splitlines(keepends=True))

    def change(path: Path) -> None:
        path.write_bytes(b"".join(lines))

    return forged(built, folder, {"endorsements/endorsed.jsonl": change}).folder


@pytest.fixture
def trusting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The root of the tests is among those that ship with ldcat."""
    (tmp_path / "root.pem").write_bytes(pem(root()))
    monkeypatch.setattr(embedded, "fleet_roots", lambda: [tmp_path / "root.pem"])


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """A catalog with endorsed digests of four documents: two signed, one unsigned, and one of no known format."""
    folder = tmp_path_factory.mktemp("signed")
    write_import(folder / "in", gce())
    write_import(folder / "in", uvm())
    write_import(folder / "in", as_json(c8s()), origin="https://b.example")
    write_page(folder / "in", DIGEST)
    return build(write_spec(folder, ONE_ROW + IMPORTS), folder / "catalog")


@pytest.mark.usefixtures("trusting")
def test_documents_that_say_what_is_listed(signed: BuildResult) -> None:
    assert found(signed.folder) == []


def test_a_document_of_an_unknown_root_is_noted(signed: BuildResult) -> None:
    notes = found(signed.folder)
    assert [severity for severity, _, _ in notes] == [Severity.NOTE, Severity.NOTE]
    assert all("its signature was not verified again" in evidence for _, _, evidence in notes)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (b'"vcpus":1', b'"vcpus":8'),
        (b'"svn":100', b'"svn":101'),
        (b'"id":"did:x509:0:sha256:', b'"id":"did:x509:1:sha256:'),
        (b'"launch_digest":"5a', b'"launch_digest":"5b'),
        (b'"checked":"signature"', b'"checked":"none"'),
        (b'"document_time":1', b'"document_time":2'),
    ],
)
def test_a_document_of_an_unknown_root_is_compared_all_the_same(
    signed: BuildResult, tmp_path: Path, right: bytes, wrong: bytes
) -> None:
    """Else a publisher could call anything signed, with a document that nobody can verify."""
    lie = with_other(signed, tmp_path / "lie", right, wrong)
    errors = [evidence for severity, _, evidence in found(lie) if severity is Severity.ERROR]
    assert errors
    assert all("it says other than the record of" in evidence for evidence in errors)


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize(
    ("right", "wrong", "why"),
    [
        (b'"svn":100', b'"svn":101', "it says other than the record of"),
        (b'"vcpus":2', b'"vcpus":8', "it says other than the record of"),
        (b'"checked":"none","claims":{"firmware', b'"checked":"signature","claims":{"firmware', "it says other than"),
        (b'"checked":"none","claims":{},', b'"checked":"signature","claims":{},', "ldcat reads no wiki documents"),
    ],
)
def test_a_record_that_its_document_does_not_say(
    signed: BuildResult, tmp_path: Path, right: bytes, wrong: bytes, why: str
) -> None:
    ((severity, subject, evidence), *_) = found(with_other(signed, tmp_path / "lie", right, wrong))
    assert severity is Severity.ERROR
    assert subject.startswith("endorsements/")
    assert why in evidence


@pytest.mark.usefixtures("trusting")
def test_a_document_whose_signature_does_not_hold(small: BuildResult, tmp_path: Path) -> None:
    document = (right := uvm())[:-1] + bytes([right[-1] ^ 1])
    sha256 = hashlib.sha256(document).hexdigest()
    record = endorsed(document_sha256=sha256)
    data = endorsements_file([record])
    changes = with_endorsed(data)
    in_list = changes["manifest.json"]

    def put(path: Path) -> None:
        in_list(path)
        entry = {"sha256": sha256, "size": len(document)}
        in_manifest(lambda text: text["files"].update({document_name(sha256): entry}))(path)
        (path.parent / document_name(sha256)).write_bytes(document)

    ((severity, subject, evidence),) = found(forged(small, tmp_path / "lie", changes | {"manifest.json": put}).folder)
    assert (severity, subject) == (Severity.ERROR, document_name(sha256))
    assert "signature" in evidence


def rows_of(built: BuildResult, **wanted: object) -> list[dict[str, object]]:
    import pyarrow.parquet as pq

    rows = pq.read_table(built.folder / "sev-snp/launch_digests.parquet").to_pylist()
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def claiming(digest: str, **claims: object) -> EndorsedRecord:
    return listed(digest, claims=claims)


def test_a_digest_that_follows_from_the_firmware_it_names(small: BuildResult, tmp_path: Path) -> None:
    row = rows_of(small, vcpus=2, firmware_sha256=bytes.fromhex(IMAGE))[0]
    digest = bytes(row["launch_digest"]).hex()  # type: ignore[call-overload]
    records = [
        claiming(digest, firmware_sha384=IMAGE_384, vcpus=2),
        claiming(digest, firmware_sha256=IMAGE, firmware_sha384=IMAGE_384, vcpus=2),
        claiming(digest, vcpus=2),
    ]
    catalog = Catalog.open(with_list(small, tmp_path / "list", *records))
    assert found(catalog.folder) == []
    made = recompute_endorsements(catalog, records)
    assert [one.agrees for one in made] == [True, True, False]
    assert [len(one.compared) for one in made] == [len(rows_of(small, vcpus=2))] * 2 + [0]
    assert made[0].firmware == ("twin.fd", "whole.fd")


def test_a_digest_of_another_number_of_vcpus_is_an_error(small: BuildResult, tmp_path: Path) -> None:
    digest = bytes(rows_of(small, vcpus=2)[0]["launch_digest"]).hex()  # type: ignore[call-overload]
    ((severity, subject, evidence),) = found(with_list(small, tmp_path / "list", claiming(digest, vcpus=3)))
    assert (severity, evidence) == (Severity.ERROR, "it claims 3 vCPUs, and rows have the digest with 2")
    assert subject == f"{digest} by https://a.example/list"


def test_a_digest_that_no_row_of_its_firmware_has_is_a_warning(small: BuildResult, tmp_path: Path) -> None:
    record = claiming(DIGEST, firmware_sha256=IMAGE, vcpus=2)
    ((severity, _, evidence),) = found(with_list(small, tmp_path / "list", record))
    assert severity is Severity.WARNING
    rows = len(rows_of(small, vcpus=2))
    assert evidence == (
        f"the digest does not follow from the firmware that it names: compared with {rows} rows "
        "of twin.fd, whole.fd with 2 vCPUs, under ec2-2026, qemu-kvm-init2, qemu-kvm-legacy"
    )


@pytest.mark.parametrize(
    "claims",
    [
        {"firmware_sha256": "ab" * 32, "vcpus": 2},
        {"firmware_sha256": IMAGE, "firmware_sha384": "ab" * 48, "vcpus": 2},
        {"firmware_sha256": IMAGE},
        {"firmware_sha256": IMAGE, "vcpus": 4},
        {"firmware_sha256": IMAGE, "vcpus": 2, "kernel_sha256": "ab" * 32},
        {"firmware_sha256": IMAGE, "vcpus": 2, "initrd_sha256": "ab" * 32},
    ],
)
def test_what_the_catalog_does_not_list_contradicts_nothing(
    small: BuildResult, tmp_path: Path, claims: dict[str, object]
) -> None:
    assert found(with_list(small, tmp_path / "list", claiming(DIGEST, **claims))) == []


def test_firmware_that_is_known_by_another_hash_than_that_of_its_rows(tmp_path: Path) -> None:
    """Its rows are named by the SNP baseline, and its SHA-384 is known, as that of an endorsement."""
    known = replace(PART, sha384=hashlib.sha384(TRUE_IMAGE).digest())
    (tmp_path / "known.toml").write_text(FirmwareBuild("known", known, None, {}).to_toml())
    (tmp_path / "in").mkdir()
    claims = f'{{ vcpus = 2, firmware_sha384 = "{known.sha384.hex() if known.sha384 else ""}" }}'
    (tmp_path / "in/list.toml").write_text(import_list(DIGEST, digest_of(TRUE_IMAGE, 2), claims=claims))
    spec = (
        'name = "known"\nfirmware = { files = ["known.toml"] }\nimports = { files = ["in/list.toml"] }\n'
        '[technologies.sev-snp]\nvmm = ["qemu-kvm-init2"]\nvcpu_signatures = ["EPYC"]\n'
        "sev_features = [1]\nvcpus = [2]\n"
    )
    catalog = Catalog.open(build(write_spec(tmp_path, spec), tmp_path / "catalog").folder)
    made = recompute_endorsements(catalog, catalog.endorsements.records)
    assert {one.record.launch_digest: (one.agrees, one.firmware, len(one.compared)) for one in made} == {
        DIGEST: (False, ("known",), 1),
        digest_of(TRUE_IMAGE, 2): (True, ("known",), 1),
    }


def test_the_kernel_that_is_named_narrows_what_is_compared(small: BuildResult, tmp_path: Path) -> None:
    kernel, initrd = (hashlib.sha256(data).hexdigest() for data in (KERNEL, INITRD))
    record = claiming(DIGEST, firmware_sha256=IMAGE, vcpus=2, kernel_sha256=kernel, initrd_sha256=initrd)
    (made,) = recompute_endorsements(Catalog.open(with_list(small, tmp_path / "list", record)), [record])
    with_kernel = [row for row in rows_of(small, vcpus=2) if row["kernel_hashes_sha256"] is not None]
    assert 0 < len(made.compared) == len(with_kernel) < len(rows_of(small, vcpus=2))


def test_the_command_reports_them(run: Run, small: BuildResult, tmp_path: Path) -> None:
    record = claiming(DIGEST, firmware_sha256=IMAGE, vcpus=2)
    code, out, _ = run("audit", str(with_list(small, tmp_path / "list", record)), "-q")
    assert code == 0
    assert "the digest does not follow from the firmware that it names" in " ".join(out.split())
