"""The Python API: the examples of docs/python.md run, and the same data is trusted as on the command line."""

from __future__ import annotations

import base64
import json
import logging
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import catalog
import ldcat
from catalog import Outcome, Release, measure, verify_proof
from catalog.abi.digest import LaunchDigest
from catalog.abi.launch_measure import MeasureContext, launch_measurement
from catalog.abi.report import AttestationReport
from catalog.api.evidence_inputs import EvidenceInput
from catalog.build.builder import BuildResult
from catalog.errors import (
    MalformedInput,
    MalformedRecord,
    OlderThanSeen,
    Stale,
    UnknownName,
    Unreadable,
    UntrustedSigner,
    UsageError,
    VerificationFailed,
)
from catalog.evidence.evidence import Evidence
from catalog.log.records import RevokeRecord
from catalog.spec import embedded
from tests.support.attestation_builder import NOW, chain, report_bytes, signed
from tests.support.catalogs import PLACES, rows_of
from tests.support.certificate_builder import pem as pem_of
from tests.support.certificate_builder import revocation_list
from tests.support.endorsed_catalogs import with_endorsed
from tests.support.endorsed_digests import listed
from tests.support.hosts import at_once, serving
from tests.support.published_logs import Place, revoke
from tests.support.vcpu_chains import ap_tail, extended

ROOT = Path(__file__).parent.parent
REVOKE = RevokeRecord(type="revoke", selector={"vcpus": 3}, severity="revoked", reason="bad")


def digest_of(built: BuildResult, vcpus: int = 2) -> str:
    """The digest of one configuration, under SEV-SNP and with kernel hashes."""
    rows = rows_of(built).items()
    found = (
        digest
        for row, digest in rows
        if row[0] == "sev-snp" and row[PLACES["kernel_hashes_sha256"]] and row[-1] == vcpus
    )
    return min(found).hex()


def examples() -> list[str]:
    """All but the key broker, which has tests of its own."""
    found = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs/python.md").read_text(), re.MULTILINE | re.DOTALL)
    return [example for example in found if "def key_for" not in example]


