"""Answers about digests that are endorsed, reported, inferred or unknown: JSON, text and exit code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from catalog.abi.digest import LaunchDigest
from catalog.abi.report import AttestationReport
from catalog.ask.answer import Answer
from catalog.ask.answer_text import MOST_NAMES, closing_notes, miss_notes, told
from catalog.ask.answering import answer
from catalog.ask.evidence_notes import FIRMWARE_NOT_PUBLIC
from catalog.ask.found_endorsements import FoundEndorsement, found_endorsement, known_digests
from catalog.ask.verification import VerificationInputs
from catalog.build.builder import BuildResult
from catalog.evidence.evidence import HCL_FORM, Evidence
from catalog.fast.match import Match
from catalog.fast.match_text import SEARCHES_FURTHER
from catalog.fast.note_text import note_line
from catalog.launch.hashing.backends import choose
from catalog.log.records import Severity
from catalog.log.revocation_list import Revocation
from catalog.log.revocations import Revocations
from catalog.rows.endorsed_record import EndorsedRecord
from catalog.store.catalog import Catalog
from catalog.store.endorsements import Endorsements
from catalog.values import replace
from tests.support.attestation_builder import NOW, report_bytes
from tests.support.catalogs import digest_by_kernel, digest_of
from tests.support.endorsed_catalogs import DOCUMENT_SHA256, with_endorsed
from tests.support.endorsed_digests import SNP_DIGEST, endorsed, listed

UNSEEN = "77" * 48

NOT_RELATED = "no known digest was found to be it with another number of vCPUs; tried: "


class Asks:
    """Looks digests up in a catalog with the given records."""

    def __init__(self, small: BuildResult, folder: Path) -> None:
        self._small = small
        self._folder = folder
        self._made = 0

    def of(self, *records: EndorsedRecord) -> Catalog:
        self._made += 1
        return Catalog.open(with_endorsed(self._small, self._folder / str(self._made), records).folder)

    def __call__(self, asked: str | Evidence, *records: EndorsedRecord, **proofs: Any) -> Answer:
        evidence = Evidence("launch digest", LaunchDigest.parse(asked)) if isinstance(asked, str) else asked
        given = VerificationInputs(now=NOW, **proofs)
        return answer(self.of(*records), evidence, given, choose(), warn=pytest.fail, tried=lambda _: None)


@pytest.fixture
def ask(small: BuildResult, tmp_path: Path) -> Asks:
    return Asks(small, tmp_path)


def kept(digest: str = SNP_DIGEST, **changed: Any) -> EndorsedRecord:
    return endorsed(digest, document_sha256=DOCUMENT_SHA256, **changed)


def shown(reply: Answer, now: float = NOW) -> list[str]:
    lines = [line for part in told(reply, now) for line in part.lines()]
    return [*lines, *map(note_line, closing_notes(reply))]


def test_a_digest_that_is_only_endorsed(ask: Asks) -> None:
    reply = ask(SNP_DIGEST, kept(), kept(UNSEEN))
    assert (reply.exit_code, reply.matches, reply.related.relations) == (10, (), ())
    assert reply.related.tried.startswith("2 published digests with ")
    record = reply.to_dict()
    assert (record["found"], record["matches"], record["reported"]) == (False, [], [])
    assert record["claims"] == ["endorsements.endorser", "endorsements.claims"]
    assert record["endorsements"] == [
        {
            "launch_digest": SNP_DIGEST,
            "technology": "sev-snp",
            "endorser": {"scheme": "azure-uvm", "id": "did:x509:0", "feed": "a feed", "svn": 7},
            "claims": {"vcpus": 4, "policy": "0x30000", "firmware_sha256": "f1" * 32},
            "document_sha256": DOCUMENT_SHA256,
            "document_time": 1_700_000_000,
            "checked": "signature",
            "certificate_until": 1_700_000_001,
            "origin": "https://a.example",
            "agrees": [],
            "contradicts": [],
            "claimed_firmware": [],
            "refused": None,
            "revocation": None,
        }
    ]
    assert shown(reply) == [
        "endorsed  5a5a5a5a5a5a5a5a...  feed a feed, SVN 7, signed 2023-11-14 (signature verified; "
        "certificate expired 2023-11-14)",
        "  endorser       did:x509:0",
        "  configuration  unknown: no catalogued firmware gives this digest",
        f"  claimed        vcpus 4, policy 0x30000, firmware_sha256 {'f1' * 32}",
        "  source         https://a.example",
        f"  document       SHA-256 {DOCUMENT_SHA256}",
        "info: no hash proves what an endorser claims",
        "info: a signature was verified by whoever made this catalog, which keeps the document: "
        "ldcat import verifies it again",
    ]
    assert "certificate valid until 2023-11-14)" in shown(reply, 1_700_000_000)[0]


def test_values_without_a_document(ask: Asks) -> None:
    reply = ask(SNP_DIGEST, listed(svn=3), listed(origin="https://a.example/list", document_time=1_700_000_000))
    assert reply.exit_code == 10
    first, second = [part.lines() for part in told(reply, NOW)]
    assert sorted([list(first), list(second)]) == [
        [
            "endorsed  5a5a5a5a5a5a5a5a...  by a.example/list, SVN 3 (no signature verified)",
            "  endorser       https://a.example/list",
            "  configuration  unknown: no catalogued firmware gives this digest",
            "  claimed        nothing but the digest and its SVN",
            "  source         https://a.example",
            "  document       not kept",
        ],
        [
            "endorsed  5a5a5a5a5a5a5a5a...  by a.example/list, of 2023-11-14 (no signature verified)",
            "  endorser       https://a.example/list",
            "  configuration  unknown: no catalogued firmware gives this digest",
            "  claimed        nothing but the digest",
            "  document       not kept",
        ],
    ]


def test_a_long_id_is_not_in_the_title(ask: Asks) -> None:
    did = f"did:x509:0:sha256:{'I' * 43}::eku:1.3.6.1.4.1.311.76.59.1.2"
    (part,) = told(ask(SNP_DIGEST, kept(id=did, feed=None, document_time=None)), NOW)
    assert part.title.startswith(f"endorsed  5a5a5a5a5a5a5a5a...  by {did[:60]}..., SVN 7 (signature verified;")
    assert part.facts[0] == ("endorser", did)


def test_a_digest_that_was_only_reported(ask: Asks) -> None:
    reply = ask(SNP_DIGEST, listed(scheme="reported"), kept(UNSEEN))
    assert (reply.exit_code, reply.endorsements) == (1, ())
    record = reply.to_dict()
    assert (record["found"], record["endorsements"], record["claims"]) == (False, [], [])
    assert record["reported"][0]["endorser"]["scheme"] == "reported"
    assert shown(reply) == [
        "reported  5a5a5a5a5a5a5a5a...  seen in https://a.example; nobody endorses it",
        "  configuration  unknown: no catalogued firmware gives this digest",
        "  claimed        nothing but the digest",
        "  document       not kept",
    ]


def test_an_endorsement_beside_a_match_agrees_or_contradicts(ask: Asks, small: BuildResult) -> None:
    digest = digest_of(small)
    match, *_ = ask(digest).matches
    firmware = match.firmware
    claims = {"vcpus": match.vcpus, "firmware_sha384": firmware["sha384"].hex(), "product": "Milan"}
    reply = ask(digest, kept(digest, claims=claims))
    assert (reply.exit_code, reply.matches[0].row) == (0, match.row)
    (one,) = reply.endorsements
    assert (one.agrees, one.contradicts) == (("vcpus", "firmware_sha384"), ())
    assert "  configuration  known: it is that of the match above" in shown(reply)
    assert "  agrees         vcpus, firmware_sha384" in shown(reply)

    reply = ask(digest, kept(digest, claims={"vcpus": match.vcpus + 1, "firmware_sha256": "f1" * 32}))
    assert reply.exit_code == 0
    (one,) = reply.endorsements
    assert (one.agrees, one.contradicts) == ((), ("vcpus", "firmware_sha256"))
    assert f"  DANGER: CONTRADICTS the configuration: it is claimed that vcpus is {match.vcpus + 1}" in shown(reply)
    assert reply.to_dict()["endorsements"][0]["contradicts"] == ["vcpus", "firmware_sha256"]


@pytest.mark.parametrize("kernel", ["kernel_sha256", "initrd_sha256"])
def test_claims_about_a_kernel_are_compared_where_one_was_measured(ask: Asks, small: BuildResult, kernel: str) -> None:
    digest = digest_by_kernel(small, "sev-snp", kernel=True)
    (match, *_) = ask(digest).matches
    assert match.kernel_hashes
    for value, found in ((match.kernel_hashes[kernel].hex(), ((kernel,), ())), ("00" * 32, ((), (kernel,)))):
        (one,) = ask(digest, kept(digest, claims={kernel: value})).endorsements
        assert (one.agrees, one.contradicts) == found
    without = digest_by_kernel(small, "sev-snp", kernel=False)
    (one,) = ask(without, kept(without, claims={kernel: "00" * 32})).endorsements
    assert (one.agrees, one.contradicts) == ((), ())


def test_a_known_firmware_that_does_not_give_the_digest_is_said(ask: Asks, small: BuildResult) -> None:
    match, *_ = ask(digest_of(small)).matches
    names = {"sha256": match.firmware["sha256"].hex(), "sha384": match.firmware["sha384"].hex()}
    for claims, found in (
        ({"firmware_sha256": names["sha256"]}, True),
        ({f"firmware_{name}": value for name, value in names.items()}, True),
        ({"firmware_sha256": names["sha256"], "firmware_sha384": "00" * 48}, False),
        ({"vcpus": 1}, False),
    ):
        reply = ask(SNP_DIGEST, kept(claims=claims))
        (one,) = reply.endorsements
        assert (reply.exit_code, match.firmware["name"] in one.firmware) == (10, found)
        says = f"  DANGER: DIFFERS from what is computed: the claimed firmware is {', '.join(one.firmware)}, "
        assert any(line.startswith(says) for line in shown(reply)) == found


FEED = {"a feed": 8}


def test_an_svn_that_is_too_low_is_refused(ask: Asks) -> None:
    reply = ask(SNP_DIGEST, kept(svn=7), min_svn=FEED)
    assert reply.exit_code == 7
    why = "this endorsement of the feed a feed has SVN 7, and 8 is the least that --min-svn accepts"
    assert reply.to_dict()["endorsements"][0]["refused"] == why
    assert f"  DANGER: refused: {why}" in shown(reply)
    assert ask(SNP_DIGEST, kept(svn=None), min_svn=FEED).to_dict()["endorsements"][0]["refused"] == (
        "this endorsement of the feed a feed has no SVN, and 8 is the least that --min-svn accepts"
    )


@pytest.mark.parametrize(
    ("records", "code"),
    [
        ([{"svn": 8}], 10),
        ([{"svn": None}], 7),
        ([{"svn": 7}, {"svn": 9}], 10),
        ([{"svn": 7, "feed": "another"}], 10),
        ([{"svn": 7, "feed": None}], 10),
        ([{"svn": 7}, {"svn": 1, "feed": "another"}], 7),
    ],
)
def test_only_endorsements_of_the_feed_are_refused(ask: Asks, records: list[dict[str, Any]], code: int) -> None:
    assert ask(SNP_DIGEST, *(kept(**one) for one in records), min_svn=FEED).exit_code == code


def test_a_known_configuration_is_refused_too(ask: Asks, small: BuildResult) -> None:
    digest = digest_of(small)
    assert ask(digest, kept(digest, svn=7, claims={}), min_svn=FEED).exit_code == 7
    assert ask(digest, kept(digest, svn=8, claims={}), min_svn=FEED).exit_code == 0
    assert ask(digest, min_svn=FEED).exit_code == 0


def test_a_report_has_endorsements_of_its_technology(ask: Asks) -> None:
    report = AttestationReport.parse(report_bytes(measurement=bytes.fromhex(SNP_DIGEST)))
    other = msgspec.structs.replace(kept(), technology="later")
    assert ask(Evidence("attestation report", report), other).exit_code == 1
    assert ask(Evidence("attestation report", report), other, kept()).exit_code == 10
    assert ask(SNP_DIGEST, other).exit_code == 10


def test_an_azure_report_that_is_endorsed_needs_no_note(ask: Asks) -> None:
    report = AttestationReport.parse(report_bytes(measurement=bytes.fromhex(SNP_DIGEST)))
    assert FIRMWARE_NOT_PUBLIC not in ask(Evidence(HCL_FORM, report), kept()).notes
    reply = ask(Evidence(HCL_FORM, report), kept(UNSEEN))
    assert FIRMWARE_NOT_PUBLIC in reply.notes
    assert SEARCHES_FURTHER not in [note.code for note in miss_notes(reply)]


def test_a_miss_says_who_was_asked(ask: Asks) -> None:
    assert [note.text for note in miss_notes(ask("00" * 32, kept()))] == [
        f"no configuration of this catalog has the 32-byte launch digest {'00' * 32}",
        f"to search further: ldcat explain {'00' * 32}",
    ]
    reply = ask(
        "00" * 48, kept(), listed(UNSEEN, id="https://github.com/a/b at c0ffee, d.json"), listed(scheme="reported")
    )
    first, asked, related, last = miss_notes(reply)
    assert first.text == f"no configuration of this catalog has the 48-byte launch digest {'00' * 48}"
    assert asked.text == "none of its endorsers endorses this digest: a feed, github.com/a/b"
    assert related.text.startswith(f"{NOT_RELATED}2 published digests with up to ")
    assert last.code == SEARCHES_FURTHER
    many = [kept(f"{number:096x}", feed=f"feed {number}") for number in range(1, MOST_NAMES + 3)]
    assert any(note.text.endswith(" and 2 more") for note in miss_notes(ask("00" * 48, *many)))


def test_a_miss_does_not_repeat_what_is_told_of_a_reported_digest(ask: Asks) -> None:
    related, last = miss_notes(ask(SNP_DIGEST, listed(scheme="reported"), kept(UNSEEN)))
    assert related.text.startswith(f"{NOT_RELATED}2 published digests with up to ")
    assert last.code == SEARCHES_FURTHER


REVOKED, DEPRECATED = ("revoked", "a reason"), ("deprecated", "a reason")


def revocation(severity: Severity, **selector: str) -> Revocation:
    return Revocation(selector=dict[str, str | int | None](selector), severity=severity, reason="a reason")


@pytest.mark.parametrize(
    ("revocations", "found"),
    [
        ([revocation("revoked", launch_digest=SNP_DIGEST)], REVOKED),
        ([revocation("deprecated", technology="sev-snp")], DEPRECATED),
        ([revocation("revoked", launch_digest=UNSEEN)], None),
        ([revocation("revoked", launch_digest=SNP_DIGEST), revocation("restored", technology="sev-snp")], None),
    ],
)
def test_the_log_says_what_is_revoked(
    small: BuildResult, revocations: list[Revocation], found: tuple[str, str] | None
) -> None:
    every = Endorsements((kept(),), Revocations(revocations))
    catalog = Catalog.open(small.folder)
    catalog.__dict__["endorsements"] = every
    assert found_endorsement(kept(), catalog, [], {}).revocation == found
    (known,) = known_digests(every)
    says = found and f"({found[0]} by the publisher of the catalog: a reason)"
    assert known.label == "endorsed by did:x509:0, feed a feed, for 4 vCPUs" + (f" {says}" if says else "")


def inferred(match: Match, revoked: tuple[str, str] | None) -> Match:
    """As a match of a row that was folded from a base."""
    row = {**match.row, "base_digest": bytes(48)}
    names = {name: getattr(match, name) for name in ("firmware", "kernel_hashes", "vmm_title", "vcpu_types")}
    return Match(row, **names, launchable=("unknown", "not known", ""), revocation=revoked)


@pytest.mark.parametrize(
    ("matches", "rows", "endorsements", "code"),
    [
        ([], [], [], 1),
        ([], [None], [], 10),
        ([], [], [None], 10),
        ([], [REVOKED], [], 7),
        ([], [], [REVOKED], 7),
        ([], [], [DEPRECATED], 10),
        ([], [REVOKED], [None], 10),
        ([], [None], [REVOKED], 10),
        ([], [REVOKED], [REVOKED, REVOKED], 7),
        ([None], [REVOKED], [REVOKED], 0),
        ([REVOKED], [None], [None], 7),
        ([REVOKED, None], [], [], 0),
    ],
)
def test_the_exit_code(
    ask: Asks,
    small: BuildResult,
    matches: list[tuple[str, str] | None],
    rows: list[tuple[str, str] | None],
    endorsements: list[tuple[str, str] | None],
    code: int,
) -> None:
    known, *_ = ask(digest_of(small)).matches
    found = replace(
        ask(SNP_DIGEST),
        matches=tuple(replaced(known, one) for one in matches),
        inferred=tuple(inferred(known, one) for one in rows),
        endorsements=tuple(FoundEndorsement(kept(), one) for one in endorsements),
    )
    assert found.exit_code == code


def replaced(match: Match, revoked: tuple[str, str] | None) -> Match:
    again = inferred(match, revoked)
    again.row = match.row
    return again


def test_an_inferred_row_says_so(ask: Asks, small: BuildResult) -> None:
    known, *_ = ask(digest_of(small)).matches
    row = inferred(known, None)
    reply = replace(ask(SNP_DIGEST, kept()), inferred=(row, row))
    assert "inferred 1 of 2, firmware not known: sev-snp" in shown(reply)
    assert "  configuration  inferred, as above: the firmware is not known" in shown(reply)
    assert "warning: 2 configurations have this digest: it does not say which of them was launched" in shown(reply)
    assert [one["technology"] for one in reply.to_dict()["inferred"]] == ["sev-snp"] * 2


def test_parts_name_what_they_are(ask: Asks) -> None:
    reply = ask(SNP_DIGEST, kept(), listed(scheme="reported"))
    assert [part["type"] for part in reply.parts()] == ["endorsed", "reported"]
