"""Invalid specs: each error names the key, the name or the file at fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.errors import LdcatError, MalformedRecord, UnknownName, Unreadable, UsageError
from catalog.spec import embedded
from catalog.spec.catalog_spec import load_spec
from catalog.spec.named_builds import build_of_file
from tests.support.samples import SMALL, write_spec


@pytest.mark.parametrize(
    ("right", "wrong", "error", "parts"),
    [
        ('name = "small"', 'nam = "small"', MalformedRecord, ["unknown field `nam`"]),
        ('name = "small"', "", MalformedRecord, ["missing required field `name`"]),
        ("files =", "file =", MalformedRecord, ["unknown field `file`", "$.firmware"]),
        ("sev_features = [0]", "sev_feature = [0]", MalformedRecord, ["`sev_feature`", "$.technologies"]),
        ("sev_features = [0]", "sev_features = 0", MalformedRecord, ["$.technologies"]),
        ("sev_features = [0]", "sev_features = [0.5]", MalformedRecord, ["$.technologies"]),
        ("sev_features = [0]", "sev_features = []", MalformedRecord, ["technologies.sev-es", "sev_features"]),
        ("sev_features = [0]", 'sev_features = ["0y1"]', UsageError, ["'0y1' is not a number"]),
        ("[technologies.sev]", "[technologies.sev]\nvcpus = [1]", MalformedRecord, ["technologies.sev", "vcpus"]),
        ("[technologies.sev]", "[technologies.snp]", UnknownName, ["unknown technology 'snp'"]),
        ('vcpus = ["1-3"]', "vcpus = [0]", UsageError, ["cannot have 0 vCPUs"]),
        ('vcpus = ["1-3"]', "vcpus = [-3]", UsageError, ["cannot have -3 vCPUs"]),
        ('vcpus = ["1-3"]', 'vcpus = ["3-1"]', UsageError, ["runs backwards"]),
        ('vcpus = ["1-3"]', 'vcpus = ["1-99999999999999"]', UsageError, ["cannot have 99999999999999 vCPUs"]),
        ('"EPYC-Milan"', '"EPYC-Milano"', UnknownName, ["unknown vCPU type 'EPYC-Milano'"]),
        ('"EPYC-Milan"', "0x1_0000_0000", UsageError, ["not a 32-bit number"]),
        ('"qemu-kvm-legacy"', '"qemu"', UnknownName, ["unknown VMM profile 'qemu'"]),
        ('["none", "mine"]', '["none", "yours"]', UnknownName, ["unknown kernel hashes table 'yours'"]),
        ('"bare.fd"', '"bear.fd"', Unreadable, ["no firmware file matches 'bear.fd'"]),
        ('"bare.fd"', '"vmlinuz"', LdcatError, ["8 bytes are not whole pages"]),
        ('kernel = "vmlinuz"', 'kernel = "vmlinux"', Unreadable, ["vmlinux", "no such file"]),
        ('kernel = "vmlinuz"', "", MalformedRecord, ["'mine'", "no kernel"]),
        ('kernel = "vmlinuz"', 'kernel_sha256 = "12"', MalformedRecord, ["kernel.sha256", "64 lowercase hex"]),
        ('name = "mine"', 'name = "none"', UsageError, ["'none' is taken"]),
        ('initrd = "initrd.img"', 'initrd = "i"\ninitrd_sha256 = "0"', MalformedRecord, ["not both"]),
    ],
)
def test_the_error_names_what_is_wrong(
    inputs: Path, right: str, wrong: str, error: type[LdcatError], parts: list[str]
) -> None:
    assert right in SMALL
    with pytest.raises(error) as caught:
        load_spec(write_spec(inputs, SMALL.replace(right, wrong, 1)))
    for part in parts:
        assert part in str(caught.value)


def test_unknown_names_suggest_the_nearest(inputs: Path) -> None:
    with pytest.raises(UnknownName) as caught:
        load_spec(write_spec(inputs, SMALL.replace('"qemu-kvm-legacy"', '"qemu-kvm-legazy"', 1)))
    assert caught.value.hint is not None
    assert "qemu-kvm-legacy" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('name = "x"\nfirmware = {}\ntechnologies = { sev = {} }', "selects no firmware"),
        ('name = "x"\nfirmware = { builds = ["*"] }\ntechnologies = {}', "names no technology"),
        (
            'name = "x"\nfirmware = { builds = ["*"] }\nkernel_hashes = { tables = [] }\ntechnologies = { sev = {} }',
            "selects no kernel hashes",
        ),
        ("name = ", "invalid value"),
    ],
)
def test_empty_and_broken_specs_are_refused(inputs: Path, text: str, part: str) -> None:
    with pytest.raises(LdcatError) as caught:
        load_spec(write_spec(inputs, text))
    assert part in str(caught.value).lower()


def test_an_unreadable_spec(tmp_path: Path) -> None:
    with pytest.raises(Unreadable):
        load_spec(tmp_path / "nowhere.toml")
    (tmp_path / "latin.toml").write_bytes(b'name = "caf\xe9"')
    with pytest.raises(Unreadable, match="UTF-8"):
        load_spec(tmp_path / "latin.toml")
    with pytest.raises(Unreadable):
        load_spec(tmp_path)


@pytest.mark.parametrize(
    ("rule", "part"),
    [
        ('when = { kernel_hashes = ["yours"] }\nonly = {}', "unknown kernel_hashes of a constraint 'yours'"),
        ('when = {}\nonly = { vmm = ["qemu-kvm-lagacy"] }', "unknown vmm of a constraint 'qemu-kvm-lagacy'"),
        ('when = { firmware = ["nope*"] }\nonly = {}', "unknown firmware of a constraint 'nope*'"),
        ('when = { technology = ["snp"] }\nonly = {}', "unknown technology 'snp'"),
        ('when = { vcpu_signatures = ["EPYK"] }\nonly = {}', "unknown vCPU type 'EPYK'"),
        ("when = { vcpus = [0] }\nonly = {}", "cannot have 0 vCPUs"),
        ('when = { firmwares = ["*"] }\nonly = {}', "unknown field `firmwares`"),
        (
            'when = { firmware = ["twin.fd"] }\nonly = { vcpus = [1] }',
            "'twin.fd' and 'whole.fd' differently, but they are the same image",
        ),
    ],
)
def test_a_constraint_that_cannot_hold_is_refused(inputs: Path, rule: str, part: str) -> None:
    with pytest.raises(LdcatError) as caught:
        load_spec(write_spec(inputs, SMALL + "\n[[together]]\n" + rule + "\n"))
    assert part in str(caught.value)


def test_two_builds_with_the_same_name_are_refused(inputs: Path) -> None:
    (inputs / "record.toml").write_text(embedded.builds()["bullseye/ovmf/OVMF.fd"].to_toml())
    text = 'name = "x"\nfirmware = { builds = ["bullseye/*"], files = ["record.toml"] }\ntechnologies = { sev = {} }\n'
    with pytest.raises(UsageError, match="two builds"):
        load_spec(write_spec(inputs, text))


def test_one_image_with_contradicting_facts_is_refused(inputs: Path) -> None:
    text = 'name = "x"\nfirmware = { files = ["bare.fd", "record.toml"] }\ntechnologies = { sev = {} }\n'
    record = build_of_file(inputs / "bare.fd", "other").to_toml()
    (inputs / "record.toml").write_text(record.replace("reset_vector = 0x80b004", "reset_vector = 0x80b008"))
    with pytest.raises(MalformedRecord, match="another build of the same image has other facts: reset_vector differs"):
        load_spec(write_spec(inputs, text))


def test_a_record_may_leave_out_the_version_but_not_contradict_it(inputs: Path) -> None:
    record = embedded.builds()["trixie/ovmf/OVMF.fd"].to_toml().replace("trixie/", "other/")
    version = 'firmware_version = "2025.02-8+deb13u1"'
    text = 'name = "x"\nfirmware = { files = ["record.toml"] }\ntechnologies = { sev = {} }\n'
    (inputs / "record.toml").write_text(record.replace(version, ""))
    load_spec(write_spec(inputs, text))
    (inputs / "record.toml").write_text(record.replace(version, 'firmware_version = "2025.02-9"'))
    with pytest.raises(MalformedRecord, match=r"contradicts trixie.*: firmware_version$"):
        load_spec(write_spec(inputs, text))


def test_a_record_that_contradicts_an_embedded_one_is_refused(inputs: Path) -> None:
    record = embedded.builds()["bullseye/ovmf/OVMF.fd"].to_toml()
    (inputs / "record.toml").write_text(record.replace("0x80b000", "0x80b004").replace("bullseye/", "other/"))
    text = 'name = "x"\nfirmware = { files = ["record.toml"] }\ntechnologies = { sev = {} }\n'
    with pytest.raises(MalformedRecord, match=r"contradicts bullseye.*: reset_vector$"):
        load_spec(write_spec(inputs, text))


def test_names_of_defined_tables_are_not_globs(inputs: Path) -> None:
    text = SMALL.replace('"mine"', '"mine [2]*"')
    assert [kernel and kernel.name for kernel in load_spec(write_spec(inputs, text)).kernels] == [None, "mine [2]*"]
