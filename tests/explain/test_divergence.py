"""Divergence: every launch update is listed, the paths split at the first that differs, and the reason is named."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest

from catalog.abi.vcpu import VcpuSignature
from catalog.ask.measure import Workbench
from catalog.ask.measure_request import parse_request
from catalog.build.builder import BuildResult
from catalog.explain.baseline import Baseline, collect_known
from catalog.explain.candidate import Candidate
from catalog.explain.divergence import Divergence, UpdateLine
from catalog.explain.search_space import Choice
from catalog.launch.technology import technology_named
from catalog.pages.pictures.divergence_picture import parting_lines, parting_svg
from catalog.store.catalog import Catalog
from tests.support.explanations import BELIEVED, ES, ES_LAUNCHED, LAUNCHED, ask, believed, digest_of, line


def divergence_of(launched: dict[str, Any], baselines: list[Baseline]) -> Divergence | None:
    """The divergence of the only explanation; checks that it lists every launch update."""
    explanation = ask(digest_of(**launched), baselines)
    (candidate,) = explanation.hits
    found = explanation.divergence(candidate)
    if found:
        runs = technology_named(launched["technology"]).update_runs(candidate.build.image, candidate.config().point)
        updates = sum(len(run.updates) * run.repeat for run in runs)
        assert times(found.shared) + times(found.found) + times(found.after) == updates + 1  # plus the firmware
    return found


def times(stops: Sequence[UpdateLine]) -> int:
    return sum(stop.times for stop in stops)


FIRST = {
    "vcpus": "vCPUs: 4 were expected, not 1024",
    "vmm": "page type at 0x800000: ZERO was expected, not UNMEASURED",
    "sev_features": "sev_features: 0x1 was expected, not 0x229",
    "vcpu_signature": "rdx: 0xa00f11 was expected, not 0xa10f11",
    "kernel_hashes": "kernel hashes: different command line",
    "firmware": "firmware SHA-256: 6a3e8f438ad7269f (sid/ovmf-generic/OVMF.fd) was expected, not 3e4fd0b3fe3b2dbe "
    "(sid/ovmf-amdsev/OVMF.amdsev.fd)",
}
ORDER = ("firmware", "vmm", "kernel_hashes", "vcpu_signature", "sev_features", "vcpus")
"""The fields in the order of the launch."""


@pytest.mark.parametrize("axes", [axes for count in range(3) for axes in combinations(LAUNCHED, count)])
def test_the_first_difference_is_the_reason(axes: tuple[str, ...]) -> None:
    launched = dict(BELIEVED)
    for axis in axes:
        launched |= {"vmm": "gce-v1"} if axis == "vmm" else LAUNCHED[axis]
    found = divergence_of(launched, believed())
    if not axes:
        assert found is None
        return
    assert found is not None
    first = min(axes, key=ORDER.index)
    assert found.reasons[0] == FIRST[first]
    also = {"vcpu_signature", "sev_features"} <= set(axes)  # both are in the same page
    assert len(found.reasons) == 1 + also
    assert bool(found.shared) == (first != "firmware")


def test_pages_in_another_order() -> None:
    found = divergence_of({**BELIEVED, "vmm": "ec2-2026"}, believed())
    assert found
    assert found.reasons == ["order: the update at 0x80e000 was expected next, not the update at 0x80f000"]
    assert [stop.what for stop in found.shared][-1] == "SNP_SECRETS, 1 SECRETS page"


def test_fewer_vcpus_and_more() -> None:
    more = divergence_of({**BELIEVED, "vcpus": 7}, believed())
    assert more
    assert (more.expected, [stop.text() for stop in more.found]) == ([], ["3 times VMSA of an AP"])
    fewer = divergence_of({**BELIEVED, "vcpus": 1}, believed())
    assert fewer
    assert ([stop.text() for stop in fewer.expected], fewer.found) == (["3 times VMSA of an AP"], [])
    assert fewer.shared[-1].text() == "VMSA of the BSP"


def test_a_common_end_is_listed_once() -> None:
    found = divergence_of({**BELIEVED, **LAUNCHED["kernel_hashes"]}, believed())
    assert found
    assert [stop.text() for stop in found.after] == ["VMSA of the BSP", "3 times VMSA of an AP"]
    assert [stop.text() for stop in found.expected] == [stop.text() for stop in found.found]


def test_a_missing_kernel() -> None:
    none = dict.fromkeys(("kernel_sha256", "initrd_sha256", "append"))
    found = divergence_of({**BELIEVED, **none}, believed())
    assert found
    assert found.reasons == ["kernel hashes: some were expected, not none"]
    assert found.found[0].what == "SNP_KERNEL_HASHES, 1 ZERO page"


@pytest.mark.parametrize("axis", ES_LAUNCHED)
def test_sev_es_does_not_measure_addresses(axis: str, few_counts: int) -> None:
    launched = {**BELIEVED, **ES, **ES_LAUNCHED[axis]}
    launched["vcpus"] = min(launched["vcpus"], few_counts)
    found = divergence_of(launched, believed(**ES))
    if axis == "technology":
        assert found is None
        return
    assert found is not None
    stops = [*found.shared, *found.expected, *found.found, *found.after]
    assert {stop.gpa for stop in stops} == {None}
    if axis == "vmm":
        assert "mxcsr: 0x0 was expected, not 0x1f80" in found.reasons


def test_another_name_of_the_same_image_is_not_a_difference(small: BuildResult) -> None:
    """The baseline whose image has the same bytes is the expected one, even if it is not the first."""
    catalog = Catalog.open(small.folder)
    known = collect_known(catalog)
    builds = {build.name: build for build in known.builds}
    no_kernel = {"kernel_sha256": None, "initrd_sha256": None, "append": None}
    launched = {**BELIEVED, **no_kernel, "firmware": "twin.fd", "vcpus": 7}
    digest = Workbench(builds).measure(parse_request(line(**launched))).digest
    near = Baseline(
        source="test",
        technologies=["sev-snp"],
        firmware=[builds["bare.fd"], builds["whole.fd"]],
        kernels=[None],
        vmms=["qemu-kvm-init2"],
        signatures=[VcpuSignature(0xA00F11)],
        sev_features=[1],
        vcpus=[4],
    )
    explanation = ask(digest, [near], catalog)
    (candidate,) = explanation.hits
    assert isinstance(candidate, Candidate)
    found = explanation.divergence(replace(candidate, firmware=Choice(builds["twin.fd"], "twin.fd")))
    assert found
    assert (found.reasons, found.called) == (["vCPUs: 7; the nearest launch has 4"], "nearest")
    assert "expected" not in "".join(parting_lines(found))
    assert "expected" not in re.sub("<[^>]*>", "", parting_svg(found, "a"))