@pytest.mark.parametrize("number", range(len(examples())))
def test_the_examples_run(
    place: Place, small: BuildResult, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    monkeypatch.chdir(place.log.parent)
    Path("public").symlink_to(place.log)
    Path("trust.note").symlink_to(place.trust)
    Path("digests").symlink_to(small.folder)
    nonce, issued = b"n" * 64, chain()
    report = bytearray(report_bytes(measurement=bytes.fromhex(digest_of(small))))
    report[0x50:0x90] = nonce
    names: dict[str, Any] = {
        "DIGEST": digest_of(small),
        "REPORT": signed(bytes(report)),
        "NONCE": nonce,
        "CERTS": [one.der for one in issued.all[:2]],
        "ROOTS": issued.ark.der,
        "TIME": datetime.fromtimestamp(NOW, UTC),
        "FIRMWARE": next(iter(embedded.builds())),
    }
    exec(examples()[number], names)
    assert capsys.readouterr().out
    if "release" in names:
        names["release"].close()


def test_lookups_in_a_release(place: Place, small: BuildResult, caplog: pytest.LogCaptureFixture) -> None:
    with Release.open(place.log, place.trust) as release:
        assert (release.origin, release.number, release.verified) == ("example.com/log", 1, True)
        assert release.place == f"{place.log}/releases/1"
        digest = digest_of(small)
        (match,) = {match.technology for match in release.lookup(digest)}
        assert match == "sev-snp"
        assert [m.to_dict() for m in release.lookup(bytes.fromhex(digest))] == [
            m.to_dict() for m in release.lookup(f"0x{digest}")
        ]
        assert not release.lookup("0" * 96)
        for wrong in ("", "zz", "00", b"1"):
            with pytest.raises(MalformedInput):
                release.lookup(wrong)
    with Release.open(small.folder) as own:
        assert (own.origin, own.number, own.verified, own.fresh_until) == (None, None, False, None)
        assert own.lookup(digest)
        with pytest.raises(UsageError, match="not published in a log"):
            own.prove(digest)
    assert not caplog.records


def test_an_unverified_release_is_refused_or_warned_about(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="no trust note is given"):
        Release.open(place.log)
    with pytest.raises(UsageError, match="the path is empty"):
        Release.open("")
    with pytest.raises(Unreadable, match="no catalog"):
        Release.open(tmp_path / "nowhere")
    with caplog.at_level(logging.WARNING, "ldcat"), Release.open(place.log, insecure_skip_verify=True) as release:
        assert not release.verified
    assert "NOT VERIFIED" in caplog.text
    old = (place.log / "checkpoint").read_bytes()
    place.publish(REVOKE)
    Release.open(place.log, place.trust).close()
    (place.log / "checkpoint").write_bytes(old)
    with pytest.raises(OlderThanSeen):
        Release.open(place.log, place.trust)
    (place.log / "checkpoint").write_bytes(old[: old.index("— ".encode())] + "— nobody.example AAAAAAAA\n".encode())
    with pytest.raises(UntrustedSigner):
        Release.open(place.log, place.trust)


def test_revoked_rows_are_marked_and_stale_releases_refused(
    place: Place, small: BuildResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.publish(REVOKE)
    digest = digest_of(small, 3)
    with Release.open(place.log, place.trust) as release:
        assert {match.revocation for match in release.lookup(digest)} == {("revoked", "bad")}
        assert verify_proof(release.prove(digest)[0], place.trust).outcome == "revoked"
        until = release.fresh_until
        assert until is not None
        monkeypatch.setattr("time.time", lambda: until.timestamp() + 1.0)
        with pytest.raises(Stale, match="the release is stale"):
            release.lookup(digest)
        with pytest.raises(Stale):
            release.prove(digest)
        with pytest.raises(Stale):
            Release.open(place.log, place.trust)


def test_proofs(place: Place, small: BuildResult) -> None:
    with Release.open(place.log, place.trust) as release:
        bundles = release.prove(digest_of(small))
        assert release.prove("0" * 96) == ()
    verdicts = [verify_proof(bundle, place.trust, digest=digest_of(small)) for bundle in bundles]
    assert {verdict.outcome for verdict in verdicts} == {"match"}
    assert verify_proof(bundles[0], place.trust, digest="0" * 96).outcome == "unknown"
    assert verify_proof(b"{}", place.trust).outcome == "bad-proof"
    assert verify_proof(bundles[0][:-20], place.trust).outcome == "bad-proof"
    with pytest.raises(Unreadable):
        verify_proof(bundles[0], place.trust.with_name("nowhere"))


def test_a_proof_that_is_older_than_what_was_seen(place: Place, small: BuildResult) -> None:
    with Release.open(place.log, place.trust) as release:
        (proof, *_) = release.prove(digest_of(small))
    place.publish(revoke("revoked", launch_digest=digest_of(small)))
    Release.open(place.log, place.trust).close()
    assert verify_proof(proof, place.trust).outcome == "older-than-seen"
    verdict = verify_proof(proof, place.trust, accept_older=timedelta(hours=12))
    assert (verdict.outcome, [note.code for note in verdict.notes]) == ("revoked", ["older-proof-accepted"])
    with pytest.raises(UsageError, match="2 days is longer than max-age of the trust note, 24 hours"):
        verify_proof(proof, place.trust, accept_older=timedelta(days=2))


def test_a_hosted_release(place: Place, small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with serving(place.log) as port, Release.open(f"http://127.0.0.1:{port}/logs", place.trust) as release:
        assert release.place == f"http://127.0.0.1:{port}/logs/releases/1"
        assert release.lookup(digest_of(small))
        (bundle, *_) = release.prove(digest_of(small))
    assert verify_proof(bundle, place.trust).outcome == "match"


def test_concurrent_lookups(small: BuildResult) -> None:
    digest = digest_of(small)
    with Release.open(small.folder) as release:
        expected = [match.to_dict() for match in release.lookup(digest)]

        def ask() -> None:
            for _ in range(200):
                assert [match.to_dict() for match in release.lookup(digest)] == expected

        at_once(4, ask)


def test_a_lookup_loads_few_modules(small: BuildResult, place: Place) -> None:
    program = (
        "import sys; from catalog import Release; release = Release.open(sys.argv[1], *sys.argv[3:]); "
        "assert release.lookup(sys.argv[2]); "
        "print(sorted({'duckdb', 'pyarrow', 'typer', 'rich', 'jinja2'} & sys.modules.keys()))"
    )
    for arguments in ([str(small.folder)],):
        done = subprocess.run(
            [sys.executable, "-c", program, arguments[0], digest_of(small)], capture_output=True, text=True, cwd=ROOT
        )
        assert (done.stdout, done.stderr) == ("[]\n", "")


def test_public_names_of_the_package() -> None:
    names = ["Outcome", "Release", "Severity", "__version__", "measure", "verify_proof"]
    assert sorted(catalog.__all__) == names
    assert sorted(ldcat.__all__) == sorted([*names, "errors"])
    assert all(getattr(ldcat, name) is getattr(catalog, name) for name in ldcat.__all__)
    for package in (catalog, ldcat):
        with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
            package.Nothing  # noqa: B018


@pytest.mark.parametrize("name", ["catalog", "ldcat"])
def test_importing_the_package_loads_no_other_library(name: str) -> None:
    program = f"import sys; before = set(sys.modules); import {name}; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert {module.partition(".")[0] for module in done.stdout.split()} <= {"catalog", "ldcat", "mmap", "errno"}


def test_every_form_of_evidence(small: BuildResult, tmp_path: Path) -> None:
    digest = bytes.fromhex(digest_of(small))
    report = report_bytes(measurement=digest)
    (tmp_path / "report.bin").write_bytes(report)
    forms: list[EvidenceInput] = [digest, digest.hex(), LaunchDigest(digest), Evidence("a form", LaunchDigest(digest))]
    forms += [report, report.hex(), report.hex().encode(), AttestationReport.parse(report), tmp_path / "report.bin"]
    with Release.open(small.folder) as release:
        for form in forms:
            answer = release.lookup(form)
            assert (answer.found, answer.exit_code, len(answer)) == (True, 0, 2)
            assert [match.vcpus for match in answer] == [2, 2]
            assert (answer[0], answer[-1]) == answer.matches
            assert (answer.report is not None, answer.verified) == (
                answer.evidence.form.startswith("attestation report"),
                False,
            )
        with pytest.raises(MalformedInput):
            release.lookup(b"neither")
        with pytest.raises(Unreadable):
            release.lookup(tmp_path / "nowhere")


def test_a_launch_measurement(small: BuildResult) -> None:
    digest = next(digest for row, digest in rows_of(small).items() if row[0] == "sev")
    context = MeasureContext(api_major=1, api_minor=55, build_id=30, policy=0, nonce=bytes(16))
    measured = launch_measurement(b"k" * 16, context, LaunchDigest(digest))
    text = json.dumps(
        {
            "data": base64.b64encode(measured + bytes(16)).decode(),
            "api-major": 1,
            "api-minor": 55,
            "build-id": 30,
            "policy": 0,
        }
    )
    with Release.open(small.folder) as release:
        answer = release.lookup(text, tik=b"k" * 16)
        assert (answer.found, answer.digest) == (True, LaunchDigest(digest))
        assert not release.lookup(text, tik=b"j" * 16)
        with pytest.raises(UsageError, match="needs its TIK"):
            release.lookup(text)
        with pytest.raises(UsageError, match="also covers values that are missing"):
            release.lookup(measured, tik=b"k" * 16)


def test_verification(small: BuildResult, tmp_path: Path) -> None:
    report, of = signed(report_bytes(measurement=bytes.fromhex(digest_of(small)))), chain()
    pem, at = b"".join(pem_of(one.der) for one in of.all[:2]), datetime.fromtimestamp(NOW, UTC)
    (tmp_path / "ark.pem").write_bytes(pem_of(of.ark.der))
    root = tmp_path / "ark.pem"
    with Release.open(small.folder) as release:
        answer = release.lookup(report, certs=pem, roots=root, at=at, require_verified=True)
        assert (answer.found, answer.verified) == (True, True)
        assert "verified" in repr(answer)
        assert release.lookup(report, certs=[pem, str(root)], roots=[root.read_bytes()], at=at).verified
        assert not release.lookup(report, certs=pem, at=at).verified
        demanded = {"report_data": bytes(64), "host_data": bytes(32), "id_key_digest": bytes(48)}
        assert release.lookup(report, policy=0x30000, min_tcb="snp=22", **demanded).found  # type: ignore[arg-type]
        for more in ({"report_data": b"n" * 64}, {"policy": 1}, {"min_tcb": "snp=23"}):
            with pytest.raises(VerificationFailed, match="does not meet what was demanded"):
                release.lookup(report, **more)
        with pytest.raises(UsageError, match="report_data has 1 bytes, not 64"):
            release.lookup(report, report_data=b"n")
        for wrong, why in (
            ({"report_data": "00" * 32}, "report_data has to be bytes"),
            ({"min_tcb": {"snp": 1}}, "min_tcb has"),
        ):
            with pytest.raises(UsageError, match=why):
                release.lookup(report, **wrong)
        (tmp_path / "crl.der").write_bytes(revocation_list())
        for lists in (revocation_list(), tmp_path / "crl.der", [str(tmp_path / "crl.der")]):
            assert release.lookup(report, certs=pem, roots=root, crls=lists, at=at, require_verified=True).found
        with pytest.raises(MalformedInput, match="no certificate revocation list"):
            release.lookup(report, certs=pem, crls=b"no list", at=at)
        late = at + timedelta(days=10_000)
        for certs, roots, when in ((b"", b"", at), (pem, b"", at), (pem, root, late)):
            with pytest.raises(VerificationFailed, match=r"verification was demanded|do not endorse"):
                release.lookup(report, certs=certs or (), roots=roots or (), at=when, require_verified=True)
        with pytest.raises(VerificationFailed) as refused:
            release.lookup(report, require_verified=True)
        assert "AMD has certificates at https://kdsintf.amd.com/vcek/v1/Milan/" in str(refused.value.hint)
        with pytest.raises(UsageError, match="has no time zone"):
            release.lookup(report, certs=pem, at=datetime(2026, 6, 1))
        with pytest.raises(UsageError, match="only for an attestation report"):
            release.lookup(digest_of(small), certs=pem)
        with pytest.raises(UsageError, match="must be an ARK"):
            release.lookup(report, certs=pem, roots=pem)
        with pytest.raises(MalformedInput):
            release.lookup(report, certs=b"no certificate")


def test_what_is_printed_of_an_answer(small: BuildResult) -> None:
    digest = digest_of(small)
    with Release.open(small.folder) as release:
        answer = release.lookup(digest)
        assert repr(answer) == f"<Answer to launch digest: digest {digest}, 2 matches, exit code 0>"
        name = answer.matches[0].firmware["name"]
        assert repr(answer.matches[0]) == f"<Match sev-snp: {name}, {answer.matches[0].vmm}, 2 vCPUs>"
        assert repr(release) == f"<Release in {small.folder}>"


def test_measuring(small: BuildResult) -> None:
    row = next(row for row in rows_of(small) if row[0] == "sev-snp" and row[PLACES["kernel_hashes_sha256"]] is None)
    with Release.open(small.folder) as release:
        match = release.lookup(rows_of(small)[row]).matches[0]
        given = {
            "vmm": match.vmm,
            "vcpus": match.vcpus,
            "vcpu_signature": match.vcpu_signature,
            "sev_features": match.sev_features,
        }
        measured = release.measure(technology="sev-snp", firmware=match.firmware["name"], **given)
        assert measured.digest.value == rows_of(small)[row]
        with pytest.raises(UnknownName):
            measure(technology="sev-snp", firmware=match.firmware["name"], **given)
        with pytest.raises(MalformedRecord):
            measure(technology="sev-snp", firmware="x", colour="red")


def test_explaining(small: BuildResult) -> None:
    with Release.open(small.folder) as release:
        match = release.lookup(digest_of(small)).matches[0]
        expected = {
            "technology": "sev-snp",
            "firmware": match.firmware["name"],
            "vmm": match.vmm,
            "vcpus": match.vcpus,
            "vcpu_signature": match.vcpu_signature,
            "sev_features": match.sev_features,
        }
        other = release.measure(**{**expected, "vcpus": 77})
        found = release.explain(other.digest, expected=expected)
        assert [hit.vcpus for hit in found.hits] == [77]
        assert [hit.vcpus for hit in release.explain(other.digest).hits] == [77]
        missed = release.explain("0" * 96, budget=0.001)
        assert not missed.hits
        assert re.fullmatch(r"<Explanation: 0 configurations found, [\d,]+ candidates tried>", repr(missed))
        with pytest.raises(UsageError, match="too small"):
            release.explain(other.digest, budget=0)
        with pytest.raises(MalformedRecord):
            release.explain(other.digest, expected={"colour": "red"})
        with pytest.raises(UsageError, match="a TIK"):
            release.explain(other.digest, tik=b"k" * 16)


def test_explaining_verified_evidence(small: BuildResult) -> None:
    of, at = chain(), datetime.fromtimestamp(NOW, UTC)
    certs = b"".join(pem_of(one.der) for one in of.all)
    trusted: dict[str, Any] = {"certs": certs, "roots": of.ark.der, "at": at, "require_verified": True}
    with Release.open(small.folder) as release:
        report = signed(report_bytes(measurement=bytes.fromhex(digest_of(small))))
        assert release.explain(report, crls=revocation_list(), **trusted).hits
        for changes, why in (
            ({"certs": (), "roots": ()}, "no certificates are given"),
            ({"roots": ()}, "do not endorse"),
            ({"roots": (), "require_verified": False}, "do not endorse"),
            ({"at": at + timedelta(days=10_000)}, "do not endorse"),
        ):
            with pytest.raises(VerificationFailed, match=why):
                release.explain(report, **{**trusted, **changes})
        with pytest.raises(VerificationFailed) as refused:
            release.explain(report, require_verified=True)
        assert "AMD has certificates at https://kdsintf.amd.com/vcek/v1/Milan/" in str(refused.value.hint)
        with pytest.raises(VerificationFailed, match="a launch digest alone is not signed"):
            release.explain(digest_of(small), require_verified=True)


def test_explaining_a_launch_measurement_that_must_be_verified(small: BuildResult) -> None:
    digest = next(digest for row, digest in rows_of(small).items() if row[0] == "sev")
    context = MeasureContext(api_major=1, api_minor=55, build_id=30, policy=0, nonce=bytes(16))
    for of, found in ((LaunchDigest(digest), True), (LaunchDigest(bytes(32)), False)):
        measured = launch_measurement(b"k" * 16, context, of)
        text = json.dumps(
            {"data": base64.b64encode(measured + bytes(16)).decode(), "api-major": 1, "api-minor": 55}
            | {"build-id": 30, "policy": 0}
        )
        with Release.open(small.folder) as release:
            if found:
                assert release.explain(text, tik=b"k" * 16, require_verified=True, budget=1).hits
            else:
                with pytest.raises(VerificationFailed, match="no known digest has this launch measurement"):
                    release.explain(text, tik=b"k" * 16, require_verified=True, budget=0.01)


def test_a_proof_of_a_report(place: Place, small: BuildResult) -> None:
    with Release.open(place.log, place.trust) as release:
        (bundle,) = release.prove(digest_of(small))
    report = report_bytes(measurement=bytes.fromhex(digest_of(small)))
    verdict = verify_proof(bundle, place.trust, report=report)
    assert (verdict.outcome, [note.code for note in verdict.notes]) == (Outcome.MATCH, ["report-not-verified"])
    assert verify_proof(bundle, place.trust, report=report_bytes()).outcome is Outcome.UNKNOWN
    with pytest.raises(UsageError, match="a digest and a report are given"):
        verify_proof(bundle, place.trust, digest=digest_of(small), report=report)


def test_an_answer_has_what_a_lookup_leaves_out(small: BuildResult, tmp_path: Path) -> None:
    base = "0b" * 48
    digest = extended(bytes.fromhex(base), ap_tail("gce-v1"), 2)
    built = with_endorsed(small, tmp_path / "catalog", [listed(base, feed="a feed", svn=3)])
    with Release.open(built.folder) as release:
        assert not release.lookup(base)
        answer = release.lookup(base)
        assert (answer.exit_code, [one.record.endorser.svn for one in answer.endorsements]) == (10, [3])
        assert release.lookup(base, min_svn={"a feed": 4}).exit_code == 7
        assert release.lookup(digest).to_dict()["related"] == []
        assert [one.more for one in release.lookup(digest, related=True).related.relations] == [2]
