"""Bases: what follows from a published launch digest equals what its platform published, and nothing else follows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from catalog.abi.vcpu import VcpuSignature
from catalog.errors import CannotLaunch, MalformedRecord, UnknownName
from catalog.imports.endorsed_facts import Base, Endorser
from catalog.imports.import_record import parse_import
from catalog.imports.imported import Imported
from catalog.launch.hashing.backends import REFERENCE, HashBackend, choose
from catalog.launch.profile import VmmProfile
from catalog.launch.technology import technology_named
from catalog.rows.launch_base import LaunchBase
from catalog.rows.launch_config import LaunchComponents, LaunchConfig
from catalog.spec import embedded
from tests.support.vcpu_chains import ADDRESS, EPYC, ap_tail, extended, random_digest

START = random_digest(7)
FACTS = Base(START, "sev-snp", Endorser("contrast"), 3, ADDRESS, vcpu_type="EPYC", vmm="qemu-kvm-init2", sev_features=1)


def base(**changed: Any) -> LaunchBase:
    return LaunchBase.of(replace(FACTS, **changed), embedded.profiles(), embedded.vcpu_types())


def fleet(name: str) -> Imported:
    return parse_import(embedded.fleets()[name].read_text(encoding="utf-8"))


@pytest.mark.parametrize(("name", "published"), [("google-gce", 14), ("project-oak", 24)])
@pytest.mark.parametrize("backend", [REFERENCE, choose()], ids=str)
def test_all_counts_that_a_platform_published_follow_from_the_first(
    name: str, published: int, backend: HashBackend
) -> None:
    """Sources: the endorsement of Google, with 15 counts; those of Oak's stage0, eight builds with four counts each."""
    imported, found = fleet(name), 0
    for facts in imported.bases:
        of_build = {one.claims.vcpus: one.digest for one in imported.endorsed if one.endorser == facts.endorser}
        more = sorted(vcpus for vcpus in of_build if vcpus and vcpus > facts.vcpus)
        one = LaunchBase.of(facts, embedded.profiles(), embedded.vcpu_types())
        (made,) = technology_named("sev-snp").fold_chains([one.chain], [n - facts.vcpus for n in more], backend)
        assert bytes(made) == b"".join(of_build[vcpus] for vcpus in more)
        assert [one.digest(vcpus).value for vcpus in more] == [of_build[vcpus] for vcpus in more]
        found += len(more)
    assert found == published


def test_each_vcpu_adds_the_ap_page_of_the_bases_own_vmm() -> None:
    tail = ap_tail("qemu-kvm-init2", signature=EPYC)
    assert base().digest(4).value == extended(START, tail, 1)
    assert base().digest(64).value == extended(START, tail, 61)
    assert base(vmm="gce-v1").digest(4).value == extended(START, ap_tail("gce-v1"), 1)


def test_no_count_follows_that_is_not_above_the_bases_own() -> None:
    for vcpus in (3, 2, 0):
        with pytest.raises(CannotLaunch, match=f"no launch with {vcpus} vCPUs follows from a base of 3"):
            base().digest(vcpus)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"vmm": None}, "the VMM of this base is not known"),
        ({"reset_vector": None}, "the reset address of the APs of this base is not known"),
        ({"reset_vector": 0}, "the reset address of the APs of this base is not known"),
        ({"vcpu_type": None}, "qemu-kvm-init2 measures the vCPU signature, which is not known of this base"),
        ({"sev_features": None}, "the sev_features of this base are not known"),
        ({"sev_features": 0x20}, "sev_features 0x20 lacks bit 0, SNPActive, which the guest runs with"),
        (
            {"technology": "sev-es", "digest": bytes(32)},
            "a sev-es digest is not a state from which a launch can continue",
        ),
    ],
)
def test_nothing_follows_from_a_base_of_which_too_little_is_known(changed: dict[str, Any], why: str) -> None:
    assert base(**changed).blocker == why
    with pytest.raises(CannotLaunch, match=why):
        _ = base(**changed).chain


def test_a_vmm_that_does_not_launch_the_technology() -> None:
    text = embedded.profiles()["qemu-kvm-init2"].text
    technologies = next(line for line in text.splitlines() if line.startswith("technologies"))
    vmm = VmmProfile.parse(text.partition("[snp]")[0].replace(technologies, 'technologies = ["sev-es"]'))
    found = LaunchBase.of(FACTS, {vmm.name: vmm}, embedded.vcpu_types())
    assert found.blocker == "qemu-kvm-init2 does not launch sev-snp"


def test_names_that_nothing_stands_for_are_refused() -> None:
    for changed in ({"vmm": "qemu"}, {"vcpu_type": "EPYC-Nowhere"}):
        with pytest.raises(UnknownName):
            base(**changed)


def test_a_vcpu_type_that_the_profile_does_not_measure_is_no_input() -> None:
    assert base(vmm="gce-v1").vcpu_signature is None
    assert base(vmm="gce-v1", vcpu_type=None).blocker is None


COMPONENTS = LaunchComponents({}, {}, embedded.profiles(), {START: base()})
ROW = {
    "technology": "sev-snp",
    "firmware_sha256": None,
    "firmware_snp_baseline": None,
    "base_digest": START,
    "kernel_hashes_sha256": None,
    "vmm": "qemu-kvm-init2",
    "vcpu_signature": EPYC,
    "sev_features": 1,
    "vcpus": 4,
}


def test_a_row_gives_its_configuration_and_back() -> None:
    config = COMPONENTS.config(ROW)
    assert config == replace(LaunchConfig.continuing(base()), vcpus=4)
    values = config.row()
    assert {name: values[name] for name in ROW} == ROW
    assert values["bsp_vmsa_sha256"] is None
    assert values["ap_vmsa_sha256"] == base().ap_page_hash()
    assert config.digest() == base().digest(4)


@pytest.mark.parametrize(
    "changed",
    [
        {"vmm": "qemu-kvm-legacy"},
        {"vcpu_signature": VcpuSignature(0xA10F10).value},
        {"sev_features": 0x21},
        {"kernel_hashes_sha256": bytes(32)},
        {"firmware_sha256": bytes(32)},
        {"firmware_snp_baseline": bytes(48)},
        {"base_digest": None},
        {"base_digest": bytes(48)},
    ],
)
def test_a_row_with_other_inputs_than_those_of_its_base_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(MalformedRecord):
        COMPONENTS.config({**ROW, **changed})
