"""Each format of published documents: what is read, and that nothing is filled in."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from catalog.errors import MalformedRecord
from catalog.firmware.metadata import Area, Section
from catalog.imports.component_facts import FirmwareFacts, KernelFacts
from catalog.imports.documents import forms, read_document
from catalog.imports.endorsed_facts import Base, Claims, EndorsedDigest, Endorser
from catalog.imports.imported import Imported
from catalog.spec import embedded
from tests.support import published_documents as made
from tests.support.published_documents import DIGEST, GIVEN, OTHER

ONE, TWO = bytes.fromhex(DIGEST), bytes.fromhex(OTHER)
SECTIONS = tuple(Section(*one) for one in made.SECTIONS)
KERNEL, INITRD = b"\x11" * 32, b"\x22" * 32


def read(data: bytes) -> Imported:
    return read_document(data, GIVEN)


def claimed(imported: Imported) -> list[tuple[bytes, Endorser, Claims]]:
    assert {one.technology for one in imported.endorsed} == {"sev-snp"}
    return [(one.digest, one.endorser, one.claims) for one in imported.endorsed]


def test_every_format_is_a_file_that_names_itself() -> None:
    names = {"ldcat", "sev-snp-measure-go", "dstack", "secretvm", "c8s-manifest", "gce-endorsement", "azure-uvm",
             "rvps", "corim", "contrast"}  # fmt: skip
    assert set(forms()) == names
    assert all(form.title and form.name == name for name, form in forms().items())


def test_metadata_of_sev_snp_measure_go_is_an_image_without_its_file() -> None:
    imported = read(made.go_metadata())
    expected = FirmwareFacts(snp_baseline=ONE, sections=SECTIONS, reset_vector=0x80B004)
    assert (imported.form, imported.checked, imported.firmware) == ("sev-snp-measure-go", "none", (expected,))
    numbers = [{"GPA": gpa, "SectionTypeInt": kind, "Size": size} for gpa, size, kind in made.SECTIONS]
    assert read(made.go_metadata(MetadataItems=numbers, ResetEIP=0x80B004)).firmware == (expected,)


def test_dstack_says_image_kernel_initrd_and_command_line() -> None:
    imported = read(made.dstack())
    firmware = FirmwareFacts(
        snp_baseline=ONE, sections=SECTIONS, reset_vector=0x80B004, hashes_area=Area(0x810C00, None)
    )
    assert imported.firmware == (firmware,)
    assert imported.kernels == (KernelFacts(KERNEL, initrd_sha256=INITRD, append="console=ttyS0 quiet"),)
    assert imported.notes == ("not compared with a checksum file: none is given",)
    attached = read(made.dstack_attached())
    assert (attached.firmware, attached.kernels) == (imported.firmware, imported.kernels)
    assert attached.notes[0] == "launched with 2 vCPUs, EPYC-v4, sev_features 0x1"
    assert attached.notes[1].startswith("named by the checksum file of image ")
    assert read(made.dstack_attached(vcpu_type=None)).notes[0].startswith("launched with 2 vCPUs, a type that is not")


def test_secretvm_has_each_image_once_and_command_lines_in_part() -> None:
    rows = [made.secretvm_row(), made.secretvm_row(vm_type="gpu", cmdline_extra="pci=realloc,nocrs")]
    imported = read(made.as_json(rows))
    assert [one.snp_baseline for one in imported.firmware] == [ONE]
    words = f"rootfs_hash={'33' * 32}"
    assert [(one.name, one.append, one.append_words) for one in imported.kernels] == [
        ("prod/v0.0.25", None, (words,)),
        ("gpu/v0.0.25", None, ("pci=realloc,nocrs", words)),
    ]
    assert not any(one.is_whole for one in imported.kernels)


def test_c8s_has_a_digest_for_each_number_of_vcpus() -> None:
    imported = read(made.as_json(made.c8s()))
    by, both = Endorser("c8s-manifest"), Claims(firmware_sha256=b"\x44" * 32, kernel_sha256=b"\x55" * 32)
    assert claimed(imported) == [(ONE, by, replace(both, vcpus=1)), (TWO, by, replace(both, vcpus=2))]
    assert (imported.document_time, imported.checked) == (made.SIGNED, "none")
    bare = {"version": 3, "snp_variants": [made.c8s_variant(1, DIGEST)]}
    assert claimed(read(made.as_json(bare))) == [(ONE, by, Claims(vcpus=1))]
    igvm = {**made.c8s_variant(1, DIGEST), "igvm": {"path": "a", "sha256": "66" * 32}}
    [(_, _, claims)] = claimed(read(made.as_json({**bare, "snp_variants": [igvm]})))
    assert claims.igvm_sha256 == b"\x66" * 32


def test_rvps_names_are_feeds_and_what_is_no_measurement_is_left_out() -> None:
    values = {"snp_launch_measurement": [DIGEST, OTHER], "snp_bootloader": [4], "tdx_measurement": ["00"]}
    imported = read(made.rvps_message(values))
    by = Endorser("rvps", feed="snp_launch_measurement")
    assert claimed(imported) == [(ONE, by, Claims()), (TWO, by, Claims())]
    assert imported.notes == ("left out, no launch digests: snp_bootloader, tdx_measurement",)
    assert claimed(read(made.rvps_message({"measurement": DIGEST}))) == [
        (ONE, Endorser("rvps", feed="measurement"), Claims())
    ]
    stored = read(made.rvps_file())
    assert claimed(stored) == [(ONE, by, Claims())]
    assert stored.notes == ("snp_launch_measurement expires 2027-01-01",)


def test_rvps_names_of_tdx_have_mrtds() -> None:
    name = "rvps:///example.org/tdx/mr_td:v1"
    imported = read(made.rvps_message({"mr_td": [DIGEST], name: OTHER, "rtmr_1": ["00"], "measurement": ["3c" * 48]}))
    assert [(one.digest, one.technology, one.endorser.feed) for one in imported.endorsed] == [
        (ONE, "tdx", "mr_td"),
        (TWO, "tdx", name),
        (bytes.fromhex("3c" * 48), "sev-snp", "measurement"),
    ]
    assert imported.notes == ("left out, no launch digests: rtmr_1",)


def test_dstack_has_an_mrtd_for_each_way_of_qemu() -> None:
    imported = read(made.dstack_tdx())
    by = Endorser("dstack")
    assert imported.endorsed == (EndorsedDigest(ONE, "tdx", by), EndorsedDigest(TWO, "tdx", by))
    assert imported.notes[1:] == (
        f"the MRTD of QEMU with one pass is {DIGEST[:16]}...",
        f"the MRTD of QEMU with two passes is {OTHER[:16]}...",
    )
    data = made.dstack_tdx()
    files = {"measurement": data, "checksum_file": made.checksums(data, "measurement.tdx.cbor")}
    attached = read(made.as_json({name: base64.b64encode(one).decode() for name, one in files.items()}))
    assert attached.endorsed == imported.endorsed
    assert attached.notes[0].startswith("named by the checksum file of image ")


def test_contrast_has_mrtds_beside_digests_of_sev_snp() -> None:
    values = {"snp": [made.contrast_value()], "tdx": [made.contrast_mrtd(MrTd=OTHER)]}
    of_tdx = EndorsedDigest(TWO, "tdx", Endorser("contrast"), Claims(vcpus=2))
    for document in (values, {"ReferenceValues": values}, {"k": values}, {"k": {"tdx": values["tdx"]}, "l": {}}):
        assert read(made.as_json(document)).endorsed[-1] == of_tdx
        assert read(made.as_json(document)).bases == ()
    patch = [{"op": "test", "path": "/MrTd", "value": DIGEST}, {"op": "replace", "path": "/MrTd", "value": OTHER}]
    assert read(made.as_json([patch])).endorsed == (replace(of_tdx, claims=Claims()),)


def test_contrast_with_an_ap_eip_is_a_base_of_one_vcpu() -> None:
    imported = read(made.contrast_manifest())
    policy = 0x3001F
    claims = Claims(vcpus=1, product="Milan", policy=policy, reset_vector=0x80B004)
    assert claimed(imported) == [(ONE, Endorser("contrast"), claims)]
    assert imported.bases == (Base(ONE, "sev-snp", Endorser("contrast"), 1, 0x80B004, "Milan"),)
    assert imported.bases[0].label == f"base-{ONE.hex()[:16]}"


def test_contrast_without_an_ap_eip_is_no_base() -> None:
    for data in (
        made.as_json({"snp": [made.contrast_value()]}),
        made.as_json({"k-snp": {"snp": [made.contrast_value()]}}),
    ):
        imported = read(data)
        assert claimed(imported) == [(ONE, Endorser("contrast"), Claims(product="Milan", policy=0x3001F))]
        assert imported.bases == ()
    patched = read(made.contrast_patch())
    assert claimed(patched) == [(ONE, Endorser("contrast"), Claims(vcpus=4, product="Genoa"))]


def test_a_patch_that_tests_for_a_digest_sets_another() -> None:
    patch = [{"op": "replace", "path": "/TrustedMeasurement", "value": DIGEST},
             {"op": "test", "path": "/TrustedMeasurement", "value": OTHER}]  # fmt: skip
    assert [one.digest for one in read(made.as_json([patch])).endorsed] == [ONE]


def test_our_own_records_are_read_whole() -> None:
    build = next(one for one in embedded.builds().values() if one.component.sha256)
    [firmware] = read(build.to_toml().encode()).firmware
    assert firmware == FirmwareFacts.of(build)
    assert (firmware.name, firmware.known_by, firmware.identity) == (build.name, "sha256", build.component.sha256)
    path = next((embedded.data_folder() / "kernel_hashes").glob("*installer*.toml"))
    [kernel] = read(path.read_bytes()).kernels
    assert kernel.record is not None
    assert (kernel.is_whole, kernel.name, kernel.append) == (True, kernel.record.name, "console=ttyS0 --- quiet")


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"hello", b"\xff\xfe", b"[]", b"[x]\na = 1\n", b"{}", b"a = 1\n", b'{"a": {"snp": 1}}']
)
def test_what_has_no_known_format_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedRecord, match="no known format") as caught:
        read(data)
    assert "RVPS" in str(caught.value.hint)


def test_a_document_that_is_too_large_is_refused_before_it_is_read() -> None:
    with pytest.raises(MalformedRecord, match="are more than a document"):
        read(b"{" * ((4 << 20) + 1))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"a": 1, "a": 1}', "the key 'a' is there twice"),
        (b'[{"a": 1, "a": 1}]', "the key 'a' is there twice"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": ' + b"[" * 100_000, "recursion"),
        (b'{"a": "\\ud800"}', "surrogates not allowed"),
        (b'{"a"', "expecting ':' delimiter"),
        (b'{"a": ' + b"9" * 5000 + b"}", "limit"),
    ],
)
def test_json_that_is_not_one_thing_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(MalformedRecord, match=message):
        read(data)


def test_a_whole_pair_of_surrogates_is_a_character() -> None:
    values = {"snp_measurement_\U0001f600": [DIGEST]}
    payload = base64.b64encode(json.dumps(values, ensure_ascii=True).encode()).decode()
    data = json.dumps({"version": "0.1.0", "type": "sample", "payload": payload}).encode()
    assert read(data).endorsed[0].endorser.feed == "snp_measurement_\U0001f600"
