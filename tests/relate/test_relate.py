"""Relate: digests of one launch with different numbers of vCPUs are found, whatever launched them, and no others."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.abi.digest import LaunchDigest
from catalog.errors import UsageError
from catalog.launch.hashing.backends import PYTHON, REFERENCE, HashBackend, choose, sha384_implementations
from catalog.relate import relate as module
from catalog.relate.ap_pages import known_pages, known_reset_addresses, usual_features
from catalog.relate.equal_steps import STEPS_AT_ONCE, equal_steps
from catalog.spec import embedded
from tests.support.explanations import BELIEVED, digest_of
from tests.support.vcpu_chains import ADDRESS, EPYC, ap_tail, extended, random_digest, related

SNP_PROFILES = sorted(name for name, one in embedded.profiles().items() if one.snp)
GCE = ap_tail("gce-v1")


@pytest.mark.parametrize("vmm", SNP_PROFILES)
def test_two_launches_of_a_build_with_different_numbers_of_vcpus(vmm: str) -> None:
    measures = embedded.profiles()[vmm].measures_signature
    launched = {**BELIEVED, "firmware": "bookworm/ovmf/OVMF.fd", "vmm": vmm}
    launched |= {} if measures else {"vcpu_type": None}
    for name in ("kernel_sha256", "initrd_sha256", "append"):  # this build takes none
        del launched[name]
    few, many, other = (
        digest_of(**{**launched, **changed}).value
        for changed in ({"vcpus": 3}, {"vcpus": 8}, {"vcpus": 8, "firmware": "bookworm/ovmf/OVMF_CODE.fd"})
    )
    found = related([many, other, few], most=5)
    (chain,) = found.chains
    assert [(member.digest, member.more) for member in chain.members] == [(few, 0), (many, 5)]
    assert found.unrelated == (other,)
    origin = next(one for one in chain.page.origins if one.vmm == vmm)
    assert (origin.reset_address, origin.sev_features) == (ADDRESS, 1)
    assert (origin.vcpu_signature is not None) == measures


@pytest.mark.parametrize("features", usual_features())
@pytest.mark.parametrize("address", known_reset_addresses())
def test_every_known_address_and_usual_features(features: int, address: int) -> None:
    start = random_digest(features)
    tail = ap_tail("ec2-2026", address=address, features=features)
    (chain,) = related([start, extended(start, tail, 4)], most=4).chains
    (origin,) = chain.page.origins
    assert (origin.vmm, origin.sev_features, origin.reset_address) == ("ec2-2026", features, address)


@pytest.mark.parametrize("signature", sorted({one.value for one in embedded.vcpu_types().by_name.values()}))
def test_every_named_vcpu_signature(signature: int) -> None:
    start = random_digest(signature)
    (chain,) = related([start, extended(start, ap_tail("qemu-kvm-init2", signature=signature), 1)], most=1).chains
    (origin,) = chain.page.origins
    assert origin.vcpu_signature is not None
    assert origin.vcpu_signature.value == signature


def test_profiles_that_make_one_page_are_all_named() -> None:
    start = random_digest(0)
    (chain,) = related([start, extended(start, ap_tail("qemu-kvm-legacy", signature=EPYC), 2)], most=2).chains
    assert [origin.vmm for origin in chain.page.origins] == ["qemu-amdese-2022", "qemu-kvm-legacy"]
    (line,) = chain.inferred()
    assert line.endswith(
        "with 2 more vCPUs (AP page of "
        "qemu-amdese-2022, reset address 0x80b004, vCPU signature 0x00800f12 (EPYC), sev_features 0x1 or "
        "qemu-kvm-legacy, reset address 0x80b004, vCPU signature 0x00800f12 (EPYC), sev_features 0x1)"
    )


def test_each_page_is_tried_once() -> None:
    tails = [page.tail for page in known_pages()]
    assert len(tails) == len(set(tails)) == related([bytes(48), bytes([1] * 48)], most=1).tried.pages


def test_a_page_at_another_address_relates_nothing() -> None:
    start = random_digest(1)
    other = extended(start, ap_tail("gce-v1", gpa=0xFFFFFFFFFF000), 1)
    assert related([start, other], most=1).chains == ()


@settings(max_examples=15)
@given(
    st.lists(st.integers(1, 60), min_size=2, max_size=9, unique=True),
    st.lists(st.integers(1, 60), min_size=2, max_size=4, unique=True),
    st.randoms(use_true_random=False),
)
def test_chains_come_out_whole_and_in_order(first: list[int], second: list[int], source: random.Random) -> None:
    """Steps between neighbours of at most `most` are enough: from 1 to 60 they are."""
    oak = ap_tail("gce-v1", address=0x3009)
    digests = [extended(random_digest(2), GCE, count) for count in first]
    digests += [extended(random_digest(3), oak, count) for count in second]
    loose = [random_digest(seed) for seed in (4, 5)]
    shuffled = source.sample([*digests, *loose], len(digests) + 2)
    found = related([*shuffled, *shuffled], most=60)
    chains = {tuple(member.more for member in chain.members) for chain in found.chains}
    assert chains == {tuple(count - min(counts) for count in sorted(counts)) for counts in (first, second)}
    assert len(found.chains) == 2
    assert set(found.unrelated) == set(loose)


def test_how_many_more_vcpus_are_tried() -> None:
    start = random_digest(6)
    ahead = [extended(start, GCE, more) for more in (511, 1000)]
    (chain,) = related([start, *ahead]).chains
    assert [member.more for member in chain.members] == [0, 511, 1000]
    assert related([start, extended(start, GCE, 512)]).chains == ()
    assert len(related([start, extended(start, GCE, 511)]).chains) == 1


def test_a_digest_that_begins_like_a_wanted_one_is_another_one() -> None:
    start = random_digest(8)
    alike = extended(start, GCE, 1)[:40] + bytes(8)
    assert equal_steps([(start, GCE)], 3, {alike}, choose()) == []
    behind = extended(start, GCE, 2)
    (step,) = equal_steps([(start, GCE)], 3, {alike, behind}, choose())
    assert (step.smaller, step.larger, step.more, step.tail) == (start, behind, 2, GCE)


@pytest.mark.parametrize("name", sha384_implementations())
def test_every_implementation_finds_the_nearest_digest_of_each_chain(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catalog.relate.equal_steps.STEPS_AT_ONCE", 12)  # so that there are several batches
    tails = [GCE, ap_tail("ec2-2023")]
    starts = [random_digest(seed) for seed in range(20)]
    chains = [(start, tail) for start in starts for tail in tails]
    ends = {(start, tail): extended(start, tail, 1 + number % 4) for number, (start, tail) in enumerate(chains)}
    wanted = {*ends.values(), *(extended(end, tail, 1) for (_, tail), end in ends.items())}
    found = equal_steps(chains, 5, wanted, HashBackend(PYTHON, name))
    assert {(step.smaller, step.tail): step.larger for step in found} == ends
    assert [step.more for step in found] == [1 + number % 4 for number in range(len(chains))]


def test_worker_processes_find_the_same() -> None:
    start = random_digest(9)
    digests = [extended(start, GCE, count) for count in (0, 1, 3)]
    assert related(digests, most=3, backend=REFERENCE) == related(digests, most=3)


def test_progress_comes_to_what_was_announced() -> None:
    begun, done = list[int](), list[int]()
    related([random_digest(seed) for seed in range(9)], begun=begun, done=done)
    assert begun == [9 * len(known_pages()) * 511]
    assert sum(done) == begun[0]
    assert len(done) >= begun[0] // (STEPS_AT_ONCE + 9 * 511)


@pytest.mark.parametrize(
    ("digests", "most", "halves", "message"),
    [
        ([bytes(48)], None, (), "fewer than two different launch digests"),
        ([bytes(48), bytes(48)], None, (), "fewer than two different launch digests"),
        ([bytes(48), bytes(32)], None, (), "0000000000000000... is a launch digest of SEV or SEV-ES"),
        ([bytes([n] * 48) for n in range(4)], None, (), "4 launch digests are more than 3"),
        ([bytes(48), bytes([1] * 48)], 0, (), "0 more vCPUs cannot be tried"),
        ([bytes(48), bytes([1] * 48)], 4096, (), "4096 more vCPUs cannot be tried"),
        ([bytes(48), bytes([1] * 48)], None, (0x80B004,), "0x80b004 is not the upper half"),
        ([bytes(48), bytes([1] * 48)], None, (-65536,), "is not the upper half"),
        ([bytes(48), bytes([1] * 48)], None, (1 << 32,), "is not the upper half"),
        ([bytes([n] * 48) for n in range(3)], None, (0,), "for up to 2 digests, not for 3"),
    ],
)
def test_what_is_refused(
    monkeypatch: pytest.MonkeyPatch, digests: list[bytes], most: int | None, halves: tuple[int, ...], message: str
) -> None:
    monkeypatch.setattr(module, "MAX_DIGESTS", 3)
    with pytest.raises(UsageError, match=message):
        related(digests, most=most, upper_halves=halves, searched=2)


def test_a_digest_of_sev_is_refused_with_the_reason() -> None:
    with pytest.raises(UsageError) as refused:
        related([bytes(32), LaunchDigest(bytes(48)).value])
    assert refused.value.hint == "only an SEV-SNP digest, 48 bytes, is the state of a chain that can be continued"
