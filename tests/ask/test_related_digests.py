"""A digest that nothing else is known of is related to endorsed and reported digests, and to rows with more vCPUs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from catalog.abi.digest import LaunchDigest
from catalog.ask import related_digests as module
from catalog.ask.answer import Answer
from catalog.ask.answer_text import told
from catalog.ask.answering import answer
from catalog.ask.lookup import Lookups, lookup
from catalog.ask.related_digests import MOST_FEWER, Relating
from catalog.ask.verification import VerificationInputs
from catalog.build.builder import BuildResult
from catalog.evidence.evidence import Evidence
from catalog.fast.match import Match
from catalog.launch.hashing.backends import REFERENCE, choose
from catalog.notes import Note
from catalog.store.catalog import Catalog
from tests.support.catalogs import build, rows_of
from tests.support.endorsed_catalogs import with_endorsed
from tests.support.endorsed_digests import listed
from tests.support.firmware_builder import build_ovmf
from tests.support.partly_known import BASE, BASE_IMAGE, digest, write_partly_known
from tests.support.samples import SMALL, write_inputs, write_spec
from tests.support.vcpu_chains import ap_tail, extended, random_digest

GCE = ap_tail("gce-v1")
PUBLISHED = random_digest(5)
GAPS = SMALL.replace('vcpus = ["1-3"]', 'vcpus = ["1", "3", "66", "131"]')

ROWS = "rows of the catalog with up to {} fewer vCPUs, and not with more"


def ask(folder: Path, digest: bytes) -> Answer:
    evidence = Evidence("launch digest", LaunchDigest(digest))
    given = VerificationInputs(now=0)
    return answer(Catalog.open(folder), evidence, given, choose(), warn=pytest.fail, tried=lambda _: None)


@pytest.fixture(scope="module")
def gaps(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """A catalog that lists few numbers of vCPUs."""
    folder = tmp_path_factory.mktemp("gaps")
    return build(write_spec(write_inputs(folder / "inputs"), GAPS), folder / "catalog")


def snp_rows(built: BuildResult, vcpus: int) -> list[bytes]:
    return [digest for inputs, digest in rows_of(built).items() if inputs[0] == "sev-snp" and inputs[-1] == vcpus]


@pytest.mark.parametrize(("scheme", "label"), [("published-list", "endorsed by "), ("reported", "seen in ")])
def test_a_published_digest_with_more_vcpus(small: BuildResult, tmp_path: Path, scheme: str, label: str) -> None:
    where = "https://a.example/list"
    record = listed(PUBLISHED.hex(), scheme=scheme, origin=where, claims={"vcpus": 2})
    folder = with_endorsed(small, tmp_path / "catalog", [record]).folder
    digest = extended(PUBLISHED, GCE, 6)
    reply = ask(folder, digest)
    assert (reply.exit_code, reply.matches, reply.endorsements, reply.reported) == (1, (), (), ())
    (found,) = reply.to_dict()["related"]
    assert found.pop("ap_page")["made_by"][0]["vmm"] == "gce-v1"
    assert found == {
        "launch_digest": PUBLISHED.hex(),
        "label": f"{label}{where}, for 2 vCPUs",
        "more_vcpus": 6,
        "vcpus": 8,
    }
    assert [list(part.lines()) for part in told(reply, 0)] == [
        [
            f"related  {digest.hex()[:16]}...  is {PUBLISHED.hex()[:16]}... with 6 more vCPUs",
            f"  known digest  {PUBLISHED.hex()}",
            f"  which is      {label}{where}, for 2 vCPUs",
            "  inferred      8 vCPUs",
            "  by AP page    gce-v1, reset address 0x80b004, sev_features 0x1",
        ]
    ]


def test_the_nearest_of_a_chain_is_shown_and_the_others_are_counted(small: BuildResult, tmp_path: Path) -> None:
    records = [listed(extended(PUBLISHED, GCE, steps).hex()) for steps in (0, 4, 9)]
    folder = with_endorsed(small, tmp_path / "catalog", records).folder
    reply = ask(folder, extended(PUBLISHED, GCE, 3))
    assert [one.more for one in reply.related.relations] == [-1, 3]
    (part,) = told(reply, 0)
    assert part.title.endswith("with 1 fewer vCPU")
    assert ("others", "1 more known digest of the same launch: --format json has more") in part.facts
    assert "inferred" not in dict(part.facts)


def test_all_that_is_known_of_the_nearest_is_said(small: BuildResult, tmp_path: Path) -> None:
    places = ["https://a.example", "https://b.example"]
    records = [listed(PUBLISHED.hex(), id=place) for place in places]
    reply = ask(with_endorsed(small, tmp_path / "catalog", records).folder, extended(PUBLISHED, GCE, 2))
    (part,) = told(reply, 0)
    assert dict(part.facts)["which is"] == "; ".join(f"endorsed by {place}" for place in places)
    assert "others" not in dict(part.facts)


def test_an_endorsed_digest_is_related_to_another(small: BuildResult, tmp_path: Path) -> None:
    """Its endorser may not say for how many vCPUs it is."""
    few, many = PUBLISHED, extended(PUBLISHED, GCE, 4)
    folder = with_endorsed(small, tmp_path / "catalog", [listed(one.hex()) for one in (few, many)]).folder
    for one, other, more in ((few, many, -4), (many, few, 4)):
        reply = ask(folder, one)
        (found,) = reply.related.relations
        assert (reply.exit_code, len(reply.endorsements)) == (10, 1)
        assert (found.known.digest, found.more, found.vcpus) == (other, more, None)


def test_a_base_that_nobody_endorses_is_known(tmp_path: Path) -> None:
    """Rows with up to 4 vCPUs follow from it, and are shown as inferred: others are related to it."""
    built = build(write_partly_known(tmp_path), tmp_path / "catalog")
    row = ask(built.folder, bytes.fromhex(digest(BASE_IMAGE, 4)))
    assert (row.exit_code, row.matches, [one.vcpus for one in row.inferred], row.related.tried) == (10, (), [4], "")
    assert "inferred.base.name" in row.to_dict()["claims"]
    reply = ask(built.folder, bytes.fromhex(digest(BASE_IMAGE, 9)))
    (found,) = reply.related.relations
    assert (reply.exit_code, found.more, found.vcpus) == (1, 7, 9)
    assert (found.known.label, found.known.vmm) == ("the base contrast/v1, for 2 vCPUs", "qemu-kvm-init2")
    assert reply.related.tried.startswith("1 published digest with up to ")
    fewer = ask(built.folder, bytes.fromhex(digest(BASE_IMAGE, 1))).related.relations
    assert [(one.more, one.known.label.partition(" ")[0]) for one in fewer] == [(-1, "the"), (-2, "catalogued")]


def test_a_base_is_not_related_to_the_rows_that_were_made_from_it(tmp_path: Path) -> None:
    built = build(write_partly_known(tmp_path), tmp_path / "catalog")
    base = bytes.fromhex(BASE)
    reply = ask(built.folder, base)
    assert (reply.exit_code, reply.related.relations, reply.related.based) == (1, (), (3, 4))
    says = "this digest is the base of rows of this catalog with 3-4 vCPUs, which follow from it"
    assert Note("base-of-rows", says).to_dict() in reply.to_dict()["notes"]
    folder = with_endorsed(built, tmp_path / "endorsed", [listed(digest(BASE_IMAGE, 9), claims={"vcpus": 9})]).folder
    (found,) = ask(folder, base).related.relations
    assert (found.more, found.vcpus) == (-7, 2)


def test_endorsers_that_do_not_agree_give_no_number_of_vcpus(small: BuildResult, tmp_path: Path) -> None:
    records = [listed(PUBLISHED.hex(), claims={"vcpus": count}, id=f"https://{count}.example") for count in (2, 3)]
    (found,) = ask(
        with_endorsed(small, tmp_path / "catalog", records).folder, extended(PUBLISHED, GCE, 2)
    ).related.relations
    assert (found.more, found.vcpus) == (2, None)


def with_fewer(built: BuildResult, vcpus: int) -> tuple[LaunchDigest, Match]:
    """The digest of a row of 66 vCPUs, but with fewer; and the row."""
    catalog = Catalog.open(built.folder)
    (match, *_) = lookup(catalog, LaunchDigest(snp_rows(built, 66)[0]), warn=pytest.fail)
    return catalog.launch_components.config({**match.row, "vcpus": vcpus}).digest(), match


def test_a_digest_of_a_row_that_is_endorsed_too_is_counted_once(gaps: BuildResult, tmp_path: Path) -> None:
    digest, match = with_fewer(gaps, 65)
    record = listed(match.launch_digest.hex(), claims={"vcpus": 66})
    reply = ask(with_endorsed(gaps, tmp_path / "catalog", [record]).folder, digest.value)
    (found,) = reply.related.relations
    assert (found.known.digest, found.vcpus) == (match.launch_digest, 65)
    endorser, *rows = found.known.label.split("; ")
    assert endorser == "endorsed by https://a.example/list, for 66 vCPUs"
    assert all(row.startswith("catalogued as ") for row in rows)
    assert len(set(rows)) == len(rows) > 0
    (part,) = told(reply, 0)
    assert "others" not in dict(part.facts)


@pytest.mark.parametrize("fewer", [1, 62])
def test_a_row_with_more_vcpus(gaps: BuildResult, fewer: int) -> None:
    digest, match = with_fewer(gaps, 66 - fewer)
    reply = ask(gaps.folder, digest.value)
    assert (reply.exit_code, reply.matches) == (1, ())
    found, *others = reply.related.relations
    assert (found.more, found.vcpus, found.known.digest) == (-fewer, 66 - fewer, match.launch_digest)
    assert {(one.more, one.known.digest) for one in others} <= {(-fewer, match.launch_digest)}  # twins have names of it
    label = found.known.label
    assert label.startswith("catalogued as ")
    assert label.endswith(f"{match.vmm} with 66 vCPUs")


def test_a_row_is_related_as_far_as_is_tried(gaps: BuildResult, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are of 1, 3, 66 and 131 vCPUs."""
    assert MOST_FEWER == 255
    monkeypatch.setattr(module, "MOST_FEWER", 64)
    for vcpus, nearest in ((2, [-1]), (67, [-64]), (132, [])):
        relations = ask(gaps.folder, with_fewer(gaps, vcpus)[0].value).related.relations
        assert [one.more for one in relations][:1] == nearest
    assert ask(gaps.folder, snp_rows(gaps, 66)[0]).related.tried == ""


