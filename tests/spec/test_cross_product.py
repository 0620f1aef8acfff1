"""The cross product: what it contains, what is left out and why, and that the fast path gives the same digests."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from catalog.build.measuring import measure_sweeps
from catalog.launch.hashing.backends import REFERENCE, choose
from catalog.launch.technology import measure, technologies
from catalog.spec.catalog_spec import load_spec
from catalog.spec.cross_product import CrossProduct, cross_product
from tests.support.samples import SMALL, write_spec

NR_CPUS = """
[[together]]
when = { kernel_hashes = ["mine"] }
only = { vcpus = [2] }
"""


def find_product(folder: Path, text: str) -> CrossProduct:
    return cross_product(load_spec(write_spec(folder, text)))


def test_every_digest_matches_measure(inputs: Path) -> None:
    product = find_product(inputs, SMALL + NR_CPUS)
    names = {sweep.config.technology for sweep in product.sweeps}
    assert names == {"sev", "sev-es", "sev-snp"}
    for name in names:
        technology = technologies()[name]
        sweeps = [sweep for sweep in product.sweeps if sweep.config.technology == name]
        for backend in (REFERENCE, choose()):
            made: dict[int, bytes] = {}
            for batch in measure_sweeps(sweeps, range(len(sweeps)), backend):
                size = batch.steps * batch.digest_size
                made |= {n: bytes(batch.digests[at * size :][:size]) for at, n in enumerate(batch.sweeps)}
            assert sorted(made) == list(range(len(sweeps)))
            for number, sweep in enumerate(sweeps):
                expected = [measure(technology, sweep.config.image, sweep.at(n).point).value for n in sweep.vcpus]
                assert made[number] == b"".join(expected)


def test_a_sample_of_the_default_catalog_matches_measure() -> None:
    spec = load_spec(None)
    sweeps = [sweep for sweep in cross_product(spec).sweeps if sweep.config.base is None]
    chance = random.Random(20221)
    for sweep in chance.sample(sweeps, 25):
        (batch,) = measure_sweeps([sweep], [0], choose())
        number = chance.randrange(min(len(sweep.vcpus), 24))  # pure Python takes 3 ms for each VMSA
        technology = technologies()[sweep.config.technology]
        expected = measure(technology, sweep.config.image, sweep.at(sweep.vcpus[number]).point).value
        assert batch.digests[number * len(expected) :][: len(expected)] == expected


def test_a_platform_is_crossed_with_what_is_its_own() -> None:
    """In the default catalog; a kernel hashes table of a platform is measured with nobody else's firmware."""
    spec = load_spec(None)
    publisher = {build.component.key: build.origin.distribution or "" for build in spec.builds if build.origin}
    tables = {kernel.hashes.table_sha256: kernel.name.partition("/")[0] for kernel in spec.kernels if kernel}
    seen = Counter[tuple[str, str, str]]()
    for sweep in cross_product(spec).sweeps:
        if not (image := sweep.config.firmware):
            continue
        table = sweep.config.kernel_hashes
        kernel = "none" if table is None else tables[table.table_sha256]
        hosted = sweep.config.vmm.wire.hosted if sweep.config.vmm else None
        seen[publisher[image.key], "debian" if kernel.startswith("debian") else kernel, hosted or "none"] += 1
    assert seen.keys() == {
        ("debian", "none", "none"),
        ("debian", "debian", "none"),
        ("aws-ec2", "none", "aws-ec2"),
        ("dstack", "dstack", "none"),
        ("hyperbeam", "hyperbeam", "none"),
        ("secretvm", "secretvm", "none"),
    }


def test_points_that_cannot_launch_are_counted_with_the_reason(inputs: Path) -> None:
    left_out = {(o.technology, o.firmware, o.reason): o.points for o in find_product(inputs, SMALL).left_out}
    no_area = "this build has no kernel hashes area, so the kernel would not be measured"
    assert left_out == {
        ("sev", "bare.fd", no_area): 1,
        ("sev-es", "bare.fd", no_area): 3,
        # 2 tables x 2 features x (2 profiles with 2 signatures + 1 without) x 3 counts
        ("sev-snp", "bare.fd", "the image has no SEV metadata"): 60,
    }


