"""Public launch digests of real platforms: those of one launch with different numbers of vCPUs are related."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from catalog.launch.hashing.backends import choose
from catalog.relate import ap_pages, relate
from catalog.relate.ap_pages import known_pages, likely_pages
from catalog.relate.known_digests import KnownDigest, relate_to_known
from tests.real.shared import WILD
from tests.support.vcpu_chains import related

CORPUS: list[dict[str, Any]] = [json.loads(line) for line in (WILD / "corpus.jsonl").read_text().splitlines()]
BY_ID = {entry["id"]: entry for entry in CORPUS}
NO_PARTNER = {"internet-computer-dfinity-03", "internet-computer-dfinity-09"}
"""Related to digests that the file lacks."""

OAK = ["project-oak-01", "project-oak-03", "project-oak-04"]


def digest_of(name: str) -> bytes:
    return bytes.fromhex(BY_ID[name]["launch_digest"])


@pytest.fixture(scope="module")
def places() -> dict[str, tuple[int, int, str]]:
    """For each related entry the number of its chain, the vCPUs more than the smallest has, and the reset address."""
    names = {digest_of(name): name for name in BY_ID}
    found = related(list(names))
    return {
        names[member.digest]: (number, member.more, f"{chain.page.origins[0].reset_address:#x}")
        for number, chain in enumerate(found.chains)
        for member in chain.members
    }


def test_all_that_are_said_to_be_related_are_and_nothing_unexplained_is(
    places: dict[str, tuple[int, int, str]],
) -> None:
    assert {entry["id"] for entry in CORPUS if "related" in entry["expected"]} - NO_PARTNER <= set(places)
    assert not {entry["id"] for entry in CORPUS if "unexplained" in entry["expected"]} & set(places)


def test_every_published_step_is_found(places: dict[str, tuple[int, int, str]]) -> None:
    """Steps from entries that the file lacks are left out."""
    steps = [(other, name, step) for name in BY_ID for other, *step in BY_ID[name].get("ap_chain_edges", [])]
    here = [(places[other], places[name], step) for other, name, step in steps if other in BY_ID]
    assert len(here) >= 28
    for smaller, larger, (more, page) in here:
        assert larger[0] == smaller[0]
        assert larger[1] - smaller[1] == more
        assert larger[2] in page or "0x" not in page


def counted(prefix: str) -> Iterator[tuple[str, int]]:
    for entry in CORPUS:
        if entry["id"].startswith(prefix) and "related" in entry["expected"]:
            yield entry["id"], entry["configuration"]["vcpus"]


def test_all_counts_of_google_follow_from_its_digest_for_one_vcpu() -> None:
    base = KnownDigest(digest_of("google-compute-engine-01"), "of Google for 1 vCPU", 1, "gce-v1")
    others = [(name, count) for name, count in counted("google-") if count > 1]
    assert len(others) >= 9
    for name, count in others:
        (found,) = relate_to_known(digest_of(name), [base], choose()).relations
        assert found.vcpus == count


def test_smaller_counts_follow_from_the_largest_too() -> None:
    base = KnownDigest(digest_of("google-compute-engine-15"), "of Google for 240 vCPUs", 240)
    for name, count in counted("google-"):
        if count < 240:
            (found,) = relate_to_known(digest_of(name), [base], choose()).relations
            assert found.vcpus == count


def test_the_reset_address_of_stage0_is_found_if_nobody_gives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search tries up to 15 more vCPUs, from 1 to 16; what it finds is then tried with more, up to 64."""
    monkeypatch.setattr(relate, "MOST_SEARCHED", 15)
    monkeypatch.setattr(ap_pages, "STAGE0_RESET_ADDRESS", ap_pages.known_reset_addresses()[0])
    for pages in (known_pages, likely_pages):
        pages.cache_clear()
    try:
        assert 0x3009 not in ap_pages.known_reset_addresses()
        found = related([digest_of(name) for name in OAK], searched=8)
    finally:
        for pages in (known_pages, likely_pages):
            pages.cache_clear()
    (chain,) = found.chains
    assert [(member.digest, member.more + 1) for member in chain.members] == [
        (digest_of(name), BY_ID[name]["configuration"]["vcpus"]) for name in OAK
    ]
    (origin,) = chain.page.origins
    assert (origin.vmm, origin.reset_address) == ("gce-v1", 0x3009)
    assert found.tried.searched
