"""A published catalog of IGVM files on the command line: as a publisher, a guest owner and an auditor use it."""

from __future__ import annotations

import base64
import gzip
import json
import lzma
from collections.abc import Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.build.builder import BuildResult
from catalog.explain.igvm_search import IgvmSearcher, IgvmSpace
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.igvm.igvm_file import IgvmFile
from catalog.firmware.igvm.igvm_layout import SnpIdBlock
from catalog.rows.launch_config import VcpuSweep
from catalog.store.catalog import Catalog
from tests.support.cli import Run
from tests.support.firmware_builder import AMDSEV_AREA, AMDSEV_SECTIONS, build_ovmf
from tests.support.forged_catalogs import forged
from tests.support.id_block_exports import ID_KEY, key_file
from tests.support.igvm_builder import igvm_bytes, page, platform
from tests.support.igvm_files import KERNEL, write_igvm_files
from tests.support.published_logs import Place, revoke

NAME = "files/contexts-1.igvm"
SNP = ("-t", "sev-snp", "--vmm", "qemu-igvm", "--vcpu-type", "EPYC-Milan")


@pytest.fixture(scope="session")
def igvm_log(igvm_files: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A log of the catalog of IGVM files; must not be changed."""
    return Place(tmp_path_factory.mktemp("igvm-log"), igvm_files, 1_800_000_000)


@pytest.fixture
def key_path(tmp_path: Path) -> str:
    path = tmp_path / "id.pem"
    path.write_bytes(key_file(ID_KEY).data)
    return str(path)


@pytest.fixture
def log(igvm_log: Place, tmp_path: Path, publication_day: None) -> Place:
    return igvm_log.copied(tmp_path / "published")


def digest_of(run: Run, built: BuildResult, *arguments: str, name: str = NAME) -> str:
    """The launch digest of a file, as it is measured."""
    file = built.folder.parent / "inputs" / name
    code, out, err = run("measure", str(file), *arguments, "-q")
    assert code == 0, err
    return out.strip()


def test_a_launch_is_looked_up_and_proved(run: Run, log: Place, igvm_files: BuildResult, tmp_path: Path) -> None:
    digest = digest_of(run, igvm_files, *SNP, "--vcpus", "3")
    code, out, err = run("lookup", digest, *log.options(), "-f", "json", "-q")
    assert (code, err) == (0, "")
    of_qemu_11, match = json.loads(out)["matches"]
    assert (of_qemu_11["vmm"], of_qemu_11["vcpus"]) == ("qemu-11-igvm", 3)
    assert (match["firmware"]["name"], match["vmm"], match["vcpus"], match["sev_features"]) == (
        NAME,
        "qemu-igvm",
        3,
        None,
    )
    assert [note["code"] for note in match["notes"]] == ["digest-covers-igvm-file", "launch-not-known"]
    code, out, _ = run("prove", digest, "--catalog", str(log.log))
    proof = tmp_path / "proof.json"
    proof.write_text(out.splitlines()[-1])  # one for each row that has the digest
    code, out, err = run("verify-proof", str(proof), "--trust", str(log.trust))
    assert (code, err) == (0, "")
    assert "the launch digest covers the pages of the IGVM file" in out
    code, out, _ = run("lookup", digest, "--catalog", str(igvm_files.folder))
    assert (code, out.count("QEMU 10.1 and 10.2 on KVM, from an IGVM file")) == (0, 1)


def test_a_launch_without_vcpus_is_looked_up(run: Run, log: Place, igvm_files: BuildResult) -> None:
    digest = digest_of(run, igvm_files, "-t", "sev-snp", "--vmm", "vanadium-igvm", name="files/unordered.igvm")
    code, out, err = run("lookup", digest, *log.options(), "-f", "json", "-q")
    assert (code, err) == (0, "")
    (match,) = json.loads(out)["matches"]
    assert (match["vmm"], match["vcpus"], match["vcpu_signature"]) == ("vanadium-igvm", None, None)


def test_it_is_rebuilt_and_audited(run: Run, log: Place, igvm_files: BuildResult) -> None:
    code, out, err = run("rebuild", str(log.log), "--trust", str(log.trust))
    assert (code, err) == (0, "")
    assert "every launch digest was recomputed, and is the same" in out
    file = igvm_files.folder.parent / "inputs" / NAME
    code, out, _ = run("audit", str(log.log), "--trust", str(log.trust), "--remeasure", "all", "--firmware", str(file))
    assert (code, out.count("every claim that was checked holds")) == (0, 1)


def test_an_audit_finds_another_file_of_the_same_name(run: Run, igvm_files: BuildResult, tmp_path: Path) -> None:
    other = tmp_path / "other.igvm"
    other.write_bytes(igvm_bytes(platform(), page(0x1000)))
    code, out, _ = run("audit", str(igvm_files.folder), "--firmware", str(other), "-f", "json")
    assert code == 0
    assert [one["evidence"] for one in json.loads(out)["findings"] if one["rule"] == "image"] == [
        "no build of the catalog is this image"
    ]


def test_a_file_is_revoked(run: Run, log: Place, igvm_files: BuildResult) -> None:
    build = Catalog.open(igvm_files.folder).builds[NAME]
    log.publish(revoke("revoked", firmware_sha256=build.component.key.hex(), vmm="clh-kvm-igvm"))
    digest = digest_of(run, igvm_files, "-t", "sev-snp", "--vmm", "clh-kvm-igvm", "--vcpus", "3")
    code, out, _ = run("lookup", digest, *log.options())
    assert (code, out.count("revoked by the publisher of this log")) == (7, 1)
    other = digest_of(run, igvm_files, *SNP, "--vcpus", "3")
    assert run("lookup", other, *log.options())[0] == 0


def test_a_catalogued_file_is_measured_and_inspected_without_it(run: Run, igvm_files: BuildResult) -> None:
    by_file = digest_of(run, igvm_files, *SNP, "--vcpus", "7")
    catalog = ("--catalog", str(igvm_files.folder))
    code, out, _ = run("measure", NAME, *SNP, "--vcpus", "7", "-q", *catalog)
    assert (code, out.strip()) == (0, by_file)
    build = Catalog.open(igvm_files.folder).builds[NAME]
    code, out, _ = run("measure", build.component.key.hex(), *SNP, "--vcpus", "7", "-q", *catalog)
    assert (code, out.strip()) == (0, by_file)
    code, out, _ = run("inspect", NAME, *catalog, "-f", "json", "-q")
    known = json.loads(out)
    file = str(igvm_files.folder.parent / "inputs" / NAME)
    whole = json.loads(run("inspect", file, "-f", "json", "-q")[1])
    assert {name for name in whole if known[name] != whole[name]} == {
        "architecture",
        "format_version",
        "headers",
        "memory_map",
        "name",
        "platforms",
    }
    (of_record,), (of_file,) = known["platforms"], whole["platforms"]
    only_the_file = {"highest_vtl", "shared_gpa_boundary", "differences"}
    assert {name for name in of_file if of_file[name] != of_record[name]} == only_the_file
    assert "SEV_SNP" in run("inspect", NAME, *catalog, "-q")[1]


def test_a_record_stands_for_the_file(run: Run, igvm_files: BuildResult, tmp_path: Path) -> None:
    file, record = igvm_files.folder.parent / "inputs" / NAME, tmp_path / "own.toml"
    record.write_text(run("inspect", str(file), "-f", "toml", "-q")[1])
    for more in ((*SNP, "--vcpus", "2"), ("-t", "sev-snp", "--vmm", "coconut-igvm")):
        assert run("measure", str(record), *more, "-q")[1].strip() == digest_of(run, igvm_files, *more)
    assert "[igvm]" in record.read_text()


def test_a_kernel_is_measured_under_the_loader_that_passes_hashes(run: Run, igvm_files: BuildResult) -> None:
    kernel = ("--kernel-sha256", KERNEL, "--append", "quiet")
    clh = ("-t", "sev-snp", "--vmm", "clh-kvm-igvm", "--vcpus", "2")
    digest = digest_of(run, igvm_files, *clh, *kernel, name="files/kernel-page.igvm")
    code, out, _ = run("lookup", digest, "--catalog", str(igvm_files.folder), "-f", "json")
    (match,) = json.loads(out)["matches"]
    assert (match["kernel_hashes"]["kernel_sha256"], match["vmm"]) == (KERNEL, "clh-kvm-igvm")
    assert [note["code"] for note in match["notes"]] == ["kernel-hashes-maybe-enforced", "launch-not-known"]
    file = igvm_files.folder.parent / "inputs" / NAME
    code, out, err = run("measure", str(file), *SNP, "--vcpus", "2", *kernel)
    assert (code, out) == (2, "")
    assert "--kernel-sha256 is given, but qemu-igvm passes no kernel hashes with an IGVM file" in err
    assert "with them launch: clh-kvm-igvm" in err


def explanation(run: Run, built: BuildResult, *arguments: str) -> dict[str, Any]:
    code, out, err = run("explain", *arguments, "--catalog", str(built.folder), "-f", "json", "-q")
    assert code in (0, 1), err
    found: dict[str, Any] = json.loads(out)
    return found


def test_a_launch_that_is_not_in_the_catalog_is_explained(
    run: Run, igvm_files: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catalog.explain.explain.MAX_COUNT", 40)
    digest = digest_of(run, igvm_files, *SNP[:4], "--vcpu-type", "EPYC-Rome", "--vcpus", "33")
    found = explanation(run, igvm_files, digest)
    _, hit = found["explanations"]
    assert (hit["firmware"], hit["vmm"], hit["vcpus"], hit["differs"]) == (NAME, "qemu-igvm", 33, [])
    expected = tmp_path / "expected.json"
    file = str(igvm_files.folder.parent / "inputs" / NAME)
    expected.write_text(run("measure", file, "-t", "sev-snp", "--vmm", "hyperv-igvm", "-f", "json", "-q")[1])
    _, hit = explanation(run, igvm_files, digest, "--expect", str(expected))["explanations"]
    assert {one["axis"]: (one["expected"], one["found"]) for one in hit["differs"]} == {
        "vcpus": ("not measured", "33"),
        "vmm": ("hyperv-igvm", "qemu-igvm"),
        "vcpu_signature": ("not measured", "0x00830f10"),
    }
    code, out, _ = run("explain", digest, "--firmware", file, "-q")
    assert (code, out.count("launches from 1 IGVM file were tried")) == (0, 1)
    code, out, _ = run("explain", "12" * 48, "--catalog", str(igvm_files.folder), "--budget", "0.1", "-q")
    assert (code, out.count("launches from 20 IGVM files were tried; the budget ended this search")) == (1, 1)


def test_an_image_in_a_file_of_buildigvm_is_explained(run: Run, tmp_path: Path) -> None:
    image = tmp_path / "OVMF.fd"
    image.write_bytes(build_ovmf(hashes_area=AMDSEV_AREA, sections=AMDSEV_SECTIONS))
    code, out, _ = run("measure", str(image), "-t", "sev-snp", "--vmm", "buildigvm", "--vcpus", "4", "-q")
    assert code == 0
    code, out, _ = run("explain", out.strip(), "--firmware", str(image), "-f", "json", "-q")
    assert [one["vmm"] for one in json.loads(out)["explanations"]] == ["buildigvm"]


def test_an_id_block_is_exported_as_a_directive(
    run: Run, igvm_files: BuildResult, key_path: str, tmp_path: Path
) -> None:
    out = tmp_path / "directive"
    chosen = (
        "--catalog",
        str(igvm_files.folder),
        "--unpublished",
        "--launch-unknown",
        "--no-kernel",
        "--vmm",
        "hyperv-igvm",
        "--firmware",
        "files/expected.igvm",
        "--id-key",
        key_path,
    )
    code, _, err = run("export", "--to", "igvm-id-block", *chosen, "--policy", "0x30000", "-o", str(out))
    assert code == 2
    assert "files/expected.igvm is launched with the guest policy that it has, 0xb0000, and not 0x30000" in err
    code, _, err = run("export", "--to", "igvm-id-block", *chosen, "-o", str(out))
    assert code == 0, err
    assert "guest policy 0xb0000" in err
    assert "the digest covers an IGVM file" in err
    file = IgvmFile.parse(igvm_bytes(platform(), page(0x1000), out.read_bytes()))
    (block,) = (one for _, one in file.headers if isinstance(one, SnpIdBlock))
    expected = digest_of(run, igvm_files, "-t", "sev-snp", "--vmm", "hyperv-igvm", name="files/expected.igvm")
    assert (block.digest.hex(), block.mask, block.author_key_enabled) == (expected, 1, 0)
    for other in ("libvirt", "kata"):
        code, _, err = run("export", "--to", other, *chosen, "--policy", "0xb0000", "-o", f"{out}.2")
        assert (code, err.count("is an IGVM file")) == (2, 1)


def test_packed_files_are_read(run: Run, igvm_files: BuildResult, tmp_path: Path) -> None:
    file = igvm_files.folder.parent / "inputs" / NAME
    expected = digest_of(run, igvm_files, "-t", "sev-snp", "--vmm", "igvm-spec")
    for name, packed in (("a.xz", lzma.compress(file.read_bytes())), ("a.gz", gzip.compress(file.read_bytes()))):
        path = tmp_path / name
        path.write_bytes(packed)
        code, out, err = run("measure", str(path), "-t", "sev-snp", "--vmm", "igvm-spec", "-q")
        assert (code, out.strip()) == (0, expected), err


def test_an_expected_launch_is_its_own_first_explanation(
    run: Run, igvm_files: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catalog.explain.explain.MAX_COUNT", 40)
    file = str(igvm_files.folder.parent / "inputs" / NAME)
    kernel = ("--kernel-sha256", "22" * 32, "--append", "root=/dev/vda")
    launch = ("-t", "sev-snp", "--vmm", "clh-kvm-igvm", "--vcpus", "3")
    expected = tmp_path / "expected.json"
    expected.write_text(run("measure", file, *launch, *kernel, "-f", "json", "-q")[1])
    digest = json.loads(expected.read_text())["launch_digest"]
    first = explanation(run, igvm_files, digest, "--expect", str(expected))["explanations"][0]
    assert (first["vmm"], first["vcpus"], first["differs"]) == ("clh-kvm-igvm", 3, [])
    blank = digest_of(run, igvm_files, *launch, *kernel[:3], "root=/dev/vda ")
    first = explanation(run, igvm_files, blank, "--expect", str(expected))["explanations"][0]
    assert [one["axis"] for one in first["differs"]] == ["kernel_hashes"]
    assert first["differs"][0]["found"] == "the expected kernel, the command line with a space at the end"
    fewer = digest_of(run, igvm_files, *SNP, "--vcpus", "1")
    expected.write_text(run("measure", file, *SNP, "--vcpus", "4", "-f", "json", "-q")[1])
    hits = explanation(run, igvm_files, fewer, "--expect", str(expected))["explanations"]
    differing = [len(one["differs"]) for one in hits]
    assert differing == sorted(differing)
    assert hits[0]["vmm"] == "qemu-igvm"


def test_an_interrupted_search_says_what_was_tried(
    run: Run, igvm_files: BuildResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = iter(range(3))

    def interrupted(self: IgvmSearcher, build: FirmwareBuild, sweeps: Sequence[VcpuSweep]) -> None:
        self.tried += 1
        if next(tries) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(IgvmSearcher, "_try", interrupted)
    code, out, _ = run("explain", "ab" * 48, "--catalog", str(igvm_files.folder), "-q")
    assert code == 130
    assert "3 launches from 20 IGVM files were tried; the interruption ended this search" in out
    assert "the search was interrupted" in out


def test_images_have_their_half_of_the_budget(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search of IGVM files without an end does not keep `explain` from the images of the catalog."""
    spec = write_igvm_files(tmp_path / "in")
    image = tmp_path / "in" / "OVMF.fd"
    image.write_bytes(build_ovmf(hashes_area=AMDSEV_AREA, sections=AMDSEV_SECTIONS))
    text = spec.read_text().replace('["files/*.igvm"]', '["files/gap.igvm", "OVMF.fd"]')
    spec.write_text(text.replace('vmm = ["*"]', 'vmm = ["*"]\nsev_features = [1]'))
    assert run("build", str(spec), "-o", str(tmp_path / "catalog"), "-q")[0] == 0
    monkeypatch.setattr(IgvmSpace, "pieces", lambda self: repeat((self.builds[0], [])))
    monkeypatch.setattr(IgvmSearcher, "_try", lambda self, build, sweeps: None)
    launch = ("--vmm", "qemu-kvm-init2", "--vcpu-type", "EPYC-Milan", "--vcpus", "31", "--kernel-sha256", KERNEL)
    code, digest, err = run("measure", str(image), "-t", "sev-snp", *launch, "--append", "quiet", "-q")
    assert code == 0, err
    code, out, _ = run("explain", digest.strip(), "--catalog", str(tmp_path / "catalog"), "--budget", "4", "-q")
    assert (code, "OVMF.fd" in out) == (0, True)


def test_a_digest_that_does_not_depend_on_vcpus_is_of_all_of_them(
    run: Run, igvm_files: BuildResult, tmp_path: Path
) -> None:
    chosen = ("--catalog", str(igvm_files.folder), "--unpublished", "--launch-unknown", "--no-kernel")
    of_one = digest_of(run, igvm_files, *SNP[:4], "--vcpus", "1")
    values = tmp_path / "values.json"
    options = ("--firmware", NAME, "--vmm", "qemu-igvm", "--vcpu-type", "EPYC-Milan", "--vcpus", "1-4")
    code, _, err = run("export", "--to", "rvps", *chosen, *options, "-o", str(values))
    assert code == 0, err
    assert of_one in base64.b64decode(json.loads(values.read_text())["payload"]).decode()
    of_file = ("--firmware", NAME, "--vmm", "hyperv-igvm", "--vcpus", "4")
    code, _, err = run("export", "--to", "rvps", *chosen, *of_file, "-o", str(tmp_path / "other.json"))
    assert code == 0, err
    code, _, err = run("export", "--to", "rvps", *chosen, "--vmm", "hyperv-igvm")
    assert (code, "add --firmware, --vcpus, --vcpu-type" in err) == (2, True)


def test_rows_that_cannot_be_true_are_findings(run: Run, igvm_files: BuildResult, tmp_path: Path) -> None:
    for number, vmm in enumerate(("qemu-kvm-init2", "qemu-igvm")):

        def lie(path: Path, vmm: str = vmm) -> None:
            table = pq.read_table(path)
            place = table.schema.get_field_index("vmm")
            column = pa.array([vmm] * len(table)).cast(table.schema.field("vmm").type)
            pq.write_table(table.set_column(place, table.schema.field("vmm"), column), path)

        made = forged(igvm_files, tmp_path / str(number), {"sev-snp/launch_digests.parquet": lie})
        code, out, err = run("audit", str(made.folder), "-f", "json", "-q")
        assert (code, "internal error" in err) == (1, False)
        assert [one for one in json.loads(out)["findings"] if one["severity"] == "error"]


def test_what_is_recorded_about_a_launch_counts(run: Run, igvm_files: BuildResult, tmp_path: Path) -> None:
    record = tmp_path / "svsm.toml"
    text = Catalog.open(igvm_files.folder).builds[NAME].to_toml()
    seen = '\n[launchable.sev-snp]\nverdict = "{}"\nreason = "{}"\nsource = "a test"\n'
    for verdict, reason in (("yes", "boots"), ("no", "hangs")):
        record.write_text(text + seen.format(verdict, reason))
        code, out, err = run("measure", str(record), *SNP, "--vcpus", "2", "-f", "json")
        assert (code, json.loads(out)["launchable"]) == (0, verdict), err
        assert ("not expected to launch under sev-snp: hangs" in err) is (verdict == "no")


def test_a_record_of_a_platform_that_is_not_measured_is_shown(
    run: Run, igvm_files: BuildResult, tmp_path: Path
) -> None:
    record = tmp_path / "tdx.toml"
    record.write_text(Catalog.open(igvm_files.folder).builds["files/tdx.igvm"].to_toml())
    code, out, err = run("inspect", str(record), "-q")
    assert (code, out.count("TDX: not measured by ldcat")) == (0, 1), err
