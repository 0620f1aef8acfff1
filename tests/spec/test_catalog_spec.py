"""Valid specs: what they select, and what each notation means."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from catalog.abi.kernel_hashes import KernelHashes
from catalog.spec import embedded
from catalog.spec.catalog_spec import CatalogSpec, load_spec
from tests.support.samples import INITRD, KERNEL, SMALL, whole_image, write_spec

SNP = """
[technologies.sev-snp]
vmm = ["qemu-kvm-init2"]
vcpu_signatures = [{signatures}]
sev_features = [{features}]
vcpus = [{vcpus}]
"""


def load(folder: Path, text: str) -> CatalogSpec:
    return load_spec(write_spec(folder, text))


def names(spec: CatalogSpec) -> list[str]:
    return [build.name for build in spec.builds]


def test_the_embedded_default_selects_every_build_and_kernel() -> None:
    spec = load_spec(None)
    assert json.loads(spec.text)["name"] == "published"
    assert names(spec) == sorted(embedded.builds())
    assert [kernel and kernel.name for kernel in spec.kernels] == [None, *sorted(embedded.kernels())]
    assert set(spec.axes) == {"sev", "sev-es", "sev-snp", "tdx"}


def test_builds_by_name_and_by_glob(tmp_path: Path) -> None:
    spec = 'name = "x"\nfirmware = {{ builds = [{}] }}\ntechnologies = {{ sev = {{}} }}\n'
    one = "sid/ovmf-amdsev/OVMF.amdsev.fd"
    assert names(load(tmp_path, spec.format(f'"{one}"'))) == [one]
    bookworm = [name for name in sorted(embedded.builds()) if name.startswith("bookworm/")]
    assert names(load(tmp_path, spec.format('"bookworm/*"'))) == bookworm
    assert names(load(tmp_path, spec.format(f'"bookworm/*", "{bookworm[0]}", "*amdsev*"'))) == [*bookworm, one]


def test_builds_by_file_and_glob_relative_to_the_spec(inputs: Path, tmp_path: Path) -> None:
    (inputs / "deep" / "er").mkdir(parents=True)
    (inputs / "deep" / "er" / "z.fd").write_bytes(whole_image(7))
    spec = 'name = "x"\nfirmware = {{ files = [{}] }}\ntechnologies = {{ sev = {{}} }}\n'
    assert names(load(inputs, spec.format('"whole.fd"'))) == ["whole.fd"]
    assert names(load(inputs, spec.format('"*.fd"'))) == ["bare.fd", "twin.fd", "whole.fd"]
    assert names(load(inputs, spec.format('"**/*.fd"'))) == ["bare.fd", "deep/er/z.fd", "twin.fd", "whole.fd"]
    absolute = inputs / "bare.fd"
    found = load(tmp_path, spec.format(f'"{absolute}"'))
    assert found.builds[0].component.sha256 == hashlib.sha256(absolute.read_bytes()).digest()
    assert found.builds[0].origin is None


def test_names_and_files_together(inputs: Path) -> None:
    firmware = 'firmware = { builds = ["*amdsev*"], files = ["whole.fd"] }'
    spec = load(inputs, f'name = "x"\n{firmware}\ntechnologies = {{ sev = {{}} }}\n')
    assert names(spec) == ["sid/ovmf-amdsev/OVMF.amdsev.fd", "whole.fd"]


def test_kernel_tables_by_file_and_by_hash_are_the_same(inputs: Path) -> None:
    kernel, initrd = hashlib.sha256(KERNEL).hexdigest(), hashlib.sha256(INITRD).hexdigest()
    by_hash = f'kernel_sha256 = "{kernel}"\ninitrd_sha256 = "{initrd}"'
    by_file = 'kernel = "vmlinuz"\ninitrd = "initrd.img"'
    made = [load(inputs, SMALL), load(inputs, SMALL.replace(by_file, by_hash))]
    wanted = KernelHashes.of(kernel=bytes.fromhex(kernel), initrd=bytes.fromhex(initrd), append="quiet nr_cpus=2")
    for spec in made:
        assert spec.kernels[0] is None
        assert spec.kernels[1] is not None
        assert (spec.kernels[1].name, spec.kernels[1].hashes) == ("mine", wanted)


def test_a_kernel_without_initrd_and_command_line(inputs: Path) -> None:
    text = SMALL.replace('initrd = "initrd.img"\nappend = "quiet nr_cpus=2"\n', "")
    made = load(inputs, text).kernels[1]
    assert made is not None
    assert made.hashes.initrd == hashlib.sha256(b"").digest()
    assert made.append == ""


def test_defined_tables_are_selected_without_listing_them(inputs: Path) -> None:
    spec = load(inputs, SMALL.replace('tables = ["none", "mine"]', 'tables = ["debian-12-*"]'))
    wanted = sorted(["mine", *(name for name in embedded.kernels() if name.startswith("debian-12-"))])
    assert sorted(kernel.name for kernel in spec.kernels if kernel) == wanted
    assert None not in spec.kernels


def test_without_a_kernel_hashes_section_there_are_no_tables(tmp_path: Path) -> None:
    text = 'name = "x"\nfirmware = { builds = ["*"] }\ntechnologies = { sev = {} }\n'
    assert load(tmp_path, text).kernels == (None,)


@pytest.mark.parametrize(
    ("signatures", "features", "vcpus"),
    [
        ('"EPYC-Milan"', "1, 33", '"1-3"'),
        ('"EPYC-Milan-v1", 0xa00f11', "0x21, 0b1", "3, 2, 1"),
        ('"0xa00f11", "EPYC-Milan"', '"0x21", "0b1", 1', '"0x2-0b11", "1", 2'),
        ("10489617", "33, 1, 33", '1, "2-3"'),
    ],
)
def test_axes_are_sorted_without_duplicates(tmp_path: Path, signatures: str, features: str, vcpus: str) -> None:
    head = 'name = "x"\nfirmware = { builds = ["*"] }\n'
    axes = load(tmp_path, head + SNP.format(signatures=signatures, features=features, vcpus=vcpus)).axes["sev-snp"]
    assert [signature.value for signature in axes.vcpu_signatures] == [0xA00F11]
    assert axes.sev_features == (1, 0x21)
    assert axes.vcpus == (1, 2, 3)


def test_signatures_are_optional_if_no_profile_measures_them(tmp_path: Path) -> None:
    text = SNP.replace("qemu-kvm-init2", "ec2-2026").format(signatures="", features="1", vcpus="1")
    axes = load(tmp_path, 'name = "x"\nfirmware = { builds = ["*"] }\n' + text).axes["sev-snp"]
    assert axes.vcpu_signatures == ()


def test_constraints_are_parsed(tmp_path: Path) -> None:
    text = """
    name = "x"
    firmware = { builds = ["*"] }
    technologies = { sev = {} }
    together = [
        { when = { vmm = ["qemu-*"] }, only = { vcpus = ["1-2", "0x8"], sev_features = ["0x1"] } },
        { when = { technology = ["sev"], vcpu_signatures = ["EPYC"] }, only = {} },
    ]
    """
    first, second = sorted(load(tmp_path, text).constraints, key=lambda rule: "EPYC" in rule.text)
    assert first.text == 'when {"vmm":["qemu-*"]} only {"sev_features":["0x1"],"vcpus":["0x8","1-2"]}'
    assert first.when.names == {"vmm": ["qemu-*"]}
    assert first.only.vcpus == {1, 2, 8}
    assert first.only.sev_features == {1}
    assert second.when.vcpu_signatures == {embedded.vcpu_types().signature("EPYC")}
    assert second.only.names == {}


def test_globs_may_overlap(inputs: Path) -> None:
    text = 'name = "x"\nfirmware = { files = ["w*.fd", "*.fd"] }\ntechnologies = { sev = {} }\n'
    assert names(load(inputs, text)) == ["bare.fd", "twin.fd", "whole.fd"]


def test_a_local_path_is_not_a_build_name(inputs: Path) -> None:
    text = f'name = "x"\nfirmware = {{ files = ["{inputs}/w*.fd"] }}\ntechnologies = {{ sev = {{}} }}\n'
    assert names(load(inputs, text)) == ["whole.fd"]


def test_a_record_replaces_its_image(inputs: Path) -> None:
    text = 'name = "x"\nfirmware = { files = ["bare.fd"] }\ntechnologies = { sev = {} }\n'
    (build,) = load(inputs, text).builds
    (inputs / "bare.toml").write_text(build.to_toml())
    assert load(inputs, text.replace("bare.fd", "bare.toml")).builds == (build,)
