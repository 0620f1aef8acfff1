"""Usual mistakes: found together, however many of the inputs are wrong at once, and before all else that many."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from catalog.abi.digest import LaunchDigest
from catalog.build.builder import BuildResult
from catalog.explain.baseline import baseline_of_catalog, baseline_of_default
from catalog.explain.search_space import AXES, USUAL_MISTAKES
from catalog.explain.stages import CandidateCounter, stages
from catalog.store.catalog import Catalog
from tests.support.explanations import BELIEVED, ES, ask, believed, digest_of

MISTAKES: dict[str, dict[str, Any]] = {
    "vcpus": {"vcpus": 5},
    "vmm": {"vmm": "ec2-2026"},
    "sev_features": {"sev_features": 0x21},
    "vcpu_signature": {"vcpu_type": "EPYC-Genoa"},
    "kernel_hashes": {"append": "console=ttyS0 ro\n"},
    "firmware": {"firmware": "sid/ovmf-amdsev/OVMF.amdsev.fd"},
}
"""A usual mistake on each axis."""


def launched(axes: tuple[str, ...], **changes: Any) -> LaunchDigest:
    fields = {**BELIEVED, **changes}
    for axis in axes:
        fields |= MISTAKES[axis]
    return digest_of(**fields)


@pytest.mark.parametrize("axes", [axes for count in (4, 5, 6) for axes in combinations(MISTAKES, count)])
def test_four_and_more_wrong_inputs_are_found(axes: tuple[str, ...]) -> None:
    explanation = ask(launched(axes), believed())
    (hit,) = explanation.to_dict()["explanations"]
    not_measured = {"vcpu_signature"} if "vmm" in axes else set()
    assert {one["axis"] for one in hit["differs"]} == set(axes) - not_measured
    searched = explanation.searches[0].searched
    assert USUAL_MISTAKES in searched.left  # it has the hit
    assert max(len(stage.axes) for stage in searched.done) < 3


@pytest.mark.parametrize(
    "changes",
    [
        {"append": "console=ttyS0 ro "},
        {"append": None},
        {"initrd_sha256": None},
        {"append": "console=ttyS0 ro\n", "initrd_sha256": None},
        {"kernel_sha256": None, "initrd_sha256": None, "append": None},
    ],
)
def test_each_usual_mistake_about_the_kernel_together_with_three_others(changes: dict[str, Any]) -> None:
    explanation = ask(launched(("vcpus", "vcpu_signature", "firmware"), **changes), believed())
    (hit,) = explanation.to_dict()["explanations"]
    assert {one["axis"] for one in hit["differs"]} == {"vcpus", "vcpu_signature", "firmware", "kernel_hashes"}


def test_a_command_line_that_the_user_gives_may_have_a_newline_too() -> None:
    axes = ("vcpus", "vmm", "firmware")
    explanation = ask(launched(axes, append="mine\n"), believed(), appends=["mine"])
    (hit,) = explanation.to_dict()["explanations"]
    assert {one["axis"] for one in hit["differs"]} == {*axes, "kernel_hashes"}


def test_under_sev_es() -> None:
    axes = ("vcpus", "vcpu_signature", "kernel_hashes", "firmware")
    fields = {**BELIEVED, **ES, "vmm": "qemu-kvm-init2", "sev_features": 0x20}
    for axis in axes:
        fields |= MISTAKES[axis]
    explanation = ask(digest_of(**fields), believed(**ES))
    (hit,) = explanation.to_dict()["explanations"]
    assert {one["axis"] for one in hit["differs"]} == {*axes, "vmm", "sev_features"}


def test_they_are_tried_before_more_than_they_are(small: BuildResult) -> None:
    """Before the first number of axes that has more candidates, so before three axes of one expected configuration."""
    catalog = Catalog.open(small.folder)
    for near in (*believed(), baseline_of_catalog(catalog, ["sev-snp"]), baseline_of_default(["sev-snp"])):
        (search,) = ask(LaunchDigest(bytes(48)), [near], catalog, batches=1).searches
        counter, plan = CandidateCounter(search.space), stages(search.space, 3)
        at = plan.index(USUAL_MISTAKES)
        usual, axes = counter.count(USUAL_MISTAKES), len(plan[at - 1].axes)
        sizes = [
            sum(counter.count(one) for one in plan if len(one.axes) == count and not one.usual) for count in range(4)
        ]
        assert 0 < axes + 1 <= 3
        assert usual < sizes[axes + 1]
        assert axes == 0 or usual >= max(sizes[1 : axes + 1])


def test_every_expected_value_is_among_the_usual_ones() -> None:
    (search,) = ask(LaunchDigest(bytes(48)), believed(vcpus=7), batches=1).searches
    for name in AXES:
        axis = getattr(search.space, name)
        assert axis.near[0] in axis.usual
        assert len(axis.usual) == len({choice.label for choice in axis.usual})
    assert search.to_dict()["usual_mistakes"]["axes"]["vcpus"] == ["7", "1", "2", "4", "6", "8", "16", "32", "64"]


def test_a_build_without_a_version_has_no_usual_neighbours(small: BuildResult) -> None:
    near = baseline_of_catalog(Catalog.open(small.folder), ["sev-snp"])
    (search,) = ask(LaunchDigest(bytes(48)), [near], batches=1).searches
    assert {choice.value.origin for choice in search.space.firmware.near} == {None}
    assert search.space.firmware.usual == search.space.firmware.near
    assert search.space.firmware.far
