"""Explain: a difference from the expectation on one or two axes is found and named, and no other difference is."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.abi.digest import LaunchDigest
from catalog.abi.launch_measure import MeasureContext, launch_measurement
from catalog.abi.report import AttestationReport
from catalog.ask.measure import Workbench
from catalog.ask.measure_request import parse_request
from catalog.build.builder import BuildResult
from catalog.errors import MalformedRecord, UnknownName, Unreadable, UsageError
from catalog.evidence.evidence import LaunchMeasureData
from catalog.explain.baseline import (
    baseline_of_catalog,
    baseline_of_default,
    baseline_of_files,
    collect_known,
    expectation,
)
from catalog.explain.explain import Budget, SearchInterrupted, SearchProgress
from catalog.explain.explanation import Explanation
from catalog.explain.search_space import MAX_COUNT
from catalog.explain.stages import stages
from catalog.launch.hashing.backends import PYTHON, HashBackend
from catalog.store.catalog import Catalog
from tests.support.attestation_builder import report_bytes
from tests.support.explanations import (
    BELIEVED,
    ES,
    ES_LAUNCHED,
    LAUNCHED,
    TIK,
    ask,
    believed,
    digest_of,
    line,
)
from tests.support.samples import whole_image

DIFFERS = "nothing that differs from the expectation on at most {}, within these values, has this digest"


def differing(explanation: Explanation) -> set[str]:
    """The axes on which the configuration found differs from the expected one."""
    (hit,) = explanation.to_dict()["explanations"]
    return {difference["axis"] for difference in hit["differs"]}


@pytest.mark.parametrize("axes", [axes for count in range(3) for axes in combinations(LAUNCHED, count)])
def test_differences_from_the_expectation_are_named(axes: tuple[str, ...]) -> None:
    launched = dict(BELIEVED)
    for axis in axes:
        launched |= LAUNCHED[axis]
    if launched["vmm"].startswith("ec2"):  # does not measure the vCPU signature
        axes = tuple(axis for axis in axes if axis != "vcpu_signature")
    explanation = ask(digest_of(**launched), believed())
    assert differing(explanation) == set(axes)
    (hit,) = explanation.to_dict()["explanations"]
    assert hit["launch_digest"] == digest_of(**launched).hex()
    assert hit["vcpus"] == launched["vcpus"]
    assert explanation.to_dict()["compared_with"] == "expectation"


@pytest.mark.parametrize("axes", [axes for count in range(1, 3) for axes in combinations(ES_LAUNCHED, count)])
def test_differences_are_named_for_sev_es_and_launch_measurements(axes: tuple[str, ...], few_counts: int) -> None:
    launched = {**BELIEVED, **ES}
    for axis in axes:
        launched |= ES_LAUNCHED[axis]
    launched["vcpus"] = min(launched["vcpus"], few_counts)
    if launched["technology"] == "sev":  # does not measure vCPUs
        axes = tuple(axis for axis in axes if axis in ("technology", "firmware", "kernel_hashes"))
    digest = digest_of(**launched)
    assert differing(ask(digest, believed(**ES))) == set(axes)
    policy = 1 if launched["technology"] == "sev" else 5
    assert differing(ask(measurement_of(digest, policy), believed(**ES))) == set(axes)


def test_a_launch_measurement_of_the_most_vcpus() -> None:
    digest = digest_of(**{**BELIEVED, **ES, "vcpus": MAX_COUNT})
    assert differing(ask(measurement_of(digest, 5), believed(**ES))) == {"vcpus"}


def measurement_of(digest: LaunchDigest, policy: int) -> LaunchMeasureData:
    context = MeasureContext(api_major=1, api_minor=55, build_id=40, policy=policy, nonce=bytes(16))
    return LaunchMeasureData(launch_measurement(TIK, context, digest), bytes(16), 1, 55, 40, policy)


def test_the_policy_decides_the_technology() -> None:
    digest = digest_of(**{**BELIEVED, **ES})
    explanation = ask(measurement_of(digest, 1), believed(**ES), batches=10)
    assert not explanation.hits  # the digest is of SEV-ES, and the policy of a guest without it
    assert explanation.searches[0].space.possible == {"sev"}


def test_differences_from_a_catalog_are_named(small: BuildResult, few_counts: int) -> None:
    catalog = Catalog.open(small.folder)
    builds = {build.name: build for build in collect_known(catalog).builds}
    near = baseline_of_catalog(catalog, ["sev-snp"])
    kernel, initrd = (hashlib.sha256(blob).hexdigest() for blob in (b"a kernel", b"an initrd"))
    own = {"firmware": "whole.fd", "kernel_sha256": kernel, "initrd_sha256": initrd, "append": "quiet nr_cpus=2"}
    changed = {**LAUNCHED, "kernel_hashes": {"append": '"quiet nr_cpus=2"'}, "vmm": {"vmm": "gce-v1"}}
    changed["vcpus"] = {"vcpus": few_counts}
    for chosen in (*((axis,) for axis in changed), *pairwise(changed)):  # all further combinations are pairs
        differs: set[str] = set(chosen)
        launched = {**BELIEVED, **own, "vcpus": 2}
        for axis in differs:
            launched |= changed[axis]
        if launched["vmm"] == "gce-v1":
            differs -= {"vcpu_signature"}  # does not measure the vCPU signature
        digest = Workbench(builds).measure(parse_request(line(**launched))).digest
        assert differing(ask(digest, [near], catalog)) == differs


def test_a_different_row_of_the_catalog_is_compared_with_the_expectation(small: BuildResult) -> None:
    catalog = Catalog.open(small.folder)
    near = baseline_of_catalog(catalog, ["sev", "sev-es"])
    fields = {"technology": "sev-es", "firmware": "whole.fd", "vmm": "qemu-kvm-legacy", "vcpus": 2}
    builds = {build.name: build for build in collect_known(catalog).builds}
    digest = Workbench(builds).measure(parse_request(line(**fields, vcpu_type="EPYC-Milan"))).digest
    other = expectation(line(**{**BELIEVED, "vcpu_type": "EPYC-Genoa"}), collect_known(catalog))
    explanation = ask(digest, [other, near], catalog)
    assert differing(explanation) == {
        "vcpus", "vmm", "vcpu_signature", "kernel_hashes", "firmware", "technology"
    }  # fmt: skip
    record = explanation.to_dict()
    assert record["compared_with"] == "expectation"
    assert [search["from"] for search in record["searched"]] == ["expectation", "catalog"]
    assert record["searched"][0]["not_excluded"] == []


def test_no_catalog_is_needed() -> None:
    digest = digest_of(**{**BELIEVED, "kernel_sha256": None, "initrd_sha256": None, "append": None, "vcpus": 300})
    explanation = ask(digest, [baseline_of_default(["sev-snp"])])
    assert differing(explanation) == {"vcpus"}
    assert explanation.compared_with == "embedded default"


def test_the_host_that_a_report_names_is_tried_first() -> None:
    odd = {**BELIEVED, "vcpu_type": None, "vcpu_signature": 0xA00F1F}
    raw = bytearray(report_bytes(measurement=digest_of(**odd).value))
    raw[0x188:0x18B] = bytes((0x19, 0x01, 0xF))  # CPUID_FAM_ID, _MOD_ID, _STEP
    explanation = ask(AttestationReport.parse(bytes(raw)), believed())
    assert differing(explanation) == {"vcpu_signature"}
    assert "the host's, as the report says" in explanation.to_dict()["explanations"][0]["differs"][0]["found"]
    assert not ask(digest_of(**odd), believed(), batches=7).hits


def test_candidates_given_by_the_user(tmp_path: Path) -> None:
    (tmp_path / "mine.fd").write_bytes(whole_image(seed=77))
    (tmp_path / "kernels").mkdir()
    for name in ("one", "two"):
        (tmp_path / "kernels" / name).write_bytes(name.encode())
    (tmp_path / "initrd").write_bytes(b"rd")
    mine: dict[str, Any] = {
        "firmware": [str(tmp_path / "mine.fd")],
        "kernels": [tmp_path / "kernels"],
        "initrds": [tmp_path / "initrd"],
        "appends": ["first", "second"],
    }
    sha256 = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("one", "two", "rd")}
    launched = {**BELIEVED, "kernel_sha256": sha256["two"], "initrd_sha256": sha256["rd"], "append": "second"}
    assert differing(ask(digest_of(**launched), believed(), **mine)) == {"kernel_hashes"}
    assert not ask(digest_of(**launched), believed(), batches=23).hits
    quoted = {**launched, "append": "'second'"}
    assert differing(ask(digest_of(**quoted), believed(), **mine)) == {"kernel_hashes"}
    other = {**launched, "firmware": str(tmp_path / "mine.fd")}
    explanation = ask(digest_of(**other), believed(), **mine)
    assert differing(explanation) == {"kernel_hashes", "firmware"}
    image = hashlib.sha256((tmp_path / "mine.fd").read_bytes()).hexdigest()
    assert explanation.to_dict()["explanations"][0]["firmware_sha256"] == image


def parts_of(explanation: Explanation) -> list[str]:
    (hit,) = explanation.to_dict()["explanations"]
    (difference,) = hit["differs"]
    assert difference["axis"] == "kernel_hashes"
    parts: list[str] = difference["parts"]
    return parts


def test_one_part_of_a_kernel_is_named(tmp_path: Path) -> None:
    for name in ("vmlinuz", "initrd"):
        (tmp_path / name).write_bytes(name.encode())
    sha256 = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("vmlinuz", "initrd")}
    kernel, initrd = {"kernel_sha256": sha256["vmlinuz"]}, {"initrd_sha256": sha256["initrd"]}
    mine: dict[str, Any] = {"kernels": [tmp_path / "vmlinuz"], "initrds": [tmp_path / "initrd"], "appends": ["mine"]}
    for changes, parts in (
        (kernel, ["kernel"]),
        (initrd, ["initrd"]),
        ({"append": "mine"}, ["command line"]),
        (kernel | initrd, ["kernel", "initrd"]),
        (initrd | {"append": "mine"}, ["initrd", "command line"]),
        ({"append": "console=ttyS0 ro\n"}, ["command line"]),
    ):
        assert parts_of(ask(digest_of(**{**BELIEVED, **changes}), believed(), **mine)) == parts
    alone = ask(digest_of(**{**BELIEVED, **initrd}), believed(), initrds=[tmp_path / "initrd"])
    assert parts_of(alone) == ["initrd"]


def test_given_files_are_tried_first(small: BuildResult, tmp_path: Path) -> None:
    (tmp_path / "mine.fd").write_bytes(whole_image(seed=78))
    (tmp_path / "vmlinuz").write_bytes(b"vmlinuz")
    catalog = Catalog.open(small.folder)
    mine: dict[str, Any] = {"firmware": [str(tmp_path / "mine.fd")], "kernels": [tmp_path / "vmlinuz"]}
    fields = {**BELIEVED, "firmware": str(tmp_path / "mine.fd"), "vcpus": 2, "initrd_sha256": None, "append": None}
    digest = digest_of(**{**fields, "kernel_sha256": hashlib.sha256(b"vmlinuz").hexdigest()})
    base = baseline_of_catalog(catalog, ["sev-snp"])
    given = baseline_of_files(base, collect_known(catalog, **mine))
    assert given is not None
    explanation = ask(digest, [given, base], catalog, **mine)
    assert differing(explanation) == set()
    assert explanation.compared_with == "files given"
    assert explanation.searches[0].searched.tried < 20_000
    assert baseline_of_files(base, collect_known(catalog)) is None


def test_invalid_candidates_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable):
        collect_known(None, kernels=[tmp_path / "none"])
    with pytest.raises(UnknownName):
        collect_known(None, firmware=["nowhere"])
    with pytest.raises(MalformedRecord):
        expectation(b"[1]", collect_known(None))


def test_a_miss_lists_what_is_excluded() -> None:
    near = believed()
    missed = ask(LaunchDigest(bytes(48)), near)
    (search,) = missed.searches
    assert not missed.hits
    assert search.searched.left == ()
    assert search.searched.tried > 1_000_000
    assert search.summary()[0] == DIFFERS.format("three axes")
    assert "vcpus: 4 - and 1-3, 5-1024" in search.summary()
    every = "excluded: the expectation itself, every single axis, every two axes, every three axes, the usual mistakes"
    assert search.brief() == [every]


ITSELF = "the expectation itself"
NO_USUAL_MISTAKES = "no combination of usual mistakes has it either, on any number of axes"


@pytest.mark.parametrize(
    ("batches", "summary"),
    [
        (1, ["nothing in the expectation has this digest"]),
        (8, [DIFFERS.format("one axis")]),
        (9, [DIFFERS.format("one axis"), NO_USUAL_MISTAKES]),
        (25, [DIFFERS.format("two axes"), NO_USUAL_MISTAKES]),
    ],
)
def test_the_budget_ends_a_search_and_the_rest_is_not_excluded(
    batches: int, summary: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catalog.explain.search._STEPS", 1 << 30)  # one batch a stage
    missed = ask(LaunchDigest(bytes(48)), believed(), batches=batches)
    (search,) = missed.searches
    assert missed.can_go_on
    assert search.summary()[: len(summary)] == summary
    left = search.summary()[len(summary)]
    assert left.startswith("not searched within the budget: ")
    assert ("usual mistakes together" in left) == (NO_USUAL_MISTAKES not in summary)
    record = search.to_dict()
    every = [list(stage.axes) for stage in stages(search.space, 3) if not stage.usual]
    assert [*record["excluded"], *record["not_excluded"]] == every
    assert record["usual_mistakes"]["excluded"] == (NO_USUAL_MISTAKES in summary)


@pytest.mark.parametrize(
    ("batches", "excluded", "unfinished"),
    [
        (
            1,
            ITSELF,
            "7 of 7 single axes, 17 of 17 combinations of two axes, 21 of 21 combinations of three axes, the usual",
        ),
        (8, f"{ITSELF}, every single axis", "17 of 17 combinations of two axes, 21 of 21 combinations of three"),
    ],
)
def test_what_is_excluded_is_said_in_few_words(
    batches: int, excluded: str, unfinished: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catalog.explain.search._STEPS", 1 << 30)  # one batch a stage
    (search,) = ask(LaunchDigest(bytes(48)), believed(), batches=batches).searches
    first, second = search.brief()
    assert first == f"excluded: {excluded}"
    assert second.startswith(f"not finished: {unfinished}")
    assert second.endswith(", the usual mistakes")


@pytest.mark.parametrize("seconds", [0, -1, 7 * 24 * 3600 + 1, float("nan"), float("inf")])
def test_a_budget_is_a_time(seconds: float) -> None:
    with pytest.raises(UsageError, match=r"a budget of .* seconds is too"):
        Budget.starting(seconds, lambda: 0.0)


def test_something_is_tried_in_the_shortest_time() -> None:
    clock = itertools.count(step=1000).__next__
    assert not ask(LaunchDigest(bytes(48)), believed(), budget=Budget.starting(1, clock)).hits
    assert ask(digest_of(**BELIEVED), believed(), budget=Budget.starting(1, clock)).hits


def test_the_total_of_the_progress_is_what_is_searched(small: BuildResult, monkeypatch: pytest.MonkeyPatch) -> None:
    """In every stage of every baseline, exactly."""
    monkeypatch.setattr("catalog.explain.explain.MAX_COUNT", 8)
    monkeypatch.setattr("catalog.explain.explain.MOST_AXES", 2)
    told: list[tuple[str, int]] = []
    totals: list[int] = []
    catalog = Catalog.open(small.folder)
    for value, near in ((bytes(48), believed()), (bytes(32), believed(**ES))):
        told.clear()
        technologies = ["sev-snp"] if len(value) == 48 else ["sev", "sev-es"]
        baselines = [*near, baseline_of_catalog(catalog, technologies)]
        missed = ask(LaunchDigest(value), baselines, start_progress=recording(totals, told))
        assert not missed.can_go_on
        assert sum(count for _, count in told) == totals.pop() == sum(one.searched.tried for one in missed.searches)
        words = {words for words, _ in told}
        assert {"expectation: vcpus and firmware", "catalog: usual mistakes together", "catalog: as it is"} < words


def recording(totals: list[int], told: list[tuple[str, int]]) -> Callable[[int], SearchProgress]:
    def begin(total: int) -> SearchProgress:
        totals.append(total)
        return lambda words, count: told.append((words, count))

    return begin


@pytest.mark.parametrize("batches", [1, 5, 8, 30])
def test_an_interrupted_search_excludes_what_it_finished(batches: int) -> None:
    left = iter(range(batches))

    def interrupt(_words: str, _count: int) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    near = [*believed(), baseline_of_default(["sev-snp"])]
    with pytest.raises(SearchInterrupted) as raised:
        ask(LaunchDigest(bytes(48)), near, start_progress=lambda _total: interrupt)
    explanation = raised.value.explanation
    first, second = explanation.searches
    assert explanation.to_dict()["interrupted"]
    assert explanation.can_go_on
    assert (second.searched.tried, second.searched.done) == (0, ())
    assert len(first.searched.done) >= batches - 4  # as many as may be under way
    assert first.searched.left
    assert any(line.startswith("not searched before the interruption: ") for line in first.summary())
    assert {*first.searched.done, *first.searched.left} == set(stages(first.space, 3))
    assert not {*first.searched.done} & {*first.searched.left}


def test_a_hit_before_the_interruption_is_kept() -> None:
    def interrupt(words: str, _count: int) -> None:
        if words == "expectation: as it is":
            raise KeyboardInterrupt

    with pytest.raises(SearchInterrupted) as raised:
        ask(digest_of(**BELIEVED), believed(), start_progress=lambda _total: interrupt)
    assert differing(raised.value.explanation) == set()


def test_the_reference_backend_finds_the_same() -> None:
    digest = digest_of(**{**BELIEVED, **LAUNCHED["firmware"]})
    found = [ask(digest, believed(), backend=backend).to_dict() for backend in (None, HashBackend(PYTHON, PYTHON))]
    assert found[0]["explanations"] == found[1]["explanations"]


def test_a_command_line_alone_is_tried_with_every_kernel() -> None:
    launched = {**BELIEVED, "append": "quiet splash\n"}
    explanation = ask(digest_of(**launched), believed(), appends=["quiet splash"])
    assert differing(explanation) == {"kernel_hashes"}
    assert "newline at the end" in explanation.to_dict()["explanations"][0]["differs"][0]["found"]


@settings(max_examples=5)
@given(st.integers(1, 1024), st.sampled_from([0x1, 0x21, 0x201, 0x239]), st.sampled_from([0x800F12, 0xB00F21]))
def test_three_axes(vcpus: int, features: int, signature: int) -> None:
    changes = {"vcpus": vcpus, "sev_features": features, "vcpu_type": None, "vcpu_signature": signature}
    explanation = ask(digest_of(**{**BELIEVED, **changes}), believed())
    expected = (
        {"vcpu_signature"} | ({"vcpus"} if vcpus != 4 else set()) | ({"sev_features"} if features != 1 else set())
    )
    assert differing(explanation) == expected