def test_the_index_is_probed_a_bounded_number_of_times(gaps: BuildResult, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = Catalog.open(gaps.folder)
    probed = list[bytes]()

    def lists(_: Lookups, digest: bytes) -> bool:
        probed.append(digest)
        return False

    monkeypatch.setattr(Lookups, "lists", lists)
    relating = Relating(Lookups(catalog, pytest.fail), REFERENCE)
    assert relating.related(random_digest(1)).tried == ROWS.format(255)
    pages = len(probed) // 255
    assert len(probed) == 255 * pages
    probed.clear()
    monkeypatch.setattr(module, "PROBES", 4 * pages)
    assert relating.related(random_digest(1)).tried == ROWS.format(4)
    assert len(probed) == 4 * pages
    probed.clear()
    monkeypatch.setattr(module, "MAX_PAGES", 2)
    monkeypatch.setattr(module, "PROBES", 1)
    assert Relating(Lookups(catalog, pytest.fail), REFERENCE).related(random_digest(1)).relations == ()
    assert len(probed) == 2


def test_nothing_is_searched_for_a_sev_digest(gaps: BuildResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Relating, "related", None)
    reply = ask(gaps.folder, bytes(32))
    assert (reply.exit_code, reply.related.tried) == (1, "")
    assert ask(gaps.folder, snp_rows(gaps, 3)[0]).exit_code == 0


def test_a_damaged_index_is_not_searched(gaps: BuildResult, tmp_path: Path) -> None:
    """A lookup warns of it, and reads the Parquet files."""
    copy = tmp_path / "copy"
    shutil.copytree(gaps.folder, copy)
    (copy / "sev-snp/launch_digests.index").write_bytes(b"")
    evidence, warned = Evidence("launch digest", LaunchDigest(random_digest(1))), list[str]()
    given = VerificationInputs(now=0)
    reply = answer(Catalog.open(copy), evidence, given, choose(), warn=warned.append, tried=lambda _: None)
    assert (reply.exit_code, reply.related.relations, reply.related.tried) == (1, (), "")
    assert len(warned) == 1


def test_reset_addresses_of_the_catalog_are_known(tmp_path: Path) -> None:
    """A build of one's own has its own address, by which endorsed digests are related, too."""
    address = 0x123450
    inputs = write_inputs(tmp_path / "inputs")
    image = build_ovmf(reset_vector=address)
    (inputs / "bare.fd").write_bytes(image)
    built = build(write_spec(inputs, SMALL), tmp_path / "catalog")
    folder = with_endorsed(built, tmp_path / "endorsed", [listed(PUBLISHED.hex())]).folder
    reply = ask(folder, extended(PUBLISHED, ap_tail("gce-v1", address=address), 2))
    assert [one.more for one in reply.related.relations] == [2]
