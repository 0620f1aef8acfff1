"""The bases of a spec: which rows follow from them, which are left out and why, and what is joined or refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from catalog.errors import MalformedRecord, UnknownName, UsageError
from catalog.imports.endorsed_facts import Base, Endorser
from catalog.spec import embedded
from catalog.spec.bases import spec_bases
from catalog.spec.catalog_spec import CatalogSpec, load_spec
from catalog.spec.counting import count_rows
from catalog.spec.cross_product import CrossProduct, cross_product
from tests.support.samples import write_spec
from tests.support.vcpu_chains import ADDRESS, random_digest

ONE = Base(random_digest(1), "sev-snp", Endorser("a"), 2, ADDRESS, vmm="gce-v1", sev_features=1, name="one")
TWO = Base(random_digest(2), "sev-snp", Endorser("a"), 1, ADDRESS, None, "EPYC", "qemu-kvm-init2", 1)
SPEC = """
name = "bases"
firmware = { builds = ["sid/ovmf-amdsev/OVMF.amdsev.fd"] }
[technologies.sev]
[technologies.sev-snp]
vmm = ["qemu-kvm-legacy"]
vcpu_signatures = ["EPYC-Milan"]
sev_features = [1]
vcpus = ["1-4", 9]
"""


@pytest.fixture
def spec(tmp_path_factory: pytest.TempPathFactory) -> CatalogSpec:
    return load_spec(write_spec(tmp_path_factory.mktemp("spec"), SPEC))


def with_bases(spec: CatalogSpec, *bases: Base) -> CatalogSpec:
    return replace(spec, bases=spec_bases(bases, embedded.profiles(), embedded.vcpu_types()))


def of_bases(product: CrossProduct) -> list[tuple[str, Sequence[int | None]]]:
    return [(one.config.base.facts.label, one.vcpus) for one in product.sweeps if one.config.base]


def test_a_base_has_the_counts_of_the_spec_above_its_own_and_nothing_else(spec: CatalogSpec) -> None:
    product = cross_product(with_bases(spec, ONE, TWO))
    label = f"base-{TWO.digest.hex()[:16]}"
    assert sorted(of_bases(product)) == [(label, (2, 3, 4, 9)), ("one", (3, 4, 9))]
    assert {one.config.vmm.name for one in product.sweeps if one.config.vmm} == {
        "gce-v1",
        "qemu-kvm-init2",
        "qemu-kvm-legacy",
    }
    assert not [one for one in product.sweeps if one.config.base and one.config.kernel_hashes]


def test_rows_are_counted_as_they_are_made(spec: CatalogSpec) -> None:
    twin = replace(ONE, endorser=Endorser("b"), name="twin")
    for bases in ((), (ONE,), (ONE, TWO), (ONE, twin), (replace(ONE, vmm=None), TWO)):
        given = with_bases(spec, *bases)
        counts = count_rows(given)
        rows = dict.fromkeys(counts, 0)
        for sweep in cross_product(given).sweeps:
            rows[sweep.config.technology] += len(sweep.vcpus)
        assert {name: count.rows for name, count in counts.items()} == rows


def test_what_is_not_known_is_left_out_with_the_reason(spec: CatalogSpec) -> None:
    (left,) = [one for one in cross_product(with_bases(spec, replace(ONE, vmm=None))).left_out if one.firmware == "one"]
    assert (left.technology, left.reason, left.points) == ("sev-snp", "the VMM of this base is not known", 3)


def test_a_base_above_all_counts_or_of_another_technology_has_no_points(spec: CatalogSpec) -> None:
    for base in (replace(ONE, vcpus=9), replace(ONE, technology="sev-es", digest=bytes(32))):
        assert of_bases(cross_product(with_bases(spec, base))) == []


def test_distinguished_digests_do_not_take_bases(tmp_path_factory: pytest.TempPathFactory) -> None:
    text = f"{SPEC}distinguished_bits = 2\n"
    spec = with_bases(load_spec(write_spec(tmp_path_factory.mktemp("spec"), text)), ONE)
    product = cross_product(spec)
    assert of_bases(product) == []
    assert ("one", "the spec keeps distinguished digests only", 3) in [
        (one.firmware, one.reason, one.points) for one in product.left_out
    ]


def test_a_constraint_takes_counts_from_bases_and_asks_no_firmware_of_them(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    rules = """
    [[together]]
    when = { vmm = ["gce-v1"] }
    only = { vcpus = [3, 4] }
    [[together]]
    when = { vmm = ["gce-v1"] }
    only = { firmware = ["bookworm/*"] }
    """
    spec = with_bases(load_spec(write_spec(tmp_path_factory.mktemp("spec"), SPEC + rules)), ONE)
    assert of_bases(cross_product(spec)) == [("one", (3, 4))]


def test_facts_of_one_digest_are_joined(spec: CatalogSpec) -> None:
    part = Base(ONE.digest, "sev-snp", Endorser("b"), 2, vcpu_type="EPYC", product="Milan", name="part")
    found = with_bases(spec, ONE, part).bases
    assert [(one.facts.label, one.facts.endorser.scheme) for one in found] == [("one", "a"), ("part", "b")]
    assert {(one.facts.vmm, one.facts.product, one.facts.reset_vector) for one in found} == {
        ("gce-v1", "Milan", ADDRESS)
    }


def test_equal_bases_are_one(spec: CatalogSpec) -> None:
    assert [one.facts.label for one in with_bases(spec, replace(ONE, name=None), ONE, ONE).bases] == ["one"]


def test_contradictions_and_taken_names_are_refused(spec: CatalogSpec) -> None:
    with pytest.raises(MalformedRecord, match="another base has the same launch digest and another vcpus"):
        with_bases(spec, ONE, replace(ONE, vcpus=3))
    with pytest.raises(UsageError, match="two bases of the spec have the name 'one'"):
        with_bases(spec, ONE, replace(TWO, name="one"))
    with pytest.raises(UnknownName):
        with_bases(spec, replace(ONE, vmm="gce"))
