"""Reset addresses that no record names are found, for a few digests, and the search says how far it came."""

from __future__ import annotations

import pytest

from catalog.launch.hashing.backends import REFERENCE, choose
from catalog.relate import reset_addresses
from catalog.relate.ap_pages import known_reset_addresses
from catalog.relate.reset_addresses import UPPER_HALVES, Stage, count_steps, search_stages
from catalog.work.engine import local_engine
from tests.support.vcpu_chains import EPYC, ap_tail, extended, random_digest, related

UNKNOWN = 0x80C0DE
LOW = 0x7009

assert not {UNKNOWN, LOW} & set(known_reset_addresses())


@pytest.fixture
def fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the first 64 addresses below each upper half."""
    monkeypatch.setattr(reset_addresses, "_LOWER_HALVES", 64)


@pytest.mark.parametrize(
    ("vmm", "address", "upper_halves"),
    [("ec2-2023", UNKNOWN, ()), ("gce-v1", LOW, (0,)), ("ec2-2026", 0xFFFF0000, (0xFFFF0000,))],
)
def test_an_unknown_address_is_found(vmm: str, address: int, upper_halves: tuple[int, ...]) -> None:
    start = random_digest(10)
    ahead = [extended(start, ap_tail(vmm, address=address), more) for more in (2, 40)]
    found = related([*ahead, start], most=2, upper_halves=upper_halves, searched=3)
    (chain,) = found.chains
    (origin,) = chain.page.origins
    assert (origin.vmm, origin.reset_address, origin.sev_features) == (vmm, address, 1)
    assert [member.more for member in chain.members] == [0, 2]  # 40 more are not tried, and nothing is left beside it
    assert found.unrelated == (ahead[1],)
    assert found.tried.stopped
    assert str(found.tried).endswith("each for up to 2 more vCPUs, until nothing was left to relate")


@pytest.mark.usefixtures("fewer")
def test_an_address_that_is_found_is_then_tried_like_the_known_ones() -> None:
    """With more vCPUs than the search tries, and with every usual sev_features."""
    starts = [random_digest(seed) for seed in (11, 12)]
    tails = [ap_tail("ec2-2023", address=0x29, features=features) for features in (1, 0x21)]
    digests = [extended(starts[0], tails[0], more) for more in (0, 1, 200)]
    digests += [extended(starts[1], tails[1], more) for more in (0, 3)]
    found = related(digests, upper_halves=(0,), searched=5)
    assert [[member.more for member in chain.members] for chain in found.chains] == [[0, 1, 200], [0, 3]]
    assert found.chains[1].page.origins[0].sev_features == 0x21


@pytest.mark.usefixtures("fewer")
def test_every_profile_and_signature_is_searched_below_every_upper_half() -> None:
    starts = [random_digest(seed) for seed in range(3)]
    pages = [("gce-v1", 0x800011, None), ("qemu-kvm-init2", 0x12, EPYC), ("qemu-kvm-legacy", 0x80003F, 0xA10F10)]
    digests = list(starts)
    for start, (vmm, address, signature) in zip(starts, pages, strict=True):
        digests.append(extended(start, ap_tail(vmm, address=address, signature=signature), 1))
    found = related(digests, most=1, searched=6)
    origins = [chain.page.origins[-1] for chain in found.chains]
    assert {(one.vmm, one.reset_address) for one in origins} == {(vmm, address) for vmm, address, _ in pages}
    assert found.unrelated == ()


@pytest.mark.usefixtures("fewer")
def test_what_was_searched_in_vain_is_said_and_progress_comes_to_it() -> None:
    begun, done = list[int](), list[int]()
    digests = [random_digest(20), random_digest(21)]
    found = related(digests, upper_halves=(0, 0xFFFF0000), searched=2, begun=begun, done=done)
    assert (found.chains, found.unrelated) == ((), tuple(digests))
    assert not found.tried.stopped
    assert "every reset address from 0x0 to 0xffff and from 0xffff0000 to 0xffffffff, each for up to 64 " in str(
        found.tried
    )
    assert begun[1] == count_steps((0, 0xFFFF0000), 2, 64)
    assert sum(done) == sum(begun)


@pytest.mark.usefixtures("fewer")
def test_related_digests_and_many_digests_are_not_searched() -> None:
    start = random_digest(22)
    known = [start, extended(start, ap_tail("gce-v1"), 1)]
    assert related(known, most=1, searched=2).tried.searched == ()
    assert related([*known, random_digest(23)], most=1, searched=3).tried.searched == ()
    loose = [random_digest(seed) for seed in range(3)]
    assert related(loose, most=1, searched=2).tried.searched == ()
    assert related(loose, most=1, searched=3).tried.searched == UPPER_HALVES


@pytest.mark.usefixtures("fewer")
def test_worker_processes_find_the_same() -> None:
    stage = next(search_stages((0,)))
    start = random_digest(24)
    digests = [start, extended(start, ap_tail("buildigvm", address=0x33), 2)]
    for backend in (REFERENCE, choose()):
        with local_engine(1, threads=backend.compiled) as engine:
            assert stage.addresses(digests, 2, engine, backend, lambda _: None) == [0x33]


def test_stages_have_the_likeliest_form_below_all_upper_halves_first() -> None:
    stages = list(search_stages(UPPER_HALVES))
    assert [stage.upper_half for stage in stages[:2]] == list(UPPER_HALVES)
    assert stages[0].form.page[0x178:0x17A] == bytes(2)
    assert len(set(stages)) == len(stages) == 2 * len({stage.form.page for stage in stages if not stage.upper_half})
    assert all(isinstance(stage, Stage) for stage in stages)
