"""Answers to reports and launch measurements: the rows of a catalog that match, and the notes about both."""

from __future__ import annotations

import hmac
import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from catalog.abi.digest import LaunchDigest
from catalog.abi.launch_measure import MeasureContext, launch_measurement
from catalog.abi.report import AttestationReport
from catalog.ask.answer import IS_OF, Answer, found_answer
from catalog.ask.answering import answer
from catalog.ask.evidence_notes import FIRMWARE_NOT_PUBLIC
from catalog.ask.launch_measure_search import MeasureQuestion
from catalog.ask.lookup import lookup
from catalog.ask.verification import VerificationInputs
from catalog.build import generation
from catalog.build.builder import BuildResult
from catalog.errors import MalformedInput, UsageError
from catalog.evidence.evidence import Evidence, LaunchMeasureData
from catalog.evidence.sniff import sniff
from catalog.fast.match import Match, verifier_halts
from catalog.launch.hashing.backends import PYTHON, HashBackend, choose
from catalog.notes import Note
from catalog.store.catalog import Catalog
from tests.support.attestation_builder import NOW, chain, report_bytes, signed
from tests.support.catalogs import build
from tests.support.cli import Run
from tests.support.samples import SMALL, write_inputs, write_spec

TIK = bytes(range(200, 216))
CONTEXT = {"api_major": 1, "api_minor": 55, "build_id": 40}


