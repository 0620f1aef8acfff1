"""One unknown digest and those that somebody vouches for: related both ways, within a bound on the work."""

from __future__ import annotations

import pytest

from catalog.launch.hashing.backends import REFERENCE, HashBackend, choose
from catalog.relate import known_digests
from catalog.relate.ap_pages import known_pages, likely_pages
from catalog.relate.equal_steps import Step, equal_steps
from catalog.relate.known_digests import KnownDigest, KnownRelation, relate_to_known
from tests.support.vcpu_chains import EPYC, ap_tail, extended, random_digest

GCE = ap_tail("gce-v1")
BASE = random_digest(0)
ENDORSED = KnownDigest(extended(BASE, GCE, 10), "endorsed by a platform for 11 vCPUs", 11)


def only(digest: bytes, *known: KnownDigest) -> KnownRelation:
    (found,) = relate_to_known(digest, known, choose()).relations
    return found


def test_a_digest_with_more_vcpus_than_a_known_one() -> None:
    ahead = extended(ENDORSED.digest, GCE, 6)
    found = only(ahead, ENDORSED, KnownDigest(random_digest(1), "of another launch", 1))
    assert (found.known, found.more, found.vcpus) == (ENDORSED, 6, 17)
    assert found.text(ahead) == (
        f"inferred: {ahead.hex()[:16]}... is {ENDORSED.digest.hex()[:16]}..., endorsed by a platform for 11 vCPUs, "
        "with 6 more vCPUs (AP page of gce-v1, reset address 0x80b004, sev_features 0x1)"
    )


def test_a_digest_with_fewer_vcpus_than_a_known_one() -> None:
    behind = extended(BASE, GCE, 9)
    found = only(behind, ENDORSED)
    assert (found.known, found.more, found.vcpus) == (ENDORSED, -1, 10)
    assert ", with 1 fewer vCPU (AP page of gce-v1" in found.text(behind)


def test_it_is_json() -> None:
    found = only(extended(ENDORSED.digest, GCE, 511), ENDORSED).to_dict()
    assert found.pop("ap_page")["made_by"] == [
        {
            "vmm": "gce-v1",
            "reset_address": "0x80b004",
            "vcpu_signature": None,
            "vcpu_types": [],
            "sev_features": "0x1",
        }
    ]
    assert found == {
        "launch_digest": ENDORSED.digest.hex(),
        "label": ENDORSED.label,
        "more_vcpus": 511,
        "vcpus": 522,
    }


@pytest.mark.parametrize(("claimed", "steps", "more"), [(None, 12, 2), (3, 5, -5), (4095, 12, 2)])
def test_no_count_follows_from_none_or_from_a_false_one(claimed: int | None, steps: int, more: int) -> None:
    found = only(extended(BASE, GCE, steps), KnownDigest(ENDORSED.digest, "somebody's", claimed))
    assert (found.more, found.vcpus) == (more, None)


def test_the_nearest_comes_first_and_every_label_of_one_digest_is_there() -> None:
    unknown = extended(BASE, GCE, 20)
    near, far, again = (
        KnownDigest(extended(BASE, GCE, count), label) for count, label in ((23, "near"), (10, "far"), (10, "again"))
    )
    found = relate_to_known(unknown, [far, near, again], choose()).relations
    assert [(one.known.label, one.more) for one in found] == [("near", -3), ("far", 10), ("again", 10)]


def test_pages_of_another_vmm_are_left_out_if_that_of_a_known_digest_is_known() -> None:
    ahead = extended(BASE, GCE, 2)
    assert only(ahead, KnownDigest(BASE, "known", 1, "gce-v1")).vcpus == 3
    assert relate_to_known(ahead, [KnownDigest(BASE, "known", 1, "ec2-2026")], choose()).relations == ()
    legacy = extended(BASE, ap_tail("qemu-kvm-legacy", signature=EPYC), 2)  # has two names for its page
    for vmm in ("qemu-kvm-legacy", "qemu-amdese-2022"):
        assert only(legacy, KnownDigest(BASE, "known", 1, vmm)).vcpus == 3


def test_without_known_digests_nothing_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_digests, "equal_steps", None)
    found = relate_to_known(BASE, [], choose())
    assert (found.relations, found.complete) == ((), True)


def test_the_work_is_bounded_however_many_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    done = list[int]()

    def counted(chains: list[tuple[bytes, bytes]], most: int, wanted: set[bytes], backend: HashBackend) -> list[Step]:
        done.append(len(chains) * most)
        return equal_steps(chains, most, wanted, backend)

    monkeypatch.setattr(known_digests, "equal_steps", counted)
    budget = 20_000
    monkeypatch.setattr(known_digests, "_STEPS", {REFERENCE.sha384: budget, choose().sha384: budget})
    behind = extended(ENDORSED.digest, GCE, 1)
    for count in (1, 2, 5, 100, 2000):
        done.clear()
        known = [ENDORSED, *(KnownDigest(random_digest(seed), "", vmm="gce-v1") for seed in range(1, count))]
        found = relate_to_known(behind, known, choose())
        assert done[0] == len(known_pages()) * 511
        assert done[1] <= budget
        assert 64 <= found.most <= 511
        assert not found.complete
        if count < 100:  # else there is no time for its page
            assert [one.known for one in found.relations] == [ENDORSED]


def test_all_pages_are_tried_if_there_is_time_and_else_the_likely_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = extended(ENDORSED.digest, ap_tail("gce-v1", features=0x21), 1)
    steps = len(known_pages()) * 511
    for budget, complete in ((steps, True), (steps - 1, False)):
        monkeypatch.setattr(known_digests, "_STEPS", {choose().sha384: budget})
        found = relate_to_known(ahead, [ENDORSED], choose())
        assert (found.complete, len(found.relations)) == (complete, int(complete))
    assert len(likely_pages()) < len(known_pages())
    assert set(likely_pages()) < set(known_pages())