def test_rows_and_omitted_points_add_up_to_the_whole_product(inputs: Path) -> None:
    product = find_product(inputs, SMALL)
    builds, tables = 3, 2
    whole = builds * tables * (1 + 1 * 1 * 1 * 3 + (2 * 2 + 1) * 2 * 3)
    twin = tables * (1 + 3 + 30)  # the same bytes under another name: each row once
    assert product.rows + sum(o.points for o in product.left_out) + twin == whole


def test_two_names_of_the_same_image_do_not_duplicate_rows(inputs: Path) -> None:
    product = find_product(inputs, SMALL)
    assert len({f.config.image.sha256 for f in product.sweeps}) == 2
    assert len(set(product.sweeps)) == len(product.sweeps)


def test_a_command_line_with_nr_cpus_is_combined_with_that_vcpu_count_only(inputs: Path) -> None:
    product = find_product(inputs, SMALL + NR_CPUS)
    with_kernel = [f for f in product.sweeps if f.config.kernel_hashes]
    assert {f.vcpus for f in with_kernel if f.config.vmm} == {(2,)}
    assert {f.vcpus for f in product.sweeps if f.config.vmm and not f.config.kernel_hashes} == {(1, 2, 3)}
    counted = [o for o in product.left_out if o.reason.startswith("the spec: when")]
    assert sum(o.points for o in counted if o.technology == "sev-es") == 3 * 2
    assert sum(o.points for o in counted if o.technology == "sev-snp") == 3 * 10 * 2


def test_a_constraint_ignores_fields_that_a_launch_does_not_measure(inputs: Path) -> None:
    product = find_product(inputs, SMALL + NR_CPUS)
    assert [f.vcpus for f in product.sweeps if f.config.technology == "sev" and f.config.kernel_hashes] == [(None,)]


ALL, TWO, ONE = (1, 2, 3), (1, 2), (1,)


@pytest.mark.parametrize(
    ("when", "only", "qemu", "ec2"),
    [
        ('vmm = ["qemu-*"]', 'vcpus = ["1-2"], firmware = ["w*"]', {TWO}, {ALL}),
        ('vmm = ["ec2-*"]', 'firmware = ["bookworm/*"]', {ALL}, set()),
        ("vcpus = [3]", "sev_features = [1]", {TWO, ALL}, {TWO, ALL}),
        ('vcpu_signatures = ["EPYC-Milan"]', "vcpus = [1]", {ONE, ALL}, {ALL}),
        ('technology = ["sev-es"]', "vcpus = [1]", {ALL}, {ALL}),
    ],
)
def test_constraints_remove_the_named_rows(
    inputs: Path, when: str, only: str, qemu: set[tuple[int, ...]], ec2: set[tuple[int, ...]]
) -> None:
    rule = f"\n[[together]]\nwhen = {{ {when} }}\nonly = {{ {only} }}\n"
    sweeps = find_product(inputs, SMALL.replace('"twin.fd", ', "") + rule).sweeps
    snp = [(f.config.vmm.name, f.vcpus) for f in sweeps if f.config.technology == "sev-snp" and f.config.vmm]
    assert {counts for name, counts in snp if name.startswith("qemu")} == qemu
    assert {counts for name, counts in snp if name.startswith("ec2")} == ec2


def test_the_order_of_a_spec_does_not_matter(inputs: Path) -> None:
    turned = SMALL.replace('["whole.fd", "twin.fd", "bare.fd"]', '["bare.fd", "twin.fd", "whole.fd"]')
    turned = turned.replace('["none", "mine"]', '["mine", "none"]').replace("[1, 0x21]", "[0x21, 1]")
    turned = turned.replace('["ec2-2026", "qemu-kvm-init2", "qemu-kvm-legacy"]', '["qemu-kvm-*", "ec2-2026"]')
    turned = turned.replace('["EPYC-Milan", 0xa10f10]', '[0xa10f10, "EPYC-Milan-v2"]')
    first, second = find_product(inputs, SMALL), find_product(inputs, turned)
    assert first == second