@pytest.fixture(scope="module")
def parted(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """The small catalog in several Parquet parts."""
    folder = tmp_path_factory.mktemp("parted")
    write_inputs(folder / "inputs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generation, "ROWS_PER_PART", 8)
        return build(write_spec(folder / "inputs", SMALL), folder / "catalog")


def digests(built: BuildResult, technology: str) -> list[bytes]:
    """All digests of a technology, without duplicates."""
    names = sorted((built.folder / technology).glob("*.parquet"))
    return sorted({value.as_py() for name in names for value in pq.read_table(name)["launch_digest"]})


def measured(digest: bytes, policy: int, nonce: bytes = bytes(16), tik: bytes = TIK) -> Evidence:
    """A launch measurement of a digest, with everything that it covers."""
    context = MeasureContext(**CONTEXT, policy=policy, nonce=nonce)
    measurement = launch_measurement(tik, context, LaunchDigest(digest))
    return Evidence("launch measurement", LaunchMeasureData(measurement, nonce, **CONTEXT, policy=policy))


def ask(built: BuildResult, evidence: Evidence, backend: HashBackend | None = None, **proofs: object) -> Answer:
    counted: list[int] = []
    given = VerificationInputs(**{"now": NOW, **proofs})  # type: ignore[arg-type]
    chosen = backend or choose(None)
    return answer(Catalog.open(built.folder), evidence, given, chosen, warn=pytest.fail, tried=counted.append)


@pytest.mark.parametrize("backend", [choose(None), HashBackend(PYTHON, PYTHON)])
@pytest.mark.parametrize(("technology", "policy"), [("sev", 0x01), ("sev-es", 0x05)])
def test_every_digest_is_found_by_its_measurement(
    parted: BuildResult, technology: str, policy: int, backend: HashBackend
) -> None:
    for number, digest in enumerate(digests(parted, technology)):
        reply = ask(parted, measured(digest, policy, nonce=bytes([number]) * 16), backend, tik=TIK)
        assert reply.digest == LaunchDigest(digest)
        assert {match.technology for match in reply.matches} == {technology}
        assert IS_OF in reply.notes


def test_the_measurement_depends_on_policy_nonce_and_key(parted: BuildResult) -> None:
    digest = digests(parted, "sev")[0]
    good = measured(digest, 0x01)
    assert isinstance(good.value, LaunchMeasureData)
    assert ask(parted, good, tik=TIK).matches
    for changes in ({"policy": 0x03}, {"policy": 0x05}, {"nonce": bytes(15) + b"\1"}, {"build_id": 41}):
        fields = {name: getattr(good.value, name) for name in ("measurement", "nonce", *CONTEXT, "policy")}
        reply = ask(parted, Evidence("launch measurement", LaunchMeasureData(**{**fields, **changes})), tik=TIK)
        assert (reply.digest, reply.matches) == (None, ())
    assert ask(parted, good, tik=bytes(16)).digest is None


def test_the_digest_given_by_the_host_is_only_a_hint(parted: BuildResult) -> None:
    known, unknown = digests(parted, "sev")[0], random.Random(1).randbytes(32)
    reply = ask(parted, measured(known, 1), tik=TIK, debug_digest=LaunchDigest(known))
    assert "measurement-matches" in codes(reply)
    assert "host-digest-ignored" not in codes(reply)
    assert reply.matches
    reply = ask(parted, measured(known, 1), tik=TIK, debug_digest=LaunchDigest(unknown))
    assert reply.digest == LaunchDigest(known)
    assert "host-digest-ignored" in codes(reply)
    reply = ask(parted, measured(unknown, 1), tik=TIK, debug_digest=LaunchDigest(unknown))
    assert (reply.digest, reply.matches) == (LaunchDigest(unknown), ())
    with pytest.raises(MalformedInput, match="needs a 32-byte digest"):
        ask(parted, measured(known, 1), tik=TIK, debug_digest=LaunchDigest(bytes(48)))


def test_a_technology_that_is_not_in_the_catalog_has_no_digest(
    parted: BuildResult, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("snp")
    write_inputs(folder / "inputs")
    only = SMALL.replace("[technologies.sev]\n", "").split("[technologies.sev-es]")
    spec = only[0] + "[technologies.sev-snp]" + only[1].split("[technologies.sev-snp]")[1]
    built = build(write_spec(folder / "inputs", spec), folder / "catalog")
    assert ask(built, measured(digests(parted, "sev")[0], 1), tik=TIK).digest is None


def test_a_report_matches_only_rows_of_sev_snp(small: BuildResult) -> None:
    """A bare launch digest of the same bytes matches rows of both."""
    catalog = Catalog.open(small.folder)
    digest = LaunchDigest(digests(small, "sev-snp")[0])
    own = lookup(catalog, digest, warn=pytest.fail)
    found = [*own, *(replaced(match, technology="other") for match in own)]
    report = AttestationReport.parse(report_bytes(measurement=digest.value))
    reply = found_answer(catalog, Evidence("attestation report", report), VerificationInputs(), lambda _: found)
    assert {match.technology for match in reply.matches} == {"sev-snp"}
    assert len(reply.matches) == len(own)
    reply = found_answer(catalog, Evidence("launch digest", digest), VerificationInputs(), lambda _: found)
    assert {match.technology for match in reply.matches} == {"sev-snp", "other"}


def replaced(match: Match, **fields: str) -> Match:
    return Match(
        {**match.row, **fields},
        firmware=match.firmware,
        kernel_hashes=match.kernel_hashes,
        vmm_title=match.vmm_title,
        vcpu_types=match.vcpu_types,
        launchable=(match.launchable, match.launchable_reason, match.launchable_source),
    )


def codes(reply: Answer) -> list[str]:
    return [note.code for note in reply.notes]


def test_reports_match_the_rows_of_their_measurement(small: BuildResult) -> None:
    digest = digests(small, "sev-snp")[0]
    raw = signed(report_bytes(measurement=digest, policy=0xE0000, vmpl=2))
    evidence = Evidence("attestation report", AttestationReport.parse(raw))
    reply = ask(small, evidence)
    assert reply.matches
    assert "signed-by-vlek" not in codes(reply)
    by_provider = AttestationReport.parse(report_bytes(measurement=digest, key_info=1 << 2))
    assert codes(ask(small, Evidence("attestation report", by_provider)))[0] == "signed-by-vlek"
    assert reply.endorsement is None
    assert not reply.refused
    assert reply.to_dict()["verification"]["verified"] is False
    assert codes(reply)[:3] == ["debug-allowed", "migration-agent-allowed", "vmpl-above-0"]
    made = chain()
    endorsed = ask(small, evidence, certificates=made.all, roots=[made.ark])
    assert endorsed.to_dict()["verification"]["verified"] is True
    assert endorsed.to_dict()["verification"]["root_trusted_by"] == "given"
    assert ask(small, evidence, certificates=made.all).refused
    refuted = ask(small, evidence, certificates=chain(chip=bytes(64)).all)
    assert refuted.refused == "the certificates do not endorse this report"
    assert refuted.matches


def test_a_report_does_not_match_another_technology_with_digests_of_its_size(small: BuildResult) -> None:
    digest = LaunchDigest(digests(small, "sev-snp")[0])
    catalog = Catalog.open(small.folder)
    rows, others = (list(lookup(catalog, digest, warn=pytest.fail)) for _ in range(2))
    for other in others:
        other.row = {**other.row, "technology": "toy"}
    report = AttestationReport.parse(signed(report_bytes(measurement=digest.value)))
    assert found_answer(
        catalog, Evidence("x", report), VerificationInputs(), lambda _: [*others, *rows]
    ).matches == tuple(rows)
    assert found_answer(catalog, Evidence("x", digest), VerificationInputs(), lambda _: [*others, *rows]).matches == (
        *others,
        *rows,
    )


def test_a_report_requested_by_the_host_is_noted(small: BuildResult) -> None:
    raw = report_bytes(vmpl=0xFFFFFFFF)
    reply = ask(small, Evidence("attestation report", AttestationReport.parse(raw)))
    text = "this report was requested by the host, not by software in the guest"
    assert reply.notes == (Note("requested-by-host", text),)


def test_a_report_of_azure_that_no_row_has_sends_nobody_to_search(small: BuildResult, run: Run, tmp_path: Path) -> None:
    unknown = sniff(b"HCLA" + bytes(28) + report_bytes())
    assert FIRMWARE_NOT_PUBLIC in ask(small, unknown).notes
    (tmp_path / "hcl.bin").write_bytes(b"HCLA" + bytes(28) + report_bytes())
    code, out, err = run("lookup", str(tmp_path / "hcl.bin"), "--catalog", str(small.folder))
    assert (code, FIRMWARE_NOT_PUBLIC.text in out + err, "ldcat explain" in err) == (1, True, False)
    known = report_bytes(measurement=digests(small, "sev-snp")[0])
    assert FIRMWARE_NOT_PUBLIC not in ask(small, sniff(b"HCLA" + bytes(28) + known)).notes


def test_the_permissions_of_a_sev_policy_are_noted(small: BuildResult) -> None:
    digest = digests(small, "sev")[0]
    allowed = ["debug-allowed", "key-sharing-allowed", "sending-allowed"]
    assert codes(ask(small, measured(digest, 0), tik=TIK))[:3] == allowed
    assert not set(allowed) & set(codes(ask(small, measured(digest, 0b1011), tik=TIK)))
    answer = ask(small, measured(digest, 0xC0B), tik=TIK)
    assert answer.matches
    assert Note("policy-bit-unknown", "policy bits 10, 11 are not known to this version") in answer.notes


def test_a_digest_shared_by_several_configurations_is_noted(small: BuildResult) -> None:
    shared = 0
    for digest in digests(small, "sev-snp"):
        reply = ask(small, Evidence("launch digest", LaunchDigest(digest)))
        notes = [note for note in reply.notes if "configurations have this digest" in note.text]
        assert len(notes) == (len(reply.matches) > 1)
        assert reply.to_dict()["notes"] == [note.to_dict() for note in reply.notes]
        shared += len(notes)
    assert shared


def test_verification_inputs_for_other_evidence_are_refused(small: BuildResult) -> None:
    digest = Evidence("launch digest", LaunchDigest(bytes(32)))
    report = Evidence("attestation report", AttestationReport.parse(report_bytes()))
    for evidence, proofs, message in (
        (digest, {"certificates": chain().all}, "certificates are only for an attestation report"),
        (digest, {"roots": [chain().ark]}, "certificates are only for an attestation report"),
        (report, {"roots": [chain().ark]}, "--root is given without the certificates below it"),
        (digest, {"tik": TIK}, "are only for LAUNCH_MEASURE"),
        (report, {"tik": TIK}, "are only for LAUNCH_MEASURE"),
        (report, {"debug_digest": LaunchDigest(bytes(32))}, "are only for LAUNCH_MEASURE"),
        (measured(bytes(32), 1), {}, "needs its TIK"),
    ):
        with pytest.raises(UsageError, match=message):
            ask(small, evidence, **proofs)
    half = Evidence("launch measurement", LaunchMeasureData(bytes(32), api_major=1))
    with pytest.raises(UsageError, match="nonce, api minor, build id, policy") as caught:
        ask(small, half, tik=TIK)
    assert "--nonce, --api-minor, --build-id, --policy" in str(caught.value.hint)


def test_a_tik_is_in_no_repr() -> None:
    value = measured(bytes(32), 1).value
    assert isinstance(value, LaunchMeasureData)
    question = MeasureQuestion.of(value, TIK)
    for shown in (repr(question), repr(VerificationInputs(tik=TIK))):
        assert repr(TIK) not in shown
        assert TIK.hex() not in shown
    assert hmac.compare_digest(question.tik, TIK)


def test_versions_whose_blob_verifier_halts() -> None:
    assert [
        verifier_halts(version) for version in ("2024.08-1", "2026.08+ds-2", "2024.05-2", "2022.11-6", "", None)
    ] == [
        True,
        True,
        False,
        False,
        False,
        False,
    ]
